//! What can't be opened is named, with its place; what comes before it is there all the same.

use muxbed::capture::writer::{Layout, Plan, write};
use muxbed::capture::{Direction, KeyLog, RecordedClient, StopReason, TlsConversation, Unusable, read};
use proptest::prelude::*;
use rustls::crypto::ring;
use rustls::crypto::ring::cipher_suite;

use super::properties::cases;
use super::session::{Ends, Session, read_plan};

use Direction::{ToClient, ToServer};

fn session(suite: rustls::SupportedCipherSuite) -> Session {
    let mut session = Ends::of(suite).connect();
    session.settle();
    session.say(ToServer, b"one").say(ToClient, b"two").say(ToServer, b"three");
    session
}

fn stop(conversation: &TlsConversation, direction: Direction) -> String {
    conversation.stop(direction).map(ToString::to_string).unwrap_or_default()
}

/// The plan of a session whose server's hello is changed.
fn spoiled(session: &mut Session, spoil: impl FnOnce(&mut [u8])) -> Plan {
    let flight = session.written.iter_mut().find(|(direction, _)| *direction == ToClient);
    spoil(&mut flight.expect("it answered").1);
    session.plan(1460)
}

/// A change to the server's first flight.
type Spoil = fn(&mut [u8]);

/// The place of the suite in the flight of a server, behind two headers, version, random and session id.
fn suite_at(flight: &[u8]) -> usize {
    44 + usize::from(flight[43])
}

#[test]
fn a_missing_secret_is_named_with_the_packet_that_needs_it() {
    for (suite, first, last) in [
        (cipher_suite::TLS13_AES_128_GCM_SHA256, "HANDSHAKE_TRAFFIC_SECRET", "TRAFFIC_SECRET_0"),
        (cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "CLIENT_RANDOM", "CLIENT_RANDOM"),
    ] {
        let session = session(suite);
        let none = read_plan(&session.plan(100_000), "");
        assert!(stop(&none, ToServer).contains(first), "{}", stop(&none, ToServer));
        assert!(stop(&none, ToClient).contains(first), "{}", stop(&none, ToClient));
        assert!(stop(&none, ToServer).contains("packet "), "{}", stop(&none, ToServer));
        assert!(none.hello.is_some() && none.negotiated.is_some(), "the hellos need no keys");
        let log = session.key_log();
        let without: String = log
            .lines()
            .filter(|line| !line.contains(last) || line.contains("HANDSHAKE"))
            .map(|line| format!("{line}\n"))
            .collect();
        let some = read_plan(&session.plan(100_000), &without);
        assert!(some.stops.iter().all(|stop| stop.reason.is_for_want_of_keys()), "{:?}", some.stops);
        assert_eq!(some.stops.len(), 2);
    }
}

#[test]
fn a_flow_that_needs_keys_can_not_be_replayed_and_says_which() {
    let session = session(cipher_suite::TLS13_AES_128_GCM_SHA256);
    let file = write(&Layout::new(muxbed::capture::LinkType::Ethernet), &[session.plan(1460)]);
    let capture = read(&file).unwrap();
    let unusable = RecordedClient::of(&capture.flows[0], &KeyLog::default()).unwrap_err();
    assert!(matches!(unusable, Unusable::NeedsKeys { .. }) && unusable.wants_keys(), "{unusable}");
    assert!(unusable.to_string().starts_with("needs keys: it is TLS, and no key log has its "), "{unusable}");
    let log = KeyLog::parse(session.key_log().as_bytes()).unwrap();
    let client = RecordedClient::of(&capture.flows[0], &log).unwrap();
    assert_eq!(client.segments, ["one", "three"]);
    assert_eq!(client.tls.unwrap().hello.alpn, ["h2", "http/1.1"]);
}

#[test]
fn keys_of_another_session_open_nothing() {
    let session = session(cipher_suite::TLS13_AES_128_GCM_SHA256);
    let log: String = session
        .key_log()
        .lines()
        .map(|line| {
            let (start, end) = line.split_at(line.len() - 2);
            format!("{start}{}\n", if end == "00" { "01" } else { "00" })
        })
        .collect();
    let conversation = read_plan(&session.plan(1460), &log);
    assert!(stop(&conversation, ToServer).contains("does not open with its CLIENT_HANDSHAKE_TRAFFIC_SECRET"));
    assert!(conversation.stops.iter().all(|stop| matches!(stop.reason, StopReason::DoesNotOpen(_))));
}

