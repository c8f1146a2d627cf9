//! What a TLS conversation comes to: what the two ends agreed on, and what they said inside, in one order.

use bytes::Bytes;

use super::keylog::KeyLog;
use super::stop::TlsStop;
use crate::capture::{Direction, Flow};
use crate::wire::tls::{Alert, CipherSuite, ClientHello, HandshakeKind, ProtocolVersion};

/// A TLS conversation, as far as it could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsConversation {
    /// What the client offered; if the server asked for another hello, in its first.
    pub hello: Option<ClientHello>,
    /// What the server chose.
    pub negotiated: Option<Negotiated>,
    /// What the two said, in order.
    pub events: Vec<TlsEvent>,
    /// Where reading stopped before the end, of each direction at most once.
    pub stops: Vec<TlsStop>,
}

/// What a server chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// The version.
    pub version: ProtocolVersion,
    /// The suite.
    pub suite: CipherSuite,
    /// The protocol spoken over it, if the server chose one and it could be read: in TLS 1.3 that takes keys.
    pub alpn: Option<Bytes>,
    /// Whether it asked for another ClientHello first.
    pub asked_for_another: bool,
}

/// One thing that an end did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsEvent {
    /// When, in nanoseconds since the flow's first packet.
    pub time: u64,
    /// The packet with which it was all there.
    pub packet: u64,
    /// Who did it.
    pub direction: Direction,
    /// What.
    pub what: TlsWhat,
}

/// What an end of a TLS conversation did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsWhat {
    /// A handshake message, before, in or after the handshake: tickets and key updates are such.
    Handshake(HandshakeKind),
    /// The application data of one record, never empty.
    Data(Bytes),
    /// An alert.
    Alert(Alert),
    /// Nothing follows in this direction of the connection (FIN).
    End,
    /// The connection was aborted (RST).
    Reset,
}

impl TlsConversation {
    /// Whether the client of a flow begins to speak TLS.
    pub fn begins(flow: &Flow<'_>) -> bool {
        let bytes = flow.data(Direction::ToServer).flat_map(|(_, bytes)| bytes);
        let first: Vec<u8> = bytes.copied().take(2).collect();
        matches!(first[..], [0x16] | [0x16, 0x03])
    }

    /// Reads a flow with the keys of a log.
    pub fn read(flow: &Flow<'_>, log: &KeyLog) -> Self {
        super::reading::read(flow, log)
    }

    /// The application data of one direction, a record each.
    pub fn data(&self, direction: Direction) -> impl Iterator<Item = &Bytes> {
        self.events.iter().filter(move |event| event.direction == direction).filter_map(|event| match &event
            .what
        {
            TlsWhat::Data(bytes) => Some(bytes),
            _ => None,
        })
    }

    /// The alerts of both, in order.
    pub fn alerts(&self) -> impl Iterator<Item = (Direction, Alert)> + '_ {
        self.events.iter().filter_map(|event| match event.what {
            TlsWhat::Alert(alert) => Some((event.direction, alert)),
            _ => None,
        })
    }

    /// Whether both ends have finished the handshake.
    pub fn is_established(&self) -> bool {
        [Direction::ToServer, Direction::ToClient].into_iter().all(|direction| {
            self.events.iter().any(|event| {
                event.direction == direction && event.what == TlsWhat::Handshake(HandshakeKind::Finished)
            })
        })
    }

    /// Where and why reading a direction stopped before its end.
    pub fn stop(&self, direction: Direction) -> Option<&TlsStop> {
        self.stops.iter().find(|stop| stop.direction == direction)
    }
}
