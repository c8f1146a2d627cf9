//! h2's codec as a second opinion on frames and header blocks.
//!
//! h2 keeps its HPACK to itself, but its `unstable` feature shows the codec, and HEADERS frames
//! sent through that pass the decoder and the encoder of a connection. What comes out is an HTTP
//! message rather than a list of fields, so h2 also refuses blocks that are well compressed and
//! make no message; [`makes_no_message`] says which those are.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use futures_core::Stream;
use h2::frame::{Frame, Pseudo};
use h2::proto::Error;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use muxbed::wire::hpack::Field;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// One end of a connection that lives in memory.
pub(crate) struct Oracle {
    pub(crate) codec: h2::Codec<Memory, Bytes>,
}

/// A name and a value.
pub(crate) type Pair = (Vec<u8>, Vec<u8>);

impl Oracle {
    pub(crate) fn new() -> Oracle {
        Oracle { codec: h2::Codec::new(Memory::default()) }
    }

    /// What h2 makes of `octets`: frames, up to and with the first error.
    pub(crate) fn read(&mut self, octets: &[u8]) -> Vec<Result<Frame, Error>> {
        self.codec.get_mut().incoming.extend_from_slice(octets);
        let mut context = Context::from_waker(Waker::noop());
        let mut seen = Vec::new();
        while let Poll::Ready(Some(result)) = Pin::new(&mut self.codec).poll_next(&mut context) {
            let failed = result.is_err();
            seen.push(result);
            if failed {
                break;
            }
        }
        seen
    }

    /// The octets that h2 writes for `frame`.
    pub(crate) fn write(&mut self, frame: Frame<Bytes>) -> Vec<u8> {
        let mut context = Context::from_waker(Waker::noop());
        assert!(self.codec.poll_ready(&mut context).is_ready());
        self.codec.buffer(frame).unwrap();
        assert!(self.codec.flush(&mut context).is_ready());
        std::mem::take(&mut self.codec.get_mut().outgoing)
    }
}

/// Octets waiting in both directions; never at an end.
#[derive(Default)]
pub(crate) struct Memory {
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
}

impl AsyncRead for Memory {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.incoming.is_empty() {
            return Poll::Pending;
        }
        let length = self.incoming.len().min(into.remaining());
        into.put_slice(&self.incoming[..length]);
        self.incoming.drain(..length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Memory {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut octets: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let length = octets.remaining();
        self.outgoing.extend_from_slice(octets);
        octets.advance(length);
        Poll::Ready(Ok(length))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A message's fields, sorted by name, since h2 does not keep the order of different names.
pub(crate) fn pairs_of_message((pseudo, fields): (Pseudo, HeaderMap)) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = Vec::new();
    let mut add = |name: &str, value: &[u8]| pairs.push((name.into(), value.into()));
    if let Some(method) = &pseudo.method {
        add(":method", method.as_str().as_bytes());
    }
    if let Some(status) = &pseudo.status {
        add(":status", status.as_str().as_bytes());
    }
    if let Some(protocol) = &pseudo.protocol {
        add(":protocol", protocol.as_str().as_bytes());
    }
    let texts = [(":scheme", &pseudo.scheme), (":authority", &pseudo.authority), (":path", &pseudo.path)];
    for (name, text) in texts {
        if let Some(text) = text {
            add(name, text.as_bytes());
        }
    }
    for (name, value) in &fields {
        add(name.as_str(), value.as_bytes());
    }
    pairs.sort_by(|one, other| one.0.cmp(&other.0));
    pairs
}

/// The same for fields that we decoded.
pub(crate) fn pairs_of_fields(fields: &[Field]) -> Vec<Pair> {
    let pair = |field: &Field| (field.name.to_vec(), field.value.to_vec());
    let mut pairs: Vec<Pair> = fields.iter().map(pair).collect();
    pairs.sort_by(|one, other| one.0.cmp(&other.0));
    pairs
}

/// Whether HTTP has no use for these fields, so that h2 refuses them however they are compressed
/// (RFC 9113 section 8, the `http` crate's types, and h2's own habits).
pub(crate) fn makes_no_message(fields: &[Field]) -> bool {
    let mut pseudo: Vec<&[u8]> = Vec::new();
    let mut regular = false;
    fields.iter().any(|Field { name, value, .. }| {
        if name.first() != Some(&b':') {
            regular = true;
            return HeaderName::from_lowercase(name).is_err()
                || HeaderValue::from_bytes(value).is_err()
                || is_connection_specific(name, value);
        }
        let repeated = pseudo.contains(&&name[..]);
        pseudo.push(name);
        let value_fits = match &name[..] {
            b":method" => Method::from_bytes(value).is_ok(),
            b":status" => StatusCode::from_bytes(value).is_ok(),
            b":authority" | b":scheme" | b":path" | b":protocol" => std::str::from_utf8(value).is_ok(),
            _ => false,
        };
        regular || repeated || !value_fits
    })
}

fn is_connection_specific(name: &[u8], value: &[u8]) -> bool {
    match name {
        b"connection" | b"transfer-encoding" | b"upgrade" | b"keep-alive" | b"proxy-connection" => true,
        b"te" => value != b"trailers",
        _ => false,
    }
}
