//! Tunnels, in the target `capture`: a conversation that is captured in the open and, packet by packet, in a tunnel too.
//!
//! The reader passes over tunnels (`src/capture/link.rs`, `network.rs` and `passed_over.rs` say so). So the packets in the tunnel have to be
//! counted under the name that the outermost header gives them, and nothing else may come of them: the conversation in the
//! open, which has the same addresses, is the one that it is without them.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use etherparse::{IpNumber, Ipv4Header, Ipv6Header, ip_number};

use crate::capture::writer::{ByteOrder, Frame, PcapWriter, Plan, Wrapping};
use crate::capture::{Capture, Flow, LinkType, PassedKind, Segment, read};
use crate::script::bytes::Reader;

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const MPLS: u16 = 0x8847;
const PPPOE: u16 = 0x8864;

/// A tunnel, whose packets go over Ethernet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tunnel {
    kind: Kind,
    /// Whether its own packets are IPv6.
    is_version_6: bool,
    /// Whether they have a VLAN tag.
    is_tagged: bool,
    /// How many bytes behind the outermost IP header, or what stands in its place, are captured; 0 for all.
    captured: usize,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// RFC 2003, RFC 2473 and RFC 4213.
    IpInIp,
    /// RFC 2784.
    Gre,
    /// RFC 7348.
    Vxlan,
    /// RFC 3032.
    Mpls,
    /// RFC 2516.
    Pppoe,
}

impl Tunnel {
    pub(super) fn of(input: &mut Reader<'_>) -> Self {
        let kinds = [Kind::IpInIp, Kind::Gre, Kind::Vxlan, Kind::Mpls, Kind::Pppoe];
        let kind = kinds[input.choose(kinds.len())];
        let [is_version_6, is_tagged] = [(); 2].map(|()| input.choose(2) == 1);
        Self { kind, is_version_6, is_tagged, captured: input.number() as usize % 200 }
    }

    /// Captures the plan in the open and in the tunnel; every so-manieth packet goes only where it is in the open.
    ///
    /// # Panics
    ///
    /// If the conversation in the open is not the one that it is alone, or if the packets in the tunnel are not counted by their
    /// name.
    pub(super) fn check(&self, plan: &Plan, every: usize) {
        let (alone, _) = self.file(plan, usize::MAX);
        let (beside, tunnelled) = self.file(plan, every.max(1));
        let [alone, beside] = [&alone, &beside]
            .map(|file| read(file).unwrap_or_else(|error| panic!("{error}\n{self:?} {plan:?}")));
        assert_eq!(beside.packets, alone.packets + tunnelled.len() as u64, "{self:?} {plan:?}");
        assert_eq!(unnumbered(&beside), unnumbered(&alone), "a tunnel makes a difference: {self:?} {plan:?}");
        let mut expected: BTreeMap<PassedKind, u64> = alone.passed_over.kinds().collect();
        for kind in tunnelled {
            *expected.entry(kind).or_default() += 1;
        }
        let passed: BTreeMap<PassedKind, u64> = beside.passed_over.kinds().collect();
        assert_eq!(passed, expected, "{self:?} {plan:?}");
    }

