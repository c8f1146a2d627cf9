//! Steps and what is written in them.

use ::bytes::Bytes;

use super::declare::{choice, listed_by_a_byte, record};
use super::{ByteForm, Listed, Reader, Writer};
use crate::script::{Awaited, FieldLine, FieldList, HeaderList, Item, Step, StreamReference};
use crate::wire::hpack::{Huffman, Indexing, NameSource, Policy, StaticEntry};
use crate::wire::{
    ErrorCode, FrameKind, Increment, Payload, Priority, RawFrame, Setting, SettingId, StreamId,
};

/// The call that most scripts make: a text of no bytes where a path is due.
const USUAL_PATH: &str = "/grpc.health.v1.Health/Check";

choice!(Step {
    Send { 0: items },
    Await { what: what, within: within, otherwise: otherwise },
    Close,
    Wait { 0: time },
    HalfClose,
    Reset,
    Silent,
    Hold { 0: items },
});

choice!(Item {
    Preface,
    Settings { 0: settings },
    Headers { stream: stream, end: end, list: list },
    Data { stream: stream, end: end, bytes: bytes },
    Raw { 0: bytes },
    SettingsAck,
    WindowUpdate { stream: stream, increment: increment },
    Ping { ack: ack, payload: payload },
    Frame { 0: frame },
    GoAway { last: last, code: code, debug: debug },
    ResetStream { stream: stream, code: code },
    Priority { stream: stream, priority: priority },
    Request { 0: list },
    PlacedHeaders { stream: stream, end: end, priority: priority, list: list },
});

choice!(Awaited {
    Settings,
    End { 0: stream },
    Headers { 0: stream },
    Close,
    SettingsAck,
    Http1,
    Bytes { 0: count },
    GoAway,
    ResetStream { 0: stream },
    PingAck,
    SettingsOrAck,
});

record!(FieldList { name, lines });
record!(FieldLine { name, value, policy });
record!(Setting { id, value });
record!(Priority { exclusive, dependency, weight });
record!(RawFrame { kind, flags, reserved, stream, payload });
listed_by_a_byte!(FieldList, FieldLine, Setting, ErrorCode);

choice!(Indexing { Incremental, Without, Never });
choice!(NameSource { FromTable { 0: entry }, Spelled });
choice!(StaticEntry { Last, First });
choice!(Huffman { WhenShorter, Always, Never });

/// Stream 1, the stream of the call, and then every stream by its number.
impl ByteForm for StreamReference {
    fn read(input: &mut Reader<'_>) -> Self {
        match input.number() {
            0 => Self::Number(stream(1)),
            1 => Self::OfCall,
            number => Self::Number(stream(number - 2)),
        }
    }

    fn write(&self, output: &mut Writer<'_>) {
        output.number(match *self {
            Self::Number(number) if number == stream(1) => 0,
            Self::OfCall => 1,
            Self::Number(number) => u64::from(u32::from(number)) + 2,
        });
    }
}

impl ByteForm for HeaderList {
    fn read(input: &mut Reader<'_>) -> Self {
        match input.choose(4) {
            0 => Self::Grpc(path(input)),
            1 => Self::Get(path(input)),
            2 => Self::Block(ByteForm::read(input)),
            _ => match input.list_name() {
                Some(name) => Self::Named(name),
                None => Self::Grpc(path(input)),
            },
        }
    }

    fn write(&self, output: &mut Writer<'_>) {
        match self {
            Self::Grpc(path) => {
                output.tag(0);
                write_path(path, output);
            }
            Self::Get(path) => {
                output.tag(1);
                write_path(path, output);
            }
            Self::Block(block) => {
                output.tag(2);
                block.write(output);
            }
            Self::Named(name) => {
                output.tag(3);
                output.list_name(name);
            }
        }
    }
}

/// As golang.org/x/net writes fields, or choice by choice.
impl ByteForm for Policy {
    fn read(input: &mut Reader<'_>) -> Self {
        if input.choose(2) == 0 {
            return Self::GO;
        }
        Self {
            indexed_when_known: ByteForm::read(input),
            indexing: ByteForm::read(input),
            name: ByteForm::read(input),
            name_huffman: ByteForm::read(input),
            value_huffman: ByteForm::read(input),
        }
    }

    fn write(&self, output: &mut Writer<'_>) {
        let Self { indexed_when_known, indexing, name, name_huffman, value_huffman } = self;
        output.tag((*self != Self::GO).into());
        if *self != Self::GO {
            indexed_when_known.write(output);
            indexing.write(output);
            name.write(output);
            name_huffman.write(output);
            value_huffman.write(output);
        }
    }
}

impl ByteForm for StreamId {
    fn read(input: &mut Reader<'_>) -> Self {
        stream(input.number())
    }

    fn write(&self, output: &mut Writer<'_>) {
        output.number(u32::from(*self).into());
    }
}

impl ByteForm for Increment {
    fn read(input: &mut Reader<'_>) -> Self {
        let octets = input.number() as u32 & u32::from(Self::MAX);
        Self::new(octets).unwrap_or(Self::MAX)
    }

    fn write(&self, output: &mut Writer<'_>) {
        output.number(u32::from(*self).into());
    }
}

impl ByteForm for ErrorCode {
    fn read(input: &mut Reader<'_>) -> Self {
        u32::read(input).into()
    }

    fn write(&self, output: &mut Writer<'_>) {
        output.number(u32::from(*self).into());
    }
}

impl ByteForm for SettingId {
    fn read(input: &mut Reader<'_>) -> Self {
        Self::from(input.number() as u16)
    }

    fn write(&self, output: &mut Writer<'_>) {
        output.number(u16::from(*self).into());
    }
}

impl ByteForm for FrameKind {
    fn read(input: &mut Reader<'_>) -> Self {
        input.byte().into()
    }

    fn write(&self, output: &mut Writer<'_>) {
        output.tag((*self).into());
    }
}

impl ByteForm for Payload {
    fn read(input: &mut Reader<'_>) -> Self {
        let length = input.number().min(Self::MAX_LENGTH as u64);
        Self::new(Bytes::copy_from_slice(input.take(length))).unwrap_or_default()
    }

    fn write(&self, output: &mut Writer<'_>) {
        output.bytes(self);
    }
}

/// The low 31 bits of a number.
fn stream(number: u64) -> StreamId {
    StreamId::new(number as u32 & u32::from(StreamId::MAX)).unwrap_or(StreamId::MAX)
}

/// A text, one longer than it is; of length 0 the usual path.
fn path(input: &mut Reader<'_>) -> String {
    match input.number().checked_sub(1) {
        None => USUAL_PATH.to_owned(),
        Some(length) => String::from_utf8_lossy(input.take(length)).into_owned(),
    }
}

fn write_path(path: &str, output: &mut Writer<'_>) {
    if path == USUAL_PATH {
        output.number(0);
    } else {
        output.number(path.len() as u64 + 1);
        output.octets(path.as_bytes());
    }
}
