//! Header compression for HTTP/2: HPACK (RFC 7541).
//!
//! The same list of fields can be written in many ways, and clients differ in which they choose:
//! C-core spells `:path` out, Go refers to the last static entry of that name, Netty to the first.
//! A multiplexer that only knew some of the ways would work with some clients. So the decoder
//! reads all of them and records for every field which one it met ([`Representation`]); the
//! encoder writes in the manner of a given client ([`Policy`]) or repeats a recorded block octet
//! for octet ([`Encoder::encode_exact`]).
//!
//! Both ends of a connection keep a dynamic table that each block changes, so blocks have to be
//! read in the order of the stream, none left out, one [`Decoder`] to a direction.
//!
//! Left out is what the fields mean: pseudo-headers, forbidden characters and connection-specific
//! fields are HTTP's affair (RFC 9113 section 8), and the octets arrive here as they are. An
//! integer written with more octets than it needs is read, but repeated in its shortest form.

mod decoder;
mod encoder;
mod error;
mod huffman;
mod integer;
mod policy;
mod table;

use std::num::NonZeroU32;

use bytes::Bytes;

pub use decoder::Decoder;
pub use encoder::Encoder;
pub use error::{ExactError, HpackError};
pub use policy::{Huffman, NameSource, Policy, StaticEntry};

/// Octets of dynamic table that both ends start with: the initial value of
/// SETTINGS_HEADER_TABLE_SIZE (RFC 9113 section 6.5.2).
pub const INITIAL_TABLE_SIZE: u32 = 4_096;

/// A header block as it was written (RFC 7541 section 3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// The dynamic table sizes announced before the first field, in octets (section 6.3).
    pub size_updates: Vec<u32>,
    /// The fields in the order written.
    pub fields: Vec<Field>,
}

/// One header field, and how it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name's octets, of whatever case and content.
    pub name: Bytes,
    /// The value's octets.
    pub value: Bytes,
    /// The form it had in the block.
    pub representation: Representation,
}

impl Field {
    /// Octets that the field counts in a header list: name, value and 32 (RFC 9113
    /// section 6.5.2).
    pub fn size(&self) -> usize {
        self.name.len() + self.value.len() + table::OVERHEAD
    }
}

/// The forms of a field in a block (RFC 7541 sections 6.1 and 6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Representation {
    /// Name and value are those of a table entry.
    Indexed {
        /// Static entries are 1 to 61; 62 is the newest dynamic one (section 2.3.3).
        index: NonZeroU32,
    },
    /// The value, and perhaps the name, is spelled out.
    Literal {
        /// What happens to the dynamic table.
        indexing: Indexing,
        /// Where the name comes from.
        name: NameForm,
        /// Whether the value is Huffman-coded.
        value_huffman: bool,
    },
}

/// What a literal does to the dynamic table (RFC 7541 section 6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indexing {
    /// The field becomes the newest entry.
    Incremental,
    /// Nothing.
    Without,
    /// Nothing, and a proxy that passes the field on has to spell it out likewise.
    Never,
}

/// The name of a literal (RFC 7541 section 6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameForm {
    /// That of a table entry.
    Indexed {
        /// As in [`Representation::Indexed`].
        index: NonZeroU32,
    },
    /// Spelled out.
    Literal {
        /// Whether it is Huffman-coded.
        huffman: bool,
    },
}
