//! Writes header blocks, in the manner of a given client or as recorded.
//!
//! A client's manner is a [`Policy`], and since clients decide field by field each field brings
//! its own. What was recorded needs none: [`Encoder::encode_exact`] repeats it, after a look
//! whether it still means the same on this connection.
//!
//! The encoder's table follows what was written, never what is intended: a new size counts from
//! the block that announces it. Left out is splitting blocks into frames, which depends on the
//! receiver's MAX_FRAME_SIZE.

use bytes::Bytes;

use super::table::{Entry, Table};
use super::{
    Block, ExactError, Field, INITIAL_TABLE_SIZE, Indexing, NameForm, Policy, Representation, huffman,
    integer,
};

/// The writing end of one direction of a connection.
#[derive(Clone, Debug)]
pub struct Encoder {
    table: Table,
    pending: Option<PendingSize>,
}

/// Table sizes set since the last block. The reader has to learn of the smallest, which decides
/// what is dropped, and of the last (RFC 7541 section 4.2).
#[derive(Clone, Copy, Debug)]
struct PendingSize {
    smallest: u32,
    last: u32,
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Encoder {
    /// An encoder at the beginning of a connection, with a dynamic table of
    /// [`INITIAL_TABLE_SIZE`] octets.
    pub fn new() -> Encoder {
        Encoder::with_table_size(INITIAL_TABLE_SIZE)
    }

    /// An encoder whose reader knows without being told that the table has `octets`.
    pub fn with_table_size(octets: u32) -> Encoder {
        Encoder { table: Table::new(octets), pending: None }
    }

    /// Changes the size of the dynamic table. It takes effect, and is announced, at the beginning
    /// of the next block that [`encode`](Self::encode) writes, even if it is the old size. At most
    /// what the reader's SETTINGS_HEADER_TABLE_SIZE allows, which is the caller's to see to.
    pub fn set_table_size(&mut self, octets: u32) {
        let smallest = self.pending.map_or(octets, |pending| pending.smallest.min(octets));
        self.pending = Some(PendingSize { smallest, last: octets });
    }

    /// Appends a block with `fields`, each a name, a value and how to write it.
    pub fn encode<'a>(
        &mut self,
        fields: impl IntoIterator<Item = (&'a [u8], &'a [u8], Policy)>,
        out: &mut Vec<u8>,
    ) {
        if let Some(PendingSize { smallest, last }) = self.pending.take() {
            if smallest < last {
                self.update_size(smallest, out);
            }
            self.update_size(last, out);
        }
        for (name, value, policy) in fields {
            let representation = policy.choose(name, value, &self.table);
            write_field(name, value, representation, out);
            self.index(representation, |known_name| Entry {
                name: known_name.unwrap_or_else(|| Bytes::copy_from_slice(name)),
                value: Bytes::copy_from_slice(value),
            });
        }
    }

    /// Appends `block` as it was recorded. A size set with
    /// [`set_table_size`](Self::set_table_size) stays due; the block's own are written.
    ///
    /// # Errors
    ///
    /// [`ExactError`] if the block refers to entries that this connection's table does not have,
    /// so that a reader would take it for something else. Encoder and `out` are then as before.
    pub fn encode_exact(&mut self, block: &Block, out: &mut Vec<u8>) -> Result<(), ExactError> {
        let mut ahead = self.clone();
        let start = out.len();
        for &size in &block.size_updates {
            ahead.update_size(size, out);
        }
        for (position, field) in block.fields.iter().enumerate() {
            if let Err(error) = ahead.agrees(position, field) {
                out.truncate(start);
                return Err(error);
            }
            write_field(&field.name, &field.value, field.representation, out);
            let entry = |_| Entry { name: field.name.clone(), value: field.value.clone() };
            ahead.index(field.representation, entry);
        }
        *self = ahead;
        Ok(())
    }

    fn update_size(&mut self, octets: u32, out: &mut Vec<u8>) {
        self.table.resize(octets);
        integer::encode(octets.into(), 5, 0x20, out);
    }

    /// Whether the table has what a recorded field refers to.
    fn agrees(&self, position: usize, field: &Field) -> Result<(), ExactError> {
        let (index, whole) = match field.representation {
            Representation::Indexed { index } => (index, true),
            Representation::Literal { name: NameForm::Indexed { index }, .. } => (index, false),
            Representation::Literal { name: NameForm::Literal { .. }, .. } => return Ok(()),
        };
        let Ok(entry) = self.table.entry(index) else {
            return Err(ExactError::NoSuchEntry { field: position, index });
        };
        if entry.name != field.name || (whole && entry.value != field.value) {
            return Err(ExactError::OtherEntry { field: position, index });
        }
        Ok(())
    }

