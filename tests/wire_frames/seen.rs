//! One description of a frame for both sides.

use bytes::Bytes;
use h2::frame::Frame as Theirs;
use muxbed::wire::frame::Frame;
use muxbed::wire::hpack::{Decoder, INITIAL_TABLE_SIZE};

use super::h2_oracle::{Pair, pairs_of_fields, pairs_of_message};

/// What both sides say about a frame.
#[derive(Debug, PartialEq)]
pub(crate) enum Seen {
    Data {
        stream: u32,
        data: Bytes,
        end_stream: bool,
    },
    Headers {
        stream: u32,
        fields: Vec<Pair>,
        end_stream: bool,
    },
    /// h2 shows a priority only in its debug text.
    Priority(String),
    RstStream {
        stream: u32,
        code: u32,
    },
    /// The values that h2 knows, the last of each.
    Settings([Option<u32>; 7]),
    SettingsAck,
    PushPromise {
        stream: u32,
        promised: u32,
        fields: Vec<Pair>,
    },
    Ping {
        ack: bool,
        opaque: [u8; 8],
    },
    GoAway {
        last_stream: u32,
        code: u32,
        debug: Bytes,
    },
    WindowUpdate {
        stream: u32,
        increment: u32,
    },
}

pub(crate) fn seen_by_h2(frame: Theirs) -> Seen {
    match frame {
        Theirs::Data(frame) => Seen::Data {
            stream: frame.stream_id().into(),
            end_stream: frame.is_end_stream(),
            data: frame.into_payload(),
        },
        Theirs::Headers(frame) => Seen::Headers {
            stream: frame.stream_id().into(),
            end_stream: frame.is_end_stream(),
            fields: pairs_of_message(frame.into_parts()),
        },
        Theirs::Priority(frame) => Seen::Priority(format!("{frame:?}")),
        Theirs::Reset(frame) => {
            Seen::RstStream { stream: frame.stream_id().into(), code: frame.reason().into() }
        }
        Theirs::Settings(frame) if frame.is_ack() => Seen::SettingsAck,
        Theirs::Settings(frame) => Seen::Settings([
            frame.header_table_size(),
            frame.is_push_enabled().map(u32::from),
            frame.max_concurrent_streams(),
            frame.initial_window_size(),
            frame.max_frame_size(),
            frame.max_header_list_size(),
            frame.is_extended_connect_protocol_enabled().map(u32::from),
        ]),
        Theirs::PushPromise(frame) => Seen::PushPromise {
            stream: frame.stream_id().into(),
            promised: frame.promised_id().into(),
            fields: pairs_of_message(frame.into_parts()),
        },
        Theirs::Ping(frame) => Seen::Ping { ack: frame.is_ack(), opaque: *frame.payload() },
        Theirs::GoAway(frame) => Seen::GoAway {
            last_stream: frame.last_stream_id().into(),
            code: frame.reason().into(),
            debug: frame.debug_data().clone(),
        },
        Theirs::WindowUpdate(frame) => {
            Seen::WindowUpdate { stream: frame.stream_id().into(), increment: frame.size_increment() }
        }
    }
}

/// Puts header blocks together and decodes them, as a reader of ours would.
pub(crate) struct Ours {
    decoder: Decoder,
    open: Option<(Seen, Vec<u8>)>,
}

impl Ours {
    pub(crate) fn new() -> Ours {
        Ours { decoder: Decoder::new(INITIAL_TABLE_SIZE), open: None }
    }

    /// What a reader sees once `frame` has come; nothing before the end of a header block.
    pub(crate) fn see(&mut self, frame: Frame) -> Option<Seen> {
        Some(match frame {
            Frame::Data { stream, data, end_stream, .. } => {
                Seen::Data { stream: stream.into(), data, end_stream }
            }
            Frame::Headers { stream, fragment, end_stream, end_headers, .. } => {
                let fields = Vec::new();
                let head = Seen::Headers { stream: stream.into(), fields, end_stream };
                return self.block(head, fragment.into(), end_headers);
            }
            Frame::PushPromise { stream, promised, fragment, end_headers, .. } => {
                let (stream, promised) = (stream.into(), promised.into());
                let head = Seen::PushPromise { stream, promised, fields: Vec::new() };
                return self.block(head, fragment.into(), end_headers);
            }
            Frame::Continuation { fragment, end_headers, .. } => {
                let (head, mut block) = self.open.take().unwrap();
                block.extend_from_slice(&fragment);
                return self.block(head, block, end_headers);
            }
            Frame::Priority { stream, priority } => Seen::Priority(format!(
                "Priority {{ stream_id: StreamId({stream}), dependency: StreamDependency {{ \
                 dependency_id: StreamId({}), weight: {}, is_exclusive: {} }} }}",
                priority.dependency, priority.weight, priority.exclusive
            )),
            Frame::RstStream { stream, code } => Seen::RstStream { stream: stream.into(), code: code.into() },
            Frame::Settings(values) => Seen::Settings([1, 2, 3, 4, 5, 6, 8].map(|id: u16| {
                let last = values.iter().rev().find(|setting| u16::from(setting.id) == id);
                last.map(|setting| setting.value)
            })),
            Frame::SettingsAck => Seen::SettingsAck,
            Frame::Ping { ack, opaque } => Seen::Ping { ack, opaque },
            Frame::GoAway { last_stream, code, debug } => {
                Seen::GoAway { last_stream: last_stream.into(), code: code.into(), debug }
            }
            Frame::WindowUpdate { stream, increment } => {
                Seen::WindowUpdate { stream: stream.into(), increment: increment.into() }
            }
            Frame::Unknown(_) => return None,
        })
    }

    fn block(&mut self, mut head: Seen, block: Vec<u8>, complete: bool) -> Option<Seen> {
        if !complete {
            self.open = Some((head, block));
            return None;
        }
        let decoded = self.decoder.decode(&block, 1 << 24).unwrap();
        if let Seen::Headers { fields, .. } | Seen::PushPromise { fields, .. } = &mut head {
            *fields = pairs_of_fields(&decoded.fields);
        }
        Some(head)
    }
}
