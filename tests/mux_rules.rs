//! Rules of every kind, each on what it takes, on what it refuses, and on every cut of both.

mod properties;

use std::fs;
use std::sync::Arc;

use muxbed::capture::{self, Direction};
use muxbed::mux::{Answer, Classifier, DEFAULT_LIMIT, ProxyHeaders, Rule, Rules, Value, Verdict};
use muxbed::wire::PREFACE;
use muxbed::wire::hpack::{Encoder, Policy};
use muxbed::wire::proxy::{Addresses, Header, Version};
use muxbed::wire::tls::ProtocolVersion;
use proptest::prelude::*;

use properties::cases;

const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: static.example\r\nAccept: */*\r\n\r\n";
const PATCH: &[u8] = b"PATCH /a HTTP/1.1\r\nhost: b\r\n\r\n";
const UPGRADE: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n\
    Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n";
const WEBSOCKET: &[u8] = b"GET /chat HTTP/1.1\r\nHost: a\r\nupgrade: WebSocket\r\nconnection: keep-alive, \
    Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n";

fn equals(value: &str) -> Value {
    Value::Equals(value.to_owned())
}

fn starts_with(value: &str) -> Value {
    Value::StartsWith(value.to_owned())
}

fn http1_header(name: &str, value: Value) -> Rule {
    Rule::Http1Header { name: name.to_owned(), value }
}

fn http2_header(name: &str, value: Value) -> Rule {
    Rule::Http2Header { name: name.to_owned(), value }
}

/// Preface, SETTINGS, and a request with these fields.
fn http2(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    let fields = fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes(), Policy::GO));
    Encoder::new().encode(fields, &mut block);
    let mut bytes = [&PREFACE[..], &[0, 0, 0, 4, 0, 0, 0, 0, 0]].concat();
    let length = u32::try_from(block.len()).unwrap().to_be_bytes();
    bytes.extend_from_slice(&[length[1], length[2], length[3], 1, 4, 0, 0, 0, 1]);
    bytes.extend_from_slice(&block);
    bytes
}

fn grpc(content_type: &str) -> Vec<u8> {
    http2(&[(":method", "POST"), (":path", "/a.B/C"), ("content-type", content_type), ("te", "trailers")])
}

/// The first recorded ClientHello of that client.
fn hello(recording: &str) -> Vec<u8> {
    let bytes = fs::read(format!("captures/{recording}")).expect("the recording");
    let capture = capture::read(&bytes).expect("it is a capture");
    let flow = capture.flows.first().expect("it has a connection");
    flow.data(Direction::ToServer).flat_map(|(_, bytes)| bytes).copied().collect()
}

/// What one rule makes of these bytes, however they come; after the rule, nothing.
fn ask(rule: &Rule, bytes: &[u8]) -> Answer {
    let rules = Arc::new(Rules::new().to("it", rule.clone()));
    let verdict = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut classifier = Classifier::new(Arc::clone(&rules), DEFAULT_LIMIT);
        pieces.for_each(|piece| drop(classifier.push(piece).clone()));
        classifier.verdict().clone()
    };
    let whole = verdict(&mut std::iter::once(bytes));
    for cut in 0..=bytes.len() {
        assert_eq!(verdict(&mut [&bytes[..cut], &bytes[cut..]].into_iter()), whole, "{rule:?} cut at {cut}");
    }
    assert_eq!(verdict(&mut bytes.chunks(1)), whole, "{rule:?} byte by byte");
    match whole {
        Verdict::Match(_) => Answer::Match,
        Verdict::Reject(_) => Answer::Reject,
        Verdict::NeedMore => Answer::NeedMore,
    }
}

#[test]
fn every_rule_takes_what_it_is_for_and_nothing_else() {
    let hello_13 = hello(TLS_13);
    let grpc_proto = grpc("application/grpc+proto");
    let grpc_web = grpc("application/grpc-web");
    let cases: Vec<(Rule, &[u8], &[u8])> = vec![
        (Rule::Bytes("SSH-".into()), b"SSH-2.0-x\r\n", GET),
        (Rule::AnyBytes(vec!["EHLO".into(), "HELO".into()]), b"HELO a\r\n", b"HELP"),
        (Rule::Http1, PATCH, &PREFACE),
        (Rule::Http1Method(vec!["PATCH".into(), "PUT".into()]), PATCH, GET),
        (Rule::Http1Head, GET, b"GET / HTTP/1.1\r\nno field\r\n"),
        (http1_header("HOST", equals("Static.example")), GET, PATCH),
        (http1_header("accept", starts_with("*/")), GET, PATCH),
        (Rule::H2cUpgrade, UPGRADE, WEBSOCKET),
        (Rule::WebSocket, WEBSOCKET, UPGRADE),
        (Rule::Http2, &PREFACE, b"PRI * HTTP/1.1\r\n\r\n"),
        (http2_header("Content-Type", equals("application/grpc+proto")), &grpc_proto, &grpc_web),
        (http2_header(":path", starts_with("/a.B/")), &grpc_proto, GET),
        (Rule::Grpc, &grpc_proto, &grpc_web),
        (Rule::Tls, &hello_13, GET),
        (Rule::TlsVersion(vec![ProtocolVersion::Tls13]), &hello_13, GET),
        (Rule::ServerName(equals("MUXBED.test")), &hello_13, &[22, 3, 1, 0, 4, 1, 0, 0, 0]),
        (Rule::Alpn(equals("h2")), &hello_13, &[22, 3, 1, 0, 4, 2]),
        (Rule::custom("socks5", socks5), &[5, 1, 0], GET),
    ];
    for (rule, takes, refuses) in cases {
        assert_eq!(ask(&rule, takes), Answer::Match, "{rule:?}");
        assert_eq!(ask(&rule, refuses), Answer::Reject, "{rule:?}");
        assert_eq!(ask(&rule, &[]), Answer::NeedMore, "{rule:?}");
    }
    assert_eq!(ask(&Rule::Any, &[]), Answer::Match);
}

