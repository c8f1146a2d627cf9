//! Every recording over TLS is opened with the keys that it brings, to its end.

use std::fs;
use std::path::{Path, PathBuf};

use muxbed::capture::{
    Capture, Direction, KeyLog, RecordedClient, SecretsKind, StopReason, TlsConversation, TlsWhat, Unusable,
    read,
};
use muxbed::fidelity::Recorded;
use muxbed::wire::{FrameKind, FrameReader, PREFACE};

use super::session::ladder;

use Direction::{ToClient, ToServer};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("captures")
}

fn recordings() -> Vec<String> {
    let files = fs::read_dir(directory()).unwrap().map(|file| file.unwrap().file_name());
    let mut names: Vec<String> = files
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".pcapng"))
        .collect();
    names.sort();
    assert_eq!(names.len(), 207);
    names
}

/// Passes a recording to a check.
fn with<T>(name: &str, check: impl FnOnce(&Capture<'_>) -> T) -> T {
    let file = fs::read(directory().join(name)).unwrap();
    check(&read(&file).unwrap())
}

fn conversations(name: &str) -> Vec<TlsConversation> {
    with(name, |capture| {
        let log = KeyLog::of(capture);
        capture.flows.iter().map(|flow| TlsConversation::read(flow, &log)).collect()
    })
}

#[test]
fn every_recording_is_opened_to_its_end() {
    let (mut flows, mut silent, mut cut_short, mut unfinished) = (0, 0, Vec::new(), Vec::new());
    for name in recordings() {
        for conversation in conversations(&name) {
            flows += 1;
            assert!(conversation.hello.is_some() && conversation.negotiated.is_some(), "{name}");
            if conversation.data(ToServer).next().is_none() {
                // Only clients that insist on ALPN say nothing, to a server without.
                assert!(name.contains("__tls-noalpn-"), "{name}: {:?}", ladder(&conversation));
                silent += 1;
            }
            if !conversation.is_established() {
                unfinished.push(name.clone());
            }
            for stop in &conversation.stops {
                assert_eq!(stop.reason, StopReason::EndsInsideRecord { bytes: 29 }, "{name}: {stop}");
                assert_eq!(stop.direction, ToServer);
                cut_short.push(name.clone());
            }
        }
    }
    assert_eq!((flows, silent), (209, 19));
    // It goes without finishing the handshake, as soon as it knows that there is no protocol.
    assert_eq!(unfinished, ["grpc-java-1.85.1-netty__tls-noalpn-cmux-settings.pcapng"]);
    // This client's last record, a close_notify of 31 bytes, lacks its last two, each time.
    assert_eq!(cut_short.len(), 4);
    assert!(cut_short.iter().all(|name| name.starts_with("grpc-java-1.7.1-netty__")), "{cut_short:?}");
}

#[test]
fn the_requests_inside_are_those_that_tshark_saw() {
    let text = fs::read_to_string(directory().join("observed.json")).unwrap();
    let Ok(Recorded::Observations(all)) = Recorded::parse(&text) else { panic!("it is a list") };
    let mut compared = 0;
    for observation in all.iter().filter(|observation| observation.capture.ends_with(".pcapng")) {
        with(&observation.capture, |capture| {
            let log = KeyLog::of(capture);
            for (flow, seen) in capture.flows.iter().zip(&observation.connections) {
                let client = RecordedClient::of(flow, &log).unwrap();
                assert_eq!(client.summary.requests, seen.requests, "{}", observation.capture);
                compared += 1;
            }
        });
    }
    assert_eq!(compared, 209);
}

#[test]
fn clients_of_http2_begin_with_preface_and_settings_in_their_records() {
    let client: Vec<_> =
        conversations("grpc-go-1.33.3__tls-direct.pcapng").remove(0).data(ToServer).cloned().collect();
    assert_eq!(client[0], PREFACE[..]);
    assert_eq!(client[1], [0, 0, 0, 4, 0, 0, 0, 0, 0][..]);
    let mut in_http2 = 0;
    for name in recordings() {
        let conversation = conversations(&name).remove(0);
        let bytes: Vec<u8> = conversation.data(ToServer).flatten().copied().collect();
        let h2 =
            conversation.negotiated.as_ref().and_then(|negotiated| negotiated.alpn.as_deref()) == Some(b"h2");
        if h2 && !bytes.is_empty() {
            let frames = bytes.strip_prefix(&PREFACE).unwrap_or_else(|| panic!("{name}: {bytes:?}"));
            let mut reader = FrameReader::new(u32::MAX);
            reader.push(frames);
            let first = reader.next_frame().unwrap().unwrap();
            assert_eq!(first.kind, FrameKind::Settings, "{name}");
            in_http2 += 1;
        }
    }
    assert_eq!(in_http2, 155);
}

#[test]
fn a_client_that_insists_on_a_protocol_leaves_in_words() {
    let said = ladder(&conversations("grpc-go-1.67.1__tls-noalpn-cmux-settings.pcapng")[0]);
    let after: Vec<&str> = said.iter().map(String::as_str).skip_while(|line| *line != "> finished").collect();
    assert!(after.contains(&"> warning alert close_notify"), "{said:?}");
    assert!(!said.iter().any(|line| line.starts_with("> ") && line.ends_with("bytes")), "{said:?}");
}

#[test]
fn without_its_secrets_a_recording_needs_keys_and_with_a_key_log_it_is_the_same() {
    for name in recordings() {
        with(&name, |capture| {
            let text: Vec<u8> = capture
                .secrets
                .iter()
                .filter(|secrets| secrets.kind == SecretsKind::TlsKeyLog)
                .flat_map(|secrets| secrets.data.to_vec())
                .collect();
            let log = KeyLog::parse(&text).unwrap();
            assert_eq!(log, KeyLog::of(capture), "{name}");
            for flow in &capture.flows {
                let with_keys = RecordedClient::of(flow, &log).unwrap();
                assert!(with_keys.tls.is_some_and(|tls| tls.negotiated.is_some()));
                let without = RecordedClient::of(flow, &KeyLog::default());
                assert!(matches!(without, Err(Unusable::NeedsKeys { .. })), "{name}: {without:?}");
            }
        });
    }
}

#[test]
fn tickets_and_alerts_are_told_from_data() {
    let said = ladder(&conversations("curl-7.88.1__tls-direct.pcapng")[0]);
    assert!(said.contains(&"< new_session_ticket".to_owned()), "{said:?}");
    for name in recordings() {
        for conversation in conversations(&name) {
            let mut finished = false;
            for event in conversation.events.iter().filter(|event| event.direction == ToClient) {
                match &event.what {
                    TlsWhat::Handshake(kind) => finished |= kind.to_string() == "finished",
                    TlsWhat::Data(_) => assert!(finished, "{name}: data before the handshake is done"),
                    _ => {}
                }
            }
        }
    }
}
