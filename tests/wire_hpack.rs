//! Header blocks against h2's HPACK, reached through its codec: what we encode by any policy it
//! reads as the same fields, what it encodes we read and can repeat octet for octet, and what it
//! refuses we refuse, but for the differences listed in `h2_oracle/hpack.rs`.

#[path = "h2_oracle/hpack.rs"]
mod blocks;
mod h2_oracle;
mod properties;

use h2::frame::{Frame as Theirs, Headers, Pseudo};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use muxbed::wire::frame::{Frame, FrameReader};
use muxbed::wire::hpack::{
    Decoder, Encoder, Field, HpackError, Huffman, INITIAL_TABLE_SIZE, Indexing, NameSource, Policy,
    StaticEntry,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use blocks::{Difference, difference, exactly, headers_frame, hpack};
use h2_oracle::{Oracle, Pair, pairs_of_fields, pairs_of_message};
use properties::cases;

/// No limit that any test meets.
const AMPLE: usize = 1 << 24;

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn h2_reads_what_we_encode(
        messages in vec((option::of(0_u32..5_000), vec((field(), policy()), 0..8)), 1..5),
    ) {
        let mut oracle = Oracle::new();
        let mut encoder = Encoder::new();
        for (size, fields) in &messages {
            if let Some(size) = size {
                encoder.set_table_size((*size).min(INITIAL_TABLE_SIZE));
            }
            let fields = message_order(fields);
            let mut block = Vec::new();
            encoder.encode(fields.iter().map(|((name, value), policy)| {
                (&name[..], &value[..], *policy)
            }), &mut block);
            let mut read = oracle.read(&headers_frame(block));
            let Some(Ok(Theirs::Headers(headers))) = read.pop() else {
                return Err(TestCaseError::fail(format!("{read:?}")));
            };
            let mut expected: Vec<Pair> = fields.into_iter().map(|(pair, _)| pair).collect();
            expected.sort_by(|one, other| one.0.cmp(&other.0));
            prop_assert_eq!(pairs_of_message(headers.into_parts()), expected);
        }
    }

    #[test]
    fn we_read_and_repeat_what_h2_encodes(
        messages in vec((option::of(0_usize..5_000), vec((field(), any::<bool>()), 0..8)), 1..5),
    ) {
        let mut oracle = Oracle::new();
        let mut decoder = Decoder::new(INITIAL_TABLE_SIZE);
        let mut encoder = Encoder::new();
        for (size, fields) in messages {
            if let Some(size) = size {
                oracle.codec.set_send_header_table_size(size);
            }
            let expected = pairs_of_message(headers_of(&fields).into_parts());
            let written = oracle.write(headers_of(&fields).into());
            let mut reader = FrameReader::new(u32::MAX);
            reader.push(&written);
            let frame = reader.next_frame().unwrap().unwrap().parse().unwrap();
            let Frame::Headers { fragment, end_headers: true, .. } = frame else {
                return Err(TestCaseError::fail(format!("{frame:?}")));
            };
            let block = decoder.decode(&fragment, AMPLE).unwrap();
            prop_assert_eq!(pairs_of_fields(&block.fields), expected);
            prop_assert_eq!(exactly(&mut encoder, &block), fragment);
        }
    }

    #[test]
    fn any_octets_survive_any_policy(
        messages in vec((option::of(0_u32..5_000), vec((octet_field(), policy()), 0..8)), 1..5),
    ) {
        let mut encoder = Encoder::new();
        let mut decoder = Decoder::new(5_000);
        let mut repeating = Encoder::new();
        for (size, fields) in &messages {
            if let Some(size) = size {
                encoder.set_table_size(*size);
            }
            let mut written = Vec::new();
            encoder.encode(fields.iter().map(|((name, value), policy)| {
                (&name[..], &value[..], *policy)
            }), &mut written);
            let block = decoder.decode(&written, AMPLE).unwrap();
            let read: Vec<Pair> = block.fields.iter().map(pair).collect();
            let expected: Vec<Pair> = fields.iter().map(|(pair, _)| pair.clone()).collect();
            prop_assert_eq!(read, expected);
            prop_assert_eq!(exactly(&mut repeating, &block), written);
        }
    }
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn we_refuse_what_h2_refuses(octets in damaged_block()) {
        let (fields, ours) = decode(&octets);
        let theirs = Oracle::new().read(&headers_frame(octets.clone()));
        let refused = matches!(theirs[..], [Err(_)]);
        match ours {
            Some(_) => prop_assert!(refused || difference(&octets, &fields).is_some(), "{ours:?}"),
            None if refused => prop_assert!(difference(&octets, &fields).is_some()),
            None => {
                let Some(Ok(Theirs::Headers(headers))) = theirs.into_iter().next() else {
                    return Err(TestCaseError::fail("no HEADERS"));
                };
                prop_assert_eq!(pairs_of_message(headers.into_parts()), pairs_of_fields(&fields));
            }
        }
    }

    #[test]
    fn blocks_of_one_connection_are_read_and_written_as_h2_does(blocks in vec(damaged_block(), 1..4)) {
        let mut octets = Vec::new();
        for block in blocks {
            octets.extend([0, block.len().min(255) as u8]);
            octets.extend(&block[..block.len().min(255)]);
        }
        hpack(&octets);
    }

    #[test]
    fn what_was_read_can_be_written(octets in damaged_block()) {
        if let Ok(block) = Decoder::new(INITIAL_TABLE_SIZE).decode(&octets, AMPLE) {
            let again = exactly(&mut Encoder::new(), &block);
            // Only integers with more octets than they need are written otherwise.
            prop_assert!(again == octets || again.len() < octets.len());
            prop_assert_eq!(Decoder::new(INITIAL_TABLE_SIZE).decode(&again, AMPLE), Ok(block));
        }
    }

    #[test]
    fn a_limit_is_kept_to_the_octet(octets in damaged_block()) {
        let (fields, error) = decode(&octets);
        let size: usize = fields.iter().map(Field::size).sum();
        let within = |limit| Decoder::new(INITIAL_TABLE_SIZE).decode(&octets, limit);
        prop_assert_eq!(within(size).err(), error);
        if let Some(limit) = size.checked_sub(1) {
            prop_assert_eq!(within(limit), Err(HpackError::HeaderListTooLarge { limit }));
        }
    }
}

