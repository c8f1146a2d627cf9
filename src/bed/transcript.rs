//! What happened in a run, in order.
//!
//! Segments are taken down when they are sent, as a capture on the sender's host has them. The trace hash is made of the
//! same events; of the header blocks that a server sends only their frames count, because a real server dates its
//! answers by the wall clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::net::{Observer, Side};
use crate::servers::Notes;
use crate::wire::{FrameKind, FrameReader, PREFACE};

/// A run's events in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    events: Vec<Event>,
}

/// One event on one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, from the start of the run.
    pub at: Duration,
    /// The connection, numbered from 0 in the order of dialling.
    pub connection: u32,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Client `client` of the scenario dialled.
    Dialled {
        /// Its number in the scenario.
        client: usize,
        /// Whether it speaks TLS, so that segments show only records and what is inside has events of its own.
        sealed: bool,
    },
    /// A TLS handshake is over, and the server has chosen this protocol by ALPN or none.
    Secured {
        /// The protocol.
        protocol: Option<String>,
    },
    /// Application data inside TLS: when the client writes it, or has read it.
    Inside {
        /// By whom it was sent.
        from: Side,
        /// Its bytes.
        bytes: Bytes,
    },
    /// A segment was sent.
    Segment {
        /// By whom.
        from: Side,
        /// Its bytes.
        bytes: Bytes,
    },
    /// The end of the stream was sent.
    End {
        /// By whom.
        from: Side,
    },
    /// A reset was sent.
    Reset {
        /// By whom.
        from: Side,
    },
    /// A server said something of itself.
    Noted {
        /// Which.
        who: &'static str,
        /// What.
        remark: String,
    },
    /// A multiplexer handed the connection to a route.
    Routed {
        /// Which multiplexer.
        who: &'static str,
        /// The route's name.
        route: String,
    },
    /// A call on the connection ended.
    CallEnded {
        /// The client.
        client: usize,
        /// What its user reads, if it failed.
        error: Option<String>,
    },
}

impl Transcript {
    /// The events in order.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// A 64-bit hash of everything that happened: two runs with the same hash went the same way.
    pub fn trace(&self) -> u64 {
        let mut hash = Fnv::default();
        let mut from_server = BTreeMap::new();
        let mut sealed_connections = BTreeSet::new();
        let mut secured_connections = BTreeSet::new();
        for Event { at, connection, what } in &self.events {
            hash.number(at.as_nanos() as u64);
            hash.number(u64::from(*connection));
            match what {
                What::Dialled { client, sealed } => {
                    hash.tagged(1, &client.to_be_bytes());
                    if *sealed {
                        hash.tagged(9, &[]);
                        sealed_connections.insert(*connection);
                    }
                }
                What::Secured { protocol } => {
                    hash.tagged(10, protocol.as_deref().unwrap_or("\0").as_bytes());
                    secured_connections.insert(*connection);
                }
                // What is inside comes in clear; of a handshake there is nothing else.
                What::Segment { .. } if secured_connections.contains(connection) => hash.tagged(11, &[]),
                What::Segment { bytes, .. } if sealed_connections.contains(connection) => {
                    hash.tagged(11, bytes);
                }
                What::Inside { from: Side::Client, bytes } | What::Segment { from: Side::Client, bytes } => {
                    hash.tagged(2, bytes);
                }
                What::Inside { from: Side::Server, bytes } | What::Segment { from: Side::Server, bytes } => {
                    let frames = from_server.entry(*connection).or_insert_with(|| FrameReader::new(u32::MAX));
                    hash.server_segment(frames, bytes);
                }
                What::End { from } => hash.tagged(4, &[*from as u8]),
                What::Reset { from } => hash.tagged(5, &[*from as u8]),
                What::Noted { who, remark } => {
                    hash.tagged(6, who.as_bytes());
                    hash.tagged(6, remark.as_bytes());
                }
                What::Routed { who, route } => {
                    hash.tagged(7, who.as_bytes());
                    hash.tagged(7, route.as_bytes());
                }
                What::CallEnded { client, error } => {
                    hash.tagged(8, &client.to_be_bytes());
                    hash.tagged(8, error.as_deref().unwrap_or("\0").as_bytes());
                }
            }
        }
        hash.0
    }

    /// What the client wrote on a connection, cut as it was: segments, or inside TLS one piece for each record.
    pub(crate) fn sent_by_client(&self, connection: u32) -> impl Iterator<Item = &Bytes> {
        self.plain(connection).filter_map(|what| match what {
            What::Segment { from: Side::Client, bytes } | What::Inside { from: Side::Client, bytes } => {
                Some(bytes)
            }
            _ => None,
        })
    }

