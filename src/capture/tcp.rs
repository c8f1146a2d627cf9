//! The conversations of a capture: each segment to the one it belongs to.
//!
//! Segments belong together by both addresses and ports, whatever interface, VLAN or link layer they came over. A SYN
//! with another initial sequence number begins another conversation between the same ports.
//!
//! Bounds, so that no capture can take more memory than a small multiple of its own size: bytes are borrowed from the
//! file, and events and conversations are as many as packets at most. Out-of-order data waits within
//! [`MOST_WAITING`] for each direction and [`MOST_WAITING_OVERALL`] for the capture; beyond, the gap it waits behind is
//! declared and it is given out.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::conversation::{Conversation, Side};
use super::flow::Flow;
use super::segment::Segment;
use super::stream::MOST_WAITING;

/// How many bytes of all conversations together may wait for those before them.
pub(super) const MOST_WAITING_OVERALL: usize = 128 << 20;

/// The conversations of one capture.
#[derive(Debug)]
pub(super) struct Conversations<'a> {
    /// The conversation that each pair of ends is having now. The lower end comes first.
    current: BTreeMap<[SocketAddr; 2], usize>,
    #[expect(clippy::vec_box, reason = "conversations are large, and a growing list holds its items twice")]
    all: Vec<Box<Conversation<'a>>>,
    /// Conversations that had a packet of late, each in the slot of its ports. Most packets find theirs here: for small
    /// segments of some hundred conversations in turn, searching the map took two fifths of all instructions.
    recent: Vec<Option<([SocketAddr; 2], usize)>>,
    waiting: usize,
    limits: Limits,
}

/// How much out-of-order data may wait, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) stream: usize,
    pub(super) overall: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { stream: MOST_WAITING, overall: MOST_WAITING_OVERALL }
    }
}

impl<'a> Conversations<'a> {
    pub(super) fn new(limits: Limits) -> Self {
        Self { current: BTreeMap::new(), all: Vec::new(), recent: vec![None; SLOTS], waiting: 0, limits }
    }

    /// Takes in a segment, with its packet's number and time.
    pub(super) fn take(&mut self, segment: Segment<'a>, packet: u64, timestamp: Option<u64>) {
        let (ends, side) = if segment.source <= segment.destination {
            ([segment.source, segment.destination], Side::Low)
        } else {
            ([segment.destination, segment.source], Side::High)
        };
        let index = self.find(ends, side, &segment, timestamp);
        let conversation = &mut self.all[index];
        let before = conversation.waiting();
        let elsewhere = self.waiting - before;
        let room = self.limits.overall.saturating_sub(elsewhere);
        let most_waiting = self.limits.stream.min(room);
        conversation.take(side, segment, packet, timestamp, most_waiting);
        self.waiting = elsewhere + conversation.waiting();
    }

    /// The flows, in the order of their first packets.
    pub(super) fn finish(self) -> Vec<Flow<'a>> {
        self.all
            .into_iter()
            .zip(1..)
            .map(|(mut conversation, number)| {
                conversation.close();
                conversation.into_flow(number)
            })
            .collect()
    }

    fn find(
        &mut self,
        ends: [SocketAddr; 2],
        side: Side,
        segment: &Segment<'a>,
        timestamp: Option<u64>,
    ) -> usize {
        let slot = slot(ends);
        let known = match self.recent[slot] {
            Some((recent, index)) if recent == ends => Some(index),
            _ => self.current.get(&ends).copied(),
        };
        if let Some(index) = known {
            if !self.all[index].is_over_for(side, segment) {
                self.recent[slot] = Some((ends, index));
                return index;
            }
            self.waiting -= self.all[index].waiting();
            self.all[index].close();
        }
        let index = self.all.len();
        self.all.push(Box::new(Conversation::new(ends, side, segment, timestamp)));
        self.current.insert(ends, index);
        self.recent[slot] = Some((ends, index));
        index
    }
}

const SLOTS: usize = 512;

fn slot([low, high]: [SocketAddr; 2]) -> usize {
    // Clients mostly differ in their ports, which mostly follow one another.
    usize::from(low.port() ^ high.port().rotate_left(5)) % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::writer::{Layout, Plan, write};
    use crate::capture::{Capture, Direction, LinkType, What, read_within};

    /// A client that sends twenty segments of 100 bytes, of which the second is not captured, and nothing acknowledges.
    fn lossy(port: u16) -> Plan {
        let client = SocketAddr::from(([10, 0, 0, 1], port));
        let server = SocketAddr::from(([10, 0, 0, 2], 443));
        let mut plan = Plan::new(client, server, 0);
        plan.open().send(Direction::ToServer, &[7; 2_000], 100).lose(4);
        plan
    }

    /// The packet at which each flow's gap was declared.
    fn gaps(capture: &Capture<'_>) -> Vec<u64> {
        let events = capture.flows.iter().flat_map(|flow| &flow.events);
        let gaps = events.filter(|event| matches!(event.what, What::Gap { offset: 100, length: 100 }));
        gaps.map(|event| event.packet).collect()
    }

    #[test]
    fn what_waits_in_a_stream_is_bounded() {
        let file = write(&Layout::new(LinkType::Raw), &[lossy(1)]);
        // Each segment counts 228 bytes: the sixth after the gap is too much.
        for (stream, expected) in [(5 * 228, 10), (0, 5), (usize::MAX, 5)] {
            let limits = Limits { stream, overall: usize::MAX };
            let capture = read_within(&file, limits).unwrap();
            assert_eq!(gaps(&capture), [expected], "{stream}");
            let sum: usize = capture.flows[0].data(Direction::ToServer).map(|(_, bytes)| bytes.len()).sum();
            assert_eq!(sum, 1_900);
        }
    }

    #[test]
    fn what_waits_in_all_streams_is_bounded() {
        let plans: Vec<_> = (1..=4).map(lossy).collect();
        let file = write(&Layout::new(LinkType::Raw), &plans);
        let limits = Limits { stream: usize::MAX, overall: 10 * 228 };
        let gaps = gaps(&read_within(&file, limits).unwrap());
        // The four take turns, and from packet 17 on each segment waits. The eleventh to wait is the third flow's at
        // 27; then eight wait, and the next eleventh is the second's; in the end the last flow has ten for itself.
        assert_eq!(gaps, [37, 30, 27, 60]);
    }
}
