//! The model of one connection: two directions of segments in time, with TCP's ways to end.
//!
//! Time is told with every call, as the time since the run began, and never goes back. What differs from a pipe, and
//! decides handshakes:
//!
//! - a read gets at most one segment, so a cut made by the writer is seen by the reader;
//! - an end that is closed with unread bytes, or that gets bytes after it was closed, answers with a reset (RFC 2525,
//!   section 2.17), and the reset can make the far end lose what it has not read ([`Unread`]);
//! - a half-close, a close and a reset are three different things.

use std::time::Duration;

use bytes::Bytes;

use super::direction::{Direction, earliest};
use super::{Fault, Network, Unread};

/// One of the two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The end that dialled.
    Client,
    /// The end that accepted.
    Server,
}

impl Side {
    /// The far end.
    pub fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    pub(super) fn index(self) -> usize {
        match self {
            Self::Client => 0,
            Self::Server => 1,
        }
    }
}

/// What a read finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Bytes of one segment.
    Bytes(Bytes),
    /// The far end has finished and everything it sent has been read.
    End,
    /// The connection was reset; what had not been read is lost.
    Reset,
    /// Nothing yet, and if nobody does anything, nothing before the time given here.
    Nothing {
        /// When the next thing on the way arrives.
        until: Option<Duration>,
    },
}

/// Why a write is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// This end has finished writing or closed the connection itself.
    Here,
    /// The connection was reset.
    Reset,
}

/// How an end told the far end that nothing more comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The end of the stream (FIN).
    Finish,
    /// A reset (RST).
    Reset,
}

/// A connection between a client and a server, without a clock.
#[derive(Debug)]
pub struct Link {
    /// Indexed by the reading side.
    towards: [Direction; 2],
    ends: [End; 2],
    unread: Unread,
}

#[derive(Debug, Default)]
struct End {
    finished: bool,
    closed: bool,
}

impl Link {
    /// A fresh connection over `network`.
    pub fn new(network: &Network) -> Self {
        Self {
            towards: [Direction::new(&network.to_client), Direction::new(&network.to_server)],
            ends: [End::default(), End::default()],
            unread: network.unread,
        }
    }

    /// Reads at most `most` bytes at `side`, and at most one segment.
    pub fn read(&mut self, side: Side, now: Duration, most: usize) -> Arrival {
        if self.ends[side.index()].closed {
            return Arrival::Reset;
        }
        let direction = &mut self.towards[side.index()];
        if let Some(reset) = direction.reset.filter(|at| *at <= now) {
            match self.unread {
                Unread::Lost => direction.discard(),
                Unread::Kept => direction.discard_after(reset),
            }
            if direction.queue.is_empty() {
                return Arrival::Reset;
            }
        }
        let Some(front) = direction.queue.front_mut() else {
            return match direction.end {
                Some(at) if at <= now => Arrival::End,
                end => Arrival::Nothing { until: earliest(end, direction.reset) },
            };
        };
        if front.at > now {
            return Arrival::Nothing { until: earliest(Some(front.at), direction.reset) };
        }
        let bytes = if front.bytes.len() > most {
            front.bytes.split_to(most)
        } else {
            direction.queue.pop_front().map(|segment| segment.bytes).unwrap_or_default()
        };
        direction.held -= bytes.len();
        Arrival::Bytes(bytes)
    }

    /// Writes as much of `bytes` at `side` as the window takes, calls `segment` with each segment that leaves, and
    /// returns how many bytes were taken; none means that the writer has to wait for the reader.
    pub fn write(
        &mut self,
        side: Side,
        now: Duration,
        bytes: &Bytes,
        mut segment: impl FnMut(&Bytes),
    ) -> Result<usize, Closed> {
        if self.ends[side.index()].finished || self.ends[side.index()].closed {
            return Err(Closed::Here);
        }
        if self.towards[side.index()].reset.is_some_and(|at| at <= now) {
            return Err(Closed::Reset);
        }
        let reader = side.other();
        let direction = &mut self.towards[reader.index()];
        let room = direction.path.window.get().saturating_sub(direction.held);
        let taken = bytes.len().min(room);
        let mut rest = bytes.slice(..taken);
        let arrival = direction.arrival(now);
        while !rest.is_empty() {
            let part = rest.split_to(direction.path.cuts.first(direction.sent, rest.len()));
            segment(&part);
            direction.send(arrival, part);
        }
        if let Some(fault) = direction.path.fault
            && direction.sent >= fault.after()
        {
            self.strike(fault, reader, arrival, now);
        }
        if self.ends[reader.index()].closed && taken > 0 {
            self.towards[reader.index()].discard();
            self.send_reset(reader, arrival);
        }
        Ok(taken)
    }

