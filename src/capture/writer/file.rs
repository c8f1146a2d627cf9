//! Packets into the bytes of a pcap or pcapng file.
//!
//! Both writers append to bytes that the caller takes out whenever it likes, so that a recorder can write while it
//! records and a test can have a whole file at once. Everything that [`read`](crate::capture::read) reads can be
//! written, also the blocks that no program writes any more.
//!
//! Left out: comments, statistics and name resolution; [`PcapngWriter::block`] writes any block given whole.

use crate::capture::clock::{Clock, Resolution};
use crate::capture::link::LinkType;
use crate::capture::pcapng::SecretsKind;

/// The order of the bytes of a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ByteOrder {
    /// Least significant byte first.
    #[default]
    Little,
    /// Most significant byte first.
    Big,
}

/// Writes a pcap file (draft-ietf-opsawg-pcap).
#[derive(Clone, Debug)]
pub struct PcapWriter {
    bytes: Vec<u8>,
    order: ByteOrder,
    nanoseconds: bool,
}

impl PcapWriter {
    /// Begins a file. Times are kept to microseconds or to nanoseconds; the snapshot length is only stated, not
    /// applied.
    pub fn new(order: ByteOrder, nanoseconds: bool, link: LinkType, snapshot_length: u32) -> Self {
        let mut bytes = Vec::new();
        let magic = if nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
        order.put_32(&mut bytes, magic);
        order.put_16(&mut bytes, 2);
        order.put_16(&mut bytes, 4);
        order.put_32(&mut bytes, 0);
        order.put_32(&mut bytes, 0);
        order.put_32(&mut bytes, snapshot_length);
        order.put_32(&mut bytes, u32::from(link.number()));
        Self { bytes, order, nanoseconds }
    }

    /// Appends a packet captured at a time in nanoseconds since 1970, of which these bytes were captured. Times after
    /// 2106-02-07, which the format can't state, are held there.
    pub fn packet(&mut self, time: u64, bytes: &[u8], original_length: u32) {
        let seconds = u32::try_from(time / 1_000_000_000).unwrap_or(u32::MAX);
        let fraction = (time % 1_000_000_000) as u32;
        let unit = if self.nanoseconds { 1 } else { 1_000 };
        self.order.put_32(&mut self.bytes, seconds);
        self.order.put_32(&mut self.bytes, fraction / unit);
        self.order.put_32(&mut self.bytes, bytes.len() as u32);
        self.order.put_32(&mut self.bytes, original_length);
        self.bytes.extend_from_slice(bytes);
    }

    /// Takes out what was written since the last time.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

/// An interface of a pcapng section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interface {
    /// What its packets begin with.
    pub link: LinkType,
    /// In bytes, 0 for no limit. Only stated, not applied.
    pub snapshot_length: u32,
    /// How its times are written.
    pub clock: Clock,
}

/// Writes a pcapng file (draft-ietf-opsawg-pcapng).
#[derive(Clone, Debug)]
pub struct PcapngWriter {
    bytes: Vec<u8>,
    order: ByteOrder,
    clocks: Vec<Clock>,
}

impl PcapngWriter {
    /// Begins a file with its first section.
    pub fn new(order: ByteOrder) -> Self {
        let mut writer = Self { bytes: Vec::new(), order, clocks: Vec::new() };
        writer.section(order);
        writer
    }

    /// Begins another section, without interfaces.
    pub fn section(&mut self, order: ByteOrder) {
        self.order = order;
        self.clocks.clear();
        let mut body = Vec::new();
        order.put_32(&mut body, 0x1a2b_3c4d);
        order.put_16(&mut body, 1);
        order.put_16(&mut body, 0);
        // The section's length is not known in advance.
        body.extend_from_slice(&[0xff; 8]);
        self.block(0x0a0d_0d0a, &body);
    }

