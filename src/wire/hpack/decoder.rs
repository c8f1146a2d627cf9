//! Reads header blocks (RFC 7541 section 3), whoever wrote them.
//!
//! The input comes from a peer that may be hostile. Work is linear in the block, strings take a
//! small multiple of its octets, and the fields are as many as its octets at most, or as few as
//! the limit on the header list allows: an entry of the table that is referred to a thousand times
//! is not copied. Nothing in here can panic.
//!
//! Left out is any care for a connection whose block was broken; it has to end.

use std::convert::Infallible;
use std::ops::ControlFlow;

use bytes::{Bytes, BytesMut};

use super::table::{Entry, Table};
use super::{Block, Field, HpackError, Indexing, NameForm, NonZeroU32, Representation, huffman, integer};

/// Octets allocated at once for strings. A string that is kept keeps its whole chunk, and a table
/// of 4,096 octets has room for 128 entries, so it holds on to 256 chunks at the very worst.
const CHUNK: usize = 512;

/// Fields to make room for at once.
const USUAL_FIELDS: usize = 12;

/// The reading end of one direction of a connection.
#[derive(Clone, Debug)]
pub struct Decoder {
    table: Table,
    /// What the reader's own SETTINGS allow the peer.
    limit: u32,
    /// Whether the next block has to begin with a table size, the limit having been lowered.
    update_due: bool,
    /// What strings are cut off from, so that most blocks cost one allocation or none.
    chunk: BytesMut,
}

impl Decoder {
    /// A decoder for a reader that allows the peer a dynamic table of `max_table_size` octets
    /// (SETTINGS_HEADER_TABLE_SIZE; [`INITIAL_TABLE_SIZE`](super::INITIAL_TABLE_SIZE) unless
    /// said otherwise). The table starts at that size.
    pub fn new(max_table_size: u32) -> Decoder {
        Decoder {
            table: Table::new(max_table_size),
            limit: max_table_size,
            update_due: false,
            chunk: BytesMut::new(),
        }
    }

    /// Changes the limit, in octets, once the peer has acknowledged the SETTINGS that say so. If
    /// the table is larger now, the next block must begin by announcing its new size (RFC 9113
    /// section 4.3.1), even if the limit is raised again before.
    pub fn set_max_table_size(&mut self, max_table_size: u32) {
        self.limit = max_table_size;
        self.update_due |= self.table.max_size() > max_table_size;
    }

    /// Decodes a whole block, that is the fragments of a HEADERS or PUSH_PROMISE frame and its
    /// CONTINUATIONs put together. `max_header_list_size` bounds the fields' octets, names and
    /// values, with 32 added for each (RFC 9113 section 6.5.2).
    ///
    /// # Errors
    ///
    /// After any error the decoder no longer holds the peer's table and is of no further use.
    pub fn decode(&mut self, block: &[u8], max_header_list_size: usize) -> Result<Block, HpackError> {
        let mut fields = Vec::with_capacity(block.len().min(USUAL_FIELDS));
        let mut reading = Reading::new(self, block, max_header_list_size);
        let size_updates = reading.size_updates()?;
        let read = reading.each_field(|field| {
            fields.push(field);
            ControlFlow::<Infallible>::Continue(())
        });
        read.map(|_| Block { size_updates, fields })
    }

    /// Decodes field by field, for a reader that wants only some of them, and ends early with
    /// what `visit` breaks with.
    ///
    /// # Errors
    ///
    /// Those of [`decode`](Self::decode). A decoder that was stopped early is of no further use
    /// either, having missed what the rest of the block does to the table.
    pub fn decode_each<B>(
        &mut self,
        block: &[u8],
        max_header_list_size: usize,
        visit: impl FnMut(Field) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>, HpackError> {
        let mut reading = Reading::new(self, block, max_header_list_size);
        reading.size_updates()?;
        reading.each_field(visit)
    }
}

/// A decoder in the middle of a block.
struct Reading<'a> {
    decoder: &'a mut Decoder,
    rest: &'a [u8],
    max_header_list_size: usize,
    header_list_size: usize,
}

impl<'a> Reading<'a> {
    fn new(decoder: &'a mut Decoder, block: &'a [u8], max_header_list_size: usize) -> Self {
        // A block that broke off inside a field has left something there.
        decoder.chunk.clear();
        Reading { decoder, rest: block, max_header_list_size, header_list_size: 0 }
    }

