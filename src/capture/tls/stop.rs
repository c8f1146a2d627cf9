//! Why a direction of a TLS conversation could not be read to its end, in words for whoever looks at the capture.

use std::fmt;

use super::keylog::SecretName;
use crate::capture::Direction;
use crate::wire::tls::{CipherSuite, ContentType, HandshakeKind, ProtocolVersion, TlsError};

/// Where and why reading a direction stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsStop {
    /// Whose bytes they are.
    pub direction: Direction,
    /// The packet that ends the record that could not be read, or that shows it.
    pub packet: u64,
    /// How many bytes of the stream come before that record.
    pub offset: u64,
    /// Why.
    pub reason: StopReason,
}

/// Why a record could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The key log has no such secret for this session.
    NoSecret(SecretName),
    /// A record does not open with the secret of this name: it is of another session, or the record was damaged.
    DoesNotOpen(SecretName),
    /// Records of this version are not opened here.
    Version(ProtocolVersion),
    /// Records of this suite are not opened here.
    Suite(CipherSuite),
    /// Records are compressed, by this method.
    Compressed(u8),
    /// The client sends data before the handshake is done (0-RTT).
    EarlyData,
    /// One end begins a second handshake inside the first one's protection.
    Renegotiation,
    /// The beginning of the direction was not captured.
    MissingStart,
    /// Some bytes were not captured.
    BytesMissing {
        /// How many.
        length: u64,
    },
    /// The direction ends inside a record.
    EndsInsideRecord {
        /// How many bytes of it are there.
        bytes: u64,
    },
    /// The hello of the other end, without which these records mean nothing, is not there.
    NoHello,
    /// It is no TLS, or not what has to come here.
    NotTls(TlsError),
    /// A record of this kind may not stand here.
    RecordOutOfTurn(ContentType),
    /// A handshake message of this kind may not stand here.
    MessageOutOfTurn(HandshakeKind),
}

impl StopReason {
    /// Whether other keys would help.
    pub fn is_for_want_of_keys(self) -> bool {
        matches!(self, Self::NoSecret(_))
    }

    /// Whether the records before it are all that there is to know: what follows is not in the capture.
    pub(crate) fn is_for_want_of_bytes(self) -> bool {
        matches!(self, Self::MissingStart | Self::BytesMissing { .. } | Self::EndsInsideRecord { .. })
    }
}

impl fmt::Display for TlsStop {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = match self.direction {
            Direction::ToServer => "client",
            Direction::ToClient => "server",
        };
        let Self { packet, offset, reason, .. } = self;
        write!(formatter, "{reason} ({who}'s record at {offset}, packet {packet})")
    }
}

impl std::error::Error for TlsStop {}

impl fmt::Display for StopReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSecret(name) => write!(formatter, "no key log has its {name}"),
            Self::DoesNotOpen(name) => write!(formatter, "a record does not open with its {name}"),
            Self::Version(version) => write!(formatter, "{version} is not decrypted"),
            Self::Suite(suite) => write!(formatter, "{suite} is not decrypted"),
            Self::Compressed(method) => write!(formatter, "compression method {method} is not decrypted"),
            Self::EarlyData => formatter.write_str("data sent before the handshake (0-RTT) is not decrypted"),
            Self::Renegotiation => formatter.write_str("a second handshake (renegotiation) is not followed"),
            Self::MissingStart => formatter.write_str("the beginning was not captured"),
            Self::BytesMissing { length } => write!(formatter, "{length} bytes were not captured"),
            Self::EndsInsideRecord { bytes } => {
                write!(formatter, "it ends inside a record, of which {bytes} bytes are there")
            }
            Self::NoHello => formatter.write_str("the other end's hello is not there"),
            Self::NotTls(error) => write!(formatter, "{error}"),
            Self::RecordOutOfTurn(kind) => write!(formatter, "a record of {kind} out of turn"),
            Self::MessageOutOfTurn(kind) => write!(formatter, "a handshake message {kind} out of turn"),
        }
    }
}