/// The newest grpc-go over TLS.
const TLS_13: &str = "grpc-go-1.83.1__tls-direct.pcapng";

fn socks5(bytes: &[u8]) -> Answer {
    match bytes {
        [] | [5] => Answer::NeedMore,
        [5, methods, rest @ ..] if rest.len() < usize::from(*methods) => Answer::NeedMore,
        [5, ..] => Answer::Match,
        _ => Answer::Reject,
    }
}

#[test]
fn the_tls_rules_refuse_other_names_protocols_and_versions() {
    let hello = hello(TLS_13);
    assert_eq!(ask(&Rule::ServerName(equals("other.example")), &hello), Answer::Reject);
    assert_eq!(ask(&Rule::Alpn(equals("http/1.1")), &hello), Answer::Reject);
    assert_eq!(ask(&Rule::TlsVersion(vec![ProtocolVersion::Tls10]), &hello), Answer::Reject);
}

#[test]
fn a_servers_name_is_the_same_with_a_dot_at_its_end() {
    assert_eq!(ask(&Rule::ServerName(equals("muxbed.test.")), &hello(TLS_13)), Answer::Match);
    let mut dotted = hello(TLS_13);
    let name = b"muxbed.test";
    let at = dotted.windows(name.len()).position(|found| found == name).unwrap();
    dotted[at + name.len() - 1] = b'.';
    assert_eq!(ask(&Rule::ServerName(equals("muxbed.tes")), &dotted), Answer::Match);
}