#[test]
fn suites_versions_and_compression_that_are_not_opened_are_named() {
    let suite = cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
    let cases: [(Spoil, StopReason, &str); 3] = [
        (
            |flight| {
                let at = suite_at(flight);
                flight[at..at + 2].copy_from_slice(&[0xc0, 0x13]);
            },
            StopReason::Suite(0xc013.into()),
            "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA is not decrypted",
        ),
        (|flight| flight[10] = 2, StopReason::Version(0x0302.into()), "TLS 1.1 is not decrypted"),
        (
            |flight| {
                let at = suite_at(flight);
                flight[at + 2] = 1;
            },
            StopReason::Compressed(1),
            "compression method 1 is not decrypted",
        ),
    ];
    for (spoil, reason, words) in cases {
        let mut session = session(suite);
        let plan = spoiled(&mut session, spoil);
        let conversation = read_plan(&plan, &session.key_log());
        for direction in [ToServer, ToClient] {
            assert_eq!(conversation.stop(direction).map(|stop| stop.reason), Some(reason));
        }
        assert!(stop(&conversation, ToServer).starts_with(words), "{}", stop(&conversation, ToServer));
    }
}

#[test]
fn data_before_the_handshake_is_named() {
    let mut ends = Ends::with(rustls::crypto::CryptoProvider {
        cipher_suites: vec![cipher_suite::TLS13_AES_128_GCM_SHA256],
        ..ring::default_provider()
    });
    ends.client.enable_early_data = true;
    ends.server.max_early_data_size = 1024;
    let mut first = ends.connect();
    first.settle();
    first.say(ToServer, b"one").say(ToClient, b"two");
    assert_eq!(first.read(1460).stops, []);
    let mut second = ends.connect();
    std::io::Write::write_all(&mut second.client.early_data().expect("it may"), b"early").unwrap();
    second.settle();
    let conversation = second.read(1460);
    let [stop] = &conversation.stops[..] else { panic!("{:?}", conversation.stops) };
    assert_eq!((stop.direction, stop.reason), (ToServer, StopReason::EarlyData));
    assert!(stop.to_string().contains("0-RTT"), "{stop}");
}

#[test]
fn what_was_not_captured_stops_only_its_direction() {
    let session = session(cipher_suite::TLS13_AES_128_GCM_SHA256);
    let mut plan = session.plan(100_000);
    let of_server =
        |packet: &muxbed::capture::writer::Planned| packet.direction == ToClient && !packet.bytes.is_empty();
    plan.lose(plan.packets.iter().rposition(of_server).unwrap());
    let conversation = read_plan(&plan, &session.key_log());
    assert_eq!(conversation.stop(ToServer), None);
    let reason = conversation.stop(ToClient).map(|stop| stop.reason);
    assert!(matches!(reason, Some(StopReason::BytesMissing { .. })), "{reason:?}");
    assert_eq!(conversation.data(ToServer).collect::<Vec<_>>(), ["one", "three"]);
}

#[test]
fn the_end_of_a_capture_inside_a_record_is_named() {
    let mut session = session(cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256);
    let last = &mut session.written.last_mut().expect("it said something").1;
    last.truncate(last.len() - 4);
    let conversation = session.read(1460);
    assert_eq!(conversation.data(ToServer).collect::<Vec<_>>(), ["one"]);
    assert!(
        stop(&conversation, ToServer).starts_with("it ends inside a record"),
        "{}",
        stop(&conversation, ToServer)
    );
}

#[test]
fn a_server_that_speaks_in_the_clear_is_told() {
    let mut session = Ends::of(cipher_suite::TLS13_AES_128_GCM_SHA256).connect();
    session.client.write_tls(&mut std::io::sink()).unwrap();
    let mut client = Ends::of(cipher_suite::TLS13_AES_128_GCM_SHA256).connect();
    client.settle();
    let hello = client.written[0].clone();
    session.written = vec![hello, (ToClient, b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())];
    let conversation = session.read(1460);
    assert!(stop(&conversation, ToClient).contains("not TLS"), "{}", stop(&conversation, ToClient));
    assert_eq!(stop(&conversation, ToServer), "");
    assert!(conversation.hello.is_some() && conversation.negotiated.is_none());
}

#[test]
fn a_damaged_record_stops_at_its_place() {
    let mut session = session(cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256);
    let last = &mut session.written.last_mut().expect("it said something").1;
    *last.last_mut().expect("it is not empty") ^= 1;
    let length = last.len() as u64;
    let conversation = session.read(1460);
    assert_eq!(conversation.data(ToServer).collect::<Vec<_>>(), ["one"]);
    let stop = conversation.stop(ToServer).expect("it stops");
    let bytes: usize =
        session.written.iter().filter(|(by, _)| *by == ToServer).map(|(_, bytes)| bytes.len()).sum();
    assert_eq!(stop.offset, bytes as u64 - length);
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn damage_never_adds_to_what_was_said(
        suite in prop::sample::select(ring::ALL_CIPHER_SUITES),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..4),
        segment in 1..200_usize,
    ) {
        let mut session = session(suite);
        for (flight, place, byte) in changes {
            let flight = flight.index(session.written.len());
            let flight = &mut session.written[flight].1;
            let place = place.index(flight.len());
            flight[place] = byte;
        }
        let conversation = session.read(segment);
        for direction in [ToServer, ToClient] {
            let read: Vec<u8> = conversation.data(direction).flatten().copied().collect();
            prop_assert!(session.all_said(direction).starts_with(&read));
        }
    }
}
