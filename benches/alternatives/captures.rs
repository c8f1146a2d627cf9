//! Captures read: a large one that is made here, and the recordings that lie beside the sources.
//!
//! The alternative does less: pcap-parser and etherparse, the two crates inside, walk over the same packets and their
//! headers, without putting streams together. It is the speed that reading can't exceed.

use std::fs;
use std::hint::black_box;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;

use etherparse::{SlicedPacket, TransportSlice};
use muxbed::capture::writer::{Layout, Plan, write};
use muxbed::capture::{Direction, LinkType, read};
use pcap_parser::{Block, parse_block_le, parse_pcap_frame};

use super::measure::{Subject, Unit};

/// How large the generated capture is, in bytes.
const SIZE: usize = 50_000_000;

const WALK: &str = "a capture of 50 MB, headers only";
const WALK_RECORDINGS: &str = "the recordings, headers only";

pub(crate) fn subjects() -> Vec<Subject> {
    let generated = vec![generated()];
    let mut subjects = both(WALK, "a capture of 50 MB, read into flows", generated);
    let recordings = recordings();
    if recordings.is_empty() {
        subjects.push(Subject::known("the recordings: skipped, `captures/` is not here", Unit::Time, 0.0));
    } else {
        subjects.extend(both(WALK_RECORDINGS, "the recordings, read into flows", recordings));
    }
    subjects
}

/// The walk over some files, and the reading of them.
fn both(walk_name: &'static str, name: &str, files: Vec<Vec<u8>>) -> Vec<Subject> {
    let size = files.iter().map(Vec::len).sum();
    let files = Rc::new(files);
    let walked = Rc::clone(&files);
    let walking = Subject::once(walk_name, Unit::Megabytes(size), move || {
        for file in walked.iter() {
            black_box(walk(file));
        }
    });
    let reading = Subject::once(name, Unit::Megabytes(size), move || {
        for file in files.iter() {
            drop(black_box(read(file).expect("a capture")));
        }
    });
    vec![walking, reading.aim(800.0).beside(walk_name, None)]
}

/// Conversations as a busy gRPC server has them, many at a time: a handshake, and then answers of 96 KiB in full segments,
/// every second of which is acknowledged.
fn generated() -> Vec<u8> {
    const SEGMENT: usize = 1_448;
    const ANSWER: usize = 96 << 10;
    let answer: Vec<u8> = (0..ANSWER).map(|index| (index % 251) as u8).collect();
    let mut plans = Vec::new();
    let mut size = 0;
    while size < SIZE {
        let number = plans.len() as u16;
        let client = SocketAddr::from(([10, 0, (number >> 8) as u8, number as u8], 40_000 + number % 20_000));
        let server = SocketAddr::from(([10, 1, 0, 1], 443));
        let mut plan = Plan::new(client, server, 1_792_000_000_000_000_000 + u64::from(number) * 100_000);
        plan.open()
            .send(Direction::ToServer, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", SEGMENT)
            .send(Direction::ToServer, &[0, 0, 0, 4, 0, 0, 0, 0, 0], SEGMENT)
            .send(Direction::ToClient, &[0, 0, 0, 4, 0, 0, 0, 0, 0], SEGMENT)
            .send(Direction::ToServer, &[0, 0, 0, 4, 1, 0, 0, 0, 0], SEGMENT);
        for pair in answer.chunks(2 * SEGMENT) {
            plan.send(Direction::ToClient, pair, SEGMENT).acknowledge(Direction::ToServer);
        }
        plan.end(Direction::ToServer).end(Direction::ToClient).acknowledge(Direction::ToServer);
        // What stands around a packet in the file, and its headers.
        size += ANSWER + plan.packets.len() * (32 + 54);
        plans.push(plan);
    }
    write(&Layout::new(LinkType::Ethernet), &plans)
}

/// The contents of all recordings; none if the crate was packed without them.
fn recordings() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "pcap" || ending == "pcapng"));
    paths.sort_unstable();
    paths.iter().map(|path| fs::read(path).expect("a recording that is there")).collect()
}

/// How many bytes the TCP segments of a little-endian file over Ethernet carry, as their headers say.
fn walk(file: &[u8]) -> usize {
    if !file.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]) {
        let mut rest = &file[24..];
        return std::iter::from_fn(|| {
            let (after, packet) = parse_pcap_frame(rest).ok()?;
            rest = after;
            Some(payload(packet.data))
        })
        .sum();
    }
    let mut rest = file;
    let blocks = std::iter::from_fn(|| {
        let (after, block) = parse_block_le(rest).ok()?;
        rest = after;
        Some(block)
    });
    blocks
        .map(|block| match block {
            Block::EnhancedPacket(packet) => payload(&packet.data[..packet.caplen as usize]),
            _ => 0,
        })
        .sum()
}

fn payload(frame: &[u8]) -> usize {
    let packet = SlicedPacket::from_ethernet(frame).expect("a whole frame");
    match packet.transport {
        Some(TransportSlice::Tcp(tcp)) => tcp.payload().len(),
        _ => 0,
    }
}
