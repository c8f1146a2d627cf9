//! The target `capture`: any bytes are read as a capture file without panic and within bounds; and a conversation that is
//! written to a file in whatever disorder comes back byte for byte.
//!
//! The first byte says which: a file; what a conversation is planned from; the same, beside itself in a tunnel (`tunnels.rs`); a key
//! log and a file that it may open. Bytes that a plan loses are gaps in what is read, and everything else is there.
//!
//! Time is left to libFuzzer's `-timeout`; memory is bounded here by what the flows take, and by what is read inside TLS, which
//! is no more than what was captured of it.

use std::net::SocketAddr;

use crate::capture::writer::{ByteOrder, Container, Layout, Plan, Wrapping, write};
use crate::capture::{
    Capture, Clock, Direction, Flow, FlowEvent, KeyLog, LinkType, RecordedClient, Resolution,
    TlsConversation, TlsWhat, What, read,
};
use crate::script::bytes::Reader;

use super::tunnels::Tunnel;

/// Reads the file, or makes one and reads that.
///
/// # Panics
///
/// If what is read of a file contradicts itself or takes much more room than the file; if a conversation does not come
/// back as it was planned, or not the same beside a tunnel; if a key log's error is not about its first bad line.
pub fn capture(bytes: &[u8]) {
    let mut input = Reader::new(bytes);
    match input.choose(4) {
        0 => file(input.take(u64::MAX), &KeyLog::default()),
        1 => Made::of(&mut input).check(),
        2 => {
            let (tunnel, every) = (Tunnel::of(&mut input), input.choose(4));
            tunnel.check(&Made::of(&mut input).plan, every);
        }
        _ => {
            let length = input.number();
            let log = key_log(input.take(length));
            file(input.take(u64::MAX), &log);
        }
    }
}

fn file(bytes: &[u8], log: &KeyLog) {
    let Ok(capture) = read(bytes) else { return };
    check_capture(bytes, &capture);
    let mut all = KeyLog::of(&capture);
    all.extend(log);
    for flow in &capture.flows {
        check_inside(flow, &TlsConversation::read(flow, &all));
        drop(RecordedClient::of(flow, &all));
    }
}

/// A key log, read; of one that is none the part before its first bad line.
fn key_log(text: &[u8]) -> KeyLog {
    let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    let (log, bad) = match KeyLog::parse(text) {
        Ok(log) => (log, None),
        Err(bad) => {
            assert!((1..=lines.len()).contains(&bad.line), "there is no line {}", bad.line);
            let (before, from) = lines.split_at(bad.line - 1);
            let alone = KeyLog::parse(&[from[0], b"\n"].concat()).map(|log| log.len());
            let alone = alone.map_err(|alone| (alone.line, alone.wants));
            assert_eq!(alone, Err((1, bad.wants)), "line {} by itself says something else", bad.line);
            (KeyLog::parse(&before.concat()).expect("its first bad line comes later"), Some(bad.line))
        }
    };
    assert!(log.len() < bad.unwrap_or(lines.len() + 1), "more secrets than lines");
    log
}

/// What is read inside TLS is less than what was captured of it.
fn check_inside(flow: &Flow<'_>, conversation: &TlsConversation) {
    let mut stopped = [false; 2];
    for stop in &conversation.stops {
        let this = usize::from(stop.direction == Direction::ToClient);
        assert!(!std::mem::replace(&mut stopped[this], true), "a direction stops twice");
    }
    for direction in [Direction::ToServer, Direction::ToClient] {
        let captured: usize = flow.data(direction).map(|(_, bytes)| bytes.len()).sum();
        let inside = conversation.events.iter().filter(|event| event.direction == direction);
        let inside: usize = inside
            .map(|event| match &event.what {
                TlsWhat::Data(bytes) => bytes.len(),
                _ => 0,
            })
            .sum();
        assert!(inside <= captured, "{inside} bytes inside {captured}");
    }
}

/// How much more room than a file its flows may take. The worst is a packet of 41 bytes with a conversation of its own.
const MOST_ROOM: usize = 16;