#[test]
fn the_static_table_is_h2s() {
    for index in 1..=61 {
        let (fields, error) = decode(&[0x80 | index]);
        assert_eq!(error, None);
        let mut read = Oracle::new().read(&headers_frame(vec![0x80 | index]));
        match read.pop().unwrap() {
            Ok(Theirs::Headers(headers)) => {
                assert_eq!(pairs_of_message(headers.into_parts()), pairs_of_fields(&fields));
            }
            Ok(other) => panic!("{other:?}"),
            // transfer-encoding
            Err(_) => assert_eq!(index, 57),
        }
    }
}

#[test]
fn each_difference_exists() {
    let long = [&b"\x0f\x80\x80\x80\x80\x00\x01"[..], b"x"].concat();
    assert!(decode(&long).1.is_none());
    for (octets, expected) in
        [(long, Difference::LongInteger), (b"\x00\x01X\x00".into(), Difference::NoMessage)]
    {
        let (fields, ours) = decode(&octets);
        assert_eq!(ours, None);
        assert_eq!(difference(&octets, &fields), Some(expected));
        assert!(Oracle::new().read(&headers_frame(octets))[0].is_err());
    }
}

fn decode(octets: &[u8]) -> (Vec<Field>, Option<HpackError>) {
    blocks::decode(&mut Decoder::new(INITIAL_TABLE_SIZE), octets)
}

fn pair(field: &Field) -> Pair {
    (field.name.to_vec(), field.value.to_vec())
}

