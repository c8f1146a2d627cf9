//! What can be wrong with a capture file, said with the place: the byte in the file and the packet before it.
//!
//! Only damage to the file itself is an error. A packet that holds no TCP, or a header that makes no sense, is
//! counted and passed over ([`super::PassedOver`]), since real captures are full of both; and a stream that lacks
//! bytes says so in its events ([`super::What::Gap`]).

use std::error::Error;
use std::fmt;

/// Why a file could not be read, or not to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaptureError {
    /// The file does not begin as a capture does.
    NotACapture {
        /// What it seems to be instead.
        looks_like: LooksLike,
        /// The first bytes, eight at most.
        first: Vec<u8>,
    },
    /// A pcap or pcapng file of a version that this reader does not know.
    UnsupportedVersion {
        /// Where the header with the version begins, in bytes from the start of the file.
        offset: u64,
        /// The major version: pcap is known as 2, pcapng as 1.
        major: u16,
        /// The minor version.
        minor: u16,
    },
    /// The file ends in the middle of something: a capture program that was killed, or a partial copy.
    CutOff {
        /// Where the incomplete piece begins, in bytes from the start of the file.
        offset: u64,
        /// How many whole packets come before it.
        after_packet: u64,
        /// What is incomplete.
        inside: Inside,
        /// How many bytes it lacks, as far as what is there can tell.
        missing: u64,
    },
    /// The file contradicts itself.
    Malformed {
        /// Where the contradiction begins, in bytes from the start of the file.
        offset: u64,
        /// How many whole packets come before it.
        after_packet: u64,
        /// What is wrong.
        what: Malformation,
    },
}

/// What a file that is no capture seems to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LooksLike {
    /// It has no bytes at all.
    Empty,
    /// Compressed with the program named here; the capture may be inside.
    Compressed(&'static str),
    /// A capture in a format of other tools, named here.
    OtherCapture(&'static str),
    /// Text: perhaps what `tcpdump` printed rather than what it wrote.
    Text,
    /// Nothing known.
    Unknown,
}

/// What a file was in the middle of when it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inside {
    /// The header of the whole file.
    FileHeader,
    /// A packet's record in a pcap file.
    Packet,
    /// A block of a pcapng file, whose type is not there or given here.
    Block(Option<u32>),
}

/// How a file contradicts itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformation {
    /// A record claims a packet of this many bytes, which the file does not have and no capture program writes.
    PacketLength(u32),
    /// A block's length, which is below 12 or no multiple of four (pcapng draft, section 3.1).
    BlockLength(u32),
    /// The length at a block's end differs from the one at its start.
    BlockTrailer {
        /// The length at the start.
        start: u32,
        /// The length at the end.
        end: u32,
    },
    /// A section header whose byte-order magic is neither 1A2B3C4D nor its reverse; the four bytes as they stand.
    ByteOrder([u8; 4]),
    /// The body of a block of this type does not fit into its length.
    BlockBody(u32),
    /// A packet names an interface that its section has not described.
    NoSuchInterface {
        /// The interface it names, counted from 0.
        interface: u32,
        /// How many interfaces the section has described so far.
        described: usize,
    },
}

impl fmt::Display for CaptureError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotACapture { looks_like, first } => {
                write!(formatter, "this is no pcap or pcapng file; it {looks_like}")?;
                if !first.is_empty() {
                    formatter.write_str(" (first bytes")?;
                    for byte in first {
                        write!(formatter, " {byte:02x}")?;
                    }
                    formatter.write_str(")")?;
                }
                Ok(())
            }
            Self::UnsupportedVersion { offset, major, minor } => write!(
                formatter,
                "byte {offset}: a capture format of version {major}.{minor}, which is not known here"
            ),
            Self::CutOff { offset, after_packet, inside, missing } => write!(
                formatter,
                "the file is cut off: {inside} at byte {offset}, after packet {after_packet}, \
                 lacks at least {missing} bytes"
            ),
            Self::Malformed { offset, after_packet, what } => {
                write!(formatter, "the file is damaged at byte {offset}, after packet {after_packet}: {what}")
            }
        }
    }
}

impl Error for CaptureError {}

impl fmt::Display for LooksLike {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => formatter.write_str("is empty"),
            Self::Compressed(program) => {
                write!(formatter, "is compressed with {program}: decompress it first")
            }
            Self::OtherCapture(format) => {
                write!(formatter, "is a capture in the format of {format}: convert it with editcap first")
            }
            Self::Text => formatter.write_str("is text: a capture is written with `tcpdump -w`"),
            Self::Unknown => formatter.write_str("is of no kind known here"),
        }
    }
}

impl fmt::Display for Inside {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileHeader => formatter.write_str("the file's header"),
            Self::Packet => formatter.write_str("the record"),
            Self::Block(None) => formatter.write_str("the block"),
            Self::Block(Some(kind)) => write!(formatter, "the block of type {kind:#x}"),
        }
    }
}

impl fmt::Display for Malformation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PacketLength(length) => write!(formatter, "a packet claims {length} bytes"),
            Self::BlockLength(length) => write!(formatter, "a block claims {length} bytes"),
            Self::BlockTrailer { start, end } => {
                write!(formatter, "a block of {start} bytes says at its end that it has {end}")
            }
            Self::ByteOrder(bytes) => write!(
                formatter,
                "a section's byte-order magic is {:02x}{:02x}{:02x}{:02x}",
                bytes[0], bytes[1], bytes[2], bytes[3]
            ),
            Self::BlockBody(kind) => {
                write!(formatter, "the block of type {kind:#x} holds more than its length")
            }
            Self::NoSuchInterface { interface, described } => write!(
                formatter,
                "a packet of interface {interface}, of which the section describes {described}"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_where_and_what() {
        let cut =
            CaptureError::CutOff { offset: 1234, after_packet: 17, inside: Inside::Packet, missing: 33 };
        assert_eq!(
            cut.to_string(),
            "the file is cut off: the record at byte 1234, after packet 17, lacks at least 33 bytes"
        );
        let compressed = CaptureError::NotACapture {
            looks_like: LooksLike::Compressed("gzip"),
            first: vec![0x1f, 0x8b, 8],
        };
        assert_eq!(
            compressed.to_string(),
            "this is no pcap or pcapng file; it is compressed with gzip: decompress it first \
             (first bytes 1f 8b 08)"
        );
        let interface = CaptureError::Malformed {
            offset: 48,
            after_packet: 0,
            what: Malformation::NoSuchInterface { interface: 2, described: 1 },
        };
        assert_eq!(
            interface.to_string(),
            "the file is damaged at byte 48, after packet 0: a packet of interface 2, \
             of which the section describes 1"
        );
    }
}
