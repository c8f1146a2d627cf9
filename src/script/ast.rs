//! A script as data. No text, no clock and no bytes on a wire: what a client does, in which order, and what it says.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use ::bytes::Bytes;

use super::{Acknowledging, Action, AfterFailure, AfterLoss, Hello, Occasion, OneOrMore, WaitFrom};
use crate::clients::ClientSpec;
use crate::net::{Network, Offsets};
use crate::outcome::WaitingFor;
use crate::servers::ServerName;
use crate::wire::hpack::Policy;
use crate::wire::{ErrorCode, Increment, Priority, RawFrame, Setting, StreamId};

/// A scenario as it is written down: who connects to what over which network, and what should come of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// Header lists that steps refer to by name. No two have the same.
    pub field_lists: Vec<FieldList>,
    /// The clients, which all connect to the same listener at the same time.
    pub clients: Vec<Client>,
    /// What they connect to, if the script says so.
    pub server: Option<ServerName>,
    /// The network between them.
    pub network: Network,
    /// What should come of it.
    pub expectations: Vec<Expectation>,
    /// Clients of the catalogue that come when the others are done, over a network without faults: whatever went wrong before,
    /// they should be served.
    pub afterwards: Vec<ClientSpec>,
}

/// One client of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// What it is called in reports.
    pub name: String,
    /// Who it is.
    pub who: Who,
}

/// Where a client's behaviour comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// The catalogue.
    Catalogued {
        /// Which one.
        spec: ClientSpec,
        /// How it connects, if not as the server's name says.
        over: Option<Transport>,
    },
    /// The script itself.
    Scripted(Box<Behaviour>),
}

/// How a client connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Over TLS, with what its profile says in its hello.
    Tls,
    /// In the clear.
    Cleartext,
}

impl Transport {
    pub(crate) const ALL: [Self; 2] = [Self::Tls, Self::Cleartext];

    /// The word in a script.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Cleartext => "cleartext",
        }
    }
}

/// What a client does, on a connection and between connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// What it says when it speaks TLS, if it can. A client that is written out then does; one of the catalogue does where its
    /// server does.
    pub tls: Option<Hello>,
    /// Offsets at which the client's own stream is cut, beside the ends of its writes.
    pub cuts: Offsets,
    /// When it answers SETTINGS and PING by itself.
    pub acknowledges: Acknowledging,
    /// Whether SETTINGS that change NO_RFC7540_PRIORITIES break the protocol, as RFC 9218, section 2.1, allows to say.
    pub fixed_priorities: bool,
    /// The largest payload that it reads as a frame (RFC 9113, section 4.2), in bytes.
    pub frame_limit: u32,
    /// How long a connection may go without the server's SETTINGS.
    pub settings_within: Option<Duration>,
    /// The stream of the first call on a connection.
    pub first_stream: StreamId,
    /// What is done on each new connection; the whole ladder where there are no `calls`.
    pub connect: Vec<Step>,
    /// What is done for each call, for a client that makes calls.
    pub calls: Option<Calls>,
    /// What it does when things happen out of turn.
    pub reactions: BTreeMap<Occasion, Action>,
    /// What its user reads when a call can't wait for a connection; `{cause}` is why the last one failed.
    pub fail_fast: Option<String>,
    /// What the channel does when an established connection is lost.
    pub after_loss: AfterLoss,
    /// The same for a connection that was used before the server's SETTINGS had come, if it differs.
    pub after_early_loss: Option<AfterLoss>,
    /// What the channel does when a connection could not be established.
    pub after_failure: AfterFailure,
    /// How many connections a call sees fail, one after another, before it can't wait any longer.
    pub tries: NonZeroU32,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            tls: None,
            cuts: Offsets::default(),
            acknowledges: Acknowledging::AtOnce,
            fixed_priorities: false,
            frame_limit: 16_384,
            settings_within: None,
            first_stream: StreamId::new(1).unwrap_or_default(),
            connect: Vec::new(),
            calls: None,
            reactions: BTreeMap::new(),
            fail_fast: None,
            after_loss: AfterLoss::Connect,
            after_early_loss: None,
            after_failure: AfterFailure { wait: Duration::from_secs(1), from: WaitFrom::End },
            tries: NonZeroU32::MIN,
        }
    }
}

/// The part of a behaviour that is about calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// What is done for each call.
    pub steps: Vec<Step>,
    /// What is done in their place from the moment the server switches to HTTP/2, for a client that asked it to.
    pub upgraded: Vec<Step>,
    /// What is done when no more calls come.
    pub finally: Vec<Step>,
    /// What is still written, over TLS, where the server has chosen none of the protocols and the client therefore fails.
    pub unagreed: Vec<Step>,
}

/// One rung of the ladder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// One write.
    Send(OneOrMore<Item>),
    /// Something that is written together with what is written next.
    Hold(OneOrMore<Item>),
    /// Waits for something from the server.
    Await {
        /// What.
        what: Awaited,
        /// How long, if not for ever.
        within: Option<Duration>,
        /// What the user then reads.
        otherwise: Option<String>,
    },
    /// Lets time pass.
    Wait(Duration),
    /// Finishes writing and goes on reading.
    HalfClose,
    /// Closes the connection.
    Close,
    /// Aborts the connection.
    Reset,
    /// Does nothing more and stays connected.
    Silent,
}

