//! Any frame at all: nine octets of header and a payload, legal or not.
//!
//! This is the form in which frames are stored, replayed and cut, so it keeps every bit of the
//! header, the reserved one and undefined flags included, and refuses only what the wire itself
//! can't carry: a payload above 2^24-1 octets, a stream identifier above 2^31-1. Whether the
//! frame makes sense is asked by [`RawFrame::parse`].

use std::fmt;
use std::ops::Deref;

use bytes::{Buf, BufMut, Bytes};

use super::{FrameKind, HEADER_LENGTH};

/// The 31 bits that name a stream (RFC 9113 section 5.1.1): odd ones are opened by the client,
/// even ones by the server, and 0 is the connection itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(u32);

impl StreamId {
    /// Stream 0, on which SETTINGS, PING and GOAWAY travel.
    pub const CONNECTION: StreamId = StreamId(0);
    /// The highest identifier, 2^31-1.
    pub const MAX: StreamId = StreamId((1 << 31) - 1);

    /// The stream of that number; `None` above 2^31-1.
    pub const fn new(number: u32) -> Option<StreamId> {
        if number <= Self::MAX.0 { Some(StreamId(number)) } else { None }
    }

    /// Whether this is stream 0.
    pub const fn is_connection(self) -> bool {
        self.0 == 0
    }

    /// Reads the low 31 bits; the reserved bit above them is returned beside.
    pub(super) const fn from_word(word: u32) -> (bool, StreamId) {
        (word > Self::MAX.0, StreamId(word & Self::MAX.0))
    }

    pub(super) const fn to_word(self, reserved: bool) -> u32 {
        self.0 | (reserved as u32) << 31
    }
}

impl From<StreamId> for u32 {
    fn from(stream: StreamId) -> Self {
        stream.0
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// At most 2^24-1 octets, as many as a frame header's length field can announce (RFC 9113
/// section 4.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Payload(Bytes);

impl Payload {
    /// The greatest number of octets in a payload.
    pub const MAX_LENGTH: usize = (1 << 24) - 1;
    /// No octets.
    pub const EMPTY: Payload = Payload(Bytes::new());

    /// Takes the octets over without copying them.
    ///
    /// # Errors
    ///
    /// [`PayloadTooLong`] above [`Payload::MAX_LENGTH`].
    pub fn new(octets: impl Into<Bytes>) -> Result<Payload, PayloadTooLong> {
        let octets = octets.into();
        if octets.len() > Self::MAX_LENGTH {
            return Err(PayloadTooLong { length: octets.len() });
        }
        Ok(Payload(octets))
    }

    /// The octets themselves.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

impl Deref for Payload {
    type Target = Bytes;

    fn deref(&self) -> &Bytes {
        &self.0
    }
}

/// More octets than one frame can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadTooLong {
    /// The octets offered.
    pub length: usize,
}

impl fmt::Display for PayloadTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { length } = self;
        let most = Payload::MAX_LENGTH;
        write!(f, "a payload of {length} octets does not fit into one frame, which holds {most}")
    }
}

impl std::error::Error for PayloadTooLong {}

/// A frame as it stands on the wire (RFC 9113 section 4.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RawFrame {
    /// The type.
    pub kind: FrameKind,
    /// All eight flags, defined for the type or not; see [`flags`](super::flags).
    pub flags: u8,
    /// The bit before the stream identifier, which a sender leaves unset and a receiver ignores.
    pub reserved: bool,
    /// The stream it belongs to.
    pub stream: StreamId,
    /// What follows the header, padding included.
    pub payload: Payload,
}

impl RawFrame {
    /// Octets on the wire, header included.
    pub fn encoded_length(&self) -> usize {
        HEADER_LENGTH + self.payload.len()
    }

