//! TLS as far as it can be read without keys: records, the two hellos, alerts.
//!
//! A multiplexer chooses by what a ClientHello asks for, a capture is read from its first record on; both get bytes in
//! pieces that have nothing to do with records or messages. [`HelloReader`] takes the beginning of a connection in any
//! pieces and says how many bytes it still needs; [`RecordReader`] and [`HandshakeReader`] go on from there.
//!
//! | module | reads |
//! |---|---|
//! | `record`, `handshake` | bytes into [`Record`]s, and those into [`Handshake`] messages |
//! | `hello_reader`, `client_hello` | the beginning of a connection into a [`ClientHello`] |
//! | `server_hello` | [`ServerHello`] and [`EncryptedExtensions`], for what was negotiated |
//! | `registry` | versions, suites, alerts and the rest of the numbers by name |
//!
//! Left out: writing any of it, keys (a capture has its own place for those), DTLS, and whatever in a hello says nothing
//! about who is called, in which protocol, and how the records are protected.

mod client_hello;
mod error;
mod fields;
mod handshake;
mod hello_reader;
mod record;
mod registry;
mod server_hello;

pub use client_hello::ClientHello;
pub use error::{HelloPart, TlsError};
pub use handshake::{Handshake, HandshakeReader};
pub use hello_reader::{HelloReader, Progress};
pub use record::{Record, RecordReader};
pub use registry::{
    Alert, AlertDescription, AlertLevel, CipherSuite, ContentType, HandshakeKind, ProtocolVersion,
};
pub use server_hello::{EncryptedExtensions, ServerHello};
