//! What a client does when things happen out of turn, and between connections: most of what tells one version from another.

use std::time::Duration;

use super::OneOrMore;
use crate::wire::ErrorCode;

/// Something that happens out of turn, and when it counts. A client does one thing on each occasion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Occasion {
    /// What happens.
    pub trigger: Trigger,
    /// When it counts; always, if nothing is said.
    pub phase: Option<Phase>,
    /// Whether it counts only on a connection that got a GOAWAY.
    pub after_goaway: bool,
    /// The code that the server must have given for it to count: the stream's, if that was reset, else the GOAWAY's.
    pub code: Option<ErrorCode>,
}

/// Something that happens out of turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trigger {
    /// The server ends the connection.
    End,
    /// The connection is reset.
    Reset,
    /// The server answers in HTTP/1, seen as soon as its bytes can't be a frame.
    Http1,
    /// The server's first frame is not SETTINGS.
    NotSettings,
    /// The server breaks the protocol in another way.
    Protocol,
    /// GOAWAY that covers the call, or that finds none.
    GoAway,
    /// GOAWAY whose last stream is before the call's.
    Unprocessed,
    /// The call's stream is reset.
    ResetStream,
    /// The answer carries a gRPC status other than 0.
    Status,
    /// The answer carries an HTTP status other than 200.
    HttpStatus,
    /// The answer's HTTP status is 200, but its content type is not gRPC's.
    ContentType,
    /// The server has chosen none of the protocols that the client offers by ALPN.
    NoAlpn,
    /// The server sent a TLS alert.
    Alert,
    /// What the server says is not TLS.
    NotTls,
    /// The time for the server's SETTINGS is over.
    Timeout,
    /// The call's own deadline is over.
    Deadline,
}

/// When something happens, seen from the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// During the TLS handshake.
    Securing,
    /// Before everything that comes before `ready` has been written.
    Writing,
    /// Before `ready`.
    Connecting,
    /// Ready, with no call on it.
    Idle,
    /// With a call on it.
    Call,
}

/// When a client answers SETTINGS and PING without a step that does it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Acknowledging {
    /// At once.
    #[default]
    AtOnce,
    /// PING at once, SETTINGS together with what it writes next.
    Late,
    /// Not at all.
    Never,
}

/// What a client does then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The connection fails, or the call. Several texts are those of several builds of the client, or of several orders
    /// of events inside it.
    Fail(OneOrMore<String>),
    /// The call fails, and its user is told at the call's deadline. Where there is no call it is [`Self::Fail`].
    FailAtDeadline(OneOrMore<String>),
    /// The call goes to a new connection, and its user sees nothing; or reads this if it has done so before.
    Retry(Option<String>),
    /// Nothing.
    Ignore,
    /// It does not notice until the connection is ready.
    Later,
}

/// What a channel does when an established connection is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterLoss {
    /// Connects again at once; calls wait for it.
    Connect,
    /// Is in TRANSIENT_FAILURE for an instant, then connects again; a waiting call may notice and fail, or not.
    Blink,
    /// Is in TRANSIENT_FAILURE for so long, then connects again.
    Wait(Duration, WaitFrom),
    /// Goes IDLE; the next call connects.
    Idle,
}

/// What a channel does when a connection could not be established.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AfterFailure {
    /// How long it is in TRANSIENT_FAILURE before it connects again.
    pub wait: Duration,
    /// What that is counted from.
    pub from: WaitFrom,
}

/// What the wait before connecting again is counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitFrom {
    /// The start of the connection that failed. If the wait is over by then, waiting calls see nothing of the failure.
    Start,
    /// Its end.
    End,
}

impl Trigger {
    /// All of them, for parsers.
    pub(crate) const ALL: [Self; 16] = [
        Self::End,
        Self::Reset,
        Self::Http1,
        Self::NotSettings,
        Self::Protocol,
        Self::GoAway,
        Self::Unprocessed,
        Self::ResetStream,
        Self::Status,
        Self::HttpStatus,
        Self::ContentType,
        Self::NoAlpn,
        Self::Alert,
        Self::NotTls,
        Self::Timeout,
        Self::Deadline,
    ];

    /// The word after `on`.
    pub fn word(self) -> &'static str {
        match self {
            Self::End => "end",
            Self::Reset => "reset",
            Self::Http1 => "http1",
            Self::NotSettings => "not-settings",
            Self::Protocol => "protocol",
            Self::GoAway => "goaway",
            Self::Unprocessed => "unprocessed",
            Self::ResetStream => "reset-stream",
            Self::Status => "status",
            Self::HttpStatus => "http-status",
            Self::ContentType => "content-type",
            Self::NoAlpn => "no-alpn",
            Self::Alert => "alert",
            Self::NotTls => "not-tls",
            Self::Timeout => "timeout",
            Self::Deadline => "deadline",
        }
    }
}

impl Phase {
    pub(crate) const ALL: [Self; 5] =
        [Self::Securing, Self::Writing, Self::Connecting, Self::Idle, Self::Call];

    /// The word in an `on` line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Securing => "securing",
            Self::Writing => "writing",
            Self::Connecting => "connecting",
            Self::Idle => "idle",
            Self::Call => "call",
        }
    }
}
