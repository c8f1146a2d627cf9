//! A TCP segment into the frames that carry it: IP headers, fragments, link layer.
//!
//! Headers are etherparse's, with right checksums, so that what is written here looks right to other programs and
//! tests the reader against code that is not its own. A segment too long for an IP header is written with a length of
//! 0, as captures on a sending host have it.
//!
//! Left out: TCP options but for the maximum segment size of a SYN.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::{
    EtherType, Ethernet2Header, IpFragOffset, Ipv4Header, Ipv6FragmentHeader, Ipv6Header, Ipv6RawExtHeader,
    SingleVlanHeader, TcpHeader, TcpOptionElement, VlanId, ether_type, ip_number,
};

use super::file::ByteOrder;
use crate::capture::link::LinkType;
use crate::capture::segment::Segment;

/// What is put around a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrapping {
    /// What a frame begins with. [`LinkType::Other`] gives frames that are IP without anything before it.
    pub link: LinkType,
    /// VLAN identifiers of 12 bits, the outermost first; for Ethernet and Linux cooked captures.
    pub vlans: Vec<u16>,
    /// The byte order of NULL's protocol family.
    pub order: ByteOrder,
    /// What NULL and LOOP call IPv6: 10, 24, 28 or 30.
    pub family_of_ipv6: u32,
    /// Whether IPv6 packets have extension headers (hop-by-hop and destination options) before TCP.
    pub extension_headers: bool,
    /// How many bytes of a datagram each IP fragment carries at most, rounded up to a multiple of eight; 0 for no
    /// fragments.
    pub fragment_size: u16,
}

impl Wrapping {
    /// Wraps segments for a link type and nothing more.
    pub fn new(link: LinkType) -> Self {
        Self {
            link,
            vlans: Vec::new(),
            order: ByteOrder::Little,
            family_of_ipv6: 30,
            extension_headers: false,
            fragment_size: 0,
        }
    }

