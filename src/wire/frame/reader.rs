//! Finds the frames in a byte stream that arrives in pieces.
//!
//! A multiplexer and a transcript both watch streams that belong to somebody else, at any cut:
//! one octet at a time, or a hundred frames in a piece. The reader therefore keeps the pieces as
//! they came. A frame inside one piece shares its memory; only one that lies across a seam is
//! copied together, once, when it is complete. So the work is linear in the octets however they
//! are cut, and what is held is what was pushed and not yet taken.
//!
//! The limit on a frame's size is the caller's, since it decides what a client does with an
//! HTTP/1 answer: `HTTP/1.1 ` read as a frame header announces 4,740,180 octets, which one client
//! refuses at once and another, with a limit of 2^24-1, waits for until it times out.
//!
//! Left out: the preface, which is no frame, and any opinion on the frames' contents.

use std::collections::VecDeque;
use std::fmt;

use bytes::{Bytes, BytesMut};

use super::raw::{FrameHeader, RawFrame};
use super::{ErrorCode, FrameKind, HEADER_LENGTH};

/// Reads frames from the octets of one direction of a connection.
#[derive(Clone, Debug)]
pub struct FrameReader {
    max_frame_size: u32,
    offset: u64,
    buffered: usize,
    /// None of them empty.
    pieces: VecDeque<Bytes>,
    /// What was pushed as a slice after the last of `pieces`.
    tail: BytesMut,
}

impl FrameReader {
    /// A reader at the beginning of a stream that refuses payloads above `max_frame_size` octets:
    /// what the receiver's SETTINGS_MAX_FRAME_SIZE allows. Above 2^24-1 nothing is refused.
    pub fn new(max_frame_size: u32) -> FrameReader {
        FrameReader { max_frame_size, offset: 0, buffered: 0, pieces: VecDeque::new(), tail: BytesMut::new() }
    }

    /// Changes the limit for all frames not yet taken.
    pub fn set_max_frame_size(&mut self, max_frame_size: u32) {
        self.max_frame_size = max_frame_size;
    }

    /// Appends a copy of `octets` to the stream.
    pub fn push(&mut self, octets: &[u8]) {
        self.buffered += octets.len();
        self.tail.extend_from_slice(octets);
    }

    /// Appends `octets` to the stream without copying them.
    pub fn push_bytes(&mut self, octets: Bytes) {
        if octets.is_empty() {
            return;
        }
        if !self.tail.is_empty() {
            self.pieces.push_back(self.tail.split().freeze());
        }
        self.buffered += octets.len();
        self.pieces.push_back(octets);
    }

    /// The next frame, or `None` until all of it has been pushed.
    ///
    /// # Errors
    ///
    /// [`FrameTooLarge`] as soon as a frame's header announces more than the limit. The frame
    /// stays where it is: the same error comes again until the limit is raised.
    pub fn next_frame(&mut self) -> Result<Option<RawFrame>, FrameTooLarge> {
        let Some(header) = self.header()? else {
            return Ok(None);
        };
        let total = HEADER_LENGTH + header.length as usize;
        if self.buffered < total {
            return Ok(None);
        }
        let payload = self.take(total).split_off(HEADER_LENGTH);
        self.offset += total as u64;
        Ok(Some(header.with_payload(payload)))
    }

    /// How many more octets there must be before [`next_frame`](Self::next_frame) can say more
    /// than it does now: those missing from the header, and once it is there from the frame. 0
    /// if the frame is complete or is refused.
    pub fn needed(&self) -> usize {
        match self.header() {
            Err(_) => 0,
            Ok(None) => HEADER_LENGTH - self.buffered,
            Ok(Some(header)) => (HEADER_LENGTH + header.length as usize).saturating_sub(self.buffered),
        }
    }

    /// Where in the stream the next frame begins, counted in octets from the first one pushed.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Octets pushed and not yet returned in a frame.
    pub fn buffered(&self) -> usize {
        self.buffered
    }

    /// Ends the reading: what was pushed and not returned, for whoever goes on with the stream.
    pub fn into_buffered(mut self) -> Bytes {
        self.take(self.buffered)
    }

    fn header(&self) -> Result<Option<FrameHeader>, FrameTooLarge> {
        let Some(octets) = self.header_octets() else {
            return Ok(None);
        };
        let header = FrameHeader::from_octets(&octets);
        if header.length > self.max_frame_size {
            return Err(FrameTooLarge { header: octets, limit: self.max_frame_size, offset: self.offset });
        }
        Ok(Some(header))
    }

    fn header_octets(&self) -> Option<[u8; HEADER_LENGTH]> {
        if self.buffered < HEADER_LENGTH {
            return None;
        }
        let front = self.pieces.front().map_or(&self.tail[..], |piece| piece);
        if let Some(octets) = front.first_chunk() {
            return Some(*octets);
        }
        let mut octets = [0; HEADER_LENGTH];
        let pushed = self.pieces.iter().flatten().chain(&self.tail);
        for (octet, &next) in octets.iter_mut().zip(pushed) {
            *octet = next;
        }
        Some(octets)
    }

    /// Removes the first `length` octets, which must have been pushed.
    fn take(&mut self, length: usize) -> Bytes {
        self.buffered -= length;
        let Some(front) = self.pieces.front_mut() else {
            return self.tail.split_to(length).freeze();
        };
        if front.len() > length {
            return front.split_to(length);
        }
        if front.len() == length {
            return self.pieces.pop_front().unwrap_or_default();
        }
        let mut gathered = BytesMut::with_capacity(length);
        while gathered.len() < length {
            let missing = length - gathered.len();
            match self.pieces.front_mut() {
                Some(front) if front.len() > missing => {
                    gathered.extend_from_slice(&front.split_to(missing));
                }
                Some(front) => {
                    gathered.extend_from_slice(front);
                    self.pieces.pop_front();
                }
                None => gathered.extend_from_slice(&self.tail.split_to(missing)),
            }
        }
        gathered.freeze()
    }
}

