//! Edits of `classify`'s cases: rules, the limit and cuts where parts of the stream end, and the stream's parts themselves.
//!
//! The parts are frames, if it begins with HTTP/2's preface, or else lines. A frame keeps a length that fits, or everything behind it
//! would be a part of it; a wrong length is an edit of its own.

use std::sync::LazyLock;

use bytes::Bytes;

use super::{altered, changed, moved, offset, one_of};
use crate::draw::Draw;
use crate::fuzzing::Case;
use crate::mux::{ProxyHeaders, Rule, Value};
use crate::wire::PREFACE;
use crate::wire::frame::HEADER_LENGTH;
use crate::wire::hpack::{Encoder, Policy};
use crate::wire::proxy::{Addresses, Header, Progress, Version};
use crate::wire::tls::ProtocolVersion;

const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// The case that this input of `classify` is, edited, as an input of at most so many bytes. Nothing if the fuzzer's own changes are
/// to be taken: for a share of the seeds, and where the edits come to nothing or get too long.
pub fn mutate_case(input: &[u8], most: usize, seed: u32) -> Option<Vec<u8>> {
    changed(input, most, seed, |edits, draw| {
        let mut case = Case::from_bytes(input);
        for _ in 0..edits {
            let edit = Edit::ALL[draw.below(Edit::ALL.len() as u64) as usize];
            edit.make(&mut case, draw);
        }
        case.to_bytes()
    })
}

/// What can be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edit {
    /// A rule comes, goes, or changes its place.
    Rules,
    /// The limit falls near the end of a part, or is the usual one.
    Limit,
    /// What happens to what fits nowhere, and whether the client stays.
    Manner,
    /// A PROXY header comes or goes, and whether one is expected.
    ProxyHeader,
    /// A cut is made, moved or closed.
    Cut,
    /// A cut is made near the end of a part.
    CutAtPart,
    /// A part is taken out.
    TakeOut,
    /// A part is said twice.
    Repeat,
    /// Two parts change places.
    Swap,
    /// A part of another stream is put in.
    Borrow,
    /// A byte of a part is another, but for a frame's length.
    Alter,
    /// A header block goes on in a CONTINUATION.
    Split,
    /// A frame says a length that is not its own, or the stream ends early.
    Shorten,
}

impl Edit {
    const ALL: [Self; 13] = [
        Self::Rules,
        Self::Limit,
        Self::Manner,
        Self::ProxyHeader,
        Self::Cut,
        Self::CutAtPart,
        Self::TakeOut,
        Self::Repeat,
        Self::Swap,
        Self::Borrow,
        Self::Alter,
        Self::Split,
        Self::Shorten,
    ];

    /// Makes it, if there is anything to make it of.
    fn make(self, case: &mut Case, draw: &mut Draw) {
        match self {
            Self::Rules => rules(&mut case.rules, draw),
            Self::Limit if draw.below(4) == 0 => case.limit = 0,
            Self::Limit => case.limit = 1 + near_an_end(&case.stream, draw),
            Self::Manner if draw.below(2) == 0 => case.has_otherwise = !case.has_otherwise,
            Self::Manner => case.stays = !case.stays,
            Self::ProxyHeader => proxy_header(case, draw),
            Self::Cut => case.cuts = moved(&case.cuts, draw),
            Self::CutAtPart => {
                let cut = near_an_end(&case.stream, draw);
                case.cuts = case.cuts.iter().copied().chain([cut]).collect();
            }
            _ => {
                let mut parts = parts(&case.stream);
                self.of_parts(&mut parts, draw);
                case.stream = parts.concat().into();
            }
        }
    }

    fn of_parts(self, parts: &mut Vec<Vec<u8>>, draw: &mut Draw) {
        let is_http2 = parts.iter().any(|part| *part == PREFACE);
        if self == Self::Borrow {
            let place = draw.below(parts.len() as u64 + 1) as usize;
            let lenders = if is_http2 || draw.below(8) == 0 { &*FRAMES } else { &*LINES };
            parts.extend(one_of(lenders, draw).cloned());
            parts[place..].rotate_right(1);
            return;
        }
        let count = parts.len() as u64;
        if count == 0 {
            return;
        }
        let place = draw.below(count) as usize;
        let part = &mut parts[place];
        let is_frame = is_http2 && *part != PREFACE && part.len() >= HEADER_LENGTH;
        match self {
            Self::TakeOut => drop(parts.remove(place)),
            Self::Repeat => {
                let again = part.clone();
                parts.insert(place, again);
            }
            Self::Swap => parts.swap(place, draw.below(count) as usize),
            Self::Alter => {
                let from = if is_frame { 3 } else { 0 };
                let byte = from + draw.below((part.len() - from) as u64) as usize;
                part[byte] = altered(part[byte], draw);
            }
            Self::Split if is_frame && matches!(part[3], HEADERS | CONTINUATION) => {
                let at = HEADER_LENGTH + draw.below((part.len() - HEADER_LENGTH) as u64 + 1) as usize;
                let rest = part.split_off(at);
                let mut more = frame(CONTINUATION, part[4] & END_HEADERS, 0, &rest);
                more[5..HEADER_LENGTH].copy_from_slice(&part[5..HEADER_LENGTH]);
                part[4] &= !END_HEADERS;
                let length = part.len() - HEADER_LENGTH;
                part[..3].copy_from_slice(&(length as u32).to_be_bytes()[1..]);
                parts.insert(place + 1, more);
            }
            Self::Shorten if is_frame => {
                let byte = draw.below(3) as usize;
                part[byte] = altered(part[byte], draw);
            }
            Self::Shorten => part.truncate(draw.below(part.len() as u64 + 1) as usize),
            _ => {}
        }
    }
}

