//! One direction of a connection: what is on its way, and when it arrives.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::Path;

#[derive(Debug)]
pub(super) struct Direction {
    pub(super) path: Path,
    pub(super) queue: VecDeque<Segment>,
    pub(super) held: usize,
    pub(super) sent: u64,
    pub(super) latest: Duration,
    pub(super) end: Option<Duration>,
    pub(super) reset: Option<Duration>,
}

#[derive(Debug)]
pub(super) struct Segment {
    pub(super) at: Duration,
    pub(super) bytes: Bytes,
}

impl Direction {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.clone(),
            queue: VecDeque::new(),
            held: 0,
            sent: 0,
            latest: Duration::ZERO,
            end: None,
            reset: None,
        }
    }

    /// When something sent now arrives: never before what was sent earlier.
    pub(super) fn arrival(&mut self, now: Duration) -> Duration {
        self.latest = (now + self.path.latency).max(self.path.stalled_until).max(self.latest);
        self.latest
    }

    pub(super) fn send(&mut self, at: Duration, mut bytes: Bytes) {
        let before = self.sent;
        self.sent += bytes.len() as u64;
        if let Some(fault) = self.path.fault {
            let left = fault.after().saturating_sub(before);
            bytes.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        }
        if !bytes.is_empty() {
            self.held += bytes.len();
            self.queue.push_back(Segment { at, bytes });
        }
    }

    pub(super) fn lost(&self) -> bool {
        self.path.fault.is_some_and(|fault| self.sent >= fault.after())
    }

    pub(super) fn discard(&mut self) {
        self.queue.clear();
        self.held = 0;
    }

    /// Loses what has not arrived by then.
    pub(super) fn discard_after(&mut self, time: Duration) {
        let arrived = self.queue.partition_point(|segment| segment.at <= time);
        let late = self.queue.drain(arrived..);
        self.held -= late.map(|segment| segment.bytes.len()).sum::<usize>();
    }
}

/// The earlier of two times, if there is any.
pub(super) fn earliest(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Arrival, Fault, Link, Network, Side};

    #[test]
    fn a_reset_overtakes_what_is_on_the_way() {
        let later = Duration::from_millis(5);
        let faulty = Path { fault: Some(Fault::Reset { after: 1 }), ..Path::default() };
        let slow = Path { latency: later, ..Path::default() };
        let mut link = Link::new(&Network { to_server: faulty, to_client: slow, ..Network::default() });
        let [question, answer] = [b"question", b"answer\r\n"].map(|bytes| Bytes::from_static(bytes));
        assert_eq!(link.write(Side::Server, Duration::ZERO, &answer, |_| {}), Ok(8));
        assert_eq!(link.write(Side::Client, Duration::ZERO, &question, |_| {}), Ok(8));
        assert_eq!(link.read(Side::Client, Duration::ZERO, 9), Arrival::Reset);
        assert_eq!(link.read(Side::Client, later, 9), Arrival::Reset);
    }
}
