//! The blocks of a pcapng file (draft-ietf-opsawg-pcapng): sections, their interfaces, packets, secrets.
//!
//! Blocks are framed here and parsed by pcap-parser, one whole block at a time, because three of its readings differ
//! from the draft: it takes no binary `if_tsresol` (its check forgets that the top bit is set), reads `if_tsoffset` as
//! little-endian in every section, and leaves padding in the data of packets and secrets. A section forgets the
//! interfaces of the one before it, and may have the other byte order.
//!
//! Left out: everything that says nothing about packets (statistics, names, custom blocks), counted by the caller; and
//! packet options, since which way a packet went is told by its addresses.

use pcap_parser::traits::PcapNGPacketBlock;
use pcap_parser::{
    Block, InterfaceDescriptionBlock, OptionCode, SectionHeaderBlock, parse_block_be, parse_block_le,
};

use super::clock::Clock;
use super::error::{CaptureError, Inside, Malformation};
use super::file::Packet;
use super::link::LinkType;

/// The content of a decryption secrets block (draft section 4.7), without the padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secrets<'a> {
    /// What the data is.
    pub kind: SecretsKind,
    /// The data as the capture program got it: for TLS the text of an `SSLKEYLOGFILE`.
    pub data: &'a [u8],
}

/// What a decryption secrets block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretsKind {
    /// `0x544c534b`: lines of an `SSLKEYLOGFILE`.
    TlsKeyLog,
    /// Any other type, by its number.
    Other(u32),
}

impl SecretsKind {
    /// The number that stands for it in a file.
    pub fn number(self) -> u32 {
        match self {
            Self::TlsKeyLog => 0x544c_534b,
            Self::Other(number) => number,
        }
    }
}

impl From<u32> for SecretsKind {
    fn from(number: u32) -> Self {
        match number {
            0x544c_534b => Self::TlsKeyLog,
            other => Self::Other(other),
        }
    }
}