/// A PROXY header, and then the preface and frames, or lines. Whatever is left at the end is a part too; together they are the stream.
fn parts(stream: &[u8]) -> Vec<Vec<u8>> {
    let header = match Header::read(stream) {
        Progress::Complete { length, .. } => length,
        _ => 0,
    };
    let (header, mut rest) = stream.split_at(header);
    let mut parts = Vec::new();
    if !header.is_empty() {
        parts.push(header.to_vec());
    }
    let Some(frames) = rest.strip_prefix(&PREFACE) else {
        parts.extend(rest.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec));
        return parts;
    };
    parts.push(PREFACE.to_vec());
    rest = frames;
    while !rest.is_empty() {
        let length = match rest {
            [high, middle, low, ..] => u32::from_be_bytes([0, *high, *middle, *low]) as usize + HEADER_LENGTH,
            _ => rest.len(),
        };
        let (part, behind) = rest.split_at(length.min(rest.len()));
        parts.push(part.to_vec());
        rest = behind;
    }
    parts
}

/// Just before, at or behind the end of a part, or somewhere else.
fn near_an_end(stream: &[u8], draw: &mut Draw) -> u64 {
    let ends: Vec<u64> = parts(stream)
        .iter()
        .scan(0, |end, part| {
            *end += part.len() as u64;
            Some(*end)
        })
        .collect();
    match one_of(&ends, draw).filter(|_| draw.below(4) > 0) {
        Some(end) => (end + draw.below(3)).saturating_sub(1),
        None => offset(draw),
    }
}

fn rules(rules: &mut Vec<Rule>, draw: &mut Draw) {
    let place = draw.below(rules.len() as u64 + 1) as usize;
    match draw.below(3) {
        0 if place < rules.len() => drop(rules.remove(place)),
        1 if place < rules.len() => rules[place..].rotate_left(1),
        _ => {
            rules.extend(one_of(&RULES, draw).cloned());
            rules[place..].rotate_right(1);
        }
    }
}

fn proxy_header(case: &mut Case, draw: &mut Draw) {
    let expectations = [ProxyHeaders::Unexpected, ProxyHeaders::Optional, ProxyHeaders::Required];
    case.headers = expectations[draw.below(3) as usize];
    let stream = case.stream.clone();
    case.stream = match Header::read(&stream) {
        Progress::Complete { length, .. } => stream.slice(length..),
        _ => [one_of(&PROXY_HEADERS, draw).map_or(&[][..], |header| header), &stream].concat().into(),
    };
}

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
}

/// A header block with these fields, as golang.org/x/net writes it.
fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    let fields = fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes(), Policy::GO));
    Encoder::new().encode(fields, &mut block);
    block
}

/// What a client may say in HTTP/2, and what none should.
static FRAMES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let request = |content_type| {
        block(&[
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/a/b"),
            (":authority", "a"),
            ("content-type", content_type),
            ("te", "trailers"),
        ])
    };
    let grpc = request("application/grpc+proto");
    vec![
        PREFACE.to_vec(),
        frame(4, 0, 0, &[]),
        frame(4, 0, 0, &[0, 3, 0, 0, 0, 100, 0, 4, 0, 0, 0xff, 0xff]),
        frame(4, 1, 0, &[]),
        frame(6, 0, 0, &[7; 8]),
        frame(8, 0, 0, &[0, 0, 1, 0]),
        frame(0, 1, 1, &[0; 5]),
        frame(2, 0, 3, &[0, 0, 0, 0, 15]),
        frame(3, 0, 1, &[0, 0, 0, 8]),
        frame(7, 0, 0, &[0; 8]),
        frame(HEADERS, END_HEADERS, 1, &grpc),
        frame(HEADERS, END_HEADERS | 1, 3, &request("text/html")),
        frame(HEADERS, END_HEADERS | 8, 1, &[&[2][..], &grpc, &[0, 0]].concat()),
        frame(HEADERS, 0, 1, &grpc[..4]),
        frame(CONTINUATION, END_HEADERS, 1, &grpc[4..]),
        frame(0x42, 0xff, 9, b"unknown"),
    ]
});

