//! Whatever rustls says to itself over TLS is read back, in every suite of both versions and through whatever the
//! protocol does on the way.

use bytes::Bytes;
use muxbed::capture::{Direction, TlsConversation, TlsWhat};
use muxbed::wire::tls::{HandshakeKind, ProtocolVersion};
use rustls::crypto::{CryptoProvider, ring};

use super::session::{Ends, Session, ladder, read_plan};

use Direction::{ToClient, ToServer};

fn assert_read(session: &Session, conversation: &TlsConversation) {
    assert_eq!(conversation.stops, []);
    for direction in [ToServer, ToClient] {
        let read: Vec<u8> = conversation.data(direction).flatten().copied().collect();
        assert!(read == session.all_said(direction), "{direction} is read as it was said");
    }
}

fn long() -> Vec<u8> {
    (0..40_000_u32).map(|number| (number % 251) as u8).collect()
}

#[test]
fn every_suite_of_both_versions_is_opened_however_it_is_segmented() {
    let suites = ring::ALL_CIPHER_SUITES;
    assert_eq!(suites.len(), 9);
    for suite in suites {
        let mut session = Ends::of(*suite).connect();
        session.settle();
        session.say(ToServer, b"a").say(ToClient, b"settings").say(ToServer, &long()).say(ToClient, &long());
        session.close();
        for segment in [1, 7, 536, 1460, 100_000] {
            let conversation = session.read(segment);
            assert_read(&session, &conversation);
            let negotiated = conversation.negotiated.as_ref().unwrap();
            assert_eq!(u16::from(negotiated.suite), u16::from(suite.suite()));
            assert_eq!(u16::from(negotiated.version), u16::from(suite.version().version));
            assert_eq!(negotiated.alpn.as_deref(), Some(&b"h2"[..]), "{suite:?}");
            assert!(conversation.is_established());
            let lengths: Vec<usize> = conversation.data(ToServer).map(Bytes::len).collect();
            assert_eq!(lengths, [1, 16_384, 16_384, 7_232], "a record each");
        }
    }
}

#[test]
fn a_session_of_tls_1_3_is_told_in_order() {
    let mut session = Ends::of(ring::cipher_suite::TLS13_AES_128_GCM_SHA256).connect();
    session.settle();
    session.say(ToServer, b"request").say(ToClient, b"response");
    session.close();
    let expected = [
        "> client_hello",
        "< server_hello",
        "< encrypted_extensions",
        "< certificate",
        "< certificate_verify",
        "< finished",
        "> finished",
        "< new_session_ticket",
        "< new_session_ticket",
        "> 7 bytes",
        "< 8 bytes",
        "> warning alert close_notify",
        "< warning alert close_notify",
        "> end",
        "< end",
    ];
    assert_eq!(ladder(&session.read(1460)), expected);
}

#[test]
fn a_session_of_tls_1_2_is_told_in_order() {
    let mut session = Ends::of(ring::cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384).connect();
    session.settle();
    session.say(ToServer, b"request").say(ToClient, b"response");
    session.close();
    let conversation = session.read(1460);
    let said = ladder(&conversation);
    assert_eq!(
        said[..6].join(", "),
        "> client_hello, < server_hello, < certificate, < server_key_exchange, < server_hello_done, > client_key_exchange"
    );
    assert_eq!(said.iter().filter(|line| line.ends_with("finished")).count(), 2);
    assert_eq!(
        said[said.len() - 6..].join(", "),
        "> 7 bytes, < 8 bytes, > warning alert close_notify, < warning alert close_notify, > end, < end"
    );
    assert_eq!(conversation.hello.unwrap().server_name.as_deref(), Some("muxbed.test"));
}