/// Checks what holds for every capture, however damaged.
///
/// # Panics
///
/// If it does not.
pub fn check_capture(file: &[u8], capture: &Capture<'_>) {
    let mut bytes_in_all = 0;
    let mut packets_in_all = 0;
    let mut room = 0;
    for (flow, number) in capture.flows.iter().zip(1..) {
        assert_eq!(flow.number, number);
        assert_ne!(flow.client, flow.server);
        packets_in_all += flow.packets;
        room += size_of::<Flow<'_>>() + flow.events.len() * size_of::<FlowEvent<'_>>();
        bytes_in_all += check_events(flow, capture.packets);
    }
    assert!(bytes_in_all <= file.len(), "bytes that are not in the file");
    assert!(packets_in_all <= capture.packets);
    assert!(room <= MOST_ROOM * file.len(), "{room} bytes for a file of {}", file.len());
}

fn check_events(flow: &Flow<'_>, packets: u64) -> usize {
    let mut bytes_in_all = 0;
    let mut ended = [false; 2];
    let mut next = [0, 0];
    let mut time = 0;
    for event in &flow.events {
        assert!(event.time >= time, "time steps back");
        time = event.time;
        assert!((1..=packets).contains(&event.packet));
        let this = usize::from(event.direction == Direction::ToClient);
        let (offset, length) = match &event.what {
            What::Data { offset, bytes } => {
                bytes_in_all += bytes.len();
                (*offset, bytes.len() as u64)
            }
            What::Gap { offset, length } => (*offset, *length),
            What::Truncated { offset, missing } => (*offset, *missing),
            What::End => {
                assert!(!ended[this], "two ends");
                ended[this] = true;
                continue;
            }
            What::Opened | What::MissingStart | What::Reset => continue,
        };
        assert!(length > 0, "an event about nothing");
        assert!(!ended[this], "something after the end");
        assert_eq!(offset, next[this], "the stream has neither holes nor overlaps");
        next[this] += length;
    }
    bytes_in_all
}

/// A conversation, and the file that it is in.
#[derive(Debug)]
struct Made {
    plan: Plan,
    layout: Layout,
    ended: bool,
    /// Whether every byte is captured.
    whole: bool,
}

/// SYN, SYN and ACK, ACK: what shows who the client is stays in its place.
const OPENING: usize = 3;

impl Made {
    fn of(input: &mut Reader<'_>) -> Self {
        let whole = input.choose(2) == 0;
        let ended = input.choose(2) == 0;
        let layout = layout(input, whole);
        let (client, server) = match input.choose(2) {
            0 => ("10.1.0.1:40000", "10.1.0.2:443"),
            _ => ("[fd00::1]:40000", "[fd00::2]:443"),
        };
        let address = |text: &str| -> SocketAddr { text.parse().expect("it is an address") };
        let mut plan = Plan::new(address(client), address(server), 1_792_000_000_123_456_789);
        plan.initial = [(); 2].map(|()| match input.number() {
            low if low < 0x80 => u32::MAX - low as u32,
            any => any as u32,
        });
        plan.open();
        for _ in 0..input.choose(12) {
            let how = input.byte();
            let direction = if how & 1 == 0 { Direction::ToServer } else { Direction::ToClient };
            let size = usize::from(input.byte() % 50 + 1);
            let length = input.number() % 80;
            plan.send(direction, input.take(length), size);
            if how & 2 == 0 {
                plan.acknowledge(direction.reverse());
            }
            if how & 0x1c == 0x1c {
                plan.keep_alive(direction);
            }
        }
        if ended {
            plan.end(Direction::ToServer).end(Direction::ToClient).acknowledge(Direction::ToServer);
        }
        // A probe's byte means nothing only as long as it comes where one is expected.
        let most_mishaps = if plan.packets.iter().any(|packet| packet.garbled) { 1 } else { 20 };
        for _ in 0..input.choose(most_mishaps) {
            mishap(&mut plan, input, whole);
        }
        Self { plan, layout, ended, whole }
    }

