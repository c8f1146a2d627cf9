//! What tells one modelled back end from another, as data: see [`Model`](super::model::Model) for what runs it.

use std::time::Duration;

use bytes::Bytes;

use crate::wire::hpack::Policy;
use crate::wire::http1::RequestHead;
use crate::wire::{ErrorCode, Increment, SettingId};

/// What tells one back end from another.
#[derive(Debug)]
pub(crate) struct Traits {
    /// Its first SETTINGS.
    pub(crate) settings: &'static [(SettingId, u32)],
    /// Whether they are sent when the connection is accepted, or only after the client's preface.
    pub(crate) speaks_first: bool,
    /// What it makes of a client that does not begin with the preface.
    pub(crate) opening: Opening,
    /// What it adds to the connection's window behind its first SETTINGS, in bytes.
    pub(crate) window_on_greeting: Option<Increment>,
    /// What it adds to the connection's window after the client's SETTINGS, in bytes.
    pub(crate) window: Option<Increment>,
    /// Whether it measures the connection with a PING when DATA comes.
    pub(crate) measures: Option<Measuring>,
    /// What it makes of an acknowledgement of SETTINGS that it has not sent.
    pub(crate) surplus_ack: SurplusAck,
    /// How it answers.
    pub(crate) answers: fn(&Request) -> Response,
    /// Whether the parts of an answer are written one by one.
    pub(crate) writes_in_parts: bool,
    /// How HPACK writes the fields of its answers.
    pub(crate) fields: Policy,
}

/// How a server measures a connection: with a PING of these eight bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measuring {
    /// With all DATA, behind a WINDOW_UPDATE that gives its bytes back.
    EachTime([u8; 8]),
    /// With the first.
    Once([u8; 8]),
}

/// What a server makes of a client that does not begin with HTTP/2's preface.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Opening {
    /// It reads as many bytes as the preface has and closes, whatever else has come.
    Closes,
    /// It speaks HTTP/1 too: it answers with this message, or switches to HTTP/2 if it is asked to (RFC 7540, section 3.2).
    Http1 { answers: fn(&Request) -> String },
}

/// What a server makes of a SETTINGS acknowledgement too many.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SurplusAck {
    /// Nothing.
    Ignored,
    /// It says GOAWAY, answers nothing more, and closes the connection after some time.
    GoAway { code: ErrorCode, closes_after: Duration },
    /// It gives the calls that it has not answered this answer instead of theirs, and closes without another word.
    Closes { answer: fn() -> Response },
}

/// A request whose stream has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: Bytes,
    pub(crate) path: Bytes,
    pub(crate) content_type: Bytes,
}

/// An answer: a header block, and unless that is all, a body and trailers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Option<Bytes>,
    pub(crate) trailers: Vec<(&'static str, String)>,
}

impl Request {
    pub(super) fn of_head(head: &RequestHead) -> Self {
        Self {
            method: head.method.clone().into(),
            path: head.target.clone().into(),
            content_type: head.values("content-type").next().cloned().unwrap_or_default(),
        }
    }
}

impl Traits {
    pub(super) fn frame_limit(&self) -> u32 {
        let stated = self.settings.iter().find(|(id, _)| *id == SettingId::MaxFrameSize);
        stated.map_or(16_384, |(_, limit)| *limit)
    }
}
