//! What one connection amounts to, seen from outside: requests, answers and GOAWAYs in the order in which they were
//! sent. The same reading serves transcripts of runs and recorded conversations.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Bytes, BytesMut};

use crate::net::Side;
use crate::wire::hpack::Decoder;
use crate::wire::http1::{HeadLimits, Parsed, RequestHead, ResponseHead};
use crate::wire::{Frame, FrameReader, PREFACE, StreamId};

/// The most bytes of a header list that is read here.
const HEADER_LIST_LIMIT: usize = 1 << 20;

/// What one connection amounts to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Requests that the client sent.
    pub requests: u32,
    /// Requests that the client sent to their end.
    pub complete_requests: u32,
    /// Requests that were answered, whatever the answer.
    pub answered: u32,
    /// The first status other than success: gRPC's if there is one, else HTTP's.
    pub failed_status: Option<u32>,
    /// The code of the server's first GOAWAY, if that was sent before the client's own GOAWAY, end or reset.
    pub goaway: Option<u32>,
    /// Whether a request was gRPC's.
    pub grpc: bool,
    /// What the client of the first request calls itself.
    pub user_agent: Option<String>,
    /// What it calls the server.
    pub authority: Option<String>,
    /// Whether the server spoke HTTP/1.
    pub http1_answer: bool,
    /// Who ended the connection first, and whether by a reset.
    pub ended: Option<(Side, bool)>,
    /// Whether the server's SETTINGS were seen.
    pub server_settings: bool,
}

/// Reads both directions of a connection as they go on.
#[derive(Debug)]
pub(crate) struct Reader {
    summary: Summary,
    client_left: bool,
    client: Direction,
    server: Direction,
    streams: BTreeMap<StreamId, Answer>,
    requested: Vec<StreamId>,
    /// The streams that the client has ended.
    asked: BTreeSet<StreamId>,
}

#[derive(Debug)]
struct Direction {
    protocol: Protocol,
    start: BytesMut,
    frames: FrameReader,
    decoder: Decoder,
    block: Option<(StreamId, bool, BytesMut)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Unknown,
    Http1,
    Http2,
    Lost,
}

#[derive(Clone, Copy, Debug, Default)]
struct Answer {
    ended: bool,
    http_status: Option<u32>,
    grpc_status: Option<u32>,
}

impl Reader {
    pub(crate) fn new() -> Self {
        let direction = || Direction {
            protocol: Protocol::Unknown,
            start: BytesMut::new(),
            frames: FrameReader::new(u32::MAX),
            decoder: Decoder::new(4096),
            block: None,
        };
        Self {
            summary: Summary::default(),
            client_left: false,
            client: direction(),
            server: direction(),
            streams: BTreeMap::new(),
            requested: Vec::new(),
            asked: BTreeSet::new(),
        }
    }

    /// What the connection amounts to so far.
    pub(crate) fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Whether the client has sent its preface and its first SETTINGS.
    pub(crate) fn client_has_introduced_itself(&self) -> bool {
        self.client.protocol == Protocol::Http2 && self.client.frames.offset() > 0
    }

    /// The streams on which the client has sent requests.
    pub(crate) fn requested_streams(&self) -> &[StreamId] {
        &self.requested
    }

