//! The conversations of a capture: each segment to the one it belongs to.
//!
//! Segments belong together by both addresses and ports, whatever interface, VLAN or link layer they came over. A SYN with
//! another initial sequence number begins another conversation between the same ports.
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
    #[expect(
        clippy::vec_box,
        reason = "conversations are large, and a growing list holds its items twice"
    )]
    all: Vec<Box<Conversation<'a>>>,
    /// Packets of one conversation mostly come in a row.
    last: Option<([SocketAddr; 2], usize)>,
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
        Self {
            stream: MOST_WAITING,
            overall: MOST_WAITING_OVERALL,
        }
    }
}

impl<'a> Conversations<'a> {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            current: BTreeMap::new(),
            all: Vec::new(),
            last: None,
            waiting: 0,
            limits,
        }
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
        let known = match self.last {
            Some((last, index)) if last == ends => Some(index),
            _ => self.current.get(&ends).copied(),
        };
        if let Some(index) = known {
            if !self.all[index].is_over_for(side, segment) {
                self.last = Some((ends, index));
                return index;
            }
            self.waiting -= self.all[index].waiting();
            self.all[index].close();
        }
        let index = self.all.len();
        self.all
            .push(Box::new(Conversation::new(ends, side, segment, timestamp)));
        self.current.insert(ends, index);
        self.last = Some((ends, index));
        index
    }
}
