//! What can be wrong with a single frame, by RFC 9113 section 6, and how bad it is.
//!
//! A caller needs three things from it: a sentence for the transcript, the error code the RFC
//! prescribes, and whether the stream or the whole connection has to end. Servers differ in the
//! latter two (h2 answers PROTOCOL_ERROR to every one of these); models of servers decide for
//! themselves, so this is the RFC's own answer and nobody else's.

use std::fmt;

use super::{ErrorCode, FrameKind, Priority, Setting, SettingId, StreamId};

/// Why a frame is illegal whatever came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// The payload is too short or too long for the type (section 4.2).
    WrongLength {
        /// The frame's type.
        kind: FrameKind,
        /// The frame's stream.
        stream: StreamId,
        /// Octets of payload.
        length: usize,
        /// Octets there should be.
        needed: NeededLength,
    },
    /// The padding is longer than what is left of the payload for it (sections 6.1, 6.2, 6.6).
    PaddingTooLong {
        /// The frame's type.
        kind: FrameKind,
        /// Octets of padding announced.
        padding: u8,
        /// Octets left after the other fields.
        room: usize,
    },
    /// A frame that belongs to a stream came on the connection's.
    OnConnection {
        /// The frame's type.
        kind: FrameKind,
    },
    /// A frame that belongs to the connection came on a stream.
    OnStream {
        /// The frame's type.
        kind: FrameKind,
        /// The stream.
        stream: StreamId,
    },
    /// A SETTINGS frame both acknowledges and has values (section 6.5).
    AckWithValues {
        /// Octets of payload.
        length: usize,
    },
    /// A setting's value is outside what is defined for it (section 6.5.2, RFC 8441 section 3,
    /// RFC 9218 section 2.1).
    InvalidSetting(Setting),
    /// A WINDOW_UPDATE opens the window by nothing (section 6.9).
    ZeroIncrement {
        /// The stream; 0 is the connection.
        stream: StreamId,
    },
    /// A stream depends on itself. RFC 7540 section 5.3.1 forbids it; RFC 9113 dropped priorities
    /// and the sentence with them, and implementations still check.
    DependsOnItself {
        /// The stream.
        stream: StreamId,
        /// The whole priority.
        priority: Priority,
    },
    /// A PUSH_PROMISE promises stream 0, which can't be opened (section 6.6).
    PromisesConnection {
        /// The stream to which the promise belongs.
        stream: StreamId,
    },
}

/// The octets of payload that a type demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeededLength {
    /// No more and no less.
    Exactly(usize),
    /// The fields before the variable part.
    AtLeast(usize),
    /// A whole number of entries of that length.
    MultipleOf(usize),
}

/// What has to end because of an error (RFC 9113 section 5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The connection, with a GOAWAY.
    Connection,
    /// One stream, with a RST_STREAM. The RFC lets an endpoint end the connection instead.
    Stream(StreamId),
}

impl FrameError {
    /// The code that the RFC prescribes for GOAWAY or RST_STREAM.
    pub fn code(&self) -> ErrorCode {
        match self {
            FrameError::WrongLength { .. } | FrameError::AckWithValues { .. } => ErrorCode::FrameSizeError,
            FrameError::InvalidSetting(setting) if setting.id == SettingId::InitialWindowSize => {
                ErrorCode::FlowControlError
            }
            FrameError::InvalidSetting(_)
            | FrameError::PaddingTooLong { .. }
            | FrameError::OnConnection { .. }
            | FrameError::OnStream { .. }
            | FrameError::ZeroIncrement { .. }
            | FrameError::DependsOnItself { .. }
            | FrameError::PromisesConnection { .. } => ErrorCode::ProtocolError,
        }
    }

    /// What the RFC lets survive.
    pub fn scope(&self) -> Scope {
        match *self {
            FrameError::WrongLength { kind: FrameKind::Priority, stream, .. }
            | FrameError::DependsOnItself { stream, .. } => Scope::Stream(stream),
            FrameError::ZeroIncrement { stream } if !stream.is_connection() => Scope::Stream(stream),
            _ => Scope::Connection,
        }
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::WrongLength { kind, length, needed, .. } => {
                write!(f, "{kind} payload of {length} octets, needs {needed}")
            }
            FrameError::PaddingTooLong { kind, padding, room } => {
                write!(f, "{kind} announces {padding} octets of padding where {room} are left")
            }
            FrameError::OnConnection { kind } => write!(f, "{kind} on stream 0"),
            FrameError::OnStream { kind, stream } => {
                write!(f, "{kind} on stream {stream}, belongs on stream 0")
            }
            FrameError::AckWithValues { length } => {
                write!(f, "SETTINGS ACK with a payload of {length} octets")
            }
            FrameError::InvalidSetting(Setting { id, value }) => {
                write!(f, "{id} may not be {value}")
            }
            FrameError::ZeroIncrement { stream } => {
                write!(f, "WINDOW_UPDATE of 0 on stream {stream}")
            }
            FrameError::DependsOnItself { stream, .. } => {
                write!(f, "stream {stream} depends on itself")
            }
            FrameError::PromisesConnection { stream } => {
                write!(f, "PUSH_PROMISE on stream {stream} promises stream 0")
            }
        }
    }
}

impl std::error::Error for FrameError {}

impl fmt::Display for NeededLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NeededLength::Exactly(length) => write!(f, "{length}"),
            NeededLength::AtLeast(length) => write!(f, "at least {length}"),
            NeededLength::MultipleOf(length) => write!(f, "a multiple of {length}"),
        }
    }
}
