//! HTTP/2 frames (RFC 9113 sections 4 and 6), all ten types, legal or not, in both directions.
//!
//! There are two views of a frame. A [`RawFrame`] is any nine octets of header with any payload:
//! the multiplexer replays what it sniffed octet for octet and a script may send nonsense on
//! purpose, so nothing that fits on the wire may be lost or refused here. A [`Frame`] is the same
//! frame taken apart by type. [`RawFrame::parse`] leads from the first to the second and is the
//! one place that holds frames against the RFC; a [`Frame`] that parsed turns back into the same
//! octets.
//!
//! [`FrameReader`] finds the frames in a byte stream. The 24 octets of [`PREFACE`] come before
//! the first frame of a client and are not a frame: whoever reads a stream takes them off first.
//!
//! Left out is everything that needs more than one frame to decide: whether a CONTINUATION was
//! due, stream states, flow-control windows, whether a SETTINGS ACK answers anything. Header
//! blocks stay compressed here; see [`hpack`](super::hpack).

mod error;
mod fields;
mod parse;
mod raw;
mod reader;
mod registry;
mod typed;

pub use error::{FrameError, NeededLength, Scope};
pub use fields::{Increment, Priority, Setting};
pub use raw::{Payload, PayloadTooLong, RawFrame, StreamId};
pub use reader::{FrameReader, FrameTooLarge};
pub use registry::{ErrorCode, FrameKind, SettingId};
pub use typed::Frame;

/// What a client sends before its first frame (RFC 9113 section 3.4).
pub const PREFACE: [u8; 24] = *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Octets in a frame header (RFC 9113 section 4.1).
pub const HEADER_LENGTH: usize = 9;

/// The largest payload, in octets, that a receiver must take before its SETTINGS say otherwise:
/// the initial and at the same time the least value of MAX_FRAME_SIZE (RFC 9113 section 6.5.2).
pub const INITIAL_MAX_FRAME_SIZE: u32 = 16_384;

/// The bits of a frame header's flags octet (RFC 9113 section 6). One bit means different things
/// to different types.
pub mod flags {
    /// DATA, HEADERS: the last frame of the sender's half of the stream.
    pub const END_STREAM: u8 = 0x01;
    /// SETTINGS, PING: an answer to the peer's frame.
    pub const ACK: u8 = 0x01;
    /// HEADERS, PUSH_PROMISE, CONTINUATION: the header block ends with this frame.
    pub const END_HEADERS: u8 = 0x04;
    /// DATA, HEADERS, PUSH_PROMISE: the payload opens with a padding length and ends with padding.
    pub const PADDED: u8 = 0x08;
    /// HEADERS: stream dependency and weight precede the header block.
    pub const PRIORITY: u8 = 0x20;
}
