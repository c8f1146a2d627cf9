//! Disorder made up at random: bytes come back whatever happens to their packets, and no bytes make the reader panic.

use muxbed::capture::writer::{
    ByteOrder, Container, Interface, Layout, PcapWriter, PcapngWriter, Plan, Wrapping, write,
};
use muxbed::capture::{Clock, Direction, Flow, LinkType, Resolution, What, read};
use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::properties::cases;
use super::{check_capture, plan_between, read_whole};

use Direction::{ToClient, ToServer};

/// What happens to a packet after it was planned.
#[derive(Clone, Debug)]
enum Mishap {
    Repeat(Index, usize),
    Delay(Index, usize),
    Widen(Index, usize, usize),
    Lose(Index),
    Cut(Index, u32),
}

fn harmless() -> impl Strategy<Value = Mishap> {
    prop_oneof![
        (any::<Index>(), 1..12_usize).prop_map(|(packet, places)| Mishap::Repeat(packet, places)),
        (any::<Index>(), 1..12_usize).prop_map(|(packet, places)| Mishap::Delay(packet, places)),
        (any::<Index>(), 0..40_usize, 0..40_usize)
            .prop_map(|(packet, before, after)| Mishap::Widen(packet, before, after)),
    ]
}

fn harmful() -> impl Strategy<Value = Mishap> {
    prop_oneof![
        2 => harmless(),
        1 => any::<Index>().prop_map(Mishap::Lose),
        1 => (any::<Index>(), 1..30_u32).prop_map(|(packet, missing)| Mishap::Cut(packet, missing)),
    ]
}

/// Turns of the two ends, each with its bytes, the size of its segments, and whether it is acknowledged.
fn turns() -> impl Strategy<Value = Vec<(bool, Vec<u8>, usize, bool)>> {
    vec((any::<bool>(), vec(any::<u8>(), 1..80), 1..50_usize, any::<bool>()), 1..12)
}

fn planned(turns: &[(bool, Vec<u8>, usize, bool)], initial: [u32; 2], ended: bool) -> Plan {
    let mut plan = plan_between("10.1.0.1:40000", "10.1.0.2:443");
    plan.initial = initial;
    plan.open();
    for (to_server, bytes, segment_size, acknowledged) in turns {
        let direction = if *to_server { ToServer } else { ToClient };
        plan.send(direction, bytes, *segment_size);
        if *acknowledged {
            plan.acknowledge(direction.reverse());
        }
    }
    if ended {
        plan.end(ToServer).end(ToClient).acknowledge(ToServer);
    }
    plan
}

/// Lets mishaps happen to all packets but the first few.
fn disturb(plan: &mut Plan, mishaps: &[Mishap], spared: usize) {
    for mishap in mishaps {
        let place = |index: &Index| spared + index.index(plan.packets.len() - spared);
        match mishap {
            _ if plan.packets.len() == spared => {}
            Mishap::Repeat(packet, places) => {
                plan.repeat(place(packet), *places);
            }
            Mishap::Delay(packet, places) => {
                plan.delay(place(packet), *places);
            }
            Mishap::Widen(packet, before, after) => {
                let packet = place(packet);
                if !plan.packets[packet].fin {
                    plan.widen(packet, *before, *after);
                }
            }
            Mishap::Lose(packet) => {
                plan.lose(place(packet));
            }
            Mishap::Cut(packet, missing) => {
                let packet = place(packet);
                plan.packets[packet].missing = *missing;
            }
        }
    }
}

fn joined(flow: &Flow<'_>, direction: Direction) -> Vec<u8> {
    flow.data(direction).flat_map(|(_, bytes)| bytes.to_vec()).collect()
}

fn layout(link: LinkType, fragment_size: u16) -> Layout {
    let mut layout = Layout::new(link);
    layout.wrapping.fragment_size = fragment_size;
    layout
}