#[test]
fn a_short_message_is_not_kept_waiting_by_a_rule_that_wants_a_longer_one() {
    let rules = Arc::new(
        Rules::new()
            .to("grpc", Rule::Grpc)
            .to("http", Rule::Http1)
            .to("socks", Rule::custom("socks5", socks5))
            .to("rest", Rule::Any),
    );
    let route = |bytes: &[u8]| match Classifier::new(Arc::clone(&rules), DEFAULT_LIMIT).push(bytes) {
        Verdict::Match(route) => route.to_string(),
        other => format!("{other:?}"),
    };
    assert_eq!(route(b"GET / HTTP/1.0\r\n\r\n"), "http");
    assert_eq!(route(&[5, 1, 0]), "socks");
    assert_eq!(route(b"x"), "NeedMore", "it may be a method");
    assert_eq!(route(b"\x01"), "rest");
    // What only resembles HTTP (rama keeps a list of these).
    for text in ["EHLO a.example\r\n", "USER x y z\r\n", "SSH-2.0-x\r\n", "GET /\r\n", "\0\0\0\x08\x04"] {
        assert_eq!(route(text.as_bytes()), "rest", "{text:?}");
    }
}

fn any_rule() -> impl Strategy<Value = Rule> {
    prop_oneof![
        Just(Rule::Any),
        Just(Rule::Bytes("GET /".into())),
        Just(Rule::AnyBytes(vec!["PRI * HTTP/2.0\r\n\r\nSM".into(), "\x16\x03".into()])),
        Just(Rule::Http1),
        Just(Rule::Http1Method(vec!["GET".into()])),
        Just(Rule::Http1Head),
        Just(http1_header("host", starts_with("static"))),
        Just(Rule::H2cUpgrade),
        Just(Rule::WebSocket),
        Just(Rule::Http2),
        Just(http2_header(":path", equals("/a.B/C"))),
        Just(Rule::Grpc),
        Just(Rule::Tls),
        Just(Rule::ServerName(equals("muxbed.test"))),
        Just(Rule::Alpn(starts_with("h"))),
        Just(Rule::custom("socks5", socks5)),
    ]
}

/// Something that clients send, with a byte of it changed perhaps.
fn any_stream() -> impl Strategy<Value = Vec<u8>> {
    let addresses =
        Addresses { source: "192.0.2.1:1".parse().unwrap(), destination: "192.0.2.2:2".parse().unwrap() };
    let header = move |version| Header::new(Some(addresses)).encode(version).to_vec();
    let streams: Vec<Vec<u8>> = vec![
        GET.into(),
        PATCH.into(),
        UPGRADE.into(),
        WEBSOCKET.into(),
        grpc("application/grpc"),
        hello(TLS_13),
    ];
    let headers = vec![
        Vec::new(),
        header(Version::V1),
        header(Version::V2),
        Header::new(None).encode(Version::V2).to_vec(),
    ];
    let changed = prop::option::of((any::<prop::sample::Index>(), any::<u8>()));
    (prop::sample::select(headers), prop::sample::select(streams), changed).prop_map(
        |(header, stream, changed)| {
            let mut bytes = [header, stream].concat();
            if let Some((place, byte)) = changed {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            bytes
        },
    )
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn the_same_bytes_cut_anywhere_give_the_same_decision(
        rules in prop::collection::vec(any_rule(), 1..5),
        bytes in any_stream(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        limit in prop_oneof![Just(DEFAULT_LIMIT), 1_usize..400],
        headers in prop::sample::select(vec![
            ProxyHeaders::Unexpected, ProxyHeaders::Optional, ProxyHeaders::Required,
        ]),
    ) {
        let numbered = rules.into_iter().enumerate();
        let rules = Arc::new(numbered.fold(Rules::new(), |rules, (n, rule)| rules.to(&n.to_string(), rule)));
        let classifier = || Classifier::expecting(headers, Arc::clone(&rules), limit);
        let mut whole = classifier();
        whole.push(&bytes);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        cuts.push(bytes.len());
        let mut growing = classifier();
        let mut from = 0;
        for cut in cuts {
            let before = growing.verdict().clone();
            let after = growing.push(&bytes[from..cut]);
            prop_assert!(before == Verdict::NeedMore || before == *after);
            from = cut;
        }
        prop_assert_eq!(growing.verdict(), whole.verdict());
        prop_assert_eq!(growing.proxy_header(), whole.proxy_header());
        let mut single = classifier();
        bytes.iter().for_each(|byte| drop(single.push(&[*byte]).clone()));
        prop_assert_eq!(single.verdict(), whole.verdict());
    }
}
