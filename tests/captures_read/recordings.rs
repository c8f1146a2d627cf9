//! Recordings of real clients against what tshark finds in them: `recordings.txt`, written by `oracle.py`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use muxbed::capture::{ClientKnownBy, Direction, Flow, SecretsKind, What};

use super::{ladder, read_whole};

/// The lines of the oracle, by capture.
fn expected() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut captures: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for line in include_str!("recordings.txt").lines() {
        let (capture, rest) = line.split_once(' ').unwrap();
        captures.entry(capture).or_default().push(rest);
    }
    captures
}

fn bytes_of(capture: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures").join(capture);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The digest of `oracle.py`: FNV-1a with 64 bits.
fn digest<'b>(parts: impl Iterator<Item = &'b [u8]>) -> u64 {
    parts.flatten().fold(0xcbf2_9ce4_8422_2325, |digest, byte| {
        (digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A direction of a flow, said as the oracle says it.
fn line(flow: &Flow<'_>, direction: Direction) -> String {
    let end = match direction {
        Direction::ToServer => flow.client,
        Direction::ToClient => flow.server,
    };
    let data: Vec<_> = flow.data(direction).map(|(_, bytes)| bytes).collect();
    let bytes: usize = data.iter().map(|bytes| bytes.len()).sum();
    let segments = data.len();
    let digest = digest(data.into_iter());
    let of_direction = || flow.events.iter().filter(|event| event.direction == direction);
    let gaps: Vec<_> = of_direction()
        .filter_map(|event| match event.what {
            What::Gap { offset, length } => Some(format!("{offset}+{length}")),
            _ => None,
        })
        .collect();
    let gaps = if gaps.is_empty() { "-".to_owned() } else { gaps.join(";") };
    let has = |what: &What<'_>, word| {
        let found = of_direction().any(|event| event.what == *what);
        if found { word } else { "-" }
    };
    let (fin, reset) = (has(&What::End, "end"), has(&What::Reset, "reset"));
    let number = flow.number;
    format!("{number} {end} {direction} {bytes} {segments} {digest:016x} {gaps} {fin} {reset}")
}

#[test]
fn recordings_have_the_flows_that_tshark_finds() {
    let expected = expected();
    assert_eq!(expected.len(), 12);
    for (name, lines) in expected {
        let file = bytes_of(name);
        let capture = read_whole(&file);
        assert_eq!(capture.passed_over.total(), 0);
        let found: Vec<_> = capture
            .flows
            .iter()
            .flat_map(|flow| [Direction::ToServer, Direction::ToClient].map(|way| line(flow, way)))
            .collect();
        assert_eq!(found, lines, "{name}");
        let known = |flow: &Flow<'_>| flow.client_known_by == ClientKnownBy::Handshake;
        assert!(capture.flows.iter().all(known), "{name}");
        let keys: Vec<_> = capture.secrets.iter().map(|secrets| secrets.kind).collect();
        let encrypted = name.ends_with(".pcapng");
        assert_eq!(keys, vec![SecretsKind::TlsKeyLog; usize::from(encrypted)], "{name}");
        for secrets in capture.secrets {
            let text = std::str::from_utf8(secrets.data).unwrap();
            assert!(text.lines().all(|line| line.split(' ').count() == 3), "{text:?}");
        }
    }
}

#[test]
fn packets_that_a_recording_lacks_are_named_with_their_place() {
    // The server's SETTINGS ACK and what came with it is not there, but the client acknowledged it with its next
    // request.
    let file = bytes_of("grpc-go-1.8.0__cmux-settings-to-h2c.pcap");
    let capture = read_whole(&file);
    let flow = &capture.flows[0];
    let lines: Vec<_> = flow.events.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines[8..],
        [
            "17.262 ms < 16 bytes at 145 (packet 18)",
            "17.906 ms < 21 bytes at 161 not captured (packet 20)",
            "17.906 ms > 48 bytes at 149 (packet 20)",
            "20.718 ms < 17 bytes at 182 (packet 21)",
            "20.879 ms > end (packet 22)",
            "21.481 ms < end (packet 32)",
        ]
    );
    assert!(!flow.is_complete());
    assert!(capture.flows[1..].iter().all(Flow::is_complete));

    // A whole write of the client before its end.
    let file = bytes_of("grpc-go-1.40.0__cmux-settings-to-h2c.pcap");
    let capture = read_whole(&file);
    let complete: Vec<_> = capture.flows.iter().map(Flow::is_complete).collect();
    assert_eq!(complete, [true, true, false]);
    let lines: Vec<_> = capture.flows[2].events.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines[4..],
        [
            "23.621 ms > 9 bytes at 33 not captured (packet 53)",
            "23.621 ms > end (packet 52)",
            "23.621 ms < end (packet 53)",
        ]
    );
}

#[test]
fn a_recording_cut_off_has_the_same_events_up_to_the_cut() {
    let file = bytes_of("haproxy-h2-2.6.12__eof.pcap");
    let whole = read_whole(&file);
    let lines = ladder(&whole.flows[0]);
    for cut in (24..file.len()).step_by(13) {
        let capture = muxbed::capture::read(&file[..cut]).unwrap();
        let packets = capture.packets;
        let Some(flow) = capture.flows.first() else {
            continue;
        };
        let expected = whole.flows[0].events.iter().filter(|event| event.packet <= packets);
        assert_eq!(ladder(flow), lines[..expected.count()]);
    }
}
