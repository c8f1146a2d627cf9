//! What can be wrong with a header block.
//!
//! After any of these the two ends no longer agree on the dynamic table, so there is nothing to
//! go on with: RFC 9113 section 4.3 makes every one a connection error of type COMPRESSION_ERROR.
//! [`HpackError::HeaderListTooLarge`] is the exception in name only: it is the reader's own limit,
//! and having stopped reading, the reader has lost the table as well.

use std::fmt;
use std::num::NonZeroU32;

/// Why a block can't be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HpackError {
    /// The block ends inside a field.
    Truncated,
    /// An integer exceeds 2^32-1 or six octets (RFC 7541 section 5.1 leaves the limit to the
    /// implementation; nothing in HTTP/2 needs more).
    IntegerOverflow,
    /// An indexed field with index 0 (section 6.1).
    IndexZero,
    /// An index beyond the last entry (section 2.3.3).
    IndexOutOfTable {
        /// The index read.
        index: NonZeroU32,
        /// The highest index there is, static entries included.
        last: u32,
    },
    /// A Huffman-coded string does not end with a prefix of the end-of-string code (section 5.2).
    HuffmanPadding,
    /// A Huffman-coded string ends with eight or more bits of padding (section 5.2).
    HuffmanPaddingTooLong,
    /// A Huffman-coded string contains the end-of-string code (section 5.2).
    HuffmanEndOfString,
    /// A table size above what the reader's SETTINGS allow (section 6.3).
    SizeUpdateTooLarge {
        /// The size announced, in octets.
        size: u32,
        /// The size allowed, in octets.
        limit: u32,
    },
    /// A table size announced after the first field (section 4.2).
    SizeUpdateAfterField,
    /// The reader lowered its limit and the next block does not begin with the table size that
    /// has to follow (RFC 9113 section 4.3.1).
    SizeUpdateMissing {
        /// The new limit, in octets.
        limit: u32,
    },
    /// The fields exceed the reader's limit (RFC 9113 section 6.5.2,
    /// SETTINGS_MAX_HEADER_LIST_SIZE).
    HeaderListTooLarge {
        /// The limit, in octets.
        limit: usize,
    },
}

impl fmt::Display for HpackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HpackError::Truncated => f.write_str("header block ends inside a field"),
            HpackError::IntegerOverflow => f.write_str("integer in header block is too large"),
            HpackError::IndexZero => f.write_str("indexed header field with index 0"),
            HpackError::IndexOutOfTable { index, last } => {
                write!(f, "header table has no entry {index}, the last is {last}")
            }
            HpackError::HuffmanPadding => f.write_str("Huffman-coded string does not end with ones"),
            HpackError::HuffmanPaddingTooLong => {
                f.write_str("Huffman-coded string ends with more than 7 bits of padding")
            }
            HpackError::HuffmanEndOfString => {
                f.write_str("Huffman-coded string contains the end-of-string code")
            }
            HpackError::SizeUpdateTooLarge { size, limit } => {
                write!(f, "header table of {size} octets announced, the limit is {limit}")
            }
            HpackError::SizeUpdateAfterField => {
                f.write_str("header table size announced after the first field of a block")
            }
            HpackError::SizeUpdateMissing { limit } => {
                write!(f, "block does not begin with a header table size of at most {limit}")
            }
            HpackError::HeaderListTooLarge { limit } => {
                write!(f, "header list exceeds the limit of {limit} octets")
            }
        }
    }
}

impl std::error::Error for HpackError {}

/// Why a recorded block can't be repeated by an encoder: its indexes were written against another
/// dynamic table, and a receiver would read other fields than those recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExactError {
    /// The encoder's table ends before that index.
    NoSuchEntry {
        /// Which of the block's fields, counted from 0.
        field: usize,
        /// The index recorded.
        index: NonZeroU32,
    },
    /// The entry at that index is another one.
    OtherEntry {
        /// Which of the block's fields, counted from 0.
        field: usize,
        /// The index recorded.
        index: NonZeroU32,
    },
}

impl fmt::Display for ExactError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExactError::NoSuchEntry { field, index } => {
                write!(f, "field {field} refers to entry {index}, which this connection lacks")
            }
            ExactError::OtherEntry { field, index } => {
                write!(f, "field {field} refers to entry {index}, which is another field here")
            }
        }
    }
}

impl std::error::Error for ExactError {}