    /// `side` writes no more; the far end reads the end of the stream after what is on the way. Returns what was
    /// sent, which is nothing when `side` had finished before.
    pub fn finish(&mut self, side: Side, now: Duration) -> Option<Ending> {
        let end = &mut self.ends[side.index()];
        if std::mem::replace(&mut end.finished, true) {
            return None;
        }
        let direction = &mut self.towards[side.other().index()];
        if !direction.lost() {
            let at = direction.arrival(now);
            direction.end.get_or_insert(at);
        }
        Some(Ending::Finish)
    }

    /// `side` reads and writes no more. With unread bytes at this end the far end gets a reset, else the end of the
    /// stream. Returns which of them was sent; nothing if there was nothing left to say.
    pub fn close(&mut self, side: Side, now: Duration) -> Option<Ending> {
        if std::mem::replace(&mut self.ends[side.index()].closed, true) {
            return None;
        }
        let incoming = &mut self.towards[side.index()];
        let was_reset = incoming.reset.is_some_and(|at| at <= now);
        let first = incoming.queue.front().map(|segment| segment.at);
        incoming.discard();
        match first {
            _ if was_reset => None,
            Some(at) if at <= now => {
                self.send_reset(side, now);
                Some(Ending::Reset)
            }
            on_the_way => {
                let ending = self.finish(side, now);
                if let Some(at) = on_the_way {
                    self.send_reset(side, at);
                }
                ending
            }
        }
    }

    /// `side` aborts: the far end gets a reset whatever was unread.
    pub fn reset(&mut self, side: Side, now: Duration) {
        if !std::mem::replace(&mut self.ends[side.index()].closed, true) {
            self.towards[side.index()].discard();
            self.send_reset(side, now);
        }
    }

    /// How many bytes `side` has written so far.
    pub fn sent(&self, side: Side) -> u64 {
        self.towards[side.other().index()].sent
    }

    /// Whether `side` may write at least one byte.
    pub fn writable(&self, side: Side) -> bool {
        let direction = &self.towards[side.other().index()];
        direction.held < direction.path.window.get()
    }

    fn send_reset(&mut self, from: Side, now: Duration) {
        let direction = &mut self.towards[from.other().index()];
        if !direction.lost() {
            let at = direction.arrival(now);
            direction.reset = earliest(direction.reset, Some(at));
        }
    }

