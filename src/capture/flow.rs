//! What a TCP conversation comes to: its two ends and its events, in the order in which they could be known.
//!
//! One list holds both directions, because the order between them is the point: an event stands where the bytes
//! before it in its stream were all there, so that "the client sent these bytes after it had those of the server" can
//! be read off the list. A segment that arrived early has its event where the one before it arrived; the numbers of
//! packets, unlike the times, therefore may step back.
//!
//! What TCP does to get bytes across (retransmissions, probes) is counted in [`Notes`] and makes no events: the data
//! events are what a receiver reads, cut where the sender cut it.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;

/// One TCP conversation of a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow<'a> {
    /// Its number in the capture, from 1, in the order of first packets.
    pub number: usize,
    /// The end that opened it, as far as [`client_known_by`](Self::client_known_by) goes.
    pub client: SocketAddr,
    /// The other end.
    pub server: SocketAddr,
    /// How it is known which end is the client.
    pub client_known_by: ClientKnownBy,
    /// When its first packet with a time was captured, in nanoseconds since 1970-01-01 UTC; `None` if none has one.
    pub start: Option<u64>,
    /// How many packets belong to it.
    pub packets: u64,
    /// What happened, in order.
    pub events: Vec<FlowEvent<'a>>,
    /// What was seen and is not an event.
    pub notes: Notes,
}

impl Flow<'_> {
    /// The bytes of one direction with their offsets in its stream, as captured and in order.
    pub fn data(&self, direction: Direction) -> impl Iterator<Item = (u64, &[u8])> {
        self.events.iter().filter(move |event| event.direction == direction).filter_map(|event| match &event
            .what
        {
            What::Data { offset, bytes } => Some((*offset, &bytes[..])),
            _ => None,
        })
    }

    /// Whether the capture has this conversation from its first byte on, without gaps.
    pub fn is_complete(&self) -> bool {
        !self
            .events
            .iter()
            .any(|event| matches!(event.what, What::MissingStart | What::Gap { .. } | What::Truncated { .. }))
    }
}

/// How it is known which end of a flow is the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKnownBy {
    /// It sent the SYN, or was sent the SYN's answer.
    Handshake,
    /// The start is missing; it sent the HTTP/2 preface.
    Preface,
    /// The start is missing; it sent what reads as the request line of HTTP/1.
    RequestLine,
    /// The start is missing; it sent a TLS `ClientHello`.
    ClientHello,
    /// The start is missing and nothing tells: it has the higher port.
    HigherPort,
}

impl ClientKnownBy {
    /// Whether nothing captured settles it.
    pub fn is_guess(self) -> bool {
        self != Self::Handshake
    }
}

/// Which way an event went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// From the client.
    ToServer,
    /// From the server.
    ToClient,
}

impl Direction {
    /// The other way.
    #[must_use]
    pub fn reverse(self) -> Self {
        match self {
            Self::ToServer => Self::ToClient,
            Self::ToClient => Self::ToServer,
        }
    }
}

/// One event of a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowEvent<'a> {
    /// When, in nanoseconds since the flow's first packet. Never steps back: while the capture's clock does, it stands.
    pub time: u64,
    /// The packet it was captured in, or for a gap the packet that proved it.
    pub packet: u64,
    /// Who did it: for a gap the sender of what is missing.
    pub direction: Direction,
    /// What happened.
    pub what: What<'a>,
}

/// What happened in a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What<'a> {
    /// The connection stands: the server answered the SYN, or the answer was not captured and this packet shows it.
    Opened,
    /// The capture began in the middle of the conversation: offsets count from the first byte that is known of.
    MissingStart,
    /// Bytes, as one segment carried them; for a segment that repeats some, the new ones.
    Data {
        /// How many bytes of the stream come before them.
        offset: u64,
        /// The bytes, never none.
        bytes: Cow<'a, [u8]>,
    },
    /// Bytes that were sent and are not in the capture. What follows them is.
    Gap {
        /// How many bytes of the stream come before them.
        offset: u64,
        /// How many they are.
        length: u64,
    },
    /// Bytes that the capture's snapshot length cut off a segment.
    Truncated {
        /// How many bytes of the stream come before them.
        offset: u64,
        /// How many they are.
        missing: u64,
    },
    /// Nothing follows in this direction (FIN).
    End,
    /// The sender aborted the connection (RST). What is captured later was under way, or not taken in.
    Reset,
}

/// Counts of what was seen in a flow and makes no event. Each is a number of segments, both directions together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Brought only bytes, or a SYN, FIN or RST, that were there before.
    pub retransmissions: u32,
    /// Brought some bytes that were there before and some new ones.
    pub overlaps: u32,
    /// Brought other bytes for a place whose bytes were there before; those before were kept.
    pub conflicts: u32,
    /// Came while bytes before them in the stream were not there, and waited for them.
    pub early: u32,
    /// Filled a place that the receiver had acknowledged before, so that the capture itself has them out of order.
    pub late: u32,
    /// Probed whether the other end is there: no bytes, or one, just before what it would send next.
    pub keep_alives: u32,
    /// Brought one byte while the receiver's window was closed.
    pub zero_window_probes: u32,
    /// Brought bytes after a reset by either end.
    pub after_reset: u32,
    /// Can't belong to the stream: beyond its end, or further off than the largest window.
    pub out_of_window: u32,
    /// Brought bytes from before the place where a capture without a start takes its first.
    pub before_start: u32,
    /// Ends of a direction that were acknowledged and not captured: a FIN, or one last byte.
    pub unseen_ends: u32,
}

impl fmt::Display for Direction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::ToServer => ">",
            Self::ToClient => "<",
        })
    }
}

impl fmt::Display for FlowEvent<'_> {
    /// One line of a ladder: time in milliseconds, direction, what, and the packet.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.time / 1_000_000;
        let microseconds = self.time / 1_000 % 1_000;
        write!(
            formatter,
            "{milliseconds}.{microseconds:03} ms {} {} (packet {})",
            self.direction, self.what, self.packet
        )
    }
}

impl fmt::Display for What<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opened => formatter.write_str("opened"),
            Self::MissingStart => formatter.write_str("start not captured"),
            Self::Data { offset, bytes } => write!(formatter, "{} bytes at {offset}", bytes.len()),
            Self::Gap { offset, length } => {
                write!(formatter, "{length} bytes at {offset} not captured")
            }
            Self::Truncated { offset, missing } => {
                write!(formatter, "{missing} bytes at {offset} cut off by the snapshot length")
            }
            Self::End => formatter.write_str("end"),
            Self::Reset => formatter.write_str("reset"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_reads_as_a_line() {
        let event = |what| FlowEvent { time: 17_906_042, packet: 20, direction: Direction::ToClient, what };
        let gap = What::Gap { offset: 161, length: 21 };
        assert_eq!(event(gap).to_string(), "17.906 ms < 21 bytes at 161 not captured (packet 20)");
        let data = What::Data { offset: 0, bytes: Cow::Borrowed(b"PRI") };
        assert_eq!(event(data).to_string(), "17.906 ms < 3 bytes at 0 (packet 20)");
    }
}
