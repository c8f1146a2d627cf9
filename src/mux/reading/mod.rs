//! What is known of a connection from its first bytes. All rules look at this one reading, which only ever grows.
//!
//! Each part is read when a rule first asks for it and goes on where it stopped, so that nobody pays for a protocol that
//! no rule wants, nor twice for the same bytes. Nothing is copied: whoever asks shows all that has come so far.
//!
//! A part says the same of the same bytes, however they came: it may depend on nothing but the bytes themselves.

mod http1;
mod http2;
mod tls;

pub(super) use http1::Head;
pub(super) use http2::{Http2, Opening, Trouble};
pub(super) use tls::Hello;

use std::sync::Arc;

use super::facts::TlsFacts;
use super::rule::Answer;

/// The parts of the reading.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    http1: http1::RequestLine,
    head: Option<Box<http1::HeadReader>>,
    http2: Http2,
    hello: Option<Box<tls::Reader>>,
    terminated: Option<Arc<TlsFacts>>,
}

impl Reading {
    /// The reading of what is inside TLS that was taken off.
    pub(super) fn behind_tls(terminated: Arc<TlsFacts>) -> Self {
        Self { terminated: Some(terminated), ..Self::default() }
    }

    /// What the TLS around it agreed on.
    pub(super) fn terminated(&self) -> Option<&TlsFacts> {
        self.terminated.as_deref()
    }

    /// Whether it begins with an HTTP/1 request line, and the method as far as it is known.
    pub(super) fn request_line<'a>(&mut self, bytes: &'a [u8]) -> (Answer, Option<&'a [u8]>) {
        self.http1.advance(bytes);
        (self.http1.answer(), self.http1.method(bytes))
    }

    /// The head of an HTTP/1 request.
    pub(super) fn head(&mut self, bytes: &[u8]) -> &Head {
        self.http1.advance(bytes);
        if self.http1.answer() != Answer::Match {
            return if self.http1.answer() == Answer::Reject { &Head::No } else { &Head::Possible };
        }
        self.head.get_or_insert_default().advance(bytes)
    }

    /// HTTP/2's preface and what follows it.
    pub(super) fn http2(&mut self, bytes: &[u8]) -> &Http2 {
        self.http2.advance(bytes);
        &self.http2
    }

    /// What was read of HTTP/2 when somebody last asked.
    pub(super) fn http2_so_far(&self) -> &Http2 {
        &self.http2
    }

    /// The ClientHello of a TLS connection.
    pub(super) fn hello(&mut self, bytes: &[u8]) -> &Hello {
        match tls::is_client_hello(bytes) {
            Answer::Reject => &Hello::No,
            Answer::NeedMore => &Hello::Possible,
            Answer::Match => self.hello.get_or_insert_default().advance(bytes),
        }
    }
}

/// Whether the bytes are, or can become, something that begins so.
pub(super) fn starts_with(bytes: &[u8], expected: &[u8]) -> Answer {
    let length = bytes.len().min(expected.len());
    if bytes[..length] != expected[..length] {
        Answer::Reject
    } else if length == expected.len() {
        Answer::Match
    } else {
        Answer::NeedMore
    }
}

pub(super) use tls::is_client_hello;
