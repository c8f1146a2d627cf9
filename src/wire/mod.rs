//! What bytes mean.
//!
//! Everything that looks at a connection, the multiplexer, a simulated client, a capture from the
//! field, asks this module and nobody else, so that one reading of the bytes holds throughout the
//! crate. There is no socket, clock or task in here: bytes go in, values come out, and back.
//!
//! | module | what it reads and writes | by |
//! |---|---|---|
//! | [`frame`] | HTTP/2 frames, legal or not | RFC 9113, RFC 8441, RFC 9218 |
//! | [`hpack`] | HTTP/2 header blocks, with the form each field had | RFC 7541 |
//! | [`http1`] | the heads of HTTP/1 requests and responses; reads only | RFC 9112 |
//! | [`proxy`] | the header of the PROXY protocol | HAProxy's `proxy-protocol.txt` |
//! | [`tls`] | TLS records, hellos and alerts; reads only | RFC 8446, RFC 5246, RFC 7301, RFC 6066 |
//!
//! A client's bytes on an HTTP/2 connection are the [`PREFACE`] and then frames, which a
//! [`FrameReader`] finds however the bytes are cut. [`RawFrame::parse`] takes a frame apart into a
//! [`Frame`], and a [`hpack::Decoder`] reads the header blocks in those.
//!
//! What the values mean to a server, such as stream states, routes or SETTINGS that were never
//! acknowledged, belongs to the modules that use this one.

pub(crate) mod filter;
pub mod frame;
pub mod hpack;
pub mod http1;
pub mod proxy;
mod registry;
pub mod tls;

pub use frame::{
    ErrorCode, Frame, FrameKind, FrameReader, Increment, PREFACE, Payload, Priority, RawFrame, Setting,
    SettingId, StreamId,
};
pub use http1::{RequestHead, ResponseHead};
