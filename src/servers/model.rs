//! Models of HTTP/2 back ends, as machines without socket, clock or task.
//!
//! One machine serves for all of them, since what tells them apart in a handshake is data: which SETTINGS they send and
//! when, what else they say of their own accord, and what they make of a SETTINGS acknowledgement that they are not
//! owed. A request is answered as soon as its stream ends; a body is not looked at. Flow control is left out: no answer
//! here comes near a window.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::wire::hpack::{Decoder, Encoder};
use crate::wire::http1::{HeadLimits, Parsed, RequestHead};
use crate::wire::{ErrorCode, Frame, FrameReader, Increment, PREFACE, Setting, StreamId};

use super::traits::{Measuring, Opening, Request, Response, SurplusAck, Traits};

/// The most bytes of a header list that a model takes.
const HEADER_LIST_LIMIT: usize = 1 << 20;

/// One connection to a modelled back end.
#[derive(Debug)]
pub(crate) struct Model {
    traits: &'static Traits,
    /// How long an answer takes.
    handler: Duration,
    /// What has come before the preface is complete.
    opening: BytesMut,
    preface_read: bool,
    greeted: bool,
    frames: FrameReader,
    decoder: Decoder,
    encoder: Encoder,
    unacknowledged: u32,
    first_settings_read: bool,
    measured: bool,
    block: Option<(StreamId, bool, BytesMut)>,
    requests: BTreeMap<StreamId, Request>,
    last_stream: StreamId,
    due: VecDeque<(Duration, StreamId, Request)>,
    closes_at: Option<Duration>,
    going_away: bool,
    over: bool,
    out: Vec<u8>,
    writes: VecDeque<Bytes>,
}

impl Model {
    pub(crate) fn new(traits: &'static Traits, handler: Duration) -> Self {
        let mut model = Self {
            traits,
            handler,
            opening: BytesMut::new(),
            preface_read: false,
            greeted: false,
            frames: FrameReader::new(traits.frame_limit()),
            decoder: Decoder::new(4096),
            encoder: Encoder::new(),
            unacknowledged: 0,
            first_settings_read: false,
            measured: false,
            block: None,
            requests: BTreeMap::new(),
            last_stream: StreamId::CONNECTION,
            due: VecDeque::new(),
            closes_at: None,
            going_away: false,
            over: false,
            out: Vec::new(),
            writes: VecDeque::new(),
        };
        if traits.speaks_first {
            model.greet();
        }
        model.end_write();
        model
    }

    /// Whether the connection is to be closed.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// The next write.
    pub(crate) fn next_write(&mut self) -> Option<Bytes> {
        self.writes.pop_front()
    }

    /// When time alone will change something.
    pub(crate) fn next_time(&self) -> Option<Duration> {
        let due = self.due.front().map(|(at, _, _)| *at);
        [due, self.closes_at].into_iter().flatten().min()
    }

    /// Lets time pass.
    pub(crate) fn tick(&mut self, now: Duration) {
        while self.due.front().is_some_and(|(at, _, _)| *at <= now) {
            if let Some((_, stream, request)) = self.due.pop_front() {
                self.answer(stream, &request);
            }
        }
        self.end_write();
        if self.closes_at.is_some_and(|at| at <= now) {
            self.over = true;
        }
    }

    /// The client's bytes.
    pub(crate) fn received(&mut self, bytes: &Bytes, now: Duration) {
        if self.preface_read {
            self.frames.push_bytes(bytes.clone());
        } else {
            self.opening.extend_from_slice(bytes);
            self.open(now);
        }
        while !self.over {
            match self.frames.next_frame() {
                Ok(Some(frame)) => match frame.parse() {
                    Ok(frame) => self.frame(frame, now),
                    Err(error) => self.break_off(error.code(), now),
                },
                Ok(None) => break,
                Err(error) => self.break_off(error.code(), now),
            }
            if self.going_away {
                break;
            }
        }
        self.end_write();
        self.tick(now);
    }

    /// The client's end of the stream: answers on their way still go out, then the connection closes.
    pub(crate) fn ended(&mut self, now: Duration) {
        self.closes_at = Some(self.due.back().map_or(now, |(at, _, _)| *at));
        self.tick(now);
    }