    /// The frames for one segment; all but one only if it is fragmented. Fragments of one datagram belong together by
    /// `identification`, of which IPv4 takes 16 bits. The bytes that a segment misses are cut off the last frame.
    pub fn frames(&self, segment: &Segment<'_>, identification: u32) -> Vec<Frame> {
        let datagram = tcp(segment);
        let mut parts = Vec::new();
        match (segment.source.ip(), segment.destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                self.version_4(source, destination, &datagram, identification, &mut parts);
            }
            (source, destination) => {
                let [source, destination] = [source, destination].map(in_version_6);
                self.version_6(source, destination, &datagram, identification, &mut parts);
            }
        }
        let last = parts.len() - 1;
        let version_6 = segment.source.is_ipv6();
        parts
            .into_iter()
            .enumerate()
            .map(|(index, packet)| {
                let mut bytes = self.link_header(version_6);
                bytes.extend_from_slice(&packet);
                let original_length = bytes.len() as u32;
                if index == last {
                    bytes.truncate(bytes.len().saturating_sub(segment.missing as usize));
                }
                Frame { bytes, original_length }
            })
            .collect()
    }

    fn version_4(
        &self,
        source: Ipv4Addr,
        destination: Ipv4Addr,
        datagram: &[u8],
        identification: u32,
        packets: &mut Vec<Vec<u8>>,
    ) {
        for (offset, part, more) in self.parts(datagram) {
            let mut header = Ipv4Header {
                total_len: u16::try_from(part.len() + 20).unwrap_or(0),
                identification: identification as u16,
                dont_fragment: self.fragment_size == 0,
                more_fragments: more,
                fragment_offset: offset,
                time_to_live: 64,
                protocol: ip_number::TCP,
                source: source.octets(),
                destination: destination.octets(),
                ..Ipv4Header::default()
            };
            header.header_checksum = header.calc_header_checksum();
            packets.push([&header.to_bytes()[..], part].concat());
        }
    }

    fn version_6(
        &self,
        source: Ipv6Addr,
        destination: Ipv6Addr,
        datagram: &[u8],
        identification: u32,
        packets: &mut Vec<Vec<u8>>,
    ) {
        let mut first = ip_number::TCP;
        let mut whole = Vec::new();
        let mut before_fragment = Vec::new();
        if self.extension_headers {
            // A hop-by-hop header stays before the fragment header, destination options are cut up with the rest.
            let padding = [1, 4, 0, 0, 0, 0];
            if let Ok(header) = Ipv6RawExtHeader::new_raw(first, &padding) {
                whole.extend_from_slice(&header.to_bytes());
                first = ip_number::IPV6_DEST_OPTIONS;
            }
        }
        whole.extend_from_slice(datagram);
        let mut outermost = first;
        if self.fragment_size > 0 {
            outermost = ip_number::IPV6_FRAG;
        }
        if self.extension_headers
            && let Ok(header) = Ipv6RawExtHeader::new_raw(outermost, &[1, 4, 0, 0, 0, 0])
        {
            before_fragment.extend_from_slice(&header.to_bytes());
            outermost = ip_number::IPV6_HOP_BY_HOP;
        }
        for (offset, part, more) in self.parts(&whole) {
            let mut payload = before_fragment.clone();
            if self.fragment_size > 0 {
                let header = Ipv6FragmentHeader::new(first, offset, more, identification);
                payload.extend_from_slice(&header.to_bytes());
            }
            payload.extend_from_slice(part);
            let header = Ipv6Header {
                payload_length: u16::try_from(payload.len()).unwrap_or(0),
                next_header: outermost,
                hop_limit: 64,
                source: source.octets(),
                destination: destination.octets(),
                ..Ipv6Header::default()
            };
            packets.push([&header.to_bytes()[..], &payload].concat());
        }
    }

    /// The parts of a datagram with their offsets and whether others follow.
    fn parts<'d>(&self, datagram: &'d [u8]) -> Vec<(IpFragOffset, &'d [u8], bool)> {
        let size = match usize::from(self.fragment_size).next_multiple_of(8) {
            0 => datagram.len(),
            size => size,
        };
        let count = datagram.len().div_ceil(size);
        datagram
            .chunks(size)
            .enumerate()
            .map(|(index, part)| {
                let units = u16::try_from(index * size / 8).unwrap_or(u16::MAX);
                let offset = IpFragOffset::try_new(units).unwrap_or(IpFragOffset::ZERO);
                (offset, part, index + 1 < count)
            })
            .collect()
    }

    fn link_header(&self, version_6: bool) -> Vec<u8> {
        let network = if version_6 { ether_type::IPV6 } else { ether_type::IPV4 };
        let outermost = match self.vlans.len() {
            0 => network,
            1 => ether_type::VLAN_TAGGED_FRAME,
            _ => ether_type::PROVIDER_BRIDGING,
        };
        let family = if version_6 { self.family_of_ipv6 } else { 2 };
        let mut bytes = Vec::new();
        match self.link {
            LinkType::Ethernet => {
                let header = Ethernet2Header {
                    source: [2, 0, 0, 0, 0, 1],
                    destination: [2, 0, 0, 0, 0, 2],
                    ether_type: outermost,
                };
                bytes.extend_from_slice(&header.to_bytes());
                self.tags(network, &mut bytes);
            }
            LinkType::Null => self.order.put_32(&mut bytes, family),
            LinkType::Loop => ByteOrder::Big.put_32(&mut bytes, family),
            LinkType::LinuxCooked => {
                // To this host, over Ethernet, from an address of six bytes.
                bytes.extend_from_slice(&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0]);
                ByteOrder::Big.put_16(&mut bytes, outermost.0);
                self.tags(network, &mut bytes);
            }
            LinkType::LinuxCooked2 => {
                ByteOrder::Big.put_16(&mut bytes, outermost.0);
                bytes.extend_from_slice(&[0, 0, 0, 0, 0, 3, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0]);
                self.tags(network, &mut bytes);
            }
            LinkType::Raw | LinkType::Ipv4 | LinkType::Ipv6 | LinkType::Other(_) => {}
        }
        bytes
    }

    fn tags(&self, network: EtherType, bytes: &mut Vec<u8>) {
        for (index, vlan) in self.vlans.iter().enumerate() {
            let tag = SingleVlanHeader {
                vlan_id: VlanId::try_new(vlan & 0x0fff).unwrap_or_default(),
                ether_type: if index + 1 < self.vlans.len() {
                    ether_type::VLAN_TAGGED_FRAME
                } else {
                    network
                },
                ..SingleVlanHeader::default()
            };
            bytes.extend_from_slice(&tag.to_bytes());
        }
    }
}

/// One frame, as much of it as is to be captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The captured bytes.
    pub bytes: Vec<u8>,
    /// How many bytes it has on the wire.
    pub original_length: u32,
}

fn tcp(segment: &Segment<'_>) -> Vec<u8> {
    let mut header =
        TcpHeader::new(segment.source.port(), segment.destination.port(), segment.sequence, segment.window);
    header.acknowledgment_number = segment.acknowledgment.unwrap_or(0);
    header.ack = segment.acknowledgment.is_some();
    header.syn = segment.syn;
    header.fin = segment.fin;
    header.rst = segment.rst;
    header.psh = !segment.payload.is_empty();
    if segment.syn {
        let fits = header.set_options(&[TcpOptionElement::MaximumSegmentSize(1460)]);
        debug_assert!(fits.is_ok(), "four bytes of options");
    }
    let mut payload = segment.payload.to_vec();
    payload.resize(payload.len() + segment.missing as usize, 0);
    let checksum = match (segment.source.ip(), segment.destination.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            header.calc_checksum_ipv4_raw(source.octets(), destination.octets(), &payload)
        }
        (source, destination) => {
            let [source, destination] = [source, destination].map(|end| in_version_6(end).octets());
            header.calc_checksum_ipv6_raw(source, destination, &payload)
        }
    };
    // Too long a segment is cut up by the card, which then computes the checksums.
    header.checksum = checksum.unwrap_or(0);
    [&header.to_bytes()[..], &payload].concat()
}

fn in_version_6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}