    /// The file, and what the packets in the tunnel are passed over as.
    fn file(&self, plan: &Plan, every: usize) -> (Vec<u8>, Vec<PassedKind>) {
        let mut file = PcapWriter::new(ByteOrder::Little, true, LinkType::Ethernet, 262_144);
        let mut tunnelled = Vec::new();
        let mut segments: Vec<(u64, Segment<'_>)> = plan.segments().collect();
        segments.sort_by_key(|(time, _)| *time);
        for (number, (time, segment)) in (1_u32..).zip(&segments) {
            if every != usize::MAX && (number as usize).is_multiple_of(every) {
                for inside in Wrapping::new(LinkType::Raw).frames(segment, number) {
                    let (outside, kind) = self.around(&inside);
                    file.packet(*time, &outside.bytes, outside.original_length);
                    tunnelled.push(kind);
                }
            }
            for frame in Wrapping::new(LinkType::Ethernet).frames(segment, number) {
                file.packet(*time, &frame.bytes, frame.original_length);
            }
        }
        (file.take(), tunnelled)
    }

    /// The packet of the tunnel that has this IP packet inside, and what it is passed over as.
    fn around(&self, inside: &Frame) -> (Frame, PassedKind) {
        let is_version_6 = inside.bytes.first().is_some_and(|first| first >> 4 == 6);
        let network = if is_version_6 { IPV6 } else { IPV4 };
        let length = inside.original_length as usize;
        let [high, low] = network.to_be_bytes();
        let (protocol, header): (IpNumber, Vec<u8>) = match self.kind {
            Kind::IpInIp => (if is_version_6 { ip_number::IPV6 } else { ip_number::IPV4 }, Vec::new()),
            Kind::Gre => (ip_number::GRE, vec![0, 0, high, low]),
            Kind::Vxlan => (ip_number::UDP, self.vxlan(length, network)),
            Kind::Mpls => return self.below_ip(MPLS, &[0, 1, 1, 64], inside),
            Kind::Pppoe => {
                let protocol: u16 = if is_version_6 { 0x0057 } else { 0x0021 };
                let [[first, second], [third, fourth]] = [length as u16 + 2, protocol].map(u16::to_be_bytes);
                return self.below_ip(PPPOE, &[0x11, 0, 0, 1, first, second, third, fourth], inside);
            }
        };
        let outer = self.ip(protocol, header.len() + length);
        let frame = self.frame(if self.is_version_6 { IPV6 } else { IPV4 }, &outer, &header, inside);
        let kind = match protocol {
            ip_number::UDP => PassedKind::Udp,
            IpNumber(number) => PassedKind::Transport(number),
        };
        (frame, kind)
    }

    fn below_ip(&self, kind: u16, header: &[u8], inside: &Frame) -> (Frame, PassedKind) {
        (self.frame(kind, &[], header, inside), PassedKind::Network(kind))
    }

    /// UDP and VXLAN headers, and the Ethernet header inside.
    fn vxlan(&self, length: usize, network: u16) -> Vec<u8> {
        let mut header = Vec::new();
        for number in [49_152, 4_789, length as u16 + 8 + 8 + 14, 0] {
            header.extend(u16::to_be_bytes(number));
        }
        header.extend([8, 0, 0, 0, 0, 0, 7, 0]);
        header.extend([2, 0, 0, 0, 0, 3, 2, 0, 0, 0, 0, 4]);
        header.extend(network.to_be_bytes());
        header
    }

    fn ip(&self, protocol: IpNumber, length: usize) -> Vec<u8> {
        if self.is_version_6 {
            let header = Ipv6Header {
                payload_length: length as u16,
                next_header: protocol,
                hop_limit: 64,
                source: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 9).octets(),
                destination: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 10).octets(),
                ..Ipv6Header::default()
            };
            return header.to_bytes().to_vec();
        }
        let mut header = Ipv4Header {
            total_len: length as u16 + 20,
            time_to_live: 64,
            protocol,
            source: Ipv4Addr::new(192, 0, 2, 9).octets(),
            destination: Ipv4Addr::new(192, 0, 2, 10).octets(),
            ..Ipv4Header::default()
        };
        header.header_checksum = header.calc_header_checksum();
        header.to_bytes().to_vec()
    }

    fn frame(&self, kind: u16, outer: &[u8], header: &[u8], inside: &Frame) -> Frame {
        let mut bytes = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
        if self.is_tagged {
            bytes.extend([0x81, 0, 0, 7]);
        }
        bytes.extend(kind.to_be_bytes());
        bytes.extend(outer);
        let decisive = bytes.len();
        bytes.extend(header);
        let original_length = bytes.len() as u32 + inside.original_length;
        bytes.extend(&inside.bytes);
        if self.captured > 0 {
            bytes.truncate(decisive + self.captured);
        }
        Frame { bytes, original_length }
    }
}

/// The conversations without what tells one file from the other.
fn unnumbered<'a>(capture: &Capture<'a>) -> Vec<Flow<'a>> {
    let mut flows = capture.flows.clone();
    for event in flows.iter_mut().flat_map(|flow| &mut flow.events) {
        event.packet = 0;
    }
    flows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Direction;

    #[test]
    fn each_tunnel_is_passed_over_by_its_name() {
        let address = |text: &str| text.parse().expect("it is an address");
        let plans = [("10.1.0.1:40000", "10.1.0.2:443"), ("[fd00::1]:40000", "[fd00::2]:443")];
        let plans = plans.map(|(client, server)| {
            let mut plan = Plan::new(address(client), address(server), 1_792_000_000_123_456_789);
            plan.open().send(Direction::ToServer, b"inside and outside", 5);
            plan
        });
        let mut names = Vec::new();
        for kind in [Kind::IpInIp, Kind::Gre, Kind::Vxlan, Kind::Mpls, Kind::Pppoe] {
            for plan in &plans {
                for (is_version_6, is_tagged) in [(false, false), (true, true)] {
                    for captured in [0, 3] {
                        let tunnel = Tunnel { kind, is_version_6, is_tagged, captured };
                        tunnel.check(plan, 1);
                        names.extend(tunnel.file(plan, 1).1.first().map(ToString::to_string));
                    }
                }
            }
        }
        names.sort();
        names.dedup();
        let expected = [
            "EtherType 0x8847",
            "EtherType 0x8864",
            "IP protocol 4",
            "IP protocol 41",
            "IP protocol 47",
            "UDP",
        ];
        assert_eq!(names, expected);
    }
}