/// A frame header announced more than the reader's limit (RFC 9113 section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameTooLarge {
    /// The header as it stands in the stream; often not a frame header at all.
    pub header: [u8; HEADER_LENGTH],
    /// The limit in octets.
    pub limit: u32,
    /// Where in the stream the header begins.
    pub offset: u64,
}

impl FrameTooLarge {
    /// The octets of payload announced.
    pub fn length(&self) -> u32 {
        FrameHeader::from_octets(&self.header).length
    }

    /// The type announced.
    pub fn kind(&self) -> FrameKind {
        FrameHeader::from_octets(&self.header).kind
    }

    /// Whether the header reads `HTTP/1.1 `: the peer answered in HTTP/1.
    pub fn reads_as_http1(&self) -> bool {
        self.header == *b"HTTP/1.1 "
    }

    /// FRAME_SIZE_ERROR (RFC 9113 section 4.2).
    pub fn code(&self) -> ErrorCode {
        ErrorCode::FrameSizeError
    }
}

impl fmt::Display for FrameTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, offset, .. } = self;
        let length = self.length();
        write!(f, "frame at offset {offset} announces {length} octets, the limit is {limit}")?;
        if self.reads_as_http1() {
            write!(f, "; its header reads as the beginning of an HTTP/1.1 response")?;
        }
        Ok(())
    }
}

impl std::error::Error for FrameTooLarge {}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS_THEN_DATA: &[u8] =
        b"\0\0\0\x04\0\0\0\0\0\0\0\x05\x00\x01\0\0\0\x01hello\0\0\0\x04\x01\0\0\0\0";

    fn frames(reader: &mut FrameReader) -> Vec<RawFrame> {
        std::iter::from_fn(|| reader.next_frame().unwrap()).collect()
    }

    #[test]
    fn any_cut_gives_the_same_frames() {
        let mut whole = FrameReader::new(16_384);
        whole.push(SETTINGS_THEN_DATA);
        let expected = frames(&mut whole);
        assert_eq!(expected.len(), 3);
        for size in 1..SETTINGS_THEN_DATA.len() {
            let mut reader = FrameReader::new(16_384);
            let mut found = Vec::new();
            for (index, piece) in SETTINGS_THEN_DATA.chunks(size).enumerate() {
                if index % 2 == 0 {
                    reader.push(piece);
                } else {
                    reader.push_bytes(Bytes::copy_from_slice(piece));
                }
                found.extend(frames(&mut reader));
            }
            assert_eq!(found, expected);
            assert_eq!(reader.offset(), SETTINGS_THEN_DATA.len() as u64);
            assert_eq!(reader.buffered(), 0);
        }
    }

    #[test]
    fn says_how_much_is_missing() {
        let mut reader = FrameReader::new(16_384);
        let data_frame = &SETTINGS_THEN_DATA[9..23];
        for (pushed, &octet) in data_frame.iter().enumerate() {
            let missing = if pushed < 9 { 9 - pushed } else { 14 - pushed };
            assert_eq!((reader.needed(), reader.buffered()), (missing, pushed));
            assert_eq!(reader.next_frame(), Ok(None));
            reader.push(&[octet]);
        }
        assert_eq!(reader.needed(), 0);
        assert!(reader.next_frame().unwrap().is_some());
        assert_eq!((reader.needed(), reader.offset()), (9, 14));
    }

    #[test]
    fn a_frame_inside_one_piece_is_not_copied() {
        let piece = Bytes::from_static(SETTINGS_THEN_DATA);
        let mut reader = FrameReader::new(16_384);
        reader.push_bytes(piece.clone());
        let data = &frames(&mut reader)[1];
        assert_eq!(data.payload.as_ptr(), piece[18..].as_ptr());
        // Nor is one that ends with its piece, nor the first of the next.
        reader.push_bytes(piece.slice(..23));
        reader.push_bytes(piece.slice(9..23));
        let [_, last, first] = &frames(&mut reader)[..] else { panic!("three frames") };
        assert_eq!(last.payload.as_ptr(), piece[18..].as_ptr());
        assert_eq!(first.payload.as_ptr(), piece[18..].as_ptr());
    }

    #[test]
    fn an_http1_answer_is_refused_or_waited_for() {
        let answer = b"HTTP/1.1 400 Bad Request\r\n\r\n";
        let mut strict = FrameReader::new(16_384);
        strict.push(&answer[..8]);
        assert_eq!(strict.next_frame(), Ok(None));
        strict.push(&answer[8..9]);
        let error = strict.next_frame().unwrap_err();
        assert_eq!(
            error.to_string(),
            "frame at offset 0 announces 4740180 octets, the limit is 16384; its header reads as \
             the beginning of an HTTP/1.1 response"
        );
        assert_eq!((error.length(), error.kind()), (0x48_54_54, FrameKind::Unknown(b'P')));
        assert_eq!(strict.next_frame(), Err(error));
        assert_eq!(strict.needed(), 0);

        let mut patient = FrameReader::new((1 << 24) - 1);
        patient.push(answer);
        assert_eq!(patient.next_frame(), Ok(None));
        assert_eq!(patient.needed(), 9 + 0x48_54_54 - answer.len());
        assert_eq!(&patient.into_buffered()[..], answer);
    }
}
