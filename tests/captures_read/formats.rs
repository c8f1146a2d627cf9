//! One conversation in every link layer, byte order, time resolution and kind of block gives the same flow; what is
//! beside it is counted; and a file that ends early, or is damaged, says where.

use muxbed::capture::writer::{
    ByteOrder, Container, Interface, Layout, PcapWriter, PcapngWriter, Wrapping, write,
};
use muxbed::capture::{
    CaptureError, Clock, Direction, Inside, LinkType, Malformation, Packets, PassedKind, Resolution,
    SecretsKind, read,
};

use super::{TALK, TIME, ladder, plan, plan_between, read_whole, talk};

const ORDERS: [ByteOrder; 2] = [ByteOrder::Little, ByteOrder::Big];
const LINKS: [LinkType; 8] = [
    LinkType::Null,
    LinkType::Ethernet,
    LinkType::Raw,
    LinkType::Loop,
    LinkType::LinuxCooked,
    LinkType::LinuxCooked2,
    LinkType::Ipv4,
    LinkType::Ipv6,
];

fn containers() -> Vec<(Container, u64)> {
    let mut containers = Vec::new();
    for order in ORDERS {
        for (nanoseconds, kept) in [(false, 1_000), (true, 1)] {
            containers.push((Container::Pcap { order, nanoseconds }, kept));
        }
        let binary_microsecond = Resolution::Binary(20);
        for (resolution, offset, kept) in [
            (Resolution::MICROSECONDS, 0, 1_000),
            (Resolution::NANOSECONDS, 0, 1),
            (Resolution::Decimal(3), 1_700_000_000, 1_000_000),
            (Resolution::Decimal(11), 1_791_999_000, 1),
            (binary_microsecond, -86_400, 1_000),
        ] {
            let clock = Clock { resolution, offset };
            containers.push((Container::Pcapng { order, clock }, kept));
        }
    }
    containers
}

fn wrappings() -> Vec<Wrapping> {
    let mut wrappings = Vec::new();
    for link in LINKS {
        for order in ORDERS {
            for family_of_ipv6 in [10, 24, 28, 30] {
                for vlans in [vec![], vec![7], vec![100, 4_094, 1]] {
                    for fragment_size in [0, 8, 24] {
                        for extension_headers in [false, true] {
                            wrappings.push(Wrapping {
                                link,
                                vlans: vlans.clone(),
                                order,
                                family_of_ipv6,
                                extension_headers,
                                fragment_size,
                            });
                        }
                    }
                }
            }
        }
    }
    wrappings
}

#[test]
fn every_link_layer_gives_the_same_flow() {
    let mut version_4 = plan();
    let mut version_6 = plan_between("[fd00::1]:40000", "[fd00::2]:443");
    talk(&mut version_4);
    talk(&mut version_6);
    for wrapping in wrappings() {
        let mut layout = Layout::new(wrapping.link);
        layout.wrapping = wrapping;
        for plan in [&version_4, &version_6] {
            let file = write(&layout, std::slice::from_ref(plan));
            let capture = read_whole(&file);
            assert_eq!(capture.passed_over.total(), 0, "{:?}", layout.wrapping);
            assert_eq!(capture.flows.len(), 1, "{:?}", layout.wrapping);
            assert_eq!(ladder(&capture.flows[0]), TALK, "{:?}", layout.wrapping);
        }
    }
}

#[test]
fn every_container_gives_the_same_flow_at_the_same_time() {
    let mut plan = plan();
    talk(&mut plan);
    for (container, kept) in containers() {
        let mut layout = Layout::new(LinkType::Ethernet);
        layout.container = container;
        let file = write(&layout, std::slice::from_ref(&plan));
        let capture = read_whole(&file);
        let flow = &capture.flows[0];
        assert_eq!(ladder(flow), TALK, "{container:?}");
        let near = |time: u64, expected: u64| time.abs_diff(expected) < kept.max(2);
        assert!(near(flow.start.unwrap(), TIME), "{container:?}");
        assert!(near(flow.events[0].time, 50_000), "{container:?}");
        let last = flow.events.last().unwrap();
        assert!(near(last.time, 15 * 50_000), "{container:?} {}", last.time);
    }
}