/// What a client may say in HTTP/1, and the beginning of what is neither.
static LINES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let lines = [
        "GET / HTTP/1.1\r\n",
        "POST /a/b HTTP/1.0\r\n",
        "PRI * HTTP/2.0\r\n",
        "Host: a\r\n",
        "Connection: Upgrade, HTTP2-Settings\r\n",
        "Upgrade: h2c\r\n",
        "Upgrade: websocket\r\n",
        "HTTP2-Settings: AAMAAABk\r\n",
        "content-type: application/grpc\r\n",
        "\r\n",
        "\n",
        "SSH-2.0-a\r\n",
        "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03",
        "PROXY UNKNOWN\r\n",
    ];
    lines.map(|line| line.as_bytes().to_vec()).to_vec()
});

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let content_type = |value| Rule::Http2Header { name: "content-type".to_owned(), value };
    vec![
        Rule::Grpc,
        Rule::Http1,
        Rule::Any,
        Rule::Http2,
        content_type(Value::Equals("application/grpc+proto".to_owned())),
        content_type(Value::StartsWith("application/grpc".to_owned())),
        Rule::Bytes(Bytes::from_static(b"GET /")),
        Rule::AnyBytes(vec![Bytes::from_static(b"PRI"), Bytes::from_static(b"SSH-")]),
        Rule::Http1Method(vec!["GET".into()]),
        Rule::Http1Head,
        Rule::Http1Header { name: "host".to_owned(), value: Value::Equals("a".to_owned()) },
        Rule::H2cUpgrade,
        Rule::WebSocket,
        Rule::Tls,
        Rule::TlsVersion(vec![ProtocolVersion::Tls13]),
        Rule::ServerName(Value::Equals("a".to_owned())),
        Rule::Alpn(Value::Equals("h2".to_owned())),
    ]
});

static PROXY_HEADERS: LazyLock<Vec<Bytes>> = LazyLock::new(|| {
    let address = |text: &str| text.parse().expect("it is an address");
    let stated = Addresses { source: address("192.0.2.1:4000"), destination: address("192.0.2.2:443") };
    let headers = [None, Some(stated)].into_iter().map(Header::new);
    headers.flat_map(|header| [Version::V1, Version::V2].map(|version| header.encode(version))).collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Case {
        let stream = [&PREFACE[..], &FRAMES[1], &FRAMES[10], &FRAMES[6]].concat();
        Case {
            rules: vec![Rule::Http2, Rule::Any],
            stream: stream.into(),
            cuts: [3].into(),
            ..Case::default()
        }
    }

    fn edited(edit: Edit, case: &Case) -> Vec<Case> {
        let made = |seed| {
            let mut case = case.clone();
            edit.make(&mut case, &mut Draw::of(seed));
            case
        };
        (0..300).map(made).collect()
    }

    #[test]
    fn parts_are_frames_or_lines_and_together_the_stream() {
        let case = request();
        assert_eq!(parts(&case.stream).len(), 4);
        assert_eq!(parts(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nxyz").len(), 4);
        let behind = [&PROXY_HEADERS[0][..], &case.stream, &[0, 0]].concat();
        assert_eq!(parts(&behind).len(), 6);
        assert_eq!(parts(&behind).concat(), behind);
    }

    #[test]
    fn every_edit_happens_and_does_what_it_says() {
        let case = request();
        let before = parts(&case.stream);
        let happens = |edit: Edit, what: &dyn Fn(&Case) -> bool| {
            assert!(edited(edit, &case).iter().any(what), "{edit:?}");
        };
        let frames = |case: &Case| parts(&case.stream);
        happens(Edit::Rules, &|case| case.rules == [Rule::Any]);
        happens(Edit::Rules, &|case| case.rules == [Rule::Any, Rule::Http2]);
        happens(Edit::Rules, &|case| case.rules.first() == Some(&Rule::Tls));
        happens(Edit::Limit, &|case| case.limit == 1 + 24 + 9 + 1);
        happens(Edit::Manner, &|case| case.has_otherwise);
        happens(Edit::Manner, &|case| case.stays);
        happens(Edit::ProxyHeader, &|case| frames(case).len() == 5);
        happens(Edit::Cut, &|case| *case.cuts == [4]);
        happens(Edit::CutAtPart, &|case| *case.cuts == [3, 33]);
        happens(Edit::TakeOut, &|case| frames(case) == [&before[..2], &before[3..]].concat());
        happens(Edit::Repeat, &|case| frames(case) == [&before[..2], &before[1..]].concat());
        happens(Edit::Swap, &|case| frames(case)[1] == before[2] && frames(case)[2] == before[1]);
        happens(Edit::Borrow, &|case| frames(case).contains(&FRAMES[3]));
        happens(Edit::Alter, &|case| frames(case).len() == 4 && frames(case)[2] != before[2]);
        happens(Edit::Split, &|case| frames(case).len() == 5 && frames(case)[3][3] == CONTINUATION);
        happens(Edit::Shorten, &|case| case.stream.len() < before.concat().len() || frames(case).len() < 4);
    }

    #[test]
    fn what_comes_out_is_an_input_and_the_same_for_the_same_seed() {
        let mut input = request().to_bytes();
        for seed in 0..3_000 {
            let Some(output) = mutate_case(&input, 2_048, seed) else { continue };
            assert_eq!(mutate_case(&input, 2_048, seed).as_ref(), Some(&output));
            assert_eq!(Case::from_bytes(&output).to_bytes(), output);
            assert!(output.len() <= 2_048);
            input = output;
        }
    }
}
