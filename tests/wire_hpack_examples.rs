//! Header blocks that others wrote: the examples of RFC 7541 appendix C, and recordings of real
//! clients and servers. Each is read, and written again octet for octet, as recorded and, where
//! the writer's manner is known, from its fields alone.

use std::num::NonZeroU32;

use muxbed::wire::hpack::{
    Block, Decoder, Encoder, Field, Huffman, INITIAL_TABLE_SIZE, Indexing, NameForm, NameSource, Policy,
    Representation, StaticEntry,
};

/// See the file itself for where it comes from.
const RECORDED: &str = include_str!("data/recorded_blocks.txt");

/// As the examples write, but for Huffman.
const EXAMPLE: Policy = Policy {
    indexed_when_known: true,
    indexing: Indexing::Incremental,
    name: NameSource::FromTable(StaticEntry::First),
    name_huffman: Huffman::Never,
    value_huffman: Huffman::Never,
};

const EXAMPLE_HUFFMAN: Policy =
    Policy { name_huffman: Huffman::Always, value_huffman: Huffman::Always, ..EXAMPLE };

/// C-core, and so the clients in C++, Python, Ruby, PHP and C#: names always spelled out, and no
/// Huffman code.
const C_CORE: Policy = Policy { name: NameSource::Spelled, ..EXAMPLE };

#[test]
fn appendix_c_2() {
    let literal = |indexing, name| Representation::Literal { indexing, name, value_huffman: false };
    let spelled = NameForm::Literal { huffman: false };
    let path = NameForm::Indexed { index: index(4) };
    let cases = [
        (
            "400a637573746f6d2d6b65790d637573746f6d2d686561646572",
            "custom-key: custom-header",
            literal(Indexing::Incremental, spelled),
        ),
        ("040c2f73616d706c652f70617468", ":path: /sample/path", literal(Indexing::Without, path)),
        ("100870617373776f726406736563726574", "password: secret", literal(Indexing::Never, spelled)),
        ("82", ":method: GET", Representation::Indexed { index: index(2) }),
    ];
    for (octets, text, representation) in cases {
        let octets = from_hex(octets);
        let mut decoder = Decoder::new(INITIAL_TABLE_SIZE);
        let block = decoder.decode(&octets, 1_000).unwrap();
        assert_eq!(texts(&block), [text]);
        assert_eq!(block.fields[0].representation, representation);
        assert_eq!(repeated(&mut Encoder::new(), &block), octets);
        let indexing = match representation {
            Representation::Literal { indexing, .. } => indexing,
            Representation::Indexed { .. } => Indexing::Without,
        };
        let policy = Policy { indexing, ..EXAMPLE };
        assert_eq!(rewritten(&mut Encoder::new(), &block, policy), octets);
        let indexed = representation == literal(Indexing::Incremental, spelled);
        assert_eq!(table(&decoder), &[text][..usize::from(indexed)]);
    }
}

