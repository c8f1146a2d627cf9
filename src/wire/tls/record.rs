//! TLS records out of bytes in any pieces (RFC 8446 section 5.1).
//!
//! A record's header is judged byte by byte, so that what is no TLS is refused at the first byte that shows it, whoever
//! cut the bytes where. What follows the header is owned by the record and can be decrypted in place.

use bytes::{Buf, BytesMut};

use super::error::TlsError;
use super::registry::{ContentType, ProtocolVersion};

/// One record, as it was on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What it holds, or in TLS 1.3 claims to hold once records are protected.
    pub kind: ContentType,
    /// The version in its header, which says little: RFC 8446 has it fixed.
    pub version: ProtocolVersion,
    /// What follows the header.
    pub payload: BytesMut,
}

/// Finds records however their bytes are cut.
#[derive(Clone, Debug)]
pub struct RecordReader {
    buffer: BytesMut,
    /// Of the bytes that are given out.
    offset: u64,
    limit: u16,
}

/// The length of a record's header.
pub(super) const HEADER: usize = 5;

impl RecordReader {
    /// The most bytes in a record that is not protected (RFC 8446 section 5.1).
    pub const PLAINTEXT: u16 = 1 << 14;
    /// The most bytes in a protected record of any version (RFC 5246 section 6.2.3).
    pub const PROTECTED: u16 = (1 << 14) + 2048;

    /// A reader that refuses records with more bytes than `limit`.
    pub fn new(limit: u16) -> Self {
        Self { buffer: BytesMut::new(), offset: 0, limit }
    }

    /// Takes in the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next record, if it is all there.
    ///
    /// # Errors
    ///
    /// If what comes next is no record. There is no way on from there, and the answer stays the same.
    pub fn next_record(&mut self) -> Result<Option<Record>, TlsError> {
        let Some(length) = self.judge()? else { return Ok(None) };
        let end = HEADER + usize::from(length);
        if self.buffer.len() < end {
            return Ok(None);
        }
        let kind = self.buffer[0].into();
        let version = u16::from_be_bytes([self.buffer[1], self.buffer[2]]).into();
        self.buffer.advance(HEADER);
        let payload = self.buffer.split_to(usize::from(length));
        self.offset += end as u64;
        Ok(Some(Record { kind, version, payload }))
    }

    /// How many bytes were in the records that were given out.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// How many bytes wait for the rest of their record.
    pub fn waiting(&self) -> usize {
        self.buffer.len()
    }

    /// How many bytes the record that comes next still needs, at least: the rest of its header, or of itself.
    pub fn needed(&self) -> usize {
        let wanted = match self.judge() {
            Ok(Some(length)) => HEADER + usize::from(length),
            Ok(None) | Err(_) => HEADER,
        };
        wanted.saturating_sub(self.buffer.len())
    }

    /// What of the record that comes next is there.
    pub(super) fn begun(&self) -> &[u8] {
        &self.buffer
    }

    /// The length in the next record's header, once that is all there.
    fn judge(&self) -> Result<Option<u16>, TlsError> {
        let bytes = &self.buffer[..];
        if let Some(&byte) = bytes.first()
            && !(20..=24).contains(&byte)
        {
            // What may be a hello of SSL 2.0 is told by its fifth byte; it can only come first.
            return match bytes {
                _ if self.offset > 0 => Err(TlsError::NotTls { byte, place: 0 }),
                [0x80..=0xff, rest @ ..] if rest.len() < 4 && ssl2_may_follow(rest) => Ok(None),
                [0x80..=0xff, rest @ ..] if rest.len() >= 4 && ssl2_may_follow(&rest[..4]) => {
                    Err(TlsError::Ssl2Hello)
                }
                _ => Err(TlsError::NotTls { byte, place: 0 }),
            };
        }
        if let Some(&byte) = bytes.get(1)
            && byte != 3
        {
            return Err(TlsError::NotTls { byte, place: 1 });
        }
        let &[kind, _, _, high, low, ..] = bytes else { return Ok(None) };
        let length = u16::from_be_bytes([high, low]);
        if length > self.limit {
            return Err(TlsError::RecordTooLong { length, limit: self.limit });
        }
        if length == 0 && ContentType::from(kind) != ContentType::ApplicationData {
            return Err(TlsError::EmptyRecord);
        }
        Ok(Some(length))
    }
}

/// Whether these bytes after the first can be those of a ClientHello as SSL 2.0 had it: the rest of a length, the message
/// type 1, and a version of 2 or 3 (RFC 5246 appendix E.2).
fn ssl2_may_follow(rest: &[u8]) -> bool {
    rest.get(1).is_none_or(|&kind| kind == 1)
        && match rest.get(2) {
            None => true,
            Some(0) => rest.get(3).is_none_or(|&minor| minor == 2),
            Some(major) => *major == 3,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(bytes: &[u8]) -> Result<Option<Record>, TlsError> {
        let mut reader = RecordReader::new(RecordReader::PROTECTED);
        reader.push(bytes);
        reader.next_record()
    }

    #[test]
    fn records_come_out_of_bytes_in_any_pieces() {
        let bytes = [&[22, 3, 1, 0, 3][..], b"abc", &[23, 3, 3, 0, 0], &[21, 3, 3, 0, 2, 1, 0]].concat();
        let mut reader = RecordReader::new(RecordReader::PROTECTED);
        let mut found = Vec::new();
        for byte in &bytes {
            assert!(reader.needed() > 0);
            reader.push(&[*byte]);
            while let Some(record) = reader.next_record().unwrap() {
                found.push((record.kind, record.payload.to_vec(), reader.offset()));
            }
        }
        let expected = [
            (ContentType::Handshake, b"abc".to_vec(), 8),
            (ContentType::ApplicationData, vec![], 13),
            (ContentType::Alert, vec![1, 0], 20),
        ];
        assert_eq!(found, expected);
        assert_eq!((reader.waiting(), reader.needed()), (0, HEADER));
        reader.push(&[22, 3]);
        assert_eq!((reader.waiting(), reader.needed()), (2, HEADER - 2));
    }

    #[test]
    fn what_is_no_record_is_refused_at_the_byte_that_shows_it() {
        assert_eq!(first(b"G"), Err(TlsError::NotTls { byte: b'G', place: 0 }));
        assert_eq!(first(&[22, 2]), Err(TlsError::NotTls { byte: 2, place: 1 }));
        assert_eq!(
            first(&[22, 3, 9, 0xff, 0xff]),
            Err(TlsError::RecordTooLong { length: 0xffff, limit: 18_432 })
        );
        assert_eq!(first(&[22, 3, 3, 0, 0]), Err(TlsError::EmptyRecord));
        assert_eq!(first(&[0x80, 0x2e, 1, 3, 1]), Err(TlsError::Ssl2Hello));
        assert_eq!(first(&[0x80, 0x2e, 1, 0, 2]), Err(TlsError::Ssl2Hello));
        assert_eq!(first(&[0x80, 0x2e, 1, 3]), Ok(None));
        assert_eq!(first(&[0x80, 0x2e, 2]), Err(TlsError::NotTls { byte: 0x80, place: 0 }));
    }

    #[test]
    fn a_hello_of_ssl_2_is_not_awaited_after_a_record() {
        let mut reader = RecordReader::new(RecordReader::PROTECTED);
        reader.push(&[22, 3, 1, 0, 1, 1, 0x80]);
        assert!(reader.next_record().unwrap().is_some());
        assert_eq!(reader.next_record(), Err(TlsError::NotTls { byte: 0x80, place: 0 }));
    }
}