    /// How many bytes it reads at most before it looks at them.
    pub(crate) fn reads_at_most(&self) -> usize {
        match self.traits.opening {
            Opening::Closes if !self.preface_read => PREFACE.len() - self.opening.len(),
            Opening::Closes | Opening::Http1 { .. } => usize::MAX,
        }
    }

    /// Looks at what has come so far: the preface, or something else.
    fn open(&mut self, now: Duration) {
        let seen = self.opening.len().min(PREFACE.len());
        if self.opening[..seen] == PREFACE[..seen] {
            if seen == PREFACE.len() {
                self.preface_read = true;
                self.greet();
                let rest = self.opening.split_off(seen).freeze();
                self.frames.push_bytes(rest);
                // The request that asked for the switch has been waiting for this.
                self.end_of_request(FIRST_STREAM, now);
            }
            return;
        }
        let Opening::Http1 { answers } = self.traits.opening else {
            self.over = seen == PREFACE.len();
            return;
        };
        match RequestHead::parse(&self.opening, HeadLimits::default()) {
            Parsed::Complete { head, length } => {
                let _ = self.opening.split_to(length);
                let request = Request::of_head(&head);
                if asks_for_http2(&head) {
                    self.out.extend_from_slice(SWITCHING);
                    self.greet();
                    self.last_stream = FIRST_STREAM;
                    self.requests.insert(FIRST_STREAM, request);
                } else {
                    self.out.extend_from_slice(answers(&request).as_bytes());
                }
                self.end_write();
                self.open(now);
            }
            Parsed::Partial => {}
            Parsed::Invalid(_) => self.over = true,
        }
    }

    fn greet(&mut self) {
        if std::mem::replace(&mut self.greeted, true) {
            return;
        }
        let settings = self.traits.settings.iter().map(|&(id, value)| Setting { id, value }).collect();
        self.write(&Frame::Settings(settings));
        if let Some(increment) = self.traits.window_on_greeting {
            self.write(&Frame::WindowUpdate { stream: StreamId::CONNECTION, increment });
        }
        self.unacknowledged += 1;
    }

    fn frame(&mut self, frame: Frame, now: Duration) {
        match frame {
            Frame::Settings(_) => {
                self.write(&Frame::SettingsAck);
                let first = !std::mem::replace(&mut self.first_settings_read, true);
                if let Some(increment) = self.traits.window.filter(|_| first) {
                    self.write(&Frame::WindowUpdate { stream: StreamId::CONNECTION, increment });
                }
            }
            Frame::SettingsAck => self.acknowledged(now),
            Frame::Ping { ack: false, opaque } => self.write(&Frame::Ping { ack: true, opaque }),
            Frame::Headers { stream, fragment, end_stream, end_headers, .. } => {
                self.block = Some((stream, end_stream, BytesMut::from(fragment.as_ref())));
                if end_headers {
                    self.end_of_block(now);
                }
            }
            Frame::Continuation { fragment, end_headers, .. } => {
                if let Some((_, _, bytes)) = &mut self.block {
                    bytes.extend_from_slice(&fragment);
                }
                if end_headers {
                    self.end_of_block(now);
                }
            }
            Frame::Data { stream, data, end_stream, .. } => {
                self.measure(data.len());
                if end_stream {
                    self.end_of_request(stream, now);
                }
            }
            Frame::RstStream { stream, .. } => {
                self.requests.remove(&stream);
                self.due.retain(|(_, due, _)| *due != stream);
            }
            Frame::Ping { ack: true, .. }
            | Frame::Priority { .. }
            | Frame::PushPromise { .. }
            | Frame::GoAway { .. }
            | Frame::WindowUpdate { .. }
            | Frame::Unknown(_) => {}
        }
    }

    fn acknowledged(&mut self, now: Duration) {
        if self.unacknowledged > 0 {
            self.unacknowledged -= 1;
            return;
        }
        match self.traits.surplus_ack {
            SurplusAck::Ignored => {}
            SurplusAck::GoAway { code, closes_after } => self.go_away(code, now + closes_after),
            SurplusAck::Closes { answer } => {
                for (_, stream, _) in std::mem::take(&mut self.due) {
                    self.write_answer(stream, answer());
                    self.write(&Frame::RstStream { stream, code: ErrorCode::NoError });
                }
                self.going_away = true;
                self.closes_at = Some(now);
            }
        }
    }