    fn strike(&mut self, fault: Fault, reader: Side, arrival: Duration, now: Duration) {
        let direction = &mut self.towards[reader.index()];
        match fault {
            Fault::BlackHole { .. } => {}
            Fault::End { .. } => {
                direction.end.get_or_insert(arrival);
            }
            Fault::Reset { .. } => {
                direction.reset = earliest(direction.reset, Some(arrival));
                let back = &mut self.towards[reader.other().index()];
                back.reset = earliest(back.reset, Some(now));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Cuts, Path};

    const START: Duration = Duration::ZERO;
    const LATER: Duration = Duration::from_millis(5);

    fn write(link: &mut Link, side: Side, now: Duration, bytes: &'static [u8]) {
        let written = link.write(side, now, &Bytes::from_static(bytes), |_| {});
        assert_eq!(written, Ok(bytes.len()));
    }

    fn bytes(bytes: &'static [u8]) -> Arrival {
        Arrival::Bytes(Bytes::from_static(bytes))
    }

    #[test]
    fn a_read_gets_at_most_one_segment() {
        let mut link = Link::new(&Network::default());
        write(&mut link, Side::Client, START, b"one");
        write(&mut link, Side::Client, START, b"two");
        assert_eq!(link.read(Side::Server, START, 2), bytes(b"on"));
        assert_eq!(link.read(Side::Server, START, 99), bytes(b"e"));
        assert_eq!(link.read(Side::Server, START, 99), bytes(b"two"));
        assert_eq!(link.read(Side::Server, START, 99), Arrival::Nothing { until: None });
    }

    #[test]
    fn a_segment_arrives_when_it_has_travelled() {
        let mut link = Link::new(&Network::latency(LATER));
        write(&mut link, Side::Client, START, b"one");
        assert_eq!(link.read(Side::Server, START, 9), Arrival::Nothing { until: Some(LATER) });
        assert_eq!(link.read(Side::Server, LATER, 9), bytes(b"one"));
    }

    #[test]
    fn the_end_comes_after_the_bytes() {
        let mut link = Link::new(&Network::default());
        write(&mut link, Side::Client, START, b"bye");
        link.finish(Side::Client, START);
        assert_eq!(link.read(Side::Server, START, 9), bytes(b"bye"));
        assert_eq!(link.read(Side::Server, START, 9), Arrival::End);
        write(&mut link, Side::Server, START, b"still open this way");
        assert_eq!(link.read(Side::Client, START, 99), bytes(b"still open this way"));
        assert_eq!(link.write(Side::Client, START, &Bytes::from_static(b"x"), |_| {}), Err(Closed::Here));
    }

    #[test]
    fn closing_with_unread_bytes_resets_and_the_far_end_loses_what_it_has_not_read() {
        let mut link = Link::new(&Network { unread: Unread::Lost, ..Network::default() });
        write(&mut link, Side::Server, START, b"answer");
        write(&mut link, Side::Client, START, b"unread");
        assert_eq!(link.close(Side::Server, START), Some(Ending::Reset));
        assert_eq!(link.read(Side::Client, START, 9), Arrival::Reset);
        assert_eq!(link.write(Side::Client, START, &Bytes::from_static(b"x"), |_| {}), Err(Closed::Reset));
    }

    #[test]
    fn on_linux_what_had_arrived_can_be_read_before_the_reset_is() {
        let mut link = Link::new(&Network::default());
        write(&mut link, Side::Server, START, b"answer");
        write(&mut link, Side::Client, START, b"unread");
        assert_eq!(link.close(Side::Server, START), Some(Ending::Reset));
        assert_eq!(link.read(Side::Client, START, 9), bytes(b"answer"));
        assert_eq!(link.read(Side::Client, START, 9), Arrival::Reset);
    }

    #[test]
    fn bytes_that_reach_a_closed_end_are_answered_with_a_reset() {
        let mut link = Link::new(&Network::latency(LATER));
        assert_eq!(link.close(Side::Server, START), Some(Ending::Finish));
        write(&mut link, Side::Client, START, b"too late");
        assert_eq!(link.read(Side::Client, LATER, 9), Arrival::End);
        assert_eq!(link.read(Side::Client, LATER * 2, 9), Arrival::Reset);
    }

    #[test]
    fn bytes_still_on_the_way_when_an_end_closes_come_back_as_a_reset() {
        let mut link = Link::new(&Network::latency(LATER));
        write(&mut link, Side::Client, START, b"on the way");
        assert_eq!(link.close(Side::Server, START), Some(Ending::Finish));
        assert_eq!(link.read(Side::Client, LATER, 9), Arrival::End);
        assert_eq!(link.read(Side::Client, LATER * 2, 9), Arrival::Reset);
    }

    #[test]
    fn a_full_window_makes_the_writer_wait() {
        let window = std::num::NonZeroUsize::new(4).expect("not zero");
        let path = Path { window, ..Path::default() };
        let mut link = Link::new(&Network { to_server: path, ..Network::default() });
        let written = link.write(Side::Client, START, &Bytes::from_static(b"123456"), |_| {});
        assert_eq!(written, Ok(4));
        assert!(!link.writable(Side::Client));
        assert_eq!(link.read(Side::Server, START, 1), bytes(b"1"));
        assert!(link.writable(Side::Client));
    }

    #[test]
    fn a_black_hole_swallows_what_comes_after_and_the_end_too() {
        let path = Path { fault: Some(Fault::BlackHole { after: 3 }), ..Path::default() };
        let mut link = Link::new(&Network { to_server: path, ..Network::default() });
        write(&mut link, Side::Client, START, b"123456");
        link.finish(Side::Client, START);
        assert_eq!(link.read(Side::Server, START, 9), bytes(b"123"));
        assert_eq!(link.read(Side::Server, START, 9), Arrival::Nothing { until: None });
    }

    #[test]
    fn a_reset_from_the_network_reaches_both_ends() {
        let path = Path { fault: Some(Fault::Reset { after: 3 }), ..Path::default() };
        let mut link = Link::new(&Network { to_server: path, ..Network::default() });
        write(&mut link, Side::Client, START, b"123456");
        assert_eq!(link.read(Side::Server, START, 9), bytes(b"123"));
        assert_eq!(link.read(Side::Server, START, 9), Arrival::Reset);
        assert_eq!(link.read(Side::Client, START, 9), Arrival::Reset);
    }

    #[test]
    fn a_stall_holds_everything_back_until_its_time() {
        let path = Path { stalled_until: LATER, ..Path::default() };
        let mut link = Link::new(&Network { to_client: path, ..Network::default() });
        write(&mut link, Side::Server, START, b"late");
        assert_eq!(link.read(Side::Client, START, 9), Arrival::Nothing { until: Some(LATER) });
        assert_eq!(link.read(Side::Client, LATER, 9), bytes(b"late"));
    }

    #[test]
    fn cuts_made_by_the_network_are_told_to_the_observer() {
        let mut link = Link::new(&Network::cut(Cuts::At([2, 3].into())));
        let mut lengths = Vec::new();
        let bytes = Bytes::from_static(b"12345");
        assert_eq!(link.write(Side::Client, START, &bytes, |part| lengths.push(part.len())), Ok(5));
        assert_eq!(lengths, [2, 1, 2]);
    }
}
