//! A capture file into packets: pcap and pcapng, each in both byte orders.
//!
//! The caller reads the file whole and lends its bytes; nothing is copied, a packet is a slice of them. Captures of
//! handshakes are small, and with all bytes at hand "the file ends here" and "this record lies about its length" can
//! be told apart, which a reader over a sliding buffer can not. So it is pcap-parser's slice functions that read each
//! record here, one at a time and never with more bytes than the record itself: of that crate's ways to say that
//! something is missing, `Eof`, `UnexpectedEof` and `BufferTooSmall` then cannot occur, and `Incomplete` means a
//! lying length.
//!
//! Packets come in file order, which for one interface is the order of the kernel. A file merged from several machines
//! has the order that the merging program gave it.
//!
//! Left out: the big-endian form of the patched pcap format that Linux distributions shipped around 1999, and files
//! compressed as a whole, which are named in the error.

use pcap_parser::{
    Linktype, PcapHeader, parse_pcap_frame, parse_pcap_frame_be, parse_pcap_frame_modified, parse_pcap_header,
};

use super::error::{CaptureError, Inside, LooksLike, Malformation};
use super::link::LinkType;
use super::pcapng::{Secrets, Section, Step};

/// One packet as it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Its number in the file, from 1, as Wireshark counts.
    pub number: u64,
    /// When it was captured, in nanoseconds since 1970-01-01 UTC; `None` for a pcapng simple packet block, which
    /// carries no time. Times past the year 2554 are held at the largest value, times before 1970 at 0.
    pub timestamp: Option<u64>,
    /// What its first bytes are.
    pub link: LinkType,
    /// The bytes captured.
    pub bytes: &'a [u8],
    /// How many bytes it had on the wire: more than were captured, if the capture had a snapshot length.
    pub original_length: u32,
}

/// The packets of a capture file, in file order.
///
/// After an error there is nothing more: where one record ends wrongly, the next has no known beginning.
#[derive(Clone, Debug)]
pub struct Packets<'a> {
    bytes: &'a [u8],
    offset: usize,
    packets: u64,
    format: Format,
    secrets: Vec<Secrets<'a>>,
    passed_over_blocks: u64,
    finished: bool,
}

impl<'a> Packets<'a> {
    /// Begins to read a file, given whole.
    ///
    /// # Errors
    ///
    /// [`CaptureError::NotACapture`] if it does not begin like one, [`CaptureError::UnsupportedVersion`], and
    /// [`CaptureError::CutOff`] if not even the file's header is all there.
    pub fn new(bytes: &'a [u8]) -> Result<Self, CaptureError> {
        let (format, offset) = if bytes.starts_with(&SECTION_HEADER) {
            // The section header is the first block: nothing is consumed yet.
            (Format::Pcapng(Section::default()), 0)
        } else {
            (Format::Pcap(Records::new(bytes)?), PCAP_HEADER)
        };
        let mut packets = Self {
            bytes,
            offset,
            packets: 0,
            format,
            secrets: Vec::new(),
            passed_over_blocks: 0,
            finished: false,
        };
        if let Format::Pcapng(_) = packets.format {
            // Done now so that a file with no more than the first four bytes of a capture is an error from the start.
            packets.advance()?;
        }
        Ok(packets)
    }

    /// The secrets of the decryption secrets blocks passed so far.
    pub fn secrets(&self) -> &[Secrets<'a>] {
        &self.secrets
    }

    /// How many pcapng blocks were passed that hold neither packets nor what is needed to read them: statistics,
    /// name resolution, custom and unknown ones.
    pub fn passed_over_blocks(&self) -> u64 {
        self.passed_over_blocks
    }

    /// Reads one record or block; `None` if it held no packet.
    fn advance(&mut self) -> Result<Option<Packet<'a>>, CaptureError> {
        let rest = &self.bytes[self.offset..];
        let found = match &mut self.format {
            Format::Pcap(records) => records.read(rest, self.offset as u64, self.packets),
            Format::Pcapng(section) => section.read(rest, self.offset as u64, self.packets),
        };
        let (length, step) = found?;
        self.offset += length;
        match step {
            Step::Packet(mut packet) => {
                self.packets += 1;
                packet.number = self.packets;
                return Ok(Some(packet));
            }
            Step::Secrets(secrets) => self.secrets.push(secrets),
            Step::PassedOver => self.passed_over_blocks += 1,
            Step::Structure => {}
        }
        Ok(None)
    }
}