#[test]
fn a_file_may_hold_sections_interfaces_and_blocks_of_every_kind() {
    let mut plan = plan();
    talk(&mut plan);
    let segments: Vec<_> = plan.segments().collect();
    let clock = |resolution, offset| Clock { resolution: Resolution::from(resolution), offset };
    let interface = |link, clock| Interface { link, snapshot_length: 96, clock };
    let mut writer = PcapngWriter::new(ByteOrder::Big);
    writer.secrets(SecretsKind::TlsKeyLog, b"CLIENT_RANDOM 00 11\n.");
    writer.block(4, &[0; 4]);
    let mut packets = segments.iter();
    for (order, links) in [
        (ByteOrder::Big, [LinkType::Raw, LinkType::Loop]),
        (ByteOrder::Little, [LinkType::LinuxCooked2, LinkType::Null]),
    ] {
        writer.section(order);
        writer.interface(interface(links[0], clock(9, 5)));
        writer.interface(interface(links[1], clock(0x80 | 31, -7)));
        for (index, (time, segment)) in packets.by_ref().take(9).enumerate() {
            let frames = |link| Wrapping::new(link).frames(segment, 1).remove(0);
            let [first, second] = links.map(frames);
            match index % 4 {
                0 => writer.packet(0, *time, &first.bytes, first.original_length),
                1 => writer.packet(1, *time, &second.bytes, second.original_length),
                2 => writer.obsolete_packet(1, *time, &second.bytes, second.original_length),
                _ => writer.simple_packet(&first.bytes, first.original_length),
            }
            writer.block(5, &[1, 2, 3]);
        }
    }
    writer.secrets(SecretsKind::Other(0x5353_484b), b"");
    writer.block(0x4000_0bad, &[0; 8]);
    let file = writer.take();

    let capture = read_whole(&file);
    assert_eq!(capture.packets, 17);
    assert_eq!(capture.flows.len(), 1);
    assert_eq!(ladder(&capture.flows[0]), TALK);
    assert_eq!(capture.time_steps_back, 0);
    assert_eq!(capture.passed_over.total(), 0);
    assert_eq!(capture.passed_over.blocks, 19);
    let secrets: Vec<_> = capture.secrets.iter().map(|s| (s.kind, s.data)).collect();
    assert_eq!(
        secrets,
        [(SecretsKind::TlsKeyLog, &b"CLIENT_RANDOM 00 11\n."[..]), (SecretsKind::Other(0x5353_484b), b"")]
    );
    let times: Vec<_> = Packets::new(&file).unwrap().map(|packet| packet.unwrap().timestamp).collect();
    for (index, (time, _)) in segments.iter().enumerate() {
        let expected = match index % 9 % 4 {
            0 => Some(*time),
            3 => None,
            // Of two to the power of 31 units in a second, this one began less than a nanosecond before.
            _ => Some(*time - 1),
        };
        assert_eq!(times[index], expected, "packet {}", index + 1);
    }
}

#[test]
fn a_packet_without_length_of_its_own_ends_at_the_snapshot_length() {
    for (snapshot_length, original_length, expected) in
        [(97, 200, 97), (97, 90, 90), (0, 101, 101), (200, 97, 97)]
    {
        let mut writer = PcapngWriter::new(ByteOrder::Little);
        writer.interface(Interface { link: LinkType::Raw, snapshot_length, clock: Clock::default() });
        writer.simple_packet(&vec![7; expected], original_length);
        let file = writer.take();
        let packet = Packets::new(&file).unwrap().next().unwrap().unwrap();
        assert_eq!(packet.bytes, vec![7; expected]);
        assert_eq!(packet.original_length, original_length);
    }
}

#[test]
fn a_file_cut_anywhere_gives_the_packets_before_the_cut_and_its_place() {
    let mut plan = plan();
    talk(&mut plan);
    for (container, _) in containers() {
        let mut layout = Layout::new(LinkType::Raw);
        layout.container = container;
        let file = write(&layout, std::slice::from_ref(&plan));
        let header = match container {
            Container::Pcap { .. } => 24,
            Container::Pcapng { .. } => 28,
        };
        // Where each record or block begins, found by reading ever more of the file.
        let mut last_whole = header;
        let mut packets = 0;
        for cut in header..=file.len() {
            let capture = read(&file[..cut]).unwrap();
            assert!(capture.packets == packets || capture.packets == packets + 1);
            packets = capture.packets;
            match capture.cut_off {
                None => last_whole = cut,
                Some(CaptureError::CutOff { offset, after_packet, inside, missing }) => {
                    assert_eq!((offset, after_packet), (last_whole as u64, packets));
                    let is_packet = matches!(container, Container::Pcap { .. });
                    assert_eq!(inside == Inside::Packet, is_packet);
                    assert!(missing > 0 && cut + missing as usize <= file.len());
                }
                Some(other) => panic!("{other}"),
            }
        }
        assert_eq!((last_whole, packets), (file.len(), 17));
        for cut in 1..header {
            let error = read(&file[..cut]).unwrap_err();
            let said = match error {
                CaptureError::NotACapture { .. } => cut < 4,
                CaptureError::CutOff { offset: 0, .. } => cut >= 4,
                _ => false,
            };
            assert!(said, "{cut} {error}");
        }
    }
}