/// That each event comes when its packet was there, and after all bytes that its sender had by then.
fn check_order(plan: &Plan, flow: &Flow<'_>) -> Result<(), TestCaseError> {
    if flow.notes.late > 0 {
        // The capture itself has answers before what they answer.
        return Ok(());
    }
    let mut given = BTreeMap::from([(ToServer, 0), (ToClient, 0)]);
    for event in &flow.events {
        let What::Data { offset, bytes } = &event.what else {
            continue;
        };
        let packet = &plan.packets[event.packet as usize - 1];
        prop_assert_eq!(packet.direction, event.direction);
        prop_assert!(event.time >= packet.time - flow.start.unwrap_or(0));
        let answered = packet.acknowledges.unwrap_or(0);
        // The last number acknowledged may be that of a FIN.
        prop_assert!(given[&event.direction.reverse()] + 2 >= answered);
        given.insert(event.direction, offset + bytes.len() as u64);
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn bytes_come_back_whatever_happens_to_their_packets(
        turns in turns(),
        mishaps in vec(harmless(), 0..20),
        initial in any::<[u32; 2]>(),
        near_wrap in any::<bool>(),
        ended in any::<bool>(),
        fragment_size in prop_oneof![Just(0_u16), Just(8), Just(48)],
    ) {
        let initial = if near_wrap { initial.map(|number| u32::MAX - number % 600) } else { initial };
        let mut plan = planned(&turns, initial, ended);
        disturb(&mut plan, &mishaps, 3);
        let layout = layout(LinkType::Raw, fragment_size);
        let file = write(&layout, std::slice::from_ref(&plan));
        let capture = read_whole(&file);
        prop_assert_eq!(capture.flows.len(), 1);
        let flow = &capture.flows[0];
        for direction in [ToServer, ToClient] {
            prop_assert_eq!(joined(flow, direction), plan.stream(direction));
            let ends = flow.events.iter().filter(|e| e.direction == direction && e.what == What::End);
            prop_assert_eq!(ends.count(), usize::from(ended));
        }
        prop_assert!(flow.is_complete());
        if fragment_size == 0 {
            check_order(&plan, flow)?;
        }
        prop_assert_eq!(flow.notes.conflicts, 0);
        prop_assert_eq!(flow.notes.out_of_window, 0);
    }

    #[test]
    fn what_is_lost_leaves_gaps_and_what_is_there_is_right(
        turns in turns(),
        mishaps in vec(harmful(), 0..20),
        ended in any::<bool>(),
    ) {
        let mut plan = planned(&turns, [u32::MAX - 50, 9], ended);
        disturb(&mut plan, &mishaps, 3);
        let captured: Vec<_> = plan
            .packets
            .iter()
            .flat_map(|packet| {
                let end = packet.bytes.end.saturating_sub(packet.missing as usize);
                (packet.bytes.start..end).map(|at| (packet.direction, at))
            })
            .collect();
        let file = write(&layout(LinkType::Ethernet, 0), std::slice::from_ref(&plan));
        let capture = read_whole(&file);
        let flow = &capture.flows[0];
        for direction in [ToServer, ToClient] {
            let stream = plan.stream(direction);
            let mut given = vec![false; stream.len()];
            for (offset, bytes) in flow.data(direction) {
                let range = offset as usize..offset as usize + bytes.len();
                prop_assert_eq!(bytes, &stream[range.clone()]);
                given[range].fill(true);
            }
            // Every captured byte is given out, and no other.
            let mut expected = vec![false; stream.len()];
            for (_, at) in captured.iter().filter(|(of, _)| *of == direction) {
                expected[*at] = true;
            }
            prop_assert_eq!(given, expected);
        }
        prop_assert_eq!(flow.notes.conflicts, 0);
    }

    #[test]
    fn a_conversation_without_start_or_with_bytes_changed_keeps_its_shape(
        turns in turns(),
        mishaps in vec(harmful(), 0..12),
        garbled in vec(any::<Index>(), 0..6),
        spared in 0..3_usize,
    ) {
        let mut plan = planned(&turns, [5, u32::MAX], true);
        plan.packets.drain(..3 - spared);
        disturb(&mut plan, &mishaps, 0);
        let count = plan.packets.len();
        for index in garbled {
            if count > 0 {
                plan.packets[index.index(count)].garbled = true;
            }
        }
        read_whole(&write(&layout(LinkType::Raw, 0), &[plan]));
    }

    #[test]
    fn damaged_captures_are_read_without_panic(
        turns in turns(),
        mishaps in vec(harmful(), 0..8),
        changes in vec((any::<Index>(), any::<u8>()), 1..12),
        cut in proptest::option::of(any::<Index>()),
        container in 0..4_usize,
        link in prop_oneof![Just(0_u16), Just(1), Just(101), Just(108), Just(113), Just(276)],
        version_6 in any::<bool>(),
        fragment_size in prop_oneof![Just(0_u16), Just(16)],
    ) {
        let mut plan = planned(&turns, [1, 2], true);
        if version_6 {
            plan = plan_between("[fd00::1]:9", "[fd00::2]:8");
            plan.open().send(ToServer, b"some bytes of a conversation", 5).end(ToServer);
        }
        disturb(&mut plan, &mishaps, 0);
        let orders = [ByteOrder::Little, ByteOrder::Big];
        let layout = Layout {
            container: match container {
                0 | 1 => Container::Pcap { order: orders[container], nanoseconds: true },
                _ => Container::Pcapng {
                    order: orders[container - 2],
                    clock: Clock { resolution: Resolution::Binary(33), offset: 77 },
                },
            },
            wrapping: Wrapping {
                vlans: vec![1, 2],
                fragment_size,
                extension_headers: true,
                ..Wrapping::new(LinkType::from(link))
            },
            snapshot_length: 0,
        };
        let mut file = write(&layout, &[plan]);
        let length = file.len();
        for (index, byte) in changes {
            file[index.index(length)] = byte;
        }
        if let Some(cut) = cut {
            file.truncate(cut.index(length));
        }
        if let Ok(capture) = read(&file) {
            check_capture(&file, &capture);
        }
    }

    #[test]
    fn random_bytes_are_read_without_panic(bytes in vec(any::<u8>(), 0..600), start in 0..6_usize) {
        let starts: [&[u8]; 6] = [
            b"",
            b"\x0a\x0d\x0d\x0a",
            b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a\x01\0\0\0",
            b"\xd4\xc3\xb2\xa1\x02\0\x04\0",
            b"\xa1\xb2\x3c\x4d\0\x02\0\x04",
            b"\x34\xcd\xb2\xa1\x02\0\x04\0",
        ];
        let file = [starts[start], &bytes].concat();
        if let Ok(capture) = read(&file) {
            check_capture(&file, &capture);
        }
    }

    #[test]
    fn random_contents_of_blocks_and_packets_are_read_without_panic(
        contents in vec((0..12_u32, vec(0..16_usize, 0..90)), 1..30),
        link in prop_oneof![Just(0_u16), Just(1), Just(101), Just(101), Just(113), Just(276)],
        pcapng in any::<bool>(),
    ) {
        // Numbers that let a reader go on: types, lengths, versions, zeros.
        const TELLING: [u8; 16] = [0, 0, 0, 0, 0, 0, 1, 2, 6, 8, 20, 40, 44, 0x45, 0x50, 0x60];
        let order = ByteOrder::Little;
        let link = LinkType::from(link);
        let mut pcap_writer = PcapWriter::new(order, true, link, 0);
        let mut pcapng_writer = PcapngWriter::new(order);
        pcapng_writer.interface(Interface { link, snapshot_length: 0, clock: Clock::default() });
        for (kind, choices) in contents {
            let bytes: Vec<u8> = choices.into_iter().map(|choice| TELLING[choice]).collect();
            pcap_writer.packet(0, &bytes, kind * 20);
            match kind {
                // In right blocks, and in blocks of every kind with whatever inside.
                11 => pcapng_writer.packet(0, 0, &bytes, 60),
                kind => pcapng_writer.block(kind, &bytes),
            }
        }
        let file = if pcapng { pcapng_writer.take() } else { pcap_writer.take() };
        if let Ok(capture) = read(&file) {
            check_capture(&file, &capture);
        }
    }
}

#[test]
fn a_file_of_nothing_but_beginnings_is_read() {
    // Ever new ports, the worst that a capture can do to what is kept for each conversation.
    let mut plans = Vec::new();
    for port in 1..=2_000 {
        let mut plan = plan_between(&format!("10.1.0.1:{port}"), "10.1.0.2:443");
        plan.open().packets.truncate(1);
        plans.push(plan);
    }
    let file = write(&layout(LinkType::Raw, 0), &plans);
    let capture = read_whole(&file);
    assert_eq!(capture.flows.len(), 2_000);
    assert!(capture.flows.iter().all(|flow| flow.events.is_empty()));
}
