//! What the seeds of the targets that read bytes are chosen from.

use std::collections::BTreeSet;

use bytes::Bytes;
use muxbed::capture::Direction::{ToClient, ToServer};
use muxbed::capture::LinkType;
use muxbed::capture::writer::{ByteOrder, Container, Layout, Plan, write};
use muxbed::fuzzing::DIFFERENCES;
use muxbed::scenarios::SCENARIOS;
use muxbed::wire::{Frame, PREFACE, RawFrame};

type Seeds = BTreeSet<Vec<u8>>;

/// A size of pieces that cuts most frames and hellos.
const PIECES: u8 = 40;

/// The recorded frames behind the preface, whole connections and one by one.
pub(crate) fn frames(flights: &BTreeSet<Bytes>) -> Seeds {
    let mut seeds = Seeds::new();
    for flight in flights {
        let Some(frames) = flight.strip_prefix(&PREFACE) else { continue };
        seeds.insert([&[PIECES], frames].concat());
        for frame in raw_frames(frames) {
            let mut seed = vec![1];
            frame.encode(&mut seed);
            seeds.insert(seed);
        }
    }
    // What clients seldom or never send.
    let rare: [&[u8]; 6] = [
        &[0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 8],
        &[0, 0, 5, 2, 0, 0, 0, 0, 3, 0x80, 0, 0, 1, 15],
        &[0, 0, 9, 5, 4, 0, 0, 0, 1, 0, 0, 0, 2, 0x88, 0x82, 0x84, 0x86, 0x90],
        &[0, 0, 10, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, b'h', b'i'],
        &[0, 0, 6, 0, 9, 0, 0, 0, 1, 2, b'a', b'b', b'c', 0, 0],
        &[0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82, 0, 0, 1, 9, 4, 0, 0, 0, 1, 0x84],
    ];
    seeds.extend(rare.map(|frame| [&[PIECES], frame].concat()));
    seeds
}

/// The recorded header blocks, each alone and all of a connection.
pub(crate) fn hpack(flights: &BTreeSet<Bytes>) -> Seeds {
    let mut seeds = Seeds::new();
    for (flight, number) in flights.iter().zip((0..=u8::MAX).cycle()) {
        let Some(frames) = flight.strip_prefix(&PREFACE) else { continue };
        let mut connection = Vec::new();
        for frame in raw_frames(frames) {
            let Ok(Frame::Headers { fragment, .. }) = frame.parse() else { continue };
            let Ok(length) = u8::try_from(fragment.len()) else { break };
            let seed = [&[number, length], &fragment[..]].concat();
            connection.extend_from_slice(&seed);
            seeds.insert(seed);
        }
        seeds.insert(connection);
    }
    seeds
}

/// What recorded clients of TLS begin with.
pub(crate) fn hello(flights: &BTreeSet<Bytes>) -> Seeds {
    let tls = flights.iter().filter(|flight| flight.first() == Some(&22));
    tls.map(|flight| [&[PIECES], &flight[..]].concat()).collect()
}

/// Small files of every container and link, and plans of which the target makes files.
/// `recorded` are whole files, of TLS with the keys that open it.
pub(crate) fn capture(recorded: &[Vec<u8>]) -> Seeds {
    let mut seeds: Seeds = recorded.iter().map(|file| [&[0], &file[..]].concat()).collect();
    let address = |text: &str| text.parse().expect("it is an address");
    for (client, server) in [("10.1.0.1:40000", "10.1.0.2:443"), ("[fd00::1]:9", "[fd00::2]:8")] {
        let mut plan = Plan::new(address(client), address(server), 1_792_000_000_123_456_789);
        plan.open().send(ToServer, b"PRI * HTTP/2.0", 6).acknowledge(ToClient).send(
            ToClient,
            b"settings",
            99,
        );
        plan.end(ToServer).end(ToClient).acknowledge(ToServer);
        for link in [0_u16, 1, 101, 108, 113, 276] {
            let mut layout = Layout::new(LinkType::from(link));
            for container in [
                layout.container,
                Container::Pcap { order: ByteOrder::Big, nanoseconds: false },
                Container::Pcap { order: ByteOrder::Little, nanoseconds: true },
            ] {
                layout.container = container;
                seeds.insert([&[0], &write(&layout, std::slice::from_ref(&plan))[..]].concat());
            }
            layout.wrapping.vlans = vec![1, 2];
            layout.wrapping.fragment_size = 16;
            layout.wrapping.extension_headers = true;
            seeds.insert([&[0], &write(&layout, std::slice::from_ref(&plan))[..]].concat());
        }
    }
    // Numbers without a pattern: a plan reads all that it is from them.
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    for length in 20..180 {
        seeds.insert(std::iter::once(1).chain((0..length).map(|_| next())).collect());
    }
    for tunnel in 0..5 {
        for how in [[0, 0, 0], [1, 0, 40], [0, 1, 3], [1, 1, 0]] {
            let plan = (0..60).map(|_| next());
            seeds.insert([2, tunnel].into_iter().chain(how).chain([1]).chain(plan).collect());
        }
    }
    let secret =
        |label: &str, length: usize| format!("{label} {} {}\n", "5a".repeat(32), "01".repeat(length));
    let lines = [
        "# of a session\n",
        &secret("CLIENT_RANDOM", 48),
        &secret("SERVER_TRAFFIC_SECRET_0", 32),
        "no line\n",
    ];
    for line in lines {
        seeds.insert([&[3, line.len() as u8], line.as_bytes()].concat());
    }
    seeds
}

/// The scenarios, as text and as bytes.
pub(crate) fn script() -> Seeds {
    let mut seeds = Seeds::new();
    for scenario in SCENARIOS {
        seeds.insert(scenario.text.as_bytes().to_vec());
        seeds.insert(scenario.script().expect("it can be read").to_bytes());
    }
    seeds
}

/// What recorded clients begin with, uncut and cut, and what shows each known difference.
pub(crate) fn rivals(flights: &BTreeSet<Bytes>) -> Seeds {
    let shown = DIFFERENCES.iter().map(|difference| Bytes::from_static(difference.example));
    let flights = flights.iter().cloned().chain(shown);
    flights.flat_map(|flight| [&[0][..], &[3, 21, 9, 4, 0]].map(|cuts| [cuts, &flight].concat())).collect()
}

fn raw_frames(bytes: &[u8]) -> impl Iterator<Item = RawFrame> {
    let mut rest = Bytes::copy_from_slice(bytes);
    std::iter::from_fn(move || RawFrame::decode(&mut rest))
}
