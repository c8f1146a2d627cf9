//! From a recorded conversation to a script: the captured client, freed from the server that it met.
//!
//! What the client sent is cut as it was cut, and is sent again when the cause for it has come again: once the server's
//! SETTINGS are there if they were there before, once a stream is answered if it was answered before. Counting the
//! server's bytes instead would tie the client to the one server whose bytes those were: another says the same in more of
//! them, or in fewer.
//!
//! What looks like a cause need not be one: a client that does not wait may have had the server's SETTINGS by chance when
//! it sent its request. [`RecordedClient::does_not_wait`] says so of a client that is known.
//!
//! Of a client that spoke TLS it is what it said inside of it, cut where its records end, and beside that what its hello
//! offered: enough to say the same in the clear, or inside a TLS session of its own.
//!
//! Left out is what only that server caused: acknowledgements of SETTINGS and of PING, which the script's client gives by
//! itself, and the RST_STREAM and GOAWAY with which the client gave up or left. Times are not kept.

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::exchange::{Reader, Summary};
use crate::net::Side;
use crate::script::{Awaited, Behaviour, Item, Step, StreamReference};
use crate::wire::filter::{Fate, Filter, Judge};
use crate::wire::frame::flags;
use crate::wire::tls::{Alert, ClientHello};
use crate::wire::{FrameKind, PREFACE, RawFrame, StreamId};

use super::tls::{KeyLog, Negotiated, SecretName, StopReason, TlsConversation, TlsStop, TlsWhat};
use super::{Direction, Flow, What};

/// A recorded client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedClient {
    /// What it did, as a ladder.
    pub behaviour: Behaviour,
    /// The segments that it sent, just as they were.
    pub segments: Vec<Bytes>,
    /// What its connection amounted to.
    pub summary: Summary,
    /// How long after its last byte its connection still went on, as captured.
    pub silence: Duration,
    /// What stood around it, if it spoke TLS: then `behaviour`, `segments` and `summary` are of what was inside, a record
    /// for a segment, and may be empty.
    pub tls: Option<RecordedTls>,
}

/// The TLS session of a recorded client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedTls {
    /// What the client offered.
    pub hello: ClientHello,
    /// What the server chose, if it came to that.
    pub negotiated: Option<Negotiated>,
    /// Whether both finished the handshake.
    pub established: bool,
    /// The alerts of both, in order.
    pub alerts: Vec<(Direction, Alert)>,
}

/// Why a flow can't be replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It is TLS, and no key log has a secret that it takes.
    NeedsKeys {
        /// The secret.
        secret: SecretName,
        /// The packet with the first record that it protects.
        packet: u64,
    },
    /// It is TLS that can't be read, though not for want of keys.
    Tls(TlsStop),
    /// It is TLS in which the client sent no application data.
    NoApplicationData {
        /// The alert that says why, if there is one.
        alert: Option<(Direction, Alert)>,
    },
    /// The client sent nothing.
    NoClientBytes,
    /// The beginning of what the client sent was not captured.
    MissingStart {
        /// The first packet of the flow.
        packet: u64,
    },
    /// Some of what the client sent was not captured.
    ClientBytesMissing {
        /// How many bytes came before them.
        offset: u64,
        /// How many they are.
        length: u64,
        /// The packet that proves it.
        packet: u64,
    },
}

impl fmt::Display for Unusable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeedsKeys { secret, packet } => {
                write!(formatter, "needs keys: it is TLS, and no key log has its {secret} (packet {packet})")
            }
            Self::Tls(stop) => write!(formatter, "it is TLS, and {stop}"),
            Self::NoApplicationData { alert } => {
                formatter.write_str("the client sent nothing inside of TLS")?;
                match alert {
                    None => Ok(()),
                    Some((Direction::ToServer, alert)) => write!(formatter, " but its {alert}"),
                    Some((Direction::ToClient, alert)) => write!(formatter, ": the server's {alert}"),
                }
            }
            Self::NoClientBytes => formatter.write_str("the client sent no bytes"),
            Self::MissingStart { packet } => {
                write!(formatter, "its beginning was not captured (packet {packet})")
            }
            Self::ClientBytesMissing { offset, length, packet } => {
                write!(
                    formatter,
                    "{length} bytes of the client at {offset} were not captured (packet {packet})"
                )
            }
        }
    }
}

impl std::error::Error for Unusable {}

impl Unusable {
    /// Whether keys would help, or others than there are.
    pub fn wants_keys(self) -> bool {
        match self {
            Self::NeedsKeys { .. } => true,
            Self::Tls(stop) => matches!(stop.reason, StopReason::DoesNotOpen(_)),
            _ => false,
        }
    }
}

impl RecordedTls {
    /// The alert that ended the session before its time, if one did.
    pub fn refusal(&self) -> Option<(Direction, Alert)> {
        self.alerts.iter().copied().find(|(_, alert)| alert.is_fatal())
    }

