//! What is written: the items of a `>` line, divided by commas.

use bytes::Bytes;

use crate::script::error::Complaint;
use crate::script::{FieldList, HeaderList, Item, Line, OneOrMore, ScriptError, StreamReference};
use crate::wire::{
    ErrorCode, FrameKind, Increment, Payload, Priority, RawFrame, Setting, SettingId, StreamId,
};

use super::value;

const ITEMS: [&str; 14] = [
    "preface",
    "settings",
    "headers",
    "request",
    "data",
    "window-update",
    "ping",
    "goaway",
    "reset-stream",
    "priority",
    "frame",
    "raw",
    "hex",
    "settings ack",
];

/// The rest of a `>` line; `lists` are the header lists that it may refer to.
pub(super) fn items(line: &mut Line<'_>, lists: &[FieldList]) -> Result<OneOrMore<Item>, ScriptError> {
    let mut items = OneOrMore::from(item(line, lists)?);
    while line.comma() {
        items.push(item(line, lists)?);
    }
    line.finish()?;
    Ok(items)
}

/// `call`, or a stream's number.
pub(super) fn stream(line: &mut Line<'_>) -> Result<StreamReference, ScriptError> {
    if line.take("call") {
        return Ok(StreamReference::OfCall);
    }
    stream_number(line).map(StreamReference::Number)
}

fn item(line: &mut Line<'_>, lists: &[FieldList]) -> Result<Item, ScriptError> {
    let keyword = line.expect_word("something to write")?;
    Ok(match keyword.as_str() {
        "preface" => Item::Preface,
        "settings" if line.take("ack") => Item::SettingsAck,
        "settings" => Item::Settings(settings(line)?),
        "headers" => {
            let stream = stream(line)?;
            let end = line.take("end");
            if line.take("priority") {
                let priority = place(line)?;
                Item::PlacedHeaders { stream, end, priority, list: header_list(line, lists)? }
            } else {
                Item::Headers { stream, end, list: header_list(line, lists)? }
            }
        }
        "request" => Item::Request(header_list(line, lists)?),
        "data" => {
            Item::Data { stream: stream(line)?, end: line.take("end"), bytes: value::hexadecimal(line)? }
        }
        "window-update" => Item::WindowUpdate { stream: stream(line)?, increment: increment(line)? },
        "ping" => Item::Ping { ack: line.take("ack"), payload: ping_payload(line)? },
        "goaway" => {
            let last = stream_number(line)?;
            let code = error_code(line)?;
            let debug =
                if line.at_text() { Bytes::from(line.quoted_bytes("debug data")?) } else { Bytes::new() };
            Item::GoAway { last, code, debug }
        }
        "reset-stream" => Item::ResetStream { stream: stream(line)?, code: error_code(line)? },
        "priority" => priority(line)?,
        "frame" => Item::Frame(frame(line)?),
        "raw" => Item::Raw(line.quoted_bytes("a text")?.into()),
        "hex" => Item::Raw(value::hexadecimal(line)?),
        other => {
            return Err(line.complain_last(Complaint::unknown("item", other, &ITEMS)));
        }
    })
}

fn settings(line: &mut Line<'_>) -> Result<Vec<Setting>, ScriptError> {
    let mut settings = Vec::new();
    while let Some(word) = line.word() {
        let parsed = word.split_once('=').and_then(|(name, number)| {
            let id = SettingId::from_name(name).or_else(|| {
                value::parse_number(name).and_then(|number| u16::try_from(number).ok()).map(SettingId::from)
            })?;
            Some(Setting { id, value: value::parse_number(number)? })
        });
        settings.push(parsed.ok_or_else(|| {
            line.complain_last(
                Complaint::new(format!("`{word}` is no setting"))
                    .help("write NAME=VALUE, for example `INITIAL_WINDOW_SIZE=65535` or `0x9=1`"),
            )
        })?);
    }
    Ok(settings)
}

