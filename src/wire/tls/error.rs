//! Why bytes are not the TLS that they should be, in words for whoever reads a transcript or a capture.
//!
//! A multiplexer needs no more than "no"; a person whose connection was refused needs to know whether the other end
//! speaks something else, an old form of the same, or the right thing wrongly.

use std::fmt;

use super::registry::{ContentType, HandshakeKind};

/// Why bytes are no TLS records, or not the messages that have to be in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsError {
    /// The first bytes of a record are those of something else.
    NotTls {
        /// The byte that shows it.
        byte: u8,
        /// Its place in the record, 0 or 1.
        place: u8,
    },
    /// A ClientHello in the form of SSL 2.0, which RFC 8446 (appendix D.5) forbids to accept.
    Ssl2Hello,
    /// A record is longer than RFC 8446 section 5 allows.
    RecordTooLong {
        /// What it says.
        length: u16,
        /// What is allowed.
        limit: u16,
    },
    /// A handshake record has nothing in it (RFC 8446 section 5.1).
    EmptyRecord,
    /// A record of another kind stands where a ClientHello, or the rest of one, has to be.
    UnexpectedRecord(ContentType),
    /// The first handshake message is not a ClientHello.
    NotAClientHello(HandshakeKind),
    /// A handshake message says that it is longer than anybody makes them.
    MessageTooLong {
        /// What it says.
        length: u32,
        /// What is allowed.
        limit: u32,
    },
    /// Something follows the ClientHello in its record: nothing may, before the server has answered.
    AfterHello {
        /// How many bytes.
        bytes: u32,
    },
    /// A part of a hello is not there, or its length says more than there is.
    Truncated(HelloPart),
    /// A part of a hello has more bytes than its content takes, or fewer than it must have.
    Malformed(HelloPart),
    /// A hello has an extension twice (RFC 8446 section 4.2).
    RepeatedExtension(u16),
}

/// A part of a hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelloPart {
    /// `legacy_version`.
    Version,
    /// `random`.
    Random,
    /// `legacy_session_id`.
    SessionId,
    /// `cipher_suites`, or the one chosen.
    CipherSuites,
    /// `legacy_compression_methods`, or the one chosen.
    Compression,
    /// The list of extensions, or what follows it.
    Extensions,
    /// `server_name`.
    ServerName,
    /// `application_layer_protocol_negotiation`.
    Alpn,
    /// `supported_versions`.
    SupportedVersions,
    /// `early_data`.
    EarlyData,
}

impl fmt::Display for TlsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTls { byte, place } => {
                write!(formatter, "not TLS: byte {place} of a record is {byte:#04x}")
            }
            Self::Ssl2Hello => formatter.write_str("a ClientHello in the form of SSL 2.0"),
            Self::RecordTooLong { length, limit } => {
                write!(formatter, "a record of {length} bytes, where {limit} are allowed")
            }
            Self::EmptyRecord => formatter.write_str("a handshake record with nothing in it"),
            Self::UnexpectedRecord(kind) => {
                write!(formatter, "a record of {kind} where the ClientHello has to be")
            }
            Self::NotAClientHello(kind) => {
                write!(formatter, "the first handshake message is {kind}, not client_hello")
            }
            Self::MessageTooLong { length, limit } => {
                write!(formatter, "a handshake message of {length} bytes, where {limit} are allowed")
            }
            Self::AfterHello { bytes } => {
                write!(formatter, "{bytes} bytes follow the ClientHello in its record")
            }
            Self::Truncated(part) => write!(formatter, "the hello's {part} is not all there"),
            Self::Malformed(part) => write!(formatter, "the hello's {part} contradicts its lengths"),
            Self::RepeatedExtension(number) => {
                write!(formatter, "the hello has extension {number} more than once")
            }
        }
    }
}

impl std::error::Error for TlsError {}

impl fmt::Display for HelloPart {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Version => "version",
            Self::Random => "random",
            Self::SessionId => "session id",
            Self::CipherSuites => "list of cipher suites",
            Self::Compression => "list of compression methods",
            Self::Extensions => "list of extensions",
            Self::ServerName => "server_name",
            Self::Alpn => "application_layer_protocol_negotiation",
            Self::SupportedVersions => "supported_versions",
            Self::EarlyData => "early_data",
        })
    }
}