impl<'a> Iterator for Packets<'a> {
    type Item = Result<Packet<'a>, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.finished && self.offset < self.bytes.len() {
            match self.advance() {
                Ok(Some(packet)) => return Some(Ok(packet)),
                Ok(None) => {}
                Err(error) => {
                    self.finished = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

#[derive(Clone, Debug)]
enum Format {
    Pcap(Records),
    Pcapng(Section),
}

/// How the records of a pcap file are written (draft-ietf-opsawg-pcap, sections 4 and 5).
#[derive(Clone, Debug)]
struct Records {
    shape: Shape,
    /// Nanoseconds in one unit of the record's fraction of a second.
    unit: u64,
    link: LinkType,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Little,
    Big,
    /// Eight more bytes in each record's header.
    Patched,
}

/// The block type that opens a pcapng file, the same in both byte orders.
const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
const PCAP_HEADER: usize = 24;
/// No capture program writes longer packets (libpcap's MAXIMUM_SNAPLEN): a longer one that is not there is damage, not
/// a file cut off.
const LONGEST_PACKET: u32 = 262_144;

impl Records {
    fn new(bytes: &[u8]) -> Result<Self, CaptureError> {
        let Ok((_, header)) = parse_pcap_header(bytes) else {
            return Err(no_pcap_header(bytes));
        };
        let PcapHeader { version_major: major, version_minor: minor, network: Linktype(network), .. } =
            header;
        if major != 2 {
            return Err(CaptureError::UnsupportedVersion { offset: 4, major, minor });
        }
        Ok(Self {
            shape: if header.is_modified_format() {
                Shape::Patched
            } else if header.is_bigendian() {
                Shape::Big
            } else {
                Shape::Little
            },
            unit: if header.is_nanosecond_precision() { 1 } else { 1_000 },
            // The upper half holds the length of the frame check sequence, which the IP header's length cuts off.
            link: LinkType::from((network & 0xffff) as u16),
        })
    }

    fn read<'a>(
        &self,
        rest: &'a [u8],
        offset: u64,
        after_packet: u64,
    ) -> Result<(usize, Step<'a>), CaptureError> {
        let parsed = match self.shape {
            Shape::Little => parse_pcap_frame(rest),
            Shape::Big => parse_pcap_frame_be(rest),
            Shape::Patched => parse_pcap_frame_modified(rest),
        };
        let Ok((after, record)) = parsed else {
            return Err(self.incomplete(rest, offset, after_packet));
        };
        let packet = Packet {
            number: 0,
            timestamp: Some(u64::from(record.ts_sec) * 1_000_000_000 + u64::from(record.ts_usec) * self.unit),
            link: self.link,
            bytes: record.data,
            original_length: record.origlen,
        };
        Ok((rest.len() - after.len(), Step::Packet(packet)))
    }

    fn incomplete(&self, rest: &[u8], offset: u64, after_packet: u64) -> CaptureError {
        let header = if self.shape == Shape::Patched { 24 } else { 16 };
        let mut wanted = header;
        if let Some(&[a, b, c, d]) = rest.get(8..12) {
            let length = match self.shape {
                Shape::Big => u32::from_be_bytes([a, b, c, d]),
                Shape::Little | Shape::Patched => u32::from_le_bytes([a, b, c, d]),
            };
            if length > LONGEST_PACKET {
                return CaptureError::Malformed {
                    offset,
                    after_packet,
                    what: Malformation::PacketLength(length),
                };
            }
            wanted += u64::from(length);
        }
        CaptureError::CutOff {
            offset,
            after_packet,
            inside: Inside::Packet,
            missing: wanted.saturating_sub(rest.len() as u64),
        }
    }
}

fn no_pcap_header(bytes: &[u8]) -> CaptureError {
    const MAGICS: [[u8; 4]; 5] = [
        [0xd4, 0xc3, 0xb2, 0xa1],
        [0xa1, 0xb2, 0xc3, 0xd4],
        [0x4d, 0x3c, 0xb2, 0xa1],
        [0xa1, 0xb2, 0x3c, 0x4d],
        [0x34, 0xcd, 0xb2, 0xa1],
    ];
    if MAGICS.iter().any(|magic| bytes.starts_with(magic)) {
        return CaptureError::CutOff {
            offset: 0,
            after_packet: 0,
            inside: Inside::FileHeader,
            missing: (PCAP_HEADER - bytes.len().min(PCAP_HEADER)) as u64,
        };
    }
    CaptureError::NotACapture { looks_like: looks_like(bytes), first: bytes[..bytes.len().min(8)].to_vec() }
}

fn looks_like(bytes: &[u8]) -> LooksLike {
    let known: [(&[u8], LooksLike); 9] = [
        (&[0x1f, 0x8b], LooksLike::Compressed("gzip")),
        (&[0x28, 0xb5, 0x2f, 0xfd], LooksLike::Compressed("zstd")),
        (b"\xfd7zXZ\0", LooksLike::Compressed("xz")),
        (b"BZh", LooksLike::Compressed("bzip2")),
        (&[0x04, 0x22, 0x4d, 0x18], LooksLike::Compressed("lz4")),
        (b"PK\x03\x04", LooksLike::Compressed("zip")),
        (b"snoop\0\0\0", LooksLike::OtherCapture("snoop")),
        (b"GMBU", LooksLike::OtherCapture("Microsoft Network Monitor")),
        (&[0xa1, 0xb2, 0xcd, 0x34], LooksLike::OtherCapture("patched libpcap, big-endian")),
    ];
    if bytes.is_empty() {
        return LooksLike::Empty;
    }
    if let Some((_, kind)) = known.iter().find(|(start, _)| bytes.starts_with(start)) {
        return *kind;
    }
    let beginning = &bytes[..bytes.len().min(64)];
    if beginning.iter().all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~')) {
        return LooksLike::Text;
    }
    LooksLike::Unknown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_capture_is_named() {
        let cases: [(&[u8], LooksLike); 5] = [
            (b"", LooksLike::Empty),
            (b"\x1f\x8b\x08\0\0\0\0\0", LooksLike::Compressed("gzip")),
            (b"12:00:01.5 IP 10.0.0.1.443 > 10.0.0.2.5000", LooksLike::Text),
            (b"snoop\0\0\0\0\0\0\x02", LooksLike::OtherCapture("snoop")),
            (b"\x7fELF\x02\x01\x01\0\0", LooksLike::Unknown),
        ];
        for (bytes, expected) in cases {
            match Packets::new(bytes) {
                Err(CaptureError::NotACapture { looks_like, first }) => {
                    assert_eq!(looks_like, expected);
                    assert_eq!(first, &bytes[..bytes.len().min(8)]);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_record_too_long_to_be_true_is_damage_and_a_shorter_one_is_cut_off() {
        let mut file =
            vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
        file.extend_from_slice(&[0; 8]);
        file.extend_from_slice(&100_u32.to_le_bytes());
        file.extend_from_slice(&100_u32.to_le_bytes());
        file.extend_from_slice(&[7; 60]);
        let cut = Packets::new(&file).unwrap().next().unwrap().unwrap_err();
        assert_eq!(
            cut,
            CaptureError::CutOff { offset: 24, after_packet: 0, inside: Inside::Packet, missing: 40 }
        );
        file[32..36].copy_from_slice(&0x7000_0000_u32.to_le_bytes());
        let damage = Packets::new(&file).unwrap().next().unwrap().unwrap_err();
        assert!(matches!(
            damage,
            CaptureError::Malformed { offset: 24, what: Malformation::PacketLength(0x7000_0000), .. }
        ));
    }

    #[test]
    fn a_version_not_known_is_said() {
        let mut file = vec![0xa1, 0xb2, 0xc3, 0xd4, 0, 3, 0, 1];
        file.extend_from_slice(&[0; 16]);
        assert_eq!(
            Packets::new(&file).unwrap_err(),
            CaptureError::UnsupportedVersion { offset: 4, major: 3, minor: 1 }
        );
    }
}