    /// Describes an interface; gives its number in the section.
    pub fn interface(&mut self, interface: Interface) -> u32 {
        let mut body = Vec::new();
        self.order.put_16(&mut body, interface.link.number());
        self.order.put_16(&mut body, 0);
        self.order.put_32(&mut body, interface.snapshot_length);
        if interface.clock.resolution != Resolution::MICROSECONDS {
            self.option(&mut body, 9, &[interface.clock.resolution.into()]);
        }
        if interface.clock.offset != 0 {
            let offset = match self.order {
                ByteOrder::Little => interface.clock.offset.to_le_bytes(),
                ByteOrder::Big => interface.clock.offset.to_be_bytes(),
            };
            self.option(&mut body, 14, &offset);
        }
        if body.len() > 8 {
            self.option(&mut body, 0, &[]);
        }
        self.block(1, &body);
        self.clocks.push(interface.clock);
        self.clocks.len() as u32 - 1
    }

    /// Appends a packet as an enhanced packet block, captured at a time in nanoseconds since 1970.
    pub fn packet(&mut self, interface: u32, time: u64, bytes: &[u8], original_length: u32) {
        let mut body = Vec::new();
        self.order.put_32(&mut body, interface);
        self.time(&mut body, interface, time);
        self.order.put_32(&mut body, bytes.len() as u32);
        self.order.put_32(&mut body, original_length);
        padded(&mut body, bytes);
        self.block(6, &body);
    }

    /// Appends a packet of the first interface without a time, as a simple packet block. It has as many bytes as the
    /// interface's snapshot length leaves of the original ones.
    pub fn simple_packet(&mut self, bytes: &[u8], original_length: u32) {
        let mut body = Vec::new();
        self.order.put_32(&mut body, original_length);
        padded(&mut body, bytes);
        self.block(3, &body);
    }

    /// Appends a packet as the packet block that older programs wrote.
    pub fn obsolete_packet(&mut self, interface: u16, time: u64, bytes: &[u8], original_length: u32) {
        let mut body = Vec::new();
        self.order.put_16(&mut body, interface);
        self.order.put_16(&mut body, u16::MAX);
        self.time(&mut body, u32::from(interface), time);
        self.order.put_32(&mut body, bytes.len() as u32);
        self.order.put_32(&mut body, original_length);
        padded(&mut body, bytes);
        self.block(2, &body);
    }

    /// Appends secrets as a decryption secrets block; it should come before the packets it is for.
    pub fn secrets(&mut self, kind: SecretsKind, data: &[u8]) {
        let mut body = Vec::new();
        self.order.put_32(&mut body, kind.number());
        self.order.put_32(&mut body, data.len() as u32);
        padded(&mut body, data);
        self.block(0x0a, &body);
    }

    /// Appends a block of any type, with the body given, padded to a multiple of four bytes.
    pub fn block(&mut self, kind: u32, body: &[u8]) {
        let length = (12 + body.len().next_multiple_of(4)) as u32;
        self.order.put_32(&mut self.bytes, kind);
        self.order.put_32(&mut self.bytes, length);
        padded(&mut self.bytes, body);
        self.order.put_32(&mut self.bytes, length);
    }

    /// Takes out what was written since the last time.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    fn time(&self, body: &mut Vec<u8>, interface: u32, time: u64) {
        let clock = self.clocks.get(interface as usize).copied();
        let units = clock.unwrap_or_default().units(time);
        self.order.put_32(body, (units >> 32) as u32);
        self.order.put_32(body, units as u32);
    }

    fn option(&self, body: &mut Vec<u8>, code: u16, value: &[u8]) {
        self.order.put_16(body, code);
        self.order.put_16(body, value.len() as u16);
        padded(body, value);
    }
}

impl ByteOrder {
    pub(super) fn put_16(self, bytes: &mut Vec<u8>, number: u16) {
        bytes.extend_from_slice(&match self {
            Self::Little => number.to_le_bytes(),
            Self::Big => number.to_be_bytes(),
        });
    }

    pub(super) fn put_32(self, bytes: &mut Vec<u8>, number: u32) {
        bytes.extend_from_slice(&match self {
            Self::Little => number.to_le_bytes(),
            Self::Big => number.to_be_bytes(),
        });
    }
}

fn padded(body: &mut Vec<u8>, bytes: &[u8]) {
    body.extend_from_slice(bytes);
    let padding = bytes.len().next_multiple_of(4) - bytes.len();
    body.extend_from_slice(&[0; 3][..padding]);
}
