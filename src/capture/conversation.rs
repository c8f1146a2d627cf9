//! One TCP conversation while it is being read: handshake, both streams, ends, and which end is the client.
//!
//! A conversation is not checked for what TCP would have accepted, only for what it says: a capture shows what was
//! sent, also by hosts that are wrong, and the interesting captures are of those. So any RST is a reset, and data
//! after one is still data, counted.
//!
//! Left out: options and window scaling, since nothing here depends on how large a window really was.

use std::net::SocketAddr;

use super::client::tell_client;
use super::disorder::fill;
use super::flow::{ClientKnownBy, Direction, Flow, FlowEvent, Notes, What};
use super::segment::Segment;
use super::stream::{Arrival, Sink, Stream};

/// The end with the lower address and port, or the one with the higher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Low,
    High,
}

/// A conversation between two ends.
#[derive(Debug)]
pub(super) struct Conversation<'a> {
    /// The lower end, then the higher.
    ends: [SocketAddr; 2],
    /// The end taken for the client so far.
    client: Side,
    client_known: bool,
    /// The sequence number of each side's SYN.
    syns: [Option<u32>; 2],
    opened: bool,
    missing_start: bool,
    reset: [bool; 2],
    window_closed: [bool; 2],
    streams: [Stream<'a>; 2],
    start: Option<u64>,
    time: u64,
    packets: u64,
    events: Vec<FlowEvent<'a>>,
    notes: Notes,
}

/// How far off a segment may be that comes after both ends are done, or before both have begun. One further off is of
/// another connection between the same ports; two in a thousand of those are no further off by chance.
const STRAY: i64 = 1 << 22;

impl<'a> Conversation<'a> {
    /// A conversation that begins with this segment, sent by `side`.
    pub(super) fn new(
        ends: [SocketAddr; 2],
        side: Side,
        segment: &Segment<'a>,
        timestamp: Option<u64>,
    ) -> Self {
        let answer = segment.syn && segment.acknowledgment.is_some();
        Self {
            ends,
            client: if answer { side.other() } else { side },
            client_known: segment.syn,
            syns: [None; 2],
            opened: false,
            missing_start: !segment.syn,
            reset: [false; 2],
            window_closed: [false; 2],
            streams: [Stream::default(), Stream::default()],
            start: timestamp,
            time: 0,
            packets: 0,
            // Of stray segments there are at most a few, and a list grows to four at once.
            events: Vec::with_capacity(if segment.syn { 0 } else { 2 }),
            notes: Notes::default(),
        }
    }

    /// Whether this segment can't belong here: the ports are used for another connection.
    pub(super) fn is_over_for(&self, side: Side, segment: &Segment<'a>) -> bool {
        let [this, other] = side.both();
        let stream = &self.streams[this];
        if !segment.syn {
            let done = self.reset != [false; 2] || self.streams.iter().all(Stream::has_ended);
            return done
                && !segment.rst
                && stream.ahead(segment.sequence).is_some_and(|ahead| ahead.abs() > STRAY);
        }
        if let Some(syn) = self.syns[this]
            && syn == segment.sequence
        {
            return false;
        }
        match segment.acknowledgment {
            // A SYN that another one crosses is a simultaneous open (RFC 9293 section 3.5), if nothing came before.
            None => {
                let crossing = self.syns[this].is_none()
                    && self.syns[other].is_some()
                    && !self.opened
                    && !self.missing_start;
                let belated =
                    self.syns[this].is_none() && stream.origin() == Some(segment.sequence.wrapping_add(1));
                !crossing && !belated
            }
            Some(acknowledgment) => {
                // It may acknowledge bytes that came with the SYN (RFC 7413).
                let answers = self.streams[other]
                    .ahead(acknowledgment)
                    .is_none_or(|ahead| (-STRAY..=0).contains(&ahead));
                let fits = stream.origin().is_none_or(|origin| origin == segment.sequence.wrapping_add(1));
                !answers || (self.missing_start && !fits)
            }
        }
    }

    /// Takes in a segment sent by `side`.
    pub(super) fn take(
        &mut self,
        side: Side,
        segment: Segment<'a>,
        packet: u64,
        timestamp: Option<u64>,
        most_waiting: usize,
    ) {
        self.packets += 1;
        self.set_time(timestamp);
        if self.missing_start && self.packets == 1 {
            self.event(side, packet, What::MissingStart);
        }
        let [this, other] = side.both();
        if self.is_of_another(side, &segment) {
            self.notes.out_of_window += 1;
            return;
        }
        if segment.rst {
            if self.reset[this] {
                self.notes.retransmissions += 1;
            } else {
                self.reset[this] = true;
                self.event(side, packet, What::Reset);
            }
            return;
        }
        if segment.syn {
            self.handshake(side, &segment, packet);
        } else if !self.opened && !self.missing_start {
            self.opened = true;
            self.event(side, packet, What::Opened);
        }
        if !segment.payload.is_empty() && self.reset != [false; 2] {
            self.notes.after_reset += 1;
        }

        let direction = self.direction(side);
        let [low, high] = &mut self.streams;
        let (sender, receiver) = match side {
            Side::Low => (low, high),
            Side::High => (high, low),
        };
        let mut sink = Sink {
            time: self.time,
            packet,
            direction,
            events: &mut self.events,
            notes: &mut self.notes,
            most_waiting,
        };
        if let Some(acknowledgment) = segment.acknowledgment {
            // First, because these bytes were sent after those were received.
            sink.direction = direction.reverse();
            receiver.acknowledge(acknowledgment, &mut sink);
            sink.direction = direction;
        }
        let arrival = Arrival {
            sequence: segment.sequence.wrapping_add(u32::from(segment.syn)),
            bytes: segment.payload,
            missing: u64::from(segment.missing),
            fin: segment.fin,
            window_closed: self.window_closed[other],
        };
        sender.receive(arrival, &mut sink);
        self.window_closed[this] = segment.window == 0;
    }

