//! Reads header blocks (RFC 7541 section 3), whoever wrote them.
//!
//! The input comes from a peer that may be hostile. Work is linear in the block, memory is at
//! most 8/5 of it plus one field record for each of its octets, and the limit on the header list
//! bounds the latter further; an entry of the table that is referred to a thousand times is not
//! copied. Nothing in here can panic.

use std::ops::ControlFlow;

use bytes::Bytes;

use super::table::{Entry, Table};
use super::{Block, Field, HpackError, Indexing, NameForm, NonZeroU32, Representation, huffman, integer};

/// The reading end of one direction of a connection.
#[derive(Clone, Debug)]
pub struct Decoder {
    table: Table,
    /// What the reader's own SETTINGS allow the peer.
    limit: u32,
    /// Whether the next block has to begin with a table size, the limit having been lowered.
    update_due: bool,
    strings: Vec<u8>,
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
            strings: Vec::new(),
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
        let mut fields = Vec::new();
        let mut reading = Reading::new(self, block, max_header_list_size);
        let size_updates = reading.size_updates()?;
        while let Some(field) = reading.next_field()? {
            fields.push(field);
        }
        Ok(Block { size_updates, fields })
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
        mut visit: impl FnMut(Field) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>, HpackError> {
        let mut reading = Reading::new(self, block, max_header_list_size);
        reading.size_updates()?;
        while let Some(field) = reading.next_field()? {
            if let ControlFlow::Break(found) = visit(field) {
                return Ok(ControlFlow::Break(found));
            }
        }
        Ok(ControlFlow::Continue(()))
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

    fn next_field(&mut self) -> Result<Option<Field>, HpackError> {
        let Some(&first) = self.rest.first() else {
            return Ok(None);
        };
        let field = match first {
            0x80.. => self.indexed()?,
            0x40.. => self.literal(Indexing::Incremental, 6)?,
            0x20.. => return Err(HpackError::SizeUpdateAfterField),
            0x10.. => self.literal(Indexing::Never, 4)?,
            _ => self.literal(Indexing::Without, 4)?,
        };
        self.header_list_size += field.size();
        if self.header_list_size > self.max_header_list_size {
            return Err(HpackError::HeaderListTooLarge { limit: self.max_header_list_size });
        }
        Ok(Some(field))
    }

    fn indexed(&mut self) -> Result<Field, HpackError> {
        let index = integer::decode(&mut self.rest, 7)?;
        let index = NonZeroU32::new(index).ok_or(HpackError::IndexZero)?;
        let Entry { name, value } = self.decoder.table.entry(index)?;
        Ok(Field { name, value, representation: Representation::Indexed { index } })
    }

    fn literal(&mut self, indexing: Indexing, prefix_bits: u32) -> Result<Field, HpackError> {
        let index = NonZeroU32::new(integer::decode(&mut self.rest, prefix_bits)?);
        self.decoder.strings.clear();
        let (form, table_name) = match index {
            Some(index) => (NameForm::Indexed { index }, Some(self.decoder.table.entry(index)?.name)),
            None => (NameForm::Literal { huffman: self.string()? }, None),
        };
        let name_length = self.decoder.strings.len();
        let value_huffman = self.string()?;
        // Name and value in one allocation: they live and die together in the table.
        let mut value = Bytes::copy_from_slice(&self.decoder.strings);
        let name = table_name.unwrap_or_else(|| value.split_to(name_length));
        if indexing == Indexing::Incremental {
            self.decoder.table.insert(Entry { name: name.clone(), value: value.clone() });
        }
        let representation = Representation::Literal { indexing, name: form, value_huffman };
        Ok(Field { name, value, representation })
    }

    /// Appends a string literal (section 5.2) to the decoder's strings; whether it was coded.
    fn string(&mut self) -> Result<bool, HpackError> {
        let coded = matches!(self.rest, [0x80..=0xff, ..]);
        let length = integer::decode(&mut self.rest, 7)? as usize;
        let (octets, rest) = self.rest.split_at_checked(length).ok_or(HpackError::Truncated)?;
        self.rest = rest;
        if coded {
            huffman::decode(octets, &mut self.decoder.strings)?;
        } else {
            self.decoder.strings.extend_from_slice(octets);
        }
        Ok(coded)
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
        let cases: [(&[u8], HpackError); 9] = [
            (b"\x80", HpackError::IndexZero),
            (b"\xbe", index_63),
            (b"\x7e\x00", index_63),
            (b"\x04", HpackError::Truncated),
            (b"\x04\x02/", HpackError::Truncated),
            (b"\x04\xff\xff\xff\xff\xff\x7f", HpackError::IntegerOverflow),
            (b"\x04\x81\x00", HpackError::HuffmanPadding),
            (b"\x3f\xe2\x1f", HpackError::SizeUpdateTooLarge { size: 4_097, limit: 4_096 }),
            (b"\x82\x20", HpackError::SizeUpdateAfterField),
        ];
        for (block, error) in cases {
            assert_eq!(decode(block), Err(error), "{block:02x?}");
        }
    }

    #[test]
    fn a_lowered_limit_must_be_followed() {
        let mut decoder = Decoder::new(4_096);
        assert!(decoder.decode(b"\x40\x01b\x01c", 100).is_ok());
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
}