#[test]
fn damage_is_told_from_an_early_end() {
    let damaged = |at: usize, byte: u8| {
        let mut file = written_raw();
        file[at] = byte;
        let mut packets = Packets::new(&file).unwrap();
        assert!(packets.any(|packet| packet.is_err()));
        assert!(packets.next().is_none(), "nothing follows an error");
        read(&file).unwrap().cut_off
    };
    // The section takes 28 bytes, the interface 32 with its option, the first packet 76.
    let malformed = |offset, after_packet, what| Some(CaptureError::Malformed { offset, after_packet, what });
    assert_eq!(damaged(64, 75), malformed(60, 0, Malformation::BlockLength(75)));
    assert_eq!(damaged(64, 8), malformed(60, 0, Malformation::BlockLength(8)));
    let trailer = Malformation::BlockTrailer { start: 76, end: 77 };
    assert_eq!(damaged(60 + 72, 77), malformed(60, 0, trailer));
    assert_eq!(damaged(60 + 20, 60), malformed(60, 0, Malformation::BlockBody(6)));
    let interface = Malformation::NoSuchInterface { interface: 3, described: 1 };
    assert_eq!(damaged(60 + 8, 3), malformed(60, 0, interface));
    assert_eq!(damaged(136 + 8, 3), malformed(136, 1, interface));
}

#[test]
fn an_obsolete_packet_that_does_not_fit_its_block_is_damage() {
    for (length, captured, fits) in [(20, 0, true), (28, 8, true), (28, 9, false), (16, 0, false)] {
        let mut writer = PcapngWriter::new(ByteOrder::Little);
        writer.interface(Interface { link: LinkType::Raw, snapshot_length: 0, clock: Clock::default() });
        let mut body = vec![0; length];
        body[12] = captured;
        writer.block(2, &body);
        let file = writer.take();
        let cut_off = read(&file).unwrap().cut_off;
        let damage =
            CaptureError::Malformed { offset: 48, after_packet: 0, what: Malformation::BlockBody(2) };
        assert_eq!(cut_off, (!fits).then_some(damage));
    }
}

fn written_raw() -> Vec<u8> {
    let mut plan = plan();
    plan.open();
    write(&Layout::new(LinkType::Raw), &[plan])
}

#[test]
fn what_is_not_tcp_is_counted_by_kind() {
    let mut plan = plan();
    talk(&mut plan);
    let frame = |change: &dyn Fn(&mut Vec<u8>)| {
        let (_, segment) = plan.segments().nth(3).unwrap();
        let mut frame = Wrapping::new(LinkType::Ethernet).frames(&segment, 1).remove(0);
        change(&mut frame.bytes);
        frame.bytes
    };
    let frames = [
        (frame(&|bytes| bytes[23] = 17), PassedKind::Udp),
        (frame(&|bytes| bytes[23] = 1), PassedKind::Icmp),
        (frame(&|bytes| bytes[23] = 47), PassedKind::Transport(47)),
        (frame(&|bytes| bytes[13] = 6), PassedKind::Arp),
        (frame(&|bytes| bytes[12] = 0x88), PassedKind::Network(0x8800)),
        (frame(&|bytes| bytes[14] = 0x75), PassedKind::Malformed),
        (frame(&|bytes| bytes[46] = 0x10), PassedKind::Malformed),
        (frame(&|bytes| bytes.truncate(50)), PassedKind::HeaderCutShort),
        (frame(&|bytes| bytes.truncate(13)), PassedKind::HeaderCutShort),
        (frame(&|bytes| bytes[20] = 0x20), PassedKind::Malformed),
        (frame(&|bytes| bytes[21] = 9), PassedKind::FragmentUnfinished),
        (frame(&|bytes| bytes[26..30].copy_from_slice(&[10, 1, 0, 2])), PassedKind::ToItself),
    ];
    for (mut bytes, kind) in frames {
        if kind == PassedKind::ToItself {
            bytes.copy_within(36..38, 34);
        }
        let mut writer = PcapWriter::new(ByteOrder::Little, true, LinkType::Ethernet, 0);
        writer.packet(TIME, &bytes, 200);
        let file = writer.take();
        let capture = read_whole(&file);
        assert_eq!(capture.flows.len(), 0);
        assert_eq!(capture.passed_over.packets(kind), 1, "{kind}: {:?}", capture.passed_over);
        assert_eq!(capture.passed_over.total(), 1);
    }
    let mut writer = PcapWriter::new(ByteOrder::Big, false, LinkType::from(127), 0);
    writer.packet(TIME, b"radiotap", 8);
    let file = writer.take();
    let link = PassedKind::Link(LinkType::Other(127));
    assert_eq!(read_whole(&file).passed_over.packets(link), 1);
}

#[test]
fn packets_longer_than_an_ip_header_can_say_are_read() {
    let bytes = vec![b'x'; 100_000];
    for (client, server) in [("10.0.0.1:5", "10.0.0.2:6"), ("[::1]:5", "[::1]:6")] {
        let mut plan = plan_between(client, server);
        plan.open().send(Direction::ToServer, &bytes, 100_000);
        for link in [LinkType::Ethernet, LinkType::Raw, LinkType::LinuxCooked2] {
            let file = write(&Layout::new(link), std::slice::from_ref(&plan));
            let capture = read_whole(&file);
            let data: Vec<_> = capture.flows[0].data(Direction::ToServer).collect();
            assert_eq!(data, [(0, &bytes[..])]);
        }
    }
}