    fn check(&self) {
        let file = write(&self.layout, std::slice::from_ref(&self.plan));
        let capture = read(&file).unwrap_or_else(|error| panic!("{error}\n{self:?}"));
        assert_eq!(capture.cut_off, None, "{self:?}");
        check_capture(&file, &capture);
        let [flow] = capture.flows.as_slice() else { panic!("it is not one conversation: {self:?}") };
        for direction in [Direction::ToServer, Direction::ToClient] {
            let stream = self.plan.stream(direction);
            let mut given = vec![false; stream.len()];
            for (offset, bytes) in flow.data(direction) {
                let range = offset as usize..offset as usize + bytes.len();
                assert_eq!(bytes, &stream[range.clone()], "other bytes came back: {self:?}");
                given[range].fill(true);
            }
            assert_eq!(given, self.captured(direction), "more or fewer bytes came back: {self:?}");
            if self.whole {
                let of_this = flow.events.iter().filter(|event| event.direction == direction);
                let ends = of_this.filter(|event| event.what == What::End).count();
                assert_eq!(ends, usize::from(self.ended), "the end is not told as it was: {self:?}");
            }
        }
        assert_eq!(flow.notes.conflicts, 0, "{self:?}");
        assert!(!self.whole || flow.is_complete(), "{self:?}");
    }

    /// Which bytes are in the file.
    fn captured(&self, direction: Direction) -> Vec<bool> {
        let mut captured = vec![false; self.plan.stream(direction).len()];
        for packet in
            self.plan.packets.iter().filter(|packet| packet.direction == direction && !packet.garbled)
        {
            let end = packet.bytes.end.saturating_sub(packet.missing as usize);
            captured[packet.bytes.start..end.max(packet.bytes.start)].fill(true);
        }
        captured
    }
}

/// Packets that miss bytes are not in fragments: which bytes those would be is another question.
fn layout(input: &mut Reader<'_>, whole: bool) -> Layout {
    let orders = [ByteOrder::Little, ByteOrder::Big];
    let order = orders[input.choose(2)];
    let links = [0_u16, 1, 101, 108, 113, 276];
    let link = LinkType::from(links[input.choose(links.len())]);
    let vlans = [vec![], vec![7], vec![1, 2]];
    Layout {
        container: match input.choose(2) {
            0 => Container::Pcap { order, nanoseconds: input.choose(2) == 0 },
            _ => Container::Pcapng { order, clock: Clock { resolution: Resolution::NANOSECONDS, offset: 0 } },
        },
        wrapping: Wrapping {
            vlans: vlans[input.choose(vlans.len())].clone(),
            order,
            fragment_size: if whole { [0, 0, 8, 48][input.choose(4)] } else { 0 },
            extension_headers: input.choose(2) == 1,
            ..Wrapping::new(link)
        },
        snapshot_length: 0,
    }
}

fn mishap(plan: &mut Plan, input: &mut Reader<'_>, whole: bool) {
    let left = plan.packets.len() - OPENING;
    if left == 0 {
        return;
    }
    let packet = OPENING + input.choose(left);
    let most = 1 + usize::from(input.byte() % 40);
    match input.choose(if whole { 3 } else { 5 }) {
        0 => {
            plan.repeat(packet, most.min(11));
        }
        1 => {
            plan.delay(packet, most.min(11));
        }
        2 if plan.packets[packet].fin => {}
        2 => {
            plan.widen(packet, most, usize::from(input.byte() % 40));
        }
        3 => {
            plan.lose(packet);
        }
        _ => plan.packets[packet].missing = most as u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_log_is_read_up_to_its_first_bad_line() {
        let line = |random: u8| {
            format!("CLIENT_RANDOM {} {}\n", format!("{random:02x}").repeat(32), "5a".repeat(48))
        };
        let text = [line(1).as_str(), "# a comment\n", &line(2), "nothing of the kind\n", &line(3)].concat();
        assert_eq!(key_log(text.as_bytes()).len(), 2);
        assert_eq!(key_log(b"\xff").len(), 0);
        assert_eq!(key_log(b"").len(), 0);
    }
}