    /// The table sizes at the beginning of the block.
    fn size_updates(&mut self) -> Result<Vec<u32>, HpackError> {
        let mut sizes = Vec::new();
        let limit = self.decoder.limit;
        while let [0x20..=0x3f, ..] = self.rest {
            let size = integer::decode(&mut self.rest, 5)?;
            if size > limit {
                return Err(HpackError::SizeUpdateTooLarge { size, limit });
            }
            self.decoder.table.resize(size);
            self.decoder.update_due = false;
            sizes.push(size);
        }
        if self.decoder.update_due {
            return Err(HpackError::SizeUpdateMissing { limit });
        }
        Ok(sizes)
    }

    fn each_field<B>(
        &mut self,
        mut visit: impl FnMut(Field) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>, HpackError> {
        while let Some(&first) = self.rest.first() {
            let field = match first {
                0x80.. => self.indexed()?,
                0x20..0x40 => return Err(HpackError::SizeUpdateAfterField),
                _ => self.literal(first)?,
            };
            self.header_list_size += field.size();
            if self.header_list_size > self.max_header_list_size {
                return Err(HpackError::HeaderListTooLarge { limit: self.max_header_list_size });
            }
            if let ControlFlow::Break(found) = visit(field) {
                return Ok(ControlFlow::Break(found));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    #[inline(always)]
    fn indexed(&mut self) -> Result<Field, HpackError> {
        let index = integer::decode(&mut self.rest, 7)?;
        let index = NonZeroU32::new(index).ok_or(HpackError::IndexZero)?;
        let Entry { name, value } = self.decoder.table.entry(index)?;
        Ok(Field { name, value, representation: Representation::Indexed { index } })
    }

    #[inline(always)]
    fn literal(&mut self, first: u8) -> Result<Field, HpackError> {
        let (indexing, prefix_bits) = match first {
            0x40.. => (Indexing::Incremental, 6),
            0x10.. => (Indexing::Never, 4),
            _ => (Indexing::Without, 4),
        };
        let index = NonZeroU32::new(integer::decode(&mut self.rest, prefix_bits)?);
        let (form, table_name) = match index {
            Some(index) => (NameForm::Indexed { index }, Some(self.decoder.table.name(index)?)),
            None => (NameForm::Literal { huffman: self.string()? }, None),
        };
        let name = table_name.unwrap_or_else(|| self.take_string());
        let value_huffman = self.string()?;
        let value = self.take_string();
        if indexing == Indexing::Incremental {
            self.decoder.table.insert(Entry { name: name.clone(), value: value.clone() });
        }
        let representation = Representation::Literal { indexing, name: form, value_huffman };
        Ok(Field { name, value, representation })
    }

    /// Puts a string literal (section 5.2) into the decoder's chunk; whether it was coded.
    fn string(&mut self) -> Result<bool, HpackError> {
        let coded = matches!(self.rest, [0x80..=0xff, ..]);
        let length = integer::decode(&mut self.rest, 7)? as usize;
        let (octets, rest) = self.rest.split_at_checked(length).ok_or(HpackError::Truncated)?;
        self.rest = rest;
        let room = if coded { huffman::longest_decoded(length) } else { length };
        let chunk = &mut self.decoder.chunk;
        if chunk.capacity() < room {
            *chunk = BytesMut::with_capacity(CHUNK.max(room));
        }
        if coded {
            chunk.resize(room, 0);
            let length = huffman::decode(octets, chunk)?;
            chunk.truncate(length);
        } else {
            chunk.extend_from_slice(octets);
        }
        Ok(coded)
    }

    /// What [`string`](Self::string) put there. A chunk made for one large string ends with it.
    fn take_string(&mut self) -> Bytes {
        let chunk = &mut self.decoder.chunk;
        if chunk.capacity() > CHUNK {
            return std::mem::take(chunk).freeze();
        }
        chunk.split().freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::hpack::INITIAL_TABLE_SIZE;

    fn decode(block: &[u8]) -> Result<Block, HpackError> {
        Decoder::new(INITIAL_TABLE_SIZE).decode(block, 16_384)
    }

    fn index(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).unwrap()
    }

    #[test]
    fn the_form_is_recorded() {
        let block = decode(b"\x82\x04\x02/x\x10\x01a\x81\x1f\x40\x01b\x01c\xbe").unwrap();
        let forms: Vec<Representation> = block.fields.iter().map(|field| field.representation).collect();
        let literal =
            |indexing, name, value_huffman| Representation::Literal { indexing, name, value_huffman };
        let spelled = NameForm::Literal { huffman: false };
        assert_eq!(
            forms,
            [
                Representation::Indexed { index: index(2) },
                literal(Indexing::Without, NameForm::Indexed { index: index(4) }, false),
                literal(Indexing::Never, spelled, true),
                literal(Indexing::Incremental, spelled, false),
                Representation::Indexed { index: index(62) },
            ]
        );
        assert_eq!((&block.fields[4].name[..], &block.fields[4].value[..]), (&b"b"[..], &b"c"[..]));
    }

    #[test]
    fn broken_blocks_are_named() {
        let index_63 = HpackError::IndexOutOfTable { index: index(62), last: 61 };
        let cases: [(&[u8], HpackError); 10] = [
            (b"\x80", HpackError::IndexZero),
            (b"\xbe", index_63),
            (b"\x7e\x00", index_63),
            (b"\x04", HpackError::Truncated),
            (b"\x04\x02/", HpackError::Truncated),
            (b"\x04\xff\xff\xff\xff\xff\x7f", HpackError::IntegerOverflow),
            (b"\x04\x81\x00", HpackError::HuffmanPadding),
            (b"\x3f\xe2\x1f", HpackError::SizeUpdateTooLarge { size: 4_097, limit: 4_096 }),
            (b"\x82\x20", HpackError::SizeUpdateAfterField),
            (b"\x82\x3e", HpackError::SizeUpdateAfterField),
        ];
        for (block, error) in cases {
            assert_eq!(decode(block), Err(error), "{block:02x?}");
        }
    }

    #[test]
    fn a_lowered_limit_must_be_followed() {
        let mut decoder = Decoder::new(4_096);
        decoder.set_max_table_size(4_096);
        assert!(decoder.decode(b"\x40\x01b\x01c", 100).is_ok(), "the same limit lowers nothing");
        decoder.set_max_table_size(33);
        let missing = HpackError::SizeUpdateMissing { limit: 33 };
        assert_eq!(decoder.clone().decode(b"\x82", 100), Err(missing));
        assert_eq!(decoder.clone().decode(b"", 100), Err(missing));
        let too_large = HpackError::SizeUpdateTooLarge { size: 34, limit: 33 };
        assert_eq!(decoder.clone().decode(b"\x3f\x03\x82", 100), Err(too_large));
        let block = decoder.decode(b"\x20\x3f\x02\x82", 100).unwrap();
        assert_eq!(block.size_updates, [0, 33]);
        assert!(decoder.decode(b"\xbe", 100).is_err());
    }

    #[test]
    fn the_header_list_is_limited() {
        let limit = ":method".len() + "GET".len() + 32;
        let mut decoder = Decoder::new(INITIAL_TABLE_SIZE);
        assert!(decoder.decode(b"\x82", limit).is_ok());
        let error = HpackError::HeaderListTooLarge { limit };
        assert_eq!(decoder.decode(b"\x82\x82", limit), Err(error));
        assert_eq!(decoder.decode(b"\x83", limit), Err(error));
    }

    #[test]
    fn a_reader_may_stop_at_the_field_it_wants() {
        let mut seen = 0;
        let found = Decoder::new(INITIAL_TABLE_SIZE).decode_each(b"\x83\x86\x84\x80", 1_000, |field| {
            seen += 1;
            if field.name == ":path" { ControlFlow::Break(field.value) } else { ControlFlow::Continue(()) }
        });
        assert_eq!(found, Ok(ControlFlow::Break(Bytes::from_static(b"/"))));
        assert_eq!(seen, 3);
    }

    #[test]
    fn strings_of_any_length_stand_beside_each_other() {
        let mut decoder = Decoder::new(INITIAL_TABLE_SIZE);
        assert!(decoder.decode(b"\x40\x01n\x81\x00", 1_000).is_err());
        let lengths = [1, 500, 11, 1, 512, 513, 2, 0, 3_000, 7];
        for (position, length) in lengths.into_iter().enumerate() {
            let value = vec![b'0' + position as u8; length];
            let mut octets = b"\x40\x01n".to_vec();
            integer::encode(length as u64, 7, 0, &mut octets);
            octets.extend_from_slice(&value);
            octets.push(0xbe);
            let block = decoder.decode(&octets, 16_384).unwrap();
            assert!(block.fields.iter().all(|field| field.name == "n" && field.value == value));
            assert_eq!(block.fields.len(), 2);
        }
    }
}