#[test]
fn appendix_c_3_and_c_4() {
    let plain = [
        "828684410f7777772e6578616d706c652e636f6d",
        "828684be58086e6f2d6361636865",
        "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
    ];
    let coded = [
        "828684418cf1e3c2e5f23a6ba0ab90f4ff",
        "828684be5886a8eb10649cbf",
        "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
    ];
    let first = [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"];
    let fields = [
        first.to_vec(),
        [&first[..], &["cache-control: no-cache"]].concat(),
        vec![
            ":method: GET",
            ":scheme: https",
            ":path: /index.html",
            ":authority: www.example.com",
            "custom-key: custom-value",
        ],
    ];
    let newest_first = ["custom-key: custom-value", "cache-control: no-cache", ":authority: www.example.com"];
    let tables = [&newest_first[2..], &newest_first[1..], &newest_first[..]];
    for (blocks, policy) in [(plain, EXAMPLE), (coded, EXAMPLE_HUFFMAN)] {
        follow(INITIAL_TABLE_SIZE, &blocks, &fields, &tables, policy);
    }
}

#[test]
fn appendix_c_5_and_c_6() {
    let plain = [
        "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d\
         546e1768747470733a2f2f7777772e6578616d706c652e636f6d",
        "4803333037c1c0bf",
        "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f\
         6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b\
         2076657273696f6e3d31",
    ];
    let coded = [
        "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c7\
         8f0b97c8e9ae82ae43d3",
        "4883640effc1c0bf",
        "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335\
         dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
    ];
    let date = ["date: Mon, 21 Oct 2013 20:13:21 GMT", "date: Mon, 21 Oct 2013 20:13:22 GMT"];
    let private = "cache-control: private";
    let location = "location: https://www.example.com";
    let cookie = "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";
    let gzip = "content-encoding: gzip";
    let fields = [
        vec![":status: 302", private, date[0], location],
        vec![":status: 307", private, date[0], location],
        vec![":status: 200", private, date[1], location, gzip, cookie],
    ];
    let tables = [
        &[location, date[0], private, ":status: 302"][..],
        &[":status: 307", location, date[0], private],
        &[cookie, gzip, date[1]],
    ];
    for (blocks, policy) in [(plain, EXAMPLE), (coded, EXAMPLE_HUFFMAN)] {
        follow(256, &blocks, &fields, &tables, policy);
    }
}

#[test]
fn recorded_blocks_are_repeated_octet_for_octet() {
    let streams = recorded();
    assert!(streams.len() >= 50);
    for stream in streams {
        let mut decoder = Decoder::new(INITIAL_TABLE_SIZE);
        let mut encoder = Encoder::new();
        for octets in stream.blocks {
            let block = decoder.decode(&octets, 1 << 16).unwrap();
            assert_eq!(repeated(&mut encoder, &block), octets, "{}", stream.name);
        }
    }
}

#[test]
fn recorded_clients_keep_to_their_policies() {
    let mut go = 0;
    let mut c_core = 0;
    for stream in recorded() {
        let by = |client| stream.name.starts_with(client) && stream.name.ends_with('>');
        let policy = if ["grpc-go-", "go-net-http-", "connect-go-"].into_iter().any(by) {
            go += 1;
            Policy::GO
        } else if by("grpcio-") {
            c_core += 1;
            C_CORE
        } else {
            continue;
        };
        let mut decoder = Decoder::new(INITIAL_TABLE_SIZE);
        let mut encoder = Encoder::new();
        for octets in &stream.blocks {
            let block = decoder.decode(octets, 1 << 16).unwrap();
            assert_eq!(rewritten(&mut encoder, &block, policy), *octets, "{}", stream.name);
        }
    }
    assert!(go >= 5 && c_core >= 2, "{go} {c_core}");
}

/// Decodes the blocks of one connection, whose table has `table_size` octets, and encodes them.
fn follow(table_size: u32, blocks: &[&str], fields: &[Vec<&str>], tables: &[&[&str]], policy: Policy) {
    let mut decoder = Decoder::new(table_size);
    let mut repeating = Encoder::with_table_size(table_size);
    let mut rewriting = Encoder::with_table_size(table_size);
    for ((octets, fields), expected) in blocks.iter().zip(fields).zip(tables) {
        let octets = from_hex(octets);
        let block = decoder.decode(&octets, 1_000).unwrap();
        assert_eq!(texts(&block), *fields);
        assert_eq!(table(&decoder), *expected);
        assert_eq!(repeated(&mut repeating, &block), octets);
        assert_eq!(rewritten(&mut rewriting, &block, policy), octets);
    }
}

/// The dynamic table, newest entry first, which a block of nothing but indexes brings to light.
fn table(decoder: &Decoder) -> Vec<String> {
    let entry = |index: u8| decoder.clone().decode(&[0x80 | index], 1_000).ok();
    (62..).map_while(entry).flat_map(|block| texts(&block)).collect()
}

fn repeated(encoder: &mut Encoder, block: &Block) -> Vec<u8> {
    let mut out = Vec::new();
    encoder.encode_exact(block, &mut out).unwrap();
    out
}

fn rewritten(encoder: &mut Encoder, block: &Block, policy: Policy) -> Vec<u8> {
    for &size in &block.size_updates {
        encoder.set_table_size(size);
    }
    let field = |field: &Field| (field.name.to_vec(), field.value.to_vec());
    let fields: Vec<_> = block.fields.iter().map(field).collect();
    let mut out = Vec::new();
    encoder.encode(fields.iter().map(|(name, value)| (&name[..], &value[..], policy)), &mut out);
    out
}

fn texts(block: &Block) -> Vec<String> {
    let text = |field: &Field| format!("{}: {}", field.name.escape_ascii(), field.value.escape_ascii());
    block.fields.iter().map(text).collect()
}

struct Stream {
    /// Client, version, server, direction.
    name: &'static str,
    blocks: Vec<Vec<u8>>,
}

fn recorded() -> Vec<Stream> {
    let paragraphs = RECORDED.split("\n\n").filter(|paragraph| !paragraph.starts_with('#'));
    let stream = |paragraph: &'static str| {
        let (name, blocks) = paragraph.split_once('\n').unwrap();
        Stream { name, blocks: blocks.lines().map(from_hex).collect() }
    };
    paragraphs.map(stream).collect()
}

fn from_hex(digits: &str) -> Vec<u8> {
    assert!(digits.len().is_multiple_of(2));
    let octet = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(octet).collect()
}

fn index(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}