#[test]
fn key_updates_are_followed_and_told() {
    for suite in ring::ALL_CIPHER_SUITES.iter().filter(|suite| suite.version() == &rustls::version::TLS13) {
        let mut session = Ends::of(*suite).connect();
        session.settle();
        session.say(ToServer, b"one");
        session.client.refresh_traffic_keys().unwrap();
        session.say(ToServer, b"two").say(ToClient, b"three");
        session.server.refresh_traffic_keys().unwrap();
        session.server.refresh_traffic_keys().unwrap();
        session.say(ToClient, b"four").say(ToServer, b"five");
        session.close();
        for segment in [3, 1460] {
            let conversation = session.read(segment);
            assert_read(&session, &conversation);
            let updates = |direction| {
                let update = TlsWhat::Handshake(HandshakeKind::KeyUpdate);
                let of =
                    |event: &&muxbed::capture::TlsEvent| event.direction == direction && event.what == update;
                conversation.events.iter().filter(of).count()
            };
            assert!(updates(ToServer) >= 2 && updates(ToClient) >= 3, "{:?}", ladder(&conversation));
        }
    }
}

#[test]
fn a_server_that_asks_for_another_hello_is_followed() {
    let provider = CryptoProvider {
        cipher_suites: vec![ring::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256],
        ..ring::default_provider()
    };
    let mut ends = Ends::with(provider.clone());
    let only = CryptoProvider { kx_groups: vec![ring::kx_group::SECP384R1], ..provider };
    ends.server = Ends::with(only).server;
    let mut session = ends.connect();
    session.settle();
    session.say(ToServer, b"request").say(ToClient, b"response");
    session.close();
    let conversation = session.read(100);
    assert_read(&session, &conversation);
    assert!(conversation.negotiated.as_ref().is_some_and(|negotiated| negotiated.asked_for_another));
    assert_eq!(
        ladder(&conversation)[..4].join(", "),
        "> client_hello, < server_hello, > client_hello, < server_hello"
    );
}

#[test]
fn sessions_that_are_resumed_are_opened() {
    for suite in [
        ring::cipher_suite::TLS13_AES_256_GCM_SHA384,
        ring::cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ] {
        let ends = Ends::of(suite);
        for resumed in [false, true] {
            let mut session = ends.connect();
            session.settle();
            session.say(ToServer, b"request").say(ToClient, b"response");
            session.close();
            let conversation = session.read(1460);
            assert_read(&session, &conversation);
            let certificate = TlsWhat::Handshake(HandshakeKind::Certificate);
            let full = conversation.events.iter().any(|event| event.what == certificate);
            assert_eq!(full, !resumed, "{suite:?}");
        }
    }
}

#[test]
fn a_refusal_is_told_by_its_alert() {
    for suite in [
        ring::cipher_suite::TLS13_AES_128_GCM_SHA256,
        ring::cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    ] {
        let mut ends = Ends::of(suite);
        ends.server.alpn_protocols = vec![b"spdy/3".to_vec()];
        let mut session = ends.connect();
        session.settle();
        let conversation = session.read(1460);
        assert_eq!(conversation.stops, []);
        let alerts: Vec<String> = conversation.alerts().map(|(by, alert)| format!("{by} {alert}")).collect();
        assert_eq!(alerts, ["< fatal alert no_application_protocol"]);
        assert!(!conversation.is_established());
    }
}

#[test]
fn a_capture_out_of_order_is_told_in_the_order_of_its_packets() {
    let mut session = Ends::of(ring::cipher_suite::TLS13_AES_128_GCM_SHA256).connect();
    session.settle();
    session.say(ToServer, b"request").say(ToClient, b"response");
    session.close();
    let mut plan = session.plan(100_000);
    // The server's hello is captured behind the client's answer to it.
    let hello =
        plan.packets.iter().position(|packet| packet.direction == ToClient && !packet.bytes.is_empty());
    plan.delay(hello.unwrap(), 2);
    let conversation = read_plan(&plan, &session.key_log());
    assert_read(&session, &conversation);
    assert_eq!(conversation.negotiated.unwrap().version, ProtocolVersion::Tls13);
}
