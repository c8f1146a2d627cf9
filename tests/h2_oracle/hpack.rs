//! The fuzz target `hpack`: our decoder and encoder beside h2's, block after block of one connection.
//!
//! A block must be refused by both or by none, but for what [`Difference`] lists, and give the same fields; repeated
//! exactly it must read as the same block; written by us in any manner h2 must read it, and written by h2 we must. The
//! tables of both are carried on from block to block, up to the first that is refused.

use std::ops::ControlFlow;

use bytes::Bytes;
use h2::frame::{Frame as Theirs, Headers, Pseudo};
use muxbed::wire::frame::{Frame, INITIAL_MAX_FRAME_SIZE, RawFrame, StreamId};
use muxbed::wire::hpack::{
    Block, Decoder, Encoder, Field, HpackError, Huffman, INITIAL_TABLE_SIZE, Indexing, NameSource, Policy,
    StaticEntry,
};

use super::h2_oracle::{Oracle, makes_no_message, pairs_of_fields, pairs_of_message};

/// No limit that any test meets.
const AMPLE: usize = 1 << 24;

/// The most blocks of a connection, so that few octets are no long work.
const MOST_BLOCKS: usize = 12;

/// Takes blocks, each behind an octet that chooses how it is written again and one that says how long it is.
pub(crate) fn hpack(mut octets: &[u8]) {
    let mut connection = Connection::new();
    for _ in 0..MOST_BLOCKS {
        let [how, length, rest @ ..] = octets else { return };
        let (block, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        if !connection.block(block, *how) {
            return;
        }
        octets = rest;
    }
}

/// One connection as each of us sees it, and what is written for it again.
struct Connection {
    ours: Decoder,
    theirs: Oracle,
    repeating: (Encoder, Decoder),
    /// Our encoder, and h2 behind it.
    written_here: (Encoder, Oracle),
    /// h2's encoder, and our decoder behind it.
    written_there: (Oracle, Decoder),
}

impl Connection {
    fn new() -> Self {
        let decoder = || Decoder::new(INITIAL_TABLE_SIZE);
        Self {
            ours: decoder(),
            theirs: Oracle::new(),
            repeating: (Encoder::new(), decoder()),
            written_here: (Encoder::new(), Oracle::new()),
            written_there: (Oracle::new(), decoder()),
        }
    }

    /// Whether both go on.
    fn block(&mut self, octets: &[u8], how: u8) -> bool {
        let (before, refused) = decode(&mut self.ours.clone(), octets);
        let ours = self.ours.decode(octets, AMPLE);
        assert_eq!(ours.as_ref().err(), refused.as_ref(), "one way of decoding refuses");
        let theirs = self.theirs.read(&headers_frame(octets.to_vec()));
        let headers = match theirs.into_iter().next() {
            Some(Ok(Theirs::Headers(headers))) => Some(headers),
            Some(Err(_)) => None,
            other => panic!("h2 reads HEADERS as {other:?}"),
        };
        let (block, headers) = match (ours, headers) {
            (Ok(block), Some(headers)) => (block, headers),
            (Err(_), None) => return false,
            (ours, headers) => {
                let known = difference(octets, &before);
                assert!(known.is_some(), "ours: {ours:?}, h2's: {headers:?}");
                return false;
            }
        };
        let fields = pairs_of_fields(&block.fields);
        let (pseudo, map) = headers.into_parts();
        assert_eq!(pairs_of_message((copy(&pseudo), map.clone())), fields, "it reads as other fields");
        let again = exactly(&mut self.repeating.0, &block);
        // Only integers with more octets than they need are written otherwise.
        assert!(again == octets || again.len() < octets.len(), "{octets:?} becomes {again:?}");
        assert_eq!(self.repeating.1.decode(&again, AMPLE), Ok(block.clone()), "repeated it is another");

        let mut written = Vec::new();
        let listed = block.fields.iter().map(|field| (&field.name[..], &field.value[..], policy(how)));
        self.written_here.0.encode(listed, &mut written);
        let read = self.written_here.1.read(&headers_frame(written)).pop();
        let Some(Ok(Theirs::Headers(read))) = read else { panic!("h2 does not read it: {read:?}") };
        assert_eq!(pairs_of_message(read.into_parts()), fields, "h2 reads other fields than we write");

        let written = self.written_there.0.write(Headers::new(1.into(), pseudo, map).into());
        let read = self.written_there.1.decode(&block_of(&written), AMPLE).expect("h2 writes it");
        assert_eq!(pairs_of_fields(&read.fields), fields, "we read other fields than h2 writes");
        true
    }
}

fn copy(pseudo: &Pseudo) -> Pseudo {
    let Pseudo { method, scheme, authority, path, protocol, status } = pseudo;
    Pseudo {
        method: method.clone(),
        scheme: scheme.clone(),
        authority: authority.clone(),
        path: path.clone(),
        protocol: protocol.clone(),
        status: *status,
    }
}

/// What is in the frames of one header block.
fn block_of(written: &[u8]) -> Vec<u8> {
    let mut rest = Bytes::copy_from_slice(written);
    let mut block = Vec::new();
    while let Some(raw) = RawFrame::decode(&mut rest) {
        match raw.parse() {
            Ok(Frame::Headers { fragment, .. } | Frame::Continuation { fragment, .. }) => {
                block.extend_from_slice(&fragment);
            }
            other => panic!("no part of a header block: {other:?}"),
        }
    }
    block
}

/// One of the manners of writing.
fn policy(how: u8) -> Policy {
    let huffman = [Huffman::WhenShorter, Huffman::Always, Huffman::Never];
    let indexing = [Indexing::Incremental, Indexing::Without, Indexing::Never];
    let names = [
        NameSource::FromTable(StaticEntry::First),
        NameSource::FromTable(StaticEntry::Last),
        NameSource::Spelled,
    ];
    let how = usize::from(how);
    Policy {
        indexed_when_known: how & 1 == 0,
        indexing: indexing[how / 2 % 3],
        name: names[how / 6 % 3],
        name_huffman: huffman[how / 18 % 3],
        value_huffman: huffman[how / 54 % 3],
    }
}

/// Where h2 refuses a block and we do not.
#[derive(Debug, PartialEq)]
pub(crate) enum Difference {
    /// The fields make no HTTP message. Ours stops at their compression.
    NoMessage,
    /// An integer has six octets. 2^32-1 needs that many; h2 stops at five.
    LongInteger,
}

pub(crate) fn difference(octets: &[u8], fields: &[Field]) -> Option<Difference> {
    if makes_no_message(fields) {
        return Some(Difference::NoMessage);
    }
    // A prefix of ones and four octets that each say that another follows.
    let long = |run: &[u8]| run[0] & 0x0f == 0x0f && run[1..].iter().all(|&octet| octet >= 0x80);
    octets.windows(5).any(long).then_some(Difference::LongInteger)
}

/// The fields up to the first error.
pub(crate) fn decode(decoder: &mut Decoder, octets: &[u8]) -> (Vec<Field>, Option<HpackError>) {
    let mut fields = Vec::new();
    let decoded = decoder.decode_each(octets, AMPLE, |field| {
        fields.push(field);
        ControlFlow::<()>::Continue(())
    });
    (fields, decoded.err())
}

pub(crate) fn exactly(encoder: &mut Encoder, block: &Block) -> Vec<u8> {
    let mut out = Vec::new();
    encoder.encode_exact(block, &mut out).unwrap();
    out
}

/// A header block as it is sent, in more frames than one if it has to be.
pub(crate) fn headers_frame(block: Vec<u8>) -> Vec<u8> {
    let stream = StreamId::new(1).unwrap();
    let most = INITIAL_MAX_FRAME_SIZE as usize;
    let mut rest = Bytes::from(block);
    let mut written = Vec::new();
    let fragment = rest.split_to(rest.len().min(most));
    let end_headers = rest.is_empty();
    let headers =
        Frame::Headers { stream, fragment, priority: None, padding: None, end_stream: false, end_headers };
    headers.encode(&mut written).unwrap();
    while !rest.is_empty() {
        let fragment = rest.split_to(rest.len().min(most));
        let end_headers = rest.is_empty();
        Frame::Continuation { stream, fragment, end_headers }.encode(&mut written).unwrap();
    }
    written
}
