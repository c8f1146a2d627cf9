//! What a client has understood of the bytes that its server sent.
//!
//! One reader for every client: which of these answers matters, and when, is the profile's business. It knows just
//! enough of HTTP/2 to tell frames, the state of streams and gRPC's trailers, and of HTTP/1 to find the head of an
//! answer. Flow control, priorities and bodies are left out.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

use crate::wire::frame::FrameError;
use crate::wire::hpack::Decoder;
use crate::wire::http1::HeadLimits;
use crate::wire::{ErrorCode, Frame, FrameKind, FrameReader, RawFrame, SettingId, StreamId, http1};

/// The most bytes of a header list that a simulated client takes (RFC 7541, section 4.1 for how they are counted).
const HEADER_LIST_LIMIT: usize = 1 << 20;

/// Reads the server's side of one connection.
#[derive(Debug)]
pub(crate) struct Answers {
    protocol: Protocol,
    frames: FrameReader,
    decoder: Decoder,
    block: Option<Block>,
    /// The type of the server's first frame.
    pub(crate) first_frame: Option<FrameKind>,
    after_not_settings: Option<Answer>,
    /// Bytes received so far.
    pub(crate) bytes: u64,
    /// SETTINGS received, acknowledgements not counted.
    pub(crate) settings: u32,
    /// Whether a later SETTINGS stated NO_RFC7540_PRIORITIES otherwise than the first did.
    pub(crate) priorities_changed: bool,
    no_priorities: Option<u32>,
    /// SETTINGS acknowledgements received.
    pub(crate) settings_acks: u32,
    /// Answers to PING received.
    pub(crate) ping_acks: u32,
    /// The first GOAWAY.
    pub(crate) goaway: Option<GoAway>,
    /// The streams that were answered.
    pub(crate) streams: BTreeMap<StreamId, StreamAnswer>,
    /// The status of an HTTP/1 answer whose head is complete.
    pub(crate) http1_status: Option<u16>,
    head: BytesMut,
}

/// What the client expects to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Frames.
    Http2,
    /// Heads and bodies.
    Http1,
}

/// A GOAWAY as received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GoAway {
    pub(crate) last: StreamId,
    pub(crate) code: ErrorCode,
    pub(crate) debug: Bytes,
}

/// What is known of the answer on one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StreamAnswer {
    pub(crate) header_blocks: u32,
    pub(crate) ended: bool,
    pub(crate) reset: Option<ErrorCode>,
    pub(crate) http_status: Option<u32>,
    pub(crate) grpc_status: Option<u32>,
    pub(crate) grpc_message: String,
    pub(crate) content_type: Option<String>,
    /// All of the first header block, in its order, if it is not gRPC's or ends the stream: some clients show it.
    pub(crate) fields: Vec<(String, String)>,
    /// What of the body has come, if it is not gRPC's: as much of it as clients show.
    pub(crate) body: Option<BytesMut>,
}

/// Something new in what was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// SETTINGS to acknowledge.
    Settings,
    /// An acknowledgement of SETTINGS.
    SettingsAck,
    /// A PING to answer.
    Ping([u8; 8]),
    /// An answer to a PING.
    PingAck,
    /// A header block on a stream, which may also end it.
    Headers(StreamId),
    /// A stream ended.
    Ended(StreamId),
    /// A stream was reset.
    Reset(StreamId),
    /// GOAWAY.
    GoAway,
    /// The first frame is something else than SETTINGS; what it means by itself follows.
    NotSettings(FrameKind),
    /// The bytes are no frames, but read like an HTTP/1 answer.
    Http1,
    /// The server broke the protocol.
    Broken,
    /// The head of an HTTP/1 answer is complete.
    Http1Head,
    /// The server switches to HTTP/2 (101); what follows is read as frames.
    Switched,
}

#[derive(Debug)]
struct Block {
    stream: StreamId,
    end_stream: bool,
    bytes: BytesMut,
}

impl StreamAnswer {
    /// Whether the content type is gRPC's, with or without a message format behind it (gRPC over HTTP/2, "Responses").
    pub(crate) fn is_grpc(&self) -> bool {
        let rest = self.content_type.as_deref().and_then(|stated| stated.strip_prefix("application/grpc"));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['+', ';']))
    }
}

