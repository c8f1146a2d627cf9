//! Handshake messages out of the records that carry them (RFC 8446 section 4, RFC 5246 section 7.4).
//!
//! A record may hold several messages, and a message may go through several records.

use bytes::{Buf, Bytes, BytesMut};

use super::error::TlsError;
use super::registry::HandshakeKind;

/// One handshake message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// What it is.
    pub kind: HandshakeKind,
    /// What follows its length.
    pub body: Bytes,
}

/// Joins and parts the content of handshake records.
#[derive(Clone, Debug, Default)]
pub struct HandshakeReader {
    buffer: BytesMut,
}

/// The length of a message's header.
pub(super) const HEADER: usize = 4;

/// What rustls takes; the protocol's own limit of 16 MiB is beyond what any peer of these would read.
const LIMIT: u32 = 0xffff;

impl HandshakeReader {
    /// Takes in the content of the next handshake record.
    pub fn push(&mut self, content: &[u8]) {
        self.buffer.extend_from_slice(content);
    }

    /// The next message, if it is all there.
    ///
    /// # Errors
    ///
    /// If it says that it is longer than anybody makes them.
    pub fn next_message(&mut self) -> Result<Option<Handshake>, TlsError> {
        let Some((kind, length)) = self.header()? else { return Ok(None) };
        if self.buffer.len() < HEADER + length {
            return Ok(None);
        }
        self.buffer.advance(HEADER);
        Ok(Some(Handshake { kind, body: self.buffer.split_to(length).freeze() }))
    }

    /// How many bytes wait for the rest of their message, or follow one that was given out.
    pub fn waiting(&self) -> usize {
        self.buffer.len()
    }

    /// The type and length of the message that comes next, once its header is there.
    pub(super) fn header(&self) -> Result<Option<(HandshakeKind, usize)>, TlsError> {
        let &[kind, high, middle, low, ..] = &self.buffer[..] else { return Ok(None) };
        let length = u32::from_be_bytes([0, high, middle, low]);
        if length > LIMIT {
            return Err(TlsError::MessageTooLong { length, limit: LIMIT });
        }
        Ok(Some((kind.into(), length as usize)))
    }

    /// The type of the message that comes next, as soon as its first byte is there.
    pub(super) fn kind(&self) -> Option<HandshakeKind> {
        self.buffer.first().map(|&kind| kind.into())
    }
}