    /// Whether the server answered and named no protocol by ALPN.
    pub fn chose_no_protocol(&self) -> bool {
        self.negotiated.as_ref().is_some_and(|negotiated| negotiated.alpn.is_none())
    }
}

impl RecordedClient {
    /// Reads a flow that is in the clear, or TLS with keys in `log`.
    ///
    /// # Errors
    ///
    /// If the client's bytes are not all there, or can't be decrypted.
    pub fn of(flow: &Flow<'_>, log: &KeyLog) -> Result<Self, Unusable> {
        check(flow)?;
        let silence = silence(flow);
        if TlsConversation::begins(flow) {
            return Self::of_tls(&TlsConversation::read(flow, log), silence);
        }
        let said = flow.events.iter().filter_map(|event| {
            let said = match &event.what {
                What::Data { bytes, .. } => Said::Bytes(Bytes::copy_from_slice(bytes)),
                What::End => Said::End,
                What::Reset => Said::Reset,
                What::Opened | What::MissingStart | What::Gap { .. } | What::Truncated { .. } => return None,
            };
            Some((event.direction, said))
        });
        Ok(Self::from_said(&said.collect::<Vec<_>>(), silence, None))
    }

    /// Reads what was said inside of TLS.
    fn of_tls(conversation: &TlsConversation, silence: Duration) -> Result<Self, Unusable> {
        for stop in &conversation.stops {
            let packet = stop.packet;
            match stop.reason {
                StopReason::NoSecret(secret) => return Err(Unusable::NeedsKeys { secret, packet }),
                // What a server says that is not all there, or no TLS, leaves its client what it was.
                StopReason::NotTls(_) if stop.direction == Direction::ToClient => {}
                reason if reason.is_for_want_of_bytes() => {}
                _ => return Err(Unusable::Tls(*stop)),
            }
        }
        let Some(hello) = conversation.hello.clone() else { return Err(Unusable::NoClientBytes) };
        let tls = RecordedTls {
            hello,
            negotiated: conversation.negotiated.clone(),
            established: conversation.is_established(),
            alerts: conversation.alerts().collect(),
        };
        let said = conversation.events.iter().filter_map(|event| {
            let said = match &event.what {
                TlsWhat::Data(bytes) => Said::Bytes(bytes.clone()),
                TlsWhat::Alert(alert) if alert.ends_the_senders_part() => Said::End,
                TlsWhat::End => Said::End,
                TlsWhat::Reset => Said::Reset,
                TlsWhat::Alert(_) | TlsWhat::Handshake(_) => return None,
            };
            Some((event.direction, said))
        });
        Ok(Self::from_said(&said.collect::<Vec<_>>(), silence, Some(tls)))
    }

    fn from_said(said: &[(Direction, Said)], silence: Duration, tls: Option<RecordedTls>) -> Self {
        let segments: Vec<Bytes> = said
            .iter()
            .filter_map(|said| match said {
                (Direction::ToServer, Said::Bytes(bytes)) => Some(bytes.clone()),
                _ => None,
            })
            .collect();
        let mut walk = Walk::new(segments.first().is_some_and(|first| first.starts_with(b"PRI")));
        for (direction, said) in said {
            match (said, direction) {
                (Said::Bytes(bytes), Direction::ToServer) => walk.client_segment(bytes),
                (Said::Bytes(bytes), Direction::ToClient) => walk.reader.segment(Side::Server, bytes),
                (Said::End, _) => walk.reader.end(side(*direction)),
                (Said::Reset, _) => walk.reader.reset(side(*direction)),
            }
        }
        let summary = walk.reader.summary().clone();
        Self { behaviour: walk.finish(), segments, summary, silence, tls }
    }

    /// The same client, known not to wait for the server's SETTINGS.
    #[must_use]
    pub fn does_not_wait(mut self) -> Self {
        let waits = |step: &Step| matches!(step, Step::Await { what: Awaited::Settings, .. });
        self.behaviour.connect.retain(|step| !waits(step));
        self
    }

    /// Whether the client had sent no request, or not all of one, when its connection ended, so that what it does next
    /// is not recorded.
    pub fn stops_before_its_request(&self) -> bool {
        self.summary.complete_requests == 0
            && self.segments.iter().flatten().zip(&PREFACE).all(|(byte, other)| byte == other)
    }
}

/// What an end said, in the clear or inside of TLS, as far as a script is made of it.
enum Said {
    Bytes(Bytes),
    End,
    Reset,
}

fn side(direction: Direction) -> Side {
    match direction {
        Direction::ToServer => Side::Client,
        Direction::ToClient => Side::Server,
    }
}

fn silence(flow: &Flow<'_>) -> Duration {
    let is_word = |what: &What<'_>| matches!(what, What::Data { .. });
    let spoken =
        flow.events.iter().filter(|event| event.direction == Direction::ToServer && is_word(&event.what));
    let last_word = spoken.map(|event| event.time).max();
    let last = flow.events.iter().map(|event| event.time).max();
    Duration::from_nanos(last.unwrap_or_default().saturating_sub(last_word.unwrap_or_default()))
}