    /// The streams that the server ended before the client did, which then never ended them.
    pub(crate) fn cut_short(&self) -> impl Iterator<Item = StreamId> + '_ {
        let ended = self.streams.iter().filter(|(_, answer)| answer.ended).map(|(stream, _)| *stream);
        ended.filter(|stream| self.requested.contains(stream) && !self.asked.contains(stream))
    }

    /// The streams that both have ended.
    pub(crate) fn exchanges_over(&self) -> impl Iterator<Item = StreamId> + '_ {
        let ended = self.streams.iter().filter(|(_, answer)| answer.ended).map(|(stream, _)| *stream);
        ended.filter(|stream| self.asked.contains(stream))
    }

    pub(crate) fn segment(&mut self, from: Side, bytes: &Bytes) {
        match from {
            Side::Client => self.client_segment(bytes),
            Side::Server => self.server_segment(bytes),
        }
    }

    pub(crate) fn end(&mut self, from: Side) {
        self.ends(from, false);
    }

    pub(crate) fn reset(&mut self, from: Side) {
        self.ends(from, true);
    }

    fn ends(&mut self, from: Side, reset: bool) {
        self.summary.ended.get_or_insert((from, reset));
        self.client_left |= from == Side::Client;
    }

    fn client_segment(&mut self, bytes: &Bytes) {
        let direction = &mut self.client;
        match direction.protocol {
            Protocol::Http2 => direction.frames.push_bytes(bytes.clone()),
            Protocol::Lost => return,
            Protocol::Unknown | Protocol::Http1 => {
                direction.start.extend_from_slice(bytes);
                if direction.start.starts_with(&PREFACE) {
                    let rest = direction.start.split_off(PREFACE.len());
                    direction.protocol = Protocol::Http2;
                    direction.frames.push_bytes(rest.freeze());
                } else if PREFACE.starts_with(&direction.start) {
                    return;
                } else {
                    direction.protocol = Protocol::Http1;
                    self.http1_requests();
                }
            }
        }
        while let Ok(Some(frame)) = self.client.frames.next_frame() {
            match frame.parse() {
                Ok(Frame::GoAway { .. }) => self.client_left = true,
                Ok(frame) => {
                    if let Some((stream, end_stream, fields)) = self.client.header_block(&frame) {
                        self.request(stream, &fields);
                        self.ends_request(stream, end_stream);
                    }
                    if let Frame::Data { stream, end_stream, .. } = frame {
                        self.ends_request(stream, end_stream);
                    }
                }
                Err(_) => self.client.protocol = Protocol::Lost,
            }
        }
    }

    fn ends_request(&mut self, stream: StreamId, end_stream: bool) {
        if end_stream {
            self.summary.complete_requests += 1;
            self.asked.insert(stream);
        }
    }

    fn request(&mut self, stream: StreamId, fields: &Fields) {
        self.summary.requests += 1;
        self.requested.push(stream);
        for (name, value) in fields {
            match name.as_ref() {
                b"content-type" => self.summary.grpc |= value.starts_with(b"application/grpc"),
                b"user-agent" => {
                    let agent = || String::from_utf8_lossy(value).into_owned();
                    self.summary.user_agent.get_or_insert_with(agent);
                }
                b":authority" => {
                    let authority = || String::from_utf8_lossy(value).into_owned();
                    self.summary.authority.get_or_insert_with(authority);
                }
                _ => {}
            }
        }
    }

    fn http1_requests(&mut self) {
        while let Parsed::Complete { length, head } =
            RequestHead::parse(&self.client.start, HeadLimits::default())
        {
            let value =
                |name| head.values(name).next().map(|value| String::from_utf8_lossy(value).into_owned());
            let (agent, host) = (value("user-agent"), value("host"));
            self.summary.user_agent = self.summary.user_agent.take().or(agent);
            self.summary.authority = self.summary.authority.take().or(host);
            let _ = self.client.start.split_to(length);
            self.summary.requests += 1;
            self.summary.complete_requests += 1;
        }
    }

    fn server_segment(&mut self, bytes: &Bytes) {
        let direction = &mut self.server;
        if direction.protocol == Protocol::Unknown {
            direction.start.extend_from_slice(bytes);
            if direction.start.len() < 5 && b"HTTP/".starts_with(&direction.start) {
                return;
            }
            direction.protocol =
                if direction.start.starts_with(b"HTTP/") { Protocol::Http1 } else { Protocol::Http2 };
            if direction.protocol == Protocol::Http2 {
                direction.frames.push_bytes(direction.start.split().freeze());
            }
        } else if direction.protocol == Protocol::Http2 {
            direction.frames.push_bytes(bytes.clone());
        } else {
            direction.start.extend_from_slice(bytes);
        }
        if self.server.protocol == Protocol::Http1 {
            self.http1_answer();
        }
        while let Ok(Some(frame)) = self.server.frames.next_frame() {
            match frame.parse() {
                Ok(frame) => self.server_frame(&frame),
                Err(_) => self.server.protocol = Protocol::Lost,
            }
        }
    }

    fn http1_answer(&mut self) {
        self.summary.http1_answer = true;
        let direction = &mut self.server;
        while let Parsed::Complete { head, length } =
            ResponseHead::parse(&direction.start, HeadLimits::default())
        {
            let rest = direction.start.split_off(length);
            direction.start = rest;
            if head.status == 101 {
                direction.protocol = Protocol::Http2;
                direction.frames.push_bytes(direction.start.split().freeze());
                return;
            }
            if head.status >= 200 {
                self.summary.answered += 1;
                if head.status >= 300 {
                    self.summary.failed_status.get_or_insert(u32::from(head.status));
                }
            }
        }
    }

    fn server_frame(&mut self, frame: &Frame) {
        match frame {
            Frame::Settings(_) => self.summary.server_settings = true,
            Frame::GoAway { code, .. } if !self.client_left => {
                self.summary.goaway.get_or_insert((*code).into());
            }
            Frame::Data { stream, end_stream: true, .. } => self.end_of_stream(*stream),
            _ => {
                if let Some((stream, end_stream, fields)) = self.server.header_block(frame) {
                    let answer = self.streams.entry(stream).or_default();
                    for (name, value) in fields {
                        let number = std::str::from_utf8(&value).ok().and_then(|text| text.parse().ok());
                        match name.as_ref() {
                            b":status" => answer.http_status = number,
                            b"grpc-status" => answer.grpc_status = number,
                            _ => {}
                        }
                    }
                    if end_stream {
                        self.end_of_stream(stream);
                    }
                }
            }
        }
    }

    fn end_of_stream(&mut self, stream: StreamId) {
        let answer = self.streams.entry(stream).or_default();
        if std::mem::replace(&mut answer.ended, true) {
            return;
        }
        self.summary.answered += 1;
        let failed = match (answer.grpc_status, answer.http_status) {
            (Some(status), _) => Some(status).filter(|&status| status != 0),
            (None, status) => status.filter(|&status| status >= 300),
        };
        if let Some(status) = failed {
            self.summary.failed_status.get_or_insert(status);
        }
    }
}

type Fields = Vec<(Bytes, Bytes)>;

impl Direction {
    /// The header block that ends with this frame, if one does.
    fn header_block(&mut self, frame: &Frame) -> Option<(StreamId, bool, Fields)> {
        let end_headers = match frame {
            Frame::Headers { stream, fragment, end_stream, end_headers, .. } => {
                self.block = Some((*stream, *end_stream, BytesMut::from(fragment.as_ref())));
                *end_headers
            }
            Frame::Continuation { fragment, end_headers, .. } => {
                self.block.as_mut()?.2.extend_from_slice(fragment);
                *end_headers
            }
            _ => false,
        };
        if !end_headers {
            return None;
        }
        let (stream, end_stream, bytes) = self.block.take()?;
        let block = self.decoder.decode(&bytes, HEADER_LIST_LIMIT).unwrap_or_default();
        let fields = block.fields.into_iter().map(|field| (field.name, field.value)).collect();
        Some((stream, end_stream, fields))
    }
}
