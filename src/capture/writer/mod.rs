//! Capture files written: what the tests read, what is generated, what a recorder keeps.
//!
//! Three layers, each usable alone: a [`Plan`] says which segments a conversation has and in what disorder they are
//! captured, a [`Wrapping`] puts link layer and IP around a segment, and [`PcapWriter`] and [`PcapngWriter`] make a
//! file of the frames. [`write()`] does all three for conversations that share a [`Layout`].
//!
//! Everything is a function of what is given: no clock, no random number, no address of this machine.

mod file;
mod frame;
mod plan;

pub use file::{ByteOrder, Interface, PcapWriter, PcapngWriter};
pub use frame::{Frame, Wrapping};
pub use plan::{Plan, Planned};

use super::clock::{Clock, Resolution};
use super::link::LinkType;

/// How a file is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Which kind of file.
    pub container: Container,
    /// What stands around each segment.
    pub wrapping: Wrapping,
    /// How many bytes of each frame are captured at most; 0 for all.
    pub snapshot_length: u32,
}

/// The kinds of capture file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// pcap.
    Pcap {
        /// Of the numbers in it.
        order: ByteOrder,
        /// Whether times are in nanoseconds, and not in microseconds.
        nanoseconds: bool,
    },
    /// pcapng, with one section, one interface and enhanced packet blocks.
    Pcapng {
        /// Of the numbers in it.
        order: ByteOrder,
        /// How times are written.
        clock: Clock,
    },
}

impl Layout {
    /// A little-endian pcapng file with nanoseconds, which keeps everything.
    pub fn new(link: LinkType) -> Self {
        Self {
            container: Container::Pcapng {
                order: ByteOrder::Little,
                clock: Clock { resolution: Resolution::NANOSECONDS, offset: 0 },
            },
            wrapping: Wrapping::new(link),
            snapshot_length: 0,
        }
    }
}

/// Writes conversations into one file, their packets in order of time; of equal times the conversation that comes first
/// here is first there.
pub fn write(layout: &Layout, plans: &[Plan]) -> Vec<u8> {
    let mut segments: Vec<_> = plans.iter().flat_map(Plan::segments).collect();
    segments.sort_by_key(|(time, _)| *time);
    let stated_limit = match layout.snapshot_length {
        0 => 262_144,
        limit => limit,
    };
    let mut file = File::new(layout, stated_limit);
    for (identification, (time, segment)) in (1..).zip(&segments) {
        for frame in layout.wrapping.frames(segment, identification) {
            let captured = match layout.snapshot_length {
                0 => frame.bytes.len(),
                limit => frame.bytes.len().min(limit as usize),
            };
            file.packet(*time, &frame.bytes[..captured], frame.original_length);
        }
    }
    file.take()
}

enum File {
    Pcap(PcapWriter),
    Pcapng(PcapngWriter),
}

impl File {
    fn new(layout: &Layout, snapshot_length: u32) -> Self {
        let link = layout.wrapping.link;
        match layout.container {
            Container::Pcap { order, nanoseconds } => {
                Self::Pcap(PcapWriter::new(order, nanoseconds, link, snapshot_length))
            }
            Container::Pcapng { order, clock } => {
                let mut writer = PcapngWriter::new(order);
                writer.interface(Interface { link, snapshot_length, clock });
                Self::Pcapng(writer)
            }
        }
    }

    fn packet(&mut self, time: u64, bytes: &[u8], original_length: u32) {
        match self {
            Self::Pcap(writer) => writer.packet(time, bytes, original_length),
            Self::Pcapng(writer) => writer.packet(0, time, bytes, original_length),
        }
    }

    fn take(&mut self) -> Vec<u8> {
        match self {
            Self::Pcap(writer) => writer.take(),
            Self::Pcapng(writer) => writer.take(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{Direction, read};

    #[test]
    fn what_is_written_is_read() {
        let ends = ["10.0.0.1:50000", "10.0.0.2:443"].map(|end| end.parse().unwrap());
        let mut plan = Plan::new(ends[0], ends[1], 1_700_000_000_123_456_789);
        plan.open().send(Direction::ToServer, b"hello", 3).send(Direction::ToClient, b"world", 9);
        let file = write(&Layout::new(LinkType::Ethernet), &[plan]);
        let capture = read(&file).unwrap();
        let lines: Vec<String> = capture.flows[0].events.iter().map(ToString::to_string).collect();
        assert_eq!(capture.flows[0].start, Some(1_700_000_000_123_456_789));
        assert_eq!(
            lines,
            [
                "0.050 ms < opened (packet 2)",
                "0.150 ms > 3 bytes at 0 (packet 4)",
                "0.200 ms > 2 bytes at 3 (packet 5)",
                "0.250 ms < 5 bytes at 0 (packet 6)",
            ]
        );
    }
}