impl Answers {
    pub(crate) fn new(protocol: Protocol, frame_limit: u32) -> Self {
        Self {
            protocol,
            frames: FrameReader::new(frame_limit),
            decoder: Decoder::new(4096),
            block: None,
            first_frame: None,
            after_not_settings: None,
            bytes: 0,
            settings: 0,
            priorities_changed: false,
            no_priorities: None,
            settings_acks: 0,
            ping_acks: 0,
            goaway: None,
            streams: BTreeMap::new(),
            http1_status: None,
            head: BytesMut::new(),
        }
    }

    /// Takes bytes in; [`Self::next`] then tells what they hold.
    pub(crate) fn push(&mut self, bytes: &Bytes) {
        self.bytes += bytes.len() as u64;
        match self.protocol {
            Protocol::Http2 => self.frames.push_bytes(bytes.clone()),
            Protocol::Http1 => self.head.extend_from_slice(bytes),
        }
    }

    /// The next thing that the bytes hold.
    pub(crate) fn next(&mut self) -> Option<Answer> {
        if let Some(answer) = self.after_not_settings.take() {
            return Some(answer);
        }
        match self.protocol {
            Protocol::Http1 => self.next_head(),
            Protocol::Http2 => loop {
                match self.frames.next_frame() {
                    Ok(Some(frame)) => {
                        if let Some(answer) = self.frame(&frame) {
                            return Some(answer);
                        }
                    }
                    Ok(None) => return None,
                    Err(too_large) => {
                        let http1 = too_large.reads_as_http1();
                        self.stop();
                        return Some(if http1 { Answer::Http1 } else { Answer::Broken });
                    }
                }
            },
        }
    }

    fn next_head(&mut self) -> Option<Answer> {
        if self.http1_status.is_some() {
            return None;
        }
        match http1::ResponseHead::parse(&self.head, HeadLimits::default()) {
            http1::Parsed::Complete { head, length } if head.status != 101 && head.status / 100 == 1 => {
                let _ = self.head.split_to(length);
                self.next_head()
            }
            http1::Parsed::Complete { head, length } if is_switch_to_http2(&head) => {
                let _ = self.head.split_to(length);
                self.frames.push_bytes(std::mem::take(&mut self.head).freeze());
                self.protocol = Protocol::Http2;
                Some(Answer::Switched)
            }
            http1::Parsed::Complete { head, .. } => {
                self.http1_status = Some(head.status);
                Some(Answer::Http1Head)
            }
            http1::Parsed::Partial => None,
            http1::Parsed::Invalid(_) => {
                self.stop();
                Some(Answer::Broken)
            }
        }
    }

    /// A head of HTTP/1 says what HEADERS of HTTP/2 would.
    pub(crate) fn take_head_as_answer_on(&mut self, stream: StreamId) {
        if let http1::Parsed::Complete { head, length } =
            http1::ResponseHead::parse(&self.head, HeadLimits::default())
        {
            let body = &self.head[length..];
            let answer = self.streams.entry(stream).or_default();
            answer.http_status = Some(head.status.into());
            let stated = head.values("content-type").next();
            answer.content_type = stated.map(|stated| String::from_utf8_lossy(stated).into_owned());
            if !answer.is_grpc() {
                answer.body = Some(BytesMut::from(&body[..body.len().min(SHOWN_OF_A_BODY)]));
            }
            answer.ended = true;
        }
    }

    /// What has been read of an HTTP/1 answer.
    pub(crate) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Nothing after this can be understood; but if it is the head of an HTTP/1 answer, its status is.
    fn stop(&mut self) {
        let rest = std::mem::replace(&mut self.frames, FrameReader::new(0)).into_buffered();
        self.protocol = Protocol::Http1;
        self.http1_status = Some(match http1::ResponseHead::parse(&rest, HeadLimits::default()) {
            http1::Parsed::Complete { head, .. } => head.status,
            http1::Parsed::Partial | http1::Parsed::Invalid(_) => 0,
        });
    }

    fn frame(&mut self, frame: &RawFrame) -> Option<Answer> {
        let first = self.first_frame.is_none();
        self.first_frame.get_or_insert(frame.kind);
        if first && frame.kind != FrameKind::Settings {
            // Not every client looks so closely; for those that don't, the frame means what it says.
            self.after_not_settings = self.parsed(frame.parse());
            return Some(Answer::NotSettings(frame.kind));
        }
        self.parsed(frame.parse())
    }