/// What one record or block came to.
pub(super) enum Step<'a> {
    /// A packet, its number not yet given.
    Packet(Packet<'a>),
    Secrets(Secrets<'a>),
    /// A section header or an interface.
    Structure,
    PassedOver,
}

/// The section that is being read.
#[derive(Clone, Debug, Default)]
pub(super) struct Section {
    big_endian: bool,
    interfaces: Vec<Interface>,
}

impl Section {
    /// Reads the block at the start of `rest`; gives its length too.
    pub(super) fn read<'a>(
        &mut self,
        rest: &'a [u8],
        offset: u64,
        after_packet: u64,
    ) -> Result<(usize, Step<'a>), CaptureError> {
        let malformed = |what| CaptureError::Malformed { offset, after_packet, what };
        let block = match self.frame(rest) {
            Ok(block) => block,
            Err(Unframed::Malformed(what)) => return Err(malformed(what)),
            Err(Unframed::Missing { kind, missing }) => {
                return Err(CaptureError::CutOff {
                    offset,
                    after_packet,
                    inside: Inside::Block(kind),
                    missing,
                });
            }
        };
        let kind = self.number(block, 0);
        if matches!(kind, SECTION | INTERFACE | SIMPLE | ENHANCED | SECRETS) {
            let parsed = if self.big_endian { parse_block_be(block) } else { parse_block_le(block) };
            let Ok((_, parsed)) = parsed else {
                return Err(malformed(Malformation::BlockBody(kind)));
            };
            return self.parsed(&parsed).map(|step| (block.len(), step)).map_err(|failure| match failure {
                Failure::Malformed(what) => malformed(what),
                Failure::Version { major, minor } => {
                    CaptureError::UnsupportedVersion { offset: offset + 12, major, minor }
                }
            });
        }
        let step = if kind == OBSOLETE { self.obsolete(block).map_err(malformed)? } else { Step::PassedOver };
        Ok((block.len(), step))
    }

    /// The block's bytes, from its type to the repeated length.
    fn frame<'a>(&mut self, rest: &'a [u8]) -> Result<&'a [u8], Unframed> {
        let missing = |kind, wanted: usize| Unframed::Missing { kind, missing: (wanted - rest.len()) as u64 };
        if rest.len() < 12 {
            return Err(missing(None, 12));
        }
        if self.number(rest, 0) == SECTION {
            self.big_endian = match [rest[8], rest[9], rest[10], rest[11]] {
                [0x1a, 0x2b, 0x3c, 0x4d] => true,
                [0x4d, 0x3c, 0x2b, 0x1a] => false,
                other => return Err(Unframed::Malformed(Malformation::ByteOrder(other))),
            };
        }
        let start = self.number(rest, 4);
        if start < 12 || !start.is_multiple_of(4) {
            return Err(Unframed::Malformed(Malformation::BlockLength(start)));
        }
        let length = start as usize;
        if rest.len() < length {
            return Err(missing(Some(self.number(rest, 0)), length));
        }
        let end = self.number(rest, length - 4);
        if start != end {
            return Err(Unframed::Malformed(Malformation::BlockTrailer { start, end }));
        }
        Ok(&rest[..length])
    }

    fn parsed<'a>(&mut self, block: &Block<'a>) -> Result<Step<'a>, Failure> {
        match block {
            Block::SectionHeader(header) => {
                self.begin(header)?;
                Ok(Step::Structure)
            }
            Block::InterfaceDescription(description) => {
                self.interfaces.push(Interface::new(description, self.big_endian));
                Ok(Step::Structure)
            }
            Block::EnhancedPacket(packet) => {
                let interface = self.interface(packet.if_id)?;
                let time = (u64::from(packet.ts_high) << 32) | u64::from(packet.ts_low);
                Ok(Step::Packet(Packet {
                    number: 0,
                    timestamp: Some(interface.clock.nanoseconds(time)),
                    link: interface.link,
                    bytes: unpadded(packet.data, packet.caplen),
                    original_length: packet.origlen,
                }))
            }
            Block::SimplePacket(packet) => {
                let interface = self.interface(0)?;
                // It has no length of its own: what was captured is the original, cut at the snapshot length.
                let captured = match interface.snapshot_length {
                    0 => packet.orig_len(),
                    limit => limit.min(packet.orig_len()),
                };
                Ok(Step::Packet(Packet {
                    number: 0,
                    timestamp: None,
                    link: interface.link,
                    bytes: unpadded(packet.data, captured),
                    original_length: packet.origlen,
                }))
            }
            Block::DecryptionSecrets(secrets) => Ok(Step::Secrets(Secrets {
                kind: SecretsKind::from(secrets.secrets_type.0),
                data: unpadded(secrets.data, secrets.secrets_len),
            })),
            _ => Ok(Step::PassedOver),
        }
    }

    fn begin(&mut self, header: &SectionHeaderBlock<'_>) -> Result<(), Failure> {
        self.interfaces.clear();
        if header.major_version != 1 {
            return Err(Failure::Version { major: header.major_version, minor: header.minor_version });
        }
        Ok(())
    }

    /// The packet block that the enhanced one replaced (draft, appendix A), which pcap-parser does not know.
    fn obsolete<'a>(&self, block: &'a [u8]) -> Result<Step<'a>, Malformation> {
        let body = &block[8..block.len() - 4];
        if body.len() < 20 {
            return Err(Malformation::BlockBody(OBSOLETE));
        }
        let number = if self.big_endian {
            u16::from_be_bytes([body[0], body[1]])
        } else {
            u16::from_le_bytes([body[0], body[1]])
        };
        let captured = self.number(body, 12);
        let data = &body[20..];
        if data.len() < captured as usize {
            return Err(Malformation::BlockBody(OBSOLETE));
        }
        let Ok(interface) = self.interface(u32::from(number)) else {
            return Err(self.no_such_interface(u32::from(number)));
        };
        let time = (u64::from(self.number(body, 4)) << 32) | u64::from(self.number(body, 8));
        Ok(Step::Packet(Packet {
            number: 0,
            timestamp: Some(interface.clock.nanoseconds(time)),
            link: interface.link,
            bytes: unpadded(data, captured),
            original_length: self.number(body, 16),
        }))
    }

    fn interface(&self, number: u32) -> Result<Interface, Failure> {
        self.interfaces
            .get(number as usize)
            .copied()
            .ok_or_else(|| Failure::Malformed(self.no_such_interface(number)))
    }

    fn no_such_interface(&self, interface: u32) -> Malformation {
        Malformation::NoSuchInterface { interface, described: self.interfaces.len() }
    }

    fn number(&self, bytes: &[u8], at: usize) -> u32 {
        let field = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
        if self.big_endian { u32::from_be_bytes(field) } else { u32::from_le_bytes(field) }
    }
}

const INTERFACE: u32 = 1;
const OBSOLETE: u32 = 2;
const SIMPLE: u32 = 3;
const ENHANCED: u32 = 6;
const SECRETS: u32 = 0x0a;
const SECTION: u32 = 0x0a0d_0d0a;

enum Unframed {
    Malformed(Malformation),
    Missing { kind: Option<u32>, missing: u64 },
}

enum Failure {
    Malformed(Malformation),
    Version { major: u16, minor: u16 },
}

#[derive(Clone, Copy, Debug)]
struct Interface {
    link: LinkType,
    /// In bytes; 0 for no limit.
    snapshot_length: u32,
    clock: Clock,
}

impl Interface {
    fn new(description: &InterfaceDescriptionBlock<'_>, big_endian: bool) -> Self {
        let mut clock = Clock::default();
        for option in &description.options {
            let value = option.as_bytes().unwrap_or_default();
            match (option.code, value) {
                (OptionCode::EndOfOpt, _) => break,
                (OptionCode::IfTsresol, &[resolution]) => clock.resolution = resolution.into(),
                (OptionCode::IfTsoffset, value) => {
                    if let Ok(seconds) = <[u8; 8]>::try_from(value) {
                        clock.offset = if big_endian {
                            i64::from_be_bytes(seconds)
                        } else {
                            i64::from_le_bytes(seconds)
                        };
                    }
                }
                _ => {}
            }
        }
        Self {
            // The field has 16 bits; the crate widens it.
            link: LinkType::from((description.linktype.0 & 0xffff) as u16),
            snapshot_length: description.snaplen,
            clock,
        }
    }
}

/// A block's data is padded to a multiple of four bytes.
fn unpadded(data: &[u8], length: u32) -> &[u8] {
    &data[..data.len().min(length as usize)]
}