/// A HEADERS frame of h2's with the fields that are no pseudo-fields; `true` marks sensitive ones.
fn headers_of(fields: &[(Pair, bool)]) -> Headers {
    let mut map = HeaderMap::new();
    for ((name, value), sensitive) in fields {
        if !name.starts_with(b":") {
            let mut value = HeaderValue::from_bytes(value).unwrap();
            value.set_sensitive(*sensitive);
            map.append(HeaderName::from_bytes(name).unwrap(), value);
        }
    }
    let pseudo = Pseudo { method: Some(Method::POST), ..Pseudo::default() };
    Headers::new(1.into(), pseudo, map)
}

/// The fields as a message has them: pseudo-fields first and each once.
fn message_order(fields: &[(Pair, Policy)]) -> Vec<(Pair, Policy)> {
    let (mut pseudo, regular): (Vec<_>, Vec<_>) =
        fields.iter().cloned().partition(|((name, _), _)| name.starts_with(b":"));
    pseudo.sort_by(|one, other| one.0.0.cmp(&other.0.0));
    pseudo.dedup_by(|one, other| one.0.0 == other.0.0);
    pseudo.extend(regular);
    pseudo
}

/// A field of a request. Few names and values, so that the tables are hit, and among the values
/// every octet that may stand in one: all of UTF-8's in `:path`, those above 0x7f in others.
fn field() -> impl Strategy<Value = Pair> {
    let owned = |(name, value): (&str, Vec<u8>)| (name.as_bytes().to_vec(), value);
    let few = select(vec![
        (":method", "GET"),
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/"),
        (":path", "/index.html"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("accept-encoding", "gzip, deflate"),
        ("grpc-timeout", "20S"),
        ("cookie", ""),
    ]);
    let text = vec(any::<char>(), 0..12).prop_map(|text| (":path", String::from_iter(text).into_bytes()));
    // Control characters, which a value may not have, become octets above 0x7f.
    let octet =
        any::<u8>().prop_map(|octet| if octet < 0x20 || octet == 0x7f { octet ^ 0x80 } else { octet });
    let names = select(vec!["x-a", "x-b", "user-agent", "grpc-timeout"]);
    let other = (names, vec(octet, 0..40));
    prop_oneof![few.prop_map(|(name, value)| (name, value.as_bytes().to_vec())), text, other,].prop_map(owned)
}

/// A field of any octets at all.
fn octet_field() -> impl Strategy<Value = Pair> {
    let string = || prop_oneof![vec(any::<u8>(), 0..3), vec(any::<u8>(), 0..150)];
    prop_oneof![(string(), string()), field()]
}

fn policy() -> impl Strategy<Value = Policy> {
    let huffman = || select(vec![Huffman::WhenShorter, Huffman::Always, Huffman::Never]);
    let indexing = vec![Indexing::Incremental, Indexing::Without, Indexing::Never];
    let name = vec![
        NameSource::FromTable(StaticEntry::First),
        NameSource::FromTable(StaticEntry::Last),
        NameSource::Spelled,
    ];
    (any::<bool>(), select(indexing), select(name), huffman(), huffman()).prop_map(
        |(indexed_when_known, indexing, name, name_huffman, value_huffman)| Policy {
            indexed_when_known,
            indexing,
            name,
            name_huffman,
            value_huffman,
        },
    )
}

/// A block as some policy writes it, with a few octets changed, dropped or put in.
fn damaged_block() -> impl Strategy<Value = Vec<u8>> {
    let size = option::of(0_u32..5_000);
    let damage = (any::<proptest::sample::Index>(), any::<u8>(), 0_u8..3);
    (size, vec((field(), policy()), 0..5), vec(damage, 0..4)).prop_map(|(size, fields, damages)| {
        let mut encoder = Encoder::new();
        if let Some(size) = size {
            encoder.set_table_size(size);
        }
        let fields = message_order(&fields);
        let mut octets = Vec::new();
        let listed = fields.iter().map(|((name, value), policy)| (&name[..], &value[..], *policy));
        encoder.encode(listed, &mut octets);
        for (place, octet, how) in damages {
            let at = place.index(octets.len() + 1);
            match how {
                0 => octets.insert(at, octet),
                1 if at < octets.len() => octets[at] = octet,
                _ if at < octets.len() => {
                    octets.remove(at);
                }
                _ => {}
            }
        }
        octets
    })
}