    fn parsed(&mut self, frame: Result<Frame, FrameError>) -> Option<Answer> {
        let Ok(frame) = frame else {
            self.stop();
            return Some(Answer::Broken);
        };
        match frame {
            Frame::Settings(settings) => {
                self.settings += 1;
                let stated = settings.iter().rfind(|setting| setting.id == SettingId::NoRfc7540Priorities);
                let stated = stated.map(|setting| setting.value);
                let known = *self.no_priorities.get_or_insert(stated.unwrap_or(0));
                self.priorities_changed |= stated.is_some_and(|stated| stated != known);
                Some(Answer::Settings)
            }
            Frame::SettingsAck => {
                self.settings_acks += 1;
                Some(Answer::SettingsAck)
            }
            Frame::Ping { ack: true, .. } => {
                self.ping_acks += 1;
                Some(Answer::PingAck)
            }
            Frame::Ping { ack: false, opaque } => Some(Answer::Ping(opaque)),
            Frame::GoAway { last_stream, code, debug } => {
                self.goaway.get_or_insert(GoAway { last: last_stream, code, debug });
                Some(Answer::GoAway)
            }
            Frame::Headers { stream, fragment, end_stream, end_headers, .. } => {
                let bytes = BytesMut::from(fragment.as_ref());
                self.block = Some(Block { stream, end_stream, bytes });
                end_headers.then(|| self.end_of_block())
            }
            Frame::Continuation { fragment, end_headers, .. } => {
                self.block.as_mut()?.bytes.extend_from_slice(&fragment);
                end_headers.then(|| self.end_of_block())
            }
            Frame::Data { stream, data, end_stream, .. } => {
                let answer = self.streams.entry(stream).or_default();
                if !answer.is_grpc() {
                    let body = answer.body.get_or_insert_default();
                    body.extend_from_slice(&data[..data.len().min(SHOWN_OF_A_BODY - body.len())]);
                }
                answer.ended |= end_stream;
                end_stream.then_some(Answer::Ended(stream))
            }
            Frame::RstStream { stream, code } => {
                let answer = self.streams.entry(stream).or_default();
                answer.reset.get_or_insert(code);
                Some(Answer::Reset(stream))
            }
            Frame::Priority { .. }
            | Frame::PushPromise { .. }
            | Frame::WindowUpdate { .. }
            | Frame::Unknown(_) => None,
        }
    }

    fn end_of_block(&mut self) -> Answer {
        let Some(Block { stream, end_stream, bytes }) = self.block.take() else {
            return Answer::Broken;
        };
        let Ok(block) = self.decoder.decode(&bytes, HEADER_LIST_LIMIT) else {
            self.stop();
            return Answer::Broken;
        };
        let answer = self.streams.entry(stream).or_default();
        answer.header_blocks += 1;
        answer.ended |= end_stream;
        if answer.body.is_none() && !end_stream {
            answer.body = Some(BytesMut::new());
        }
        for field in &block.fields {
            let number = || std::str::from_utf8(&field.value).ok()?.parse().ok();
            match field.name.as_ref() {
                b":status" => answer.http_status = number(),
                b"grpc-status" => answer.grpc_status = number(),
                b"content-type" => {
                    answer.content_type = Some(String::from_utf8_lossy(&field.value).into_owned());
                }
                b"grpc-message" => answer.grpc_message = percent_decoded(&field.value),
                _ => {}
            }
        }
        if answer.header_blocks == 1 && (end_stream || !answer.is_grpc()) {
            let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
            let fields = block.fields.iter();
            answer.fields = fields.map(|field| (text(&field.name), text(&field.value))).collect();
        }
        if answer.ended { Answer::Ended(stream) } else { Answer::Headers(stream) }
    }
}

/// grpc-go 1.82 `internal/transport/client_stream.go` nonGRPCDataMaxLen.
const SHOWN_OF_A_BODY: usize = 1024;

/// RFC 7540, section 3.2.
fn is_switch_to_http2(head: &http1::ResponseHead) -> bool {
    head.status == 101 && head.values("upgrade").any(|protocol| protocol.eq_ignore_ascii_case(b"h2c"))
}

/// gRPC's percent-encoding of status messages (gRPC over HTTP/2, "Responses").
fn percent_decoded(value: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [first, tail @ ..] = rest {
        let escaped = tail
            .first_chunk::<2>()
            .filter(|_| *first == b'%')
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