/// Something that is written. Several of them make one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// HTTP/2's 24 bytes.
    Preface,
    /// SETTINGS.
    Settings(Vec<Setting>),
    /// A SETTINGS acknowledgement, beyond those that the client sends by itself.
    SettingsAck,
    /// HEADERS with END_HEADERS.
    Headers {
        /// Its stream.
        stream: StreamReference,
        /// Whether it ends the stream.
        end: bool,
        /// Its fields.
        list: HeaderList,
    },
    /// HEADERS with END_HEADERS that state the stream's place among the others.
    PlacedHeaders {
        /// Its stream.
        stream: StreamReference,
        /// Whether it ends the stream.
        end: bool,
        /// Its place.
        priority: Priority,
        /// Its fields.
        list: HeaderList,
    },
    /// The head of an HTTP/1.1 request: `:method` and `:path` make its first line, `:authority` is its `Host`, and
    /// fields without a colon stand in it as they are.
    Request(HeaderList),
    /// DATA.
    Data {
        /// Its stream.
        stream: StreamReference,
        /// Whether it ends the stream.
        end: bool,
        /// Its payload.
        bytes: Bytes,
    },
    /// WINDOW_UPDATE; stream 0 is the connection.
    WindowUpdate {
        /// Its stream.
        stream: StreamReference,
        /// How many bytes more.
        increment: Increment,
    },
    /// PING.
    Ping {
        /// Whether it is an answer.
        ack: bool,
        /// Its payload.
        payload: [u8; 8],
    },
    /// GOAWAY.
    GoAway {
        /// The last stream that was or will be processed.
        last: StreamId,
        /// Why.
        code: ErrorCode,
        /// Debug data.
        debug: Bytes,
    },
    /// RST_STREAM.
    ResetStream {
        /// Its stream.
        stream: StreamReference,
        /// Why.
        code: ErrorCode,
    },
    /// PRIORITY.
    Priority {
        /// Its stream.
        stream: StreamReference,
        /// Its place among the others.
        priority: Priority,
    },
    /// Any frame at all, legal or not.
    Frame(RawFrame),
    /// Any bytes at all.
    Raw(Bytes),
}

/// Which stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamReference {
    /// The stream with this number.
    Number(StreamId),
    /// The stream of the call that is being made.
    OfCall,
}

/// The fields of a header block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderList {
    /// A gRPC request to this path, with the fields that the gRPC protocol asks for.
    Grpc(String),
    /// A GET of this path.
    Get(String),
    /// A list defined in the same file.
    Named(Arc<str>),
    /// A block as it is on the wire.
    Block(Bytes),
}

/// A header list with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldList {
    /// Its name.
    pub name: String,
    /// Its fields in order.
    pub lines: Vec<FieldLine>,
}

/// A field and how it is written. Values may hold `{version}`, `{timeout UNIT}` and `SERVER`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldLine {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// How HPACK writes it.
    pub policy: Policy,
}

/// What a client can wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// The server's first SETTINGS.
    Settings,
    /// The same, or an acknowledgement in its place.
    SettingsOrAck,
    /// So many SETTINGS acknowledgements.
    SettingsAck,
    /// A header block on the stream.
    Headers(StreamReference),
    /// The end of the stream.
    End(StreamReference),
    /// The stream's reset.
    ResetStream(StreamReference),
    /// A GOAWAY.
    GoAway,
    /// An answer to a PING.
    PingAck,
    /// So many bytes from the server since the connection began.
    Bytes(u64),
    /// The head of an HTTP/1 answer.
    Http1,
    /// The server's end of the stream.
    Close,
}

impl Awaited {
    /// What a report says the client waited for.
    pub fn waiting_for(self) -> WaitingFor {
        match self {
            Self::Settings | Self::SettingsOrAck => WaitingFor::Settings,
            Self::SettingsAck => WaitingFor::SettingsAck,
            Self::Headers(_) | Self::End(_) | Self::ResetStream(_) | Self::Http1 => WaitingFor::Response,
            Self::Bytes(_) | Self::PingAck => WaitingFor::Bytes,
            Self::GoAway | Self::Close => WaitingFor::Close,
        }
    }
}

/// What should come of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// For which client; for all, if none is named.
    pub client: Option<String>,
    /// What.
    pub outcome: ExpectedOutcome,
    /// When, to the millisecond, if that matters.
    pub at: Option<Duration>,
}

/// An outcome, as far as the writer cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExpectedOutcome {
    /// Served, by this route if one is named.
    Served(Option<String>),
    /// Refused, in whatever way.
    Refused,
    /// Stalled, the client waiting for this if it is named.
    Stalled(Option<WaitingFor>),
    /// Answered by a server for something else.
    Misrouted,
    /// Out of the client's reach.
    Unsupported,
}