    /// Does to the table what a reader of `representation` does. `entry` gets the name, if the table has it.
    fn index(&mut self, representation: Representation, entry: impl FnOnce(Option<Bytes>) -> Entry) {
        if let Representation::Literal { indexing: Indexing::Incremental, name, .. } = representation {
            let known_name = match name {
                NameForm::Indexed { index } => self.table.name(index).ok(),
                NameForm::Literal { .. } => None,
            };
            self.table.insert(entry(known_name));
        }
    }
}

fn write_field(name: &[u8], value: &[u8], representation: Representation, out: &mut Vec<u8>) {
    match representation {
        Representation::Indexed { index } => integer::encode(index.get().into(), 7, 0x80, out),
        Representation::Literal { indexing, name: form, value_huffman } => {
            let (prefix_bits, pattern) = match indexing {
                Indexing::Incremental => (6, 0x40),
                Indexing::Without => (4, 0x00),
                Indexing::Never => (4, 0x10),
            };
            match form {
                NameForm::Indexed { index } => {
                    integer::encode(index.get().into(), prefix_bits, pattern, out);
                }
                NameForm::Literal { huffman } => {
                    out.push(pattern);
                    write_string(name, huffman, out);
                }
            }
            write_string(value, value_huffman, out);
        }
    }
}

/// A string literal (RFC 7541 section 5.2).
fn write_string(octets: &[u8], coded: bool, out: &mut Vec<u8>) {
    if coded {
        integer::encode(huffman::encoded_length(octets) as u64, 7, 0x80, out);
        huffman::encode(octets, out);
    } else {
        integer::encode(octets.len() as u64, 7, 0x00, out);
        out.extend_from_slice(octets);
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::wire::hpack::Decoder;

    fn index(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).unwrap()
    }

    fn encode(encoder: &mut Encoder, name: &str, value: &str, policy: Policy) -> Vec<u8> {
        let mut out = Vec::new();
        encoder.encode([(name.as_bytes(), value.as_bytes(), policy)], &mut out);
        out
    }

    #[test]
    fn table_sizes_are_announced_smallest_and_last() {
        let mut encoder = Encoder::new();
        encoder.set_table_size(100);
        encoder.set_table_size(0);
        encoder.set_table_size(40);
        assert_eq!(encode(&mut encoder, ":method", "GET", Policy::GO), [0x20, 0x3f, 0x09, 0x82]);
        assert_eq!(encode(&mut encoder, ":method", "GET", Policy::GO), [0x82]);
        encoder.set_table_size(10);
        assert_eq!(encode(&mut encoder, ":method", "GET", Policy::GO), [0x2a, 0x82]);
    }

    #[test]
    fn a_block_of_another_connection_is_refused() {
        let recorded = b"\x82\x40\x01a\x011\xbe\x7e\x012";
        let block = Decoder::new(4_096).decode(recorded, 1_000).unwrap();
        let mut encoder = Encoder::new();
        let mut out = Vec::new();
        encoder.encode_exact(&block, &mut out).unwrap();
        assert_eq!(out, recorded);

        let referring = Block { fields: block.fields[2..3].to_vec(), ..Block::default() };
        let other = ExactError::OtherEntry { field: 0, index: index(62) };
        assert_eq!(encoder.encode_exact(&referring, &mut out), Err(other));
        let mut fresh = Encoder::new();
        let missing = ExactError::NoSuchEntry { field: 0, index: index(62) };
        assert_eq!(fresh.encode_exact(&referring, &mut out), Err(missing));
        assert_eq!(out, recorded);
        let by_name = Block { fields: block.fields[3..].to_vec(), ..Block::default() };
        assert!(encoder.encode_exact(&by_name, &mut out).is_ok());
    }

    #[test]
    fn a_refused_block_changes_nothing() {
        let mut encoder = Encoder::new();
        encode(&mut encoder, "a", "1", Policy::GO);
        let mut block = Decoder::new(4_096).decode(b"\x3f\x09\x40\x01b\x012\xbe", 1_000).unwrap();
        block.fields[1].name = Bytes::from_static(b"c");
        let mut out = b"before".to_vec();
        assert!(encoder.encode_exact(&block, &mut out).is_err());
        assert_eq!(out, b"before");
        assert_eq!(encode(&mut encoder, "a", "1", Policy::GO), [0xbe]);
    }
}