    /// Writes header and payload.
    ///
    /// # Panics
    ///
    /// If `out` is of fixed size and has less room than [`RawFrame::encoded_length`].
    pub fn encode(&self, out: &mut impl BufMut) {
        let &RawFrame { kind, flags, reserved, stream, .. } = self;
        let length = self.payload.len() as u32;
        out.put_slice(&FrameHeader { length, kind, flags, reserved, stream }.to_octets());
        out.put_slice(&self.payload);
    }

    /// Takes one whole frame off the front of `input`, sharing its memory. `None`, and `input`
    /// as it was, if the frame is not all there. Any complete frame decodes.
    pub fn decode(input: &mut Bytes) -> Option<RawFrame> {
        let header = FrameHeader::from_octets(input.first_chunk()?);
        if input.len() - HEADER_LENGTH < header.length as usize {
            return None;
        }
        input.advance(HEADER_LENGTH);
        let payload = input.split_to(header.length as usize);
        Some(header.with_payload(payload))
    }
}

/// The nine octets before a payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct FrameHeader {
    /// Octets of payload announced, at most 2^24-1.
    pub(super) length: u32,
    pub(super) kind: FrameKind,
    pub(super) flags: u8,
    pub(super) reserved: bool,
    pub(super) stream: StreamId,
}

impl FrameHeader {
    pub(super) fn to_octets(self) -> [u8; HEADER_LENGTH] {
        let [_, high, middle, low] = self.length.to_be_bytes();
        let [a, b, c, d] = self.stream.to_word(self.reserved).to_be_bytes();
        [high, middle, low, self.kind.into(), self.flags, a, b, c, d]
    }

    pub(super) fn from_octets(octets: &[u8; HEADER_LENGTH]) -> FrameHeader {
        let [length @ .., kind, flags, a, b, c, d] = *octets;
        let [high, middle, low] = length;
        let (reserved, stream) = StreamId::from_word(u32::from_be_bytes([a, b, c, d]));
        FrameHeader {
            length: u32::from_be_bytes([0, high, middle, low]),
            kind: kind.into(),
            flags,
            reserved,
            stream,
        }
    }

    /// `payload` is as long as the header says, so it fits.
    pub(super) fn with_payload(self, payload: Bytes) -> RawFrame {
        debug_assert_eq!(payload.len(), self.length as usize);
        RawFrame {
            kind: self.kind,
            flags: self.flags,
            reserved: self.reserved,
            stream: self.stream,
            payload: Payload(payload),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_every_bit_of_the_header() {
        let octets: &[u8] = b"\x00\x00\x03\xee\xff\x80\x00\x00\x07abc";
        let mut input = Bytes::from_static(octets);
        let frame = RawFrame::decode(&mut input).unwrap();
        assert!(input.is_empty());
        assert_eq!(frame.kind, FrameKind::Unknown(0xee));
        assert_eq!((frame.flags, frame.reserved), (0xff, true));
        assert_eq!(frame.stream, StreamId(7));
        let mut out = Vec::new();
        frame.encode(&mut out);
        assert_eq!(out, octets);
        assert_eq!(frame.encoded_length(), octets.len());
    }

    #[test]
    fn an_incomplete_frame_stays_where_it_is() {
        let octets: &[u8] = b"\x00\x00\x03\x00\x00\x00\x00\x00\x01abc";
        for length in 0..octets.len() {
            let mut input = Bytes::from_static(&octets[..length]);
            assert_eq!(RawFrame::decode(&mut input), None);
            assert_eq!(input.len(), length);
        }
    }

    #[test]
    fn bounds_are_those_of_the_wire() {
        assert_eq!(StreamId::new(u32::MAX >> 1), Some(StreamId::MAX));
        assert_eq!(StreamId::new(1 << 31), None);
        assert!(Payload::new(vec![0; Payload::MAX_LENGTH]).is_ok());
        let error = Payload::new(vec![0; Payload::MAX_LENGTH + 1]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a payload of 16777216 octets does not fit into one frame, which holds 16777215"
        );
    }
}
