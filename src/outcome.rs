//! The closed verdict of one handshake, in the words that reports, scripts and JSON share.
//!
//! A verdict is made in one place, from what a run's client met; nothing here knows a client or a server by name.

use std::fmt;

/// How a handshake ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Every call was answered.
    Served {
        /// The route that answered: a multiplexer's name for it; else `grpc`, `http`, or `tls` if a handshake was all that was
        /// asked for; `none` if nothing was.
        route: String,
    },
    /// Somebody said no.
    Refused(Refusal),
    /// Both sides wait, or one waited until its patience ended.
    Stalled {
        /// Who gave up waiting.
        who: Party,
        /// What it was waiting for.
        waiting_for: WaitingFor,
    },
    /// A server for something else answered. No run of the bed ends so yet: what such a server answers is a refusal with its
    /// status.
    Misrouted,
    /// Bytes were lost, added or changed on their way. No run of the bed ends so yet: the fuzz target `classify` holds the
    /// multiplexer to it.
    Corrupted,
    /// A task of the run panicked.
    Panicked {
        /// What it said.
        message: String,
    },
    /// The client can't do what the scenario asks of it.
    Unsupported {
        /// Which part.
        reason: String,
    },
    /// The bed itself failed: a bug in it, or a scenario that never ends.
    HarnessError {
        /// Which part.
        reason: String,
    },
}

/// How somebody said no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// A GOAWAY with this error code (RFC 9113, section 7).
    GoAway(u32),
    /// A stream was reset with this error code.
    ResetStream(u32),
    /// An HTTP status, or a gRPC status other than 0.
    Status(u32),
    /// A TLS alert with this description (RFC 8446, section 6).
    Alert(u8),
    /// The end of the stream, where an answer was due.
    Close,
    /// A reset of the connection.
    Reset,
}

/// A side of a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    /// The client.
    Client,
    /// The server, or the multiplexer before it.
    Server,
}

/// What a waiting side waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WaitingFor {
    /// The far end's first SETTINGS.
    Settings,
    /// A header block.
    Headers,
    /// The acknowledgement of SETTINGS that were sent.
    SettingsAck,
    /// The answer to a call.
    Response,
    /// The far end's part of a TLS handshake.
    TlsHandshake,
    /// Any bytes, or more of them.
    Bytes,
    /// The end of the connection.
    Close,
}

impl Outcome {
    /// The word that stands for the outcome in JSON and on the command line.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Served { .. } => "served",
            Self::Refused(_) => "refused",
            Self::Stalled { .. } => "stalled",
            Self::Misrouted => "misrouted",
            Self::Corrupted => "corrupted",
            Self::Panicked { .. } => "panicked",
            Self::Unsupported { .. } => "unsupported",
            Self::HarnessError { .. } => "harness-error",
        }
    }

    /// Whether the client got what it came for.
    pub fn is_served(&self) -> bool {
        matches!(self, Self::Served { .. })
    }

    /// Whether it is nobody's design: a fault of the multiplexer, of the server under test, or of the bed.
    pub(crate) fn is_broken(&self) -> bool {
        matches!(self, Self::Corrupted | Self::Panicked { .. } | Self::HarnessError { .. })
    }

    /// How bad it is for those who deploy it, to choose one of several possible outcomes: a stall is worse than a
    /// clear no.
    pub(crate) fn severity(&self) -> u8 {
        match self {
            Self::Served { .. } => 0,
            Self::Refused(_) => 1,
            Self::Misrouted => 2,
            Self::Stalled { .. } => 3,
            Self::Unsupported { .. } => 4,
            Self::Corrupted => 5,
            Self::Panicked { .. } => 6,
            Self::HarnessError { .. } => 7,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())?;
        match self {
            Self::Served { route } => write!(formatter, " by {route}"),
            Self::Refused(refusal) => write!(formatter, ": {refusal}"),
            Self::Stalled { who, waiting_for } => {
                write!(formatter, ": {who} waiting for {waiting_for}")
            }
            Self::Panicked { message: words }
            | Self::Unsupported { reason: words }
            | Self::HarnessError { reason: words } => write!(formatter, ": {words}"),
            Self::Misrouted | Self::Corrupted => Ok(()),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GoAway(code) => write!(formatter, "goaway {code}"),
            Self::ResetStream(code) => write!(formatter, "stream reset {code}"),
            Self::Status(status) => write!(formatter, "status {status}"),
            Self::Alert(description) => write!(formatter, "alert {description}"),
            Self::Close => formatter.write_str("close"),
            Self::Reset => formatter.write_str("reset"),
        }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Client => "client",
            Self::Server => "server",
        })
    }
}

impl WaitingFor {
    /// Every word, for parsers.
    pub(crate) const ALL: [Self; 7] = [
        Self::Settings,
        Self::Headers,
        Self::SettingsAck,
        Self::Response,
        Self::TlsHandshake,
        Self::Bytes,
        Self::Close,
    ];

    /// The word in reports and scripts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Headers => "headers",
            Self::SettingsAck => "settings ack",
            Self::Response => "response",
            Self::TlsHandshake => "tls handshake",
            Self::Bytes => "bytes",
            Self::Close => "close",
        }
    }
}

impl fmt::Display for WaitingFor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}