fn check(flow: &Flow<'_>) -> Result<(), Unusable> {
    for event in flow.events.iter().filter(|event| event.direction == Direction::ToServer) {
        let packet = event.packet;
        match event.what {
            What::MissingStart => return Err(Unusable::MissingStart { packet }),
            What::Gap { offset, length } | What::Truncated { offset, missing: length } => {
                return Err(Unusable::ClientBytesMissing { offset, length, packet });
            }
            _ => {}
        }
    }
    if flow.data(Direction::ToServer).next().is_none() {
        return Err(Unusable::NoClientBytes);
    }
    Ok(())
}

/// The conversation as far as it has been read, and the ladder so far.
struct Walk {
    reader: Reader,
    steps: Vec<Step>,
    filter: Option<Filter<LeftOut>>,
    settings_awaited: bool,
    head_awaited: bool,
    ends_awaited: Vec<StreamId>,
}

impl Walk {
    fn new(http2: bool) -> Self {
        Self {
            reader: Reader::new(),
            steps: Vec::new(),
            filter: http2.then(|| Filter::new(LeftOut, PREFACE.len())),
            settings_awaited: false,
            head_awaited: false,
            ends_awaited: Vec::new(),
        }
    }

    fn client_segment(&mut self, bytes: &[u8]) {
        // Nobody waits before preface and SETTINGS: a server that spoke first was no cause for them.
        if self.filter.is_none() || self.reader.client_has_introduced_itself() {
            self.await_what_has_come();
        }
        self.reader.segment(Side::Client, &Bytes::copy_from_slice(bytes));
        let kept = match &mut self.filter {
            None => Bytes::copy_from_slice(bytes),
            Some(filter) => {
                let mut kept = BytesMut::new();
                filter.push(bytes, &mut kept);
                kept.freeze()
            }
        };
        if !kept.is_empty() {
            self.steps.push(Step::Send(Item::Raw(kept).into()));
        }
    }

    /// What the server has said by now, the client had, as far as it may have waited for it.
    fn await_what_has_come(&mut self) {
        let summary = self.reader.summary();
        // An answer in HTTP/1 is no cause for anything that a client of HTTP/2 does.
        // Nor are a server's SETTINGS for one that asks in HTTP/1.
        let http2 = self.filter.is_some();
        let (settings, head) = (summary.server_settings && http2, summary.http1_answer && !http2);
        if settings && !std::mem::replace(&mut self.settings_awaited, true) {
            self.awaits(Awaited::Settings);
        }
        if head && !std::mem::replace(&mut self.head_awaited, true) {
            self.awaits(Awaited::Http1);
        }
        // An answer that came before the request had ended was not what the rest of it waited for.
        let ended: Vec<StreamId> = self.reader.exchanges_over().collect();
        for stream in ended {
            self.awaits_end_of(stream);
        }
    }

    fn awaits_end_of(&mut self, stream: StreamId) {
        if !self.ends_awaited.contains(&stream) {
            self.ends_awaited.push(stream);
            self.awaits(Awaited::End(StreamReference::Number(stream)));
        }
    }

    fn awaits(&mut self, what: Awaited) {
        self.steps.push(Step::Await { what, within: None, otherwise: None });
    }

    /// Whatever the recorded server did, the client of the script waits for its answers.
    fn finish(mut self) -> Behaviour {
        self.await_what_has_come();
        // A server may answer once it has the message (RFC 9113, section 8.1); one that waits for the end shall have it.
        let cut_short: Vec<StreamId> = self.reader.cut_short().collect();
        for stream in cut_short {
            let stream = StreamReference::Number(stream);
            self.steps.push(Step::Send(Item::Data { stream, end: true, bytes: Bytes::new() }.into()));
        }
        for stream in self.reader.requested_streams().to_vec() {
            self.awaits_end_of(stream);
        }
        let asked_in_http1 = self.filter.is_none() && self.reader.summary().requests > 0;
        if asked_in_http1 && !self.head_awaited {
            self.awaits(Awaited::Http1);
        }
        self.steps.push(Step::Close);
        Behaviour { connect: self.steps, ..Behaviour::default() }
    }
}

/// Takes out what only the recorded server caused.
#[derive(Clone, Debug)]
struct LeftOut;

impl Judge for LeftOut {
    fn fate(&mut self, kind: FrameKind, frame_flags: u8, _length: usize) -> Fate {
        match kind {
            FrameKind::Settings | FrameKind::Ping if frame_flags & flags::ACK != 0 => Fate::Drop,
            FrameKind::RstStream | FrameKind::GoAway => Fate::Drop,
            _ => Fate::Pass,
        }
    }

    fn held(&mut self, frame: RawFrame) -> Bytes {
        frame.payload.into_bytes()
    }

    fn is_done(&self) -> bool {
        false
    }
}