    fn break_off(&mut self, code: ErrorCode, now: Duration) {
        self.go_away(code, now);
    }

    fn go_away(&mut self, code: ErrorCode, closes_at: Duration) {
        self.write(&Frame::GoAway { last_stream: self.last_stream, code, debug: Bytes::new() });
        self.going_away = true;
        self.due.clear();
        self.closes_at = Some(closes_at);
    }

    fn measure(&mut self, bytes: usize) {
        let increment = u32::try_from(bytes).ok().and_then(Increment::new);
        let Some(increment) = increment.filter(|_| bytes > 0) else {
            return;
        };
        let first = !std::mem::replace(&mut self.measured, true);
        match self.traits.measures {
            Some(Measuring::EachTime(opaque)) => {
                self.write(&Frame::WindowUpdate { stream: StreamId::CONNECTION, increment });
                self.write(&Frame::Ping { ack: false, opaque });
            }
            Some(Measuring::Once(opaque)) if first => self.write(&Frame::Ping { ack: false, opaque }),
            Some(Measuring::Once(_)) | None => {}
        }
    }

    fn end_of_block(&mut self, now: Duration) {
        let Some((stream, end_stream, block)) = self.block.take() else {
            return;
        };
        let Ok(block) = self.decoder.decode(&block, HEADER_LIST_LIMIT) else {
            self.break_off(ErrorCode::CompressionError, now);
            return;
        };
        self.last_stream = self.last_stream.max(stream);
        let request = self.requests.entry(stream).or_default();
        for field in block.fields {
            match field.name.as_ref() {
                b":method" => request.method = field.value,
                b":path" => request.path = field.value,
                b"content-type" => request.content_type = field.value,
                _ => {}
            }
        }
        if end_stream {
            self.end_of_request(stream, now);
        }
    }

    fn end_of_request(&mut self, stream: StreamId, now: Duration) {
        if let Some(request) = self.requests.remove(&stream) {
            self.due.push_back((now + self.handler, stream, request));
        }
    }

    fn answer(&mut self, stream: StreamId, request: &Request) {
        self.write_answer(stream, (self.traits.answers)(request));
    }

    fn write_answer(&mut self, stream: StreamId, answer: Response) {
        let Response { headers, body, trailers } = answer;
        let only_headers = body.is_none() && trailers.is_empty();
        self.write_block(stream, &headers, only_headers);
        if let Some(data) = body {
            self.end_part();
            self.write(&Frame::Data { stream, data, padding: None, end_stream: trailers.is_empty() });
        }
        if !trailers.is_empty() {
            self.end_part();
            self.write_block(stream, &trailers, true);
        }
        self.end_part();
    }

    fn write_block(&mut self, stream: StreamId, fields: &[(&'static str, String)], end_stream: bool) {
        let mut block = Vec::new();
        let policy = self.traits.fields;
        let fields = fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes(), policy));
        self.encoder.encode(fields, &mut block);
        let fragment = block.into();
        self.write(&Frame::Headers {
            stream,
            fragment,
            priority: None,
            padding: None,
            end_stream,
            end_headers: true,
        });
    }

    fn write(&mut self, frame: &Frame) {
        frame.encode(&mut self.out).expect("a model writes no frame near the limit");
    }

    fn end_part(&mut self) {
        if self.traits.writes_in_parts {
            self.end_write();
        }
    }

    fn end_write(&mut self) {
        if !self.out.is_empty() {
            self.writes.push_back(std::mem::take(&mut self.out).into());
        }
    }
}

/// The stream of a request that asked in HTTP/1 for a switch to HTTP/2.
const FIRST_STREAM: StreamId = StreamId::new(1).expect("1 fits 31 bits");

const SWITCHING: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";

fn asks_for_http2(head: &RequestHead) -> bool {
    let names = |field: &'static str, token: &'static [u8]| {
        let mut tokens = head.values(field).flat_map(|value| value.split(|byte| *byte == b','));
        tokens.any(|one| one.trim_ascii().eq_ignore_ascii_case(token))
    };
    names("upgrade", b"h2c") && names("connection", b"http2-settings")
}