fn header_list(line: &mut Line<'_>, lists: &[FieldList]) -> Result<HeaderList, ScriptError> {
    let keyword = line.expect_word("what the headers are")?;
    Ok(match keyword.as_str() {
        "grpc" => HeaderList::Grpc(value::word_or_text(line, "a path")?),
        "get" => HeaderList::Get(value::word_or_text(line, "a path")?),
        "fields" => {
            let name = value::word_or_text(line, "the name of a header list")?;
            let known: Vec<&str> = lists.iter().map(|list| list.name.as_str()).collect();
            if !known.contains(&name.as_str()) {
                return Err(line.complain_last(match known.as_slice() {
                    [] => Complaint::new(format!("there is no block `fields {name}` in this file")),
                    known => Complaint::unknown("header list", &name, known),
                }));
            }
            HeaderList::Named(name.into())
        }
        "block" => HeaderList::Block(value::hexadecimal(line)?),
        other => {
            let known = ["grpc", "get", "fields", "block"];
            return Err(line.complain_last(Complaint::unknown("kind of headers", other, &known)));
        }
    })
}

fn ping_payload(line: &mut Line<'_>) -> Result<[u8; 8], ScriptError> {
    let bytes = value::hexadecimal(line)?;
    if bytes.is_empty() {
        return Ok([0; 8]);
    }
    <[u8; 8]>::try_from(bytes.as_ref())
        .map_err(|_| line.complain_last(Complaint::new("a PING carries 8 bytes, in 16 hexadecimal digits")))
}

fn priority(line: &mut Line<'_>) -> Result<Item, ScriptError> {
    Ok(Item::Priority { stream: stream(line)?, priority: place(line)? })
}

/// A stream's place among the others.
fn place(line: &mut Line<'_>) -> Result<Priority, ScriptError> {
    line.keyword("on")?;
    let dependency = stream_number(line)?;
    line.keyword("weight")?;
    let weight = line.parsed("a weight as on the wire, 0 to 255")?;
    let exclusive = line.take("exclusive");
    Ok(Priority { exclusive, dependency, weight })
}

fn increment(line: &mut Line<'_>) -> Result<Increment, ScriptError> {
    let number = value::number(line, "the increment in bytes")?;
    Increment::new(number).ok_or_else(|| {
        line.complain_last(Complaint::new(format!("{number} does not fit an increment's 31 bits")))
    })
}

fn frame(line: &mut Line<'_>) -> Result<RawFrame, ScriptError> {
    let kind = value::number(line, "a frame's type")?;
    let kind = u8::try_from(kind)
        .map_err(|_| line.complain_last(Complaint::new("a frame's type is a number from 0 to 255")))?;
    line.keyword("flags")?;
    let flags = value::number(line, "flags")?;
    let flags = u8::try_from(flags)
        .map_err(|_| line.complain_last(Complaint::new("flags are a number from 0 to 255")))?;
    let reserved = line.take("reserved");
    line.keyword("stream")?;
    let stream = stream_number(line)?;
    let payload = Payload::new(value::hexadecimal(line)?)
        .map_err(|error| line.complain_last(Complaint::new(error.to_string())))?;
    Ok(RawFrame { kind: FrameKind::from(kind), flags, reserved, stream, payload })
}

pub(super) fn stream_number(line: &mut Line<'_>) -> Result<StreamId, ScriptError> {
    let number = value::number(line, "a stream's number")?;
    StreamId::new(number).ok_or_else(|| {
        line.complain_last(Complaint::new(format!("{number} does not fit a stream's 31 bits")))
    })
}

pub(super) fn error_code(line: &mut Line<'_>) -> Result<ErrorCode, ScriptError> {
    let word = line.expect_word("an error code")?;
    ErrorCode::from_name(&word).or_else(|| value::parse_number(&word).map(ErrorCode::from)).ok_or_else(|| {
        let known: Vec<String> = (0..=0xd).map(|code| ErrorCode::from(code).to_string()).collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        line.complain_last(Complaint::unknown("error code", &word, &known))
    })
}