    /// What waits for bytes before it, in bytes.
    pub(super) fn waiting(&self) -> usize {
        self.streams.iter().map(Stream::waiting).sum()
    }

    /// Gives out everything that still waits: nothing more will come.
    pub(super) fn close(&mut self) {
        while let Some(side) = self.longest_waiting() {
            self.with_sink(side, Stream::release);
        }
        let low = self.with_sink(Side::Low, Stream::finish);
        let high = self.with_sink(Side::High, Stream::finish);
        fill(&mut self.events, low.into_iter().chain(high).collect());
        // No stream is read any further, and most flows are short.
        self.streams = [Stream::default(), Stream::default()];
        self.events.shrink_to_fit();
    }

    /// The flow, once it is closed.
    pub(super) fn into_flow(mut self, number: usize) -> Flow<'a> {
        let mut known_by = ClientKnownBy::Handshake;
        if !self.client_known {
            let (client, by) = tell_client(&self.events, self.direction(Side::Low), self.ends);
            known_by = by;
            self.set_client(client);
        }
        let [client, server] = self.client.both().map(|side| self.ends[side]);
        Flow {
            number,
            client,
            server,
            client_known_by: known_by,
            start: self.start,
            packets: self.packets,
            events: self.events,
            notes: self.notes,
        }
    }

    /// Whether a segment answers the connection that these ports had before: a host that still has it acknowledges its
    /// bytes, instead of a SYN that it can't place (RFC 5961 section 4).
    fn is_of_another(&self, side: Side, segment: &Segment<'a>) -> bool {
        let [_, other] = side.both();
        let awaited = !self.opened && !self.missing_start && side != self.client;
        let ahead = segment.acknowledgment.and_then(|number| self.streams[other].ahead(number));
        awaited && !segment.syn && !segment.rst && ahead.is_some_and(|ahead| ahead.abs() > STRAY)
    }

    fn handshake(&mut self, side: Side, segment: &Segment<'a>, packet: u64) {
        let [this, _] = side.both();
        let first = segment.sequence.wrapping_add(1);
        let stream = &mut self.streams[this];
        if self.syns[this] == Some(segment.sequence) {
            self.notes.retransmissions += 1;
        } else if stream.origin().is_none() || stream.is_fresh() {
            // A host that sends another initial number before anything came of the first (SYN cookies) means the last.
            stream.begin_at(first);
            self.syns[this] = Some(segment.sequence);
        } else if stream.origin() == Some(first) {
            self.syns[this] = Some(segment.sequence);
        } else {
            self.notes.out_of_window += 1;
        }
        let answer = segment.acknowledgment.is_some();
        if self.missing_start {
            // The capture has the handshake after all, only later than what follows it.
            self.missing_start = false;
            self.client_known = true;
            self.opened = true;
            self.set_client(if answer { side.other() } else { side });
            if let Some(first) = self.events.first_mut() {
                first.what = What::Opened;
            }
        } else if answer && !self.opened {
            self.opened = true;
            self.event(side, packet, What::Opened);
        }
    }

    fn set_time(&mut self, timestamp: Option<u64>) {
        self.start = self.start.or(timestamp);
        if let (Some(start), Some(now)) = (self.start, timestamp) {
            self.time = self.time.max(now.saturating_sub(start));
        }
    }

    fn longest_waiting(&self) -> Option<Side> {
        let [low, high] = [&self.streams[0], &self.streams[1]].map(Stream::waiting_packet);
        match (low, high) {
            (None, None) => None,
            (Some(low), Some(high)) if high < low => Some(Side::High),
            (None, Some(_)) => Some(Side::High),
            (Some(_), _) => Some(Side::Low),
        }
    }

    fn with_sink<T>(&mut self, side: Side, act: impl FnOnce(&mut Stream<'a>, &mut Sink<'_, 'a>) -> T) -> T {
        let [this, _] = side.both();
        let stream = &mut self.streams[this];
        let packet = stream.waiting_packet();
        let last = self.events.last().map_or(0, |event| event.packet);
        let mut sink = Sink {
            time: self.time,
            packet: packet.unwrap_or(last),
            direction: if side == self.client { Direction::ToServer } else { Direction::ToClient },
            events: &mut self.events,
            notes: &mut self.notes,
            most_waiting: usize::MAX,
        };
        act(stream, &mut sink)
    }

    fn event(&mut self, side: Side, packet: u64, what: What<'a>) {
        self.events.push(FlowEvent { time: self.time, packet, direction: self.direction(side), what });
    }

    fn direction(&self, side: Side) -> Direction {
        if side == self.client { Direction::ToServer } else { Direction::ToClient }
    }

    fn set_client(&mut self, client: Side) {
        if self.client != client {
            self.client = client;
            for event in &mut self.events {
                event.direction = event.direction.reverse();
            }
        }
    }
}

impl Side {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }

    /// The indices of this side and the other.
    fn both(self) -> [usize; 2] {
        match self {
            Self::Low => [0, 1],
            Self::High => [1, 0],
        }
    }
}