    /// The events of a connection without those that only carry the others: segments of a connection that is sealed.
    pub(crate) fn plain(&self, connection: u32) -> impl Iterator<Item = &What> {
        let mut sealed = false;
        let here = self.events.iter().filter(move |event| event.connection == connection);
        here.map(|event| &event.what).filter(move |what| {
            sealed |= matches!(what, What::Dialled { sealed: true, .. });
            !(sealed && matches!(what, What::Segment { .. }))
        })
    }

    /// The connections of a client, in the order of dialling.
    pub(crate) fn connections_of(&self, client: usize) -> impl Iterator<Item = u32> {
        self.events.iter().filter_map(move |event| match event.what {
            What::Dialled { client: dialled_by, .. } if dialled_by == client => Some(event.connection),
            _ => None,
        })
    }

    /// Whether TLS hides what a connection carries.
    pub(crate) fn is_sealed(&self, connection: u32) -> bool {
        let here = self.events.iter().filter(|event| event.connection == connection);
        here.map(|event| &event.what).any(|what| matches!(what, What::Dialled { sealed: true, .. }))
    }

    /// The route that a connection was handed to, if a multiplexer said so.
    pub(crate) fn route(&self, connection: u32) -> Option<&str> {
        self.events.iter().find_map(|event| match &event.what {
            What::Routed { route, .. } if event.connection == connection => Some(route.as_str()),
            _ => None,
        })
    }
}

/// Takes events down as they happen.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    start: Instant,
    transcript: Arc<Mutex<Transcript>>,
}

impl Recorder {
    pub(crate) fn new(start: Instant) -> Self {
        Self { start, transcript: Arc::default() }
    }

    pub(crate) fn record(&self, at: Duration, connection: u32, what: What) {
        let mut transcript = self.transcript.lock().unwrap_or_else(PoisonError::into_inner);
        transcript.events.push(Event { at, connection, what });
    }

    /// How many events there are.
    pub(crate) fn len(&self) -> usize {
        self.transcript.lock().unwrap_or_else(PoisonError::into_inner).events.len()
    }

    /// What has been taken down.
    pub(crate) fn take(&self) -> Transcript {
        std::mem::take(&mut *self.transcript.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// An observer for one connection.
    pub(crate) fn observer(&self, connection: u32) -> Arc<dyn Observer> {
        Arc::new(ConnectionRecorder { recorder: self.clone(), connection })
    }
}

impl Notes for Recorder {
    fn note(&self, connection: u32, who: &'static str, remark: &str) {
        let at = Instant::now() - self.start;
        self.record(at, connection, What::Noted { who, remark: remark.to_owned() });
    }

    fn routed(&self, connection: u32, who: &'static str, route: &str) {
        let at = Instant::now() - self.start;
        self.record(at, connection, What::Routed { who, route: route.to_owned() });
    }
}

struct ConnectionRecorder {
    recorder: Recorder,
    connection: u32,
}

impl Observer for ConnectionRecorder {
    fn segment(&self, at: Duration, from: Side, bytes: &Bytes) {
        self.recorder.record(at, self.connection, What::Segment { from, bytes: bytes.clone() });
    }

    fn end(&self, at: Duration, from: Side) {
        self.recorder.record(at, self.connection, What::End { from });
    }

    fn reset(&self, at: Duration, from: Side) {
        self.recorder.record(at, self.connection, What::Reset { from });
    }
}

/// FNV-1a in 64 bits: small, and the same everywhere.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn number(&mut self, number: u64) {
        self.bytes(&number.to_be_bytes());
    }

    fn tagged(&mut self, tag: u8, bytes: &[u8]) {
        self.bytes(&[tag]);
        self.number(bytes.len() as u64);
        self.bytes(bytes);
    }

    /// Everything of a server's segment but header blocks and HTTP/1 heads.
    fn server_segment(&mut self, frames: &mut FrameReader, bytes: &Bytes) {
        self.bytes(&[3]);
        if bytes.starts_with(b"HTTP/1") || bytes.starts_with(&PREFACE) {
            return;
        }
        frames.push_bytes(bytes.clone());
        while let Ok(Some(frame)) = frames.next_frame() {
            self.bytes(&[frame.kind.into(), frame.flags]);
            self.number(u64::from(u32::from(frame.stream)));
            if !matches!(frame.kind, FrameKind::Headers | FrameKind::Continuation) {
                self.tagged(3, &frame.payload);
            }
        }
    }
}
