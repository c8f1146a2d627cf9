//! TCP segments out of packets: link layer, IP, fragments and the TCP header in one step.
//!
//! The TCP header is read here and not by etherparse because it must be read even when only its first 20 bytes were
//! captured: a snapshot length of 68 bytes, long the default of capture programs, cuts into the options of a SYN.
//!
//! Left out: options (reassembly needs none of them), checksums, and the urgent pointer: urgent bytes are stream bytes,
//! as RFC 6093 has it.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use etherparse::{IpNumber, ip_number};

use super::file::Packet;
use super::fragment::Fragments;
use super::link::network;
use super::network::{Carried, datagram, extensions};
use super::passed_over::{PassedKind, PassedOver};

/// One TCP segment, as captured or as to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Who sent it.
    pub source: SocketAddr,
    /// Whom it was sent to.
    pub destination: SocketAddr,
    /// The sequence number of its first byte, or of the SYN.
    pub sequence: u32,
    /// What it acknowledges, if its ACK flag is set.
    pub acknowledgment: Option<u32>,
    /// The SYN flag: a connection begins.
    pub syn: bool,
    /// The FIN flag: its sender sends nothing after this.
    pub fin: bool,
    /// The RST flag: the connection is aborted.
    pub rst: bool,
    /// The window field as it stands, not scaled.
    pub window: u16,
    /// The bytes captured of its payload.
    pub payload: Cow<'a, [u8]>,
    /// How many bytes of its payload, after those, were on the wire and not captured.
    pub missing: u32,
}

/// Reads segments out of packets, keeping fragments until they are complete.
#[derive(Debug, Default)]
pub(super) struct Segments<'a> {
    fragments: Fragments<'a>,
}

impl<'a> Segments<'a> {
    /// The segment in this packet, or the one that this packet's fragment completes. What is passed over is counted.
    pub(super) fn read(&mut self, packet: &Packet<'a>, passed_over: &mut PassedOver) -> Option<Segment<'a>> {
        match self.read_packet(packet, passed_over) {
            Ok(segment) => segment,
            Err(kind) => {
                passed_over.count(kind, 1);
                None
            }
        }
    }

    /// Counts the fragments that stayed incomplete.
    pub(super) fn finish(self, passed_over: &mut PassedOver) {
        self.fragments.finish(passed_over);
    }

    fn read_packet(
        &mut self,
        packet: &Packet<'a>,
        passed_over: &mut PassedOver,
    ) -> Result<Option<Segment<'a>>, PassedKind> {
        let bytes = network(packet.link, packet.bytes)?;
        let link_header = packet.bytes.len() - bytes.len();
        let wire_length = (packet.original_length as usize).saturating_sub(link_header);
        let datagram = datagram(bytes, wire_length)?;
        let addresses = (datagram.source, datagram.destination);
        let carried = &datagram.carried;
        if let Some(fragment) = carried.fragment {
            // The rest of a datagram can't be told by its own bytes, but the header names what it carries; only what
            // may turn out to be TCP is worth holding.
            if carried.protocol != ip_number::TCP && !carried.protocol.is_ipv6_ext_header_value() {
                return Err(other_than_tcp(carried.protocol));
            }
            let whole = self.fragments.add(&datagram, fragment, packet.number, passed_over);
            let Some(whole) = whole else {
                return Ok(None);
            };
            let Carried { protocol, payload, fragment: None, .. } =
                extensions(whole.protocol, &whole.payload, whole.payload.len())?
            else {
                return Err(PassedKind::Malformed);
            };
            if protocol != ip_number::TCP {
                return Err(other_than_tcp(protocol));
            }
            let header = tcp_header(payload, payload.len())?;
            let skipped = whole.payload.len() - payload.len() + header.length;
            let mut payload = whole.payload;
            payload.drain(..skipped);
            return header.segment(addresses, Cow::Owned(payload), 0).map(Some);
        }
        if carried.protocol != ip_number::TCP {
            return Err(other_than_tcp(carried.protocol));
        }
        let header = tcp_header(carried.payload, carried.length)?;
        let payload = carried.payload.get(header.length..).unwrap_or_default();
        let missing = carried.length - header.length - payload.len();
        header.segment(addresses, Cow::Borrowed(payload), missing as u32).map(Some)
    }
}

/// The fixed part of a TCP header (RFC 9293 section 3.1).
struct Header {
    ports: [u16; 2],
    sequence: u32,
    acknowledgment: u32,
    /// In bytes, options included.
    length: usize,
    flags: u8,
    window: u16,
}

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

fn tcp_header(bytes: &[u8], length: usize) -> Result<Header, PassedKind> {
    let Some(fixed) = bytes.first_chunk::<20>() else {
        return Err(if bytes.len() < length { PassedKind::HeaderCutShort } else { PassedKind::Malformed });
    };
    let short = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
    let long = |at: usize| u32::from(short(at)) << 16 | u32::from(short(at + 2));
    let header = Header {
        ports: [short(0), short(2)],
        sequence: long(4),
        acknowledgment: long(8),
        length: usize::from(fixed[12] >> 4) * 4,
        flags: fixed[13],
        window: short(14),
    };
    if header.length < 20 || header.length > length {
        return Err(PassedKind::Malformed);
    }
    Ok(header)
}

impl Header {
    fn segment(
        self,
        (source, destination): (IpAddr, IpAddr),
        payload: Cow<'_, [u8]>,
        missing: u32,
    ) -> Result<Segment<'_>, PassedKind> {
        let source = SocketAddr::new(source, self.ports[0]);
        let destination = SocketAddr::new(destination, self.ports[1]);
        if source == destination {
            return Err(PassedKind::ToItself);
        }
        let has = |flag| self.flags & flag != 0;
        Ok(Segment {
            source,
            destination,
            sequence: self.sequence,
            acknowledgment: has(ACK).then_some(self.acknowledgment),
            syn: has(SYN),
            fin: has(FIN),
            rst: has(RST),
            window: self.window,
            payload,
            missing,
        })
    }
}

fn other_than_tcp(protocol: IpNumber) -> PassedKind {
    match protocol {
        ip_number::UDP => PassedKind::Udp,
        ip_number::ICMP | ip_number::IPV6_ICMP => PassedKind::Icmp,
        IpNumber(other) => PassedKind::Transport(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::link::LinkType;

    fn packet(bytes: &[u8], original_length: u32) -> Packet<'_> {
        Packet { number: 1, timestamp: Some(0), link: LinkType::Raw, bytes, original_length }
    }

    fn read<'a>(packet: &Packet<'a>) -> Result<Option<Segment<'a>>, PassedKind> {
        Segments::default().read_packet(packet, &mut PassedOver::default())
    }

    fn syn_with_options() -> Vec<u8> {
        let mut bytes = vec![0x45, 0, 0, 65, 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        bytes.extend_from_slice(&[0x1f, 0x90, 0, 80, 0, 0, 1, 0, 0, 0, 0, 0, 0xa0, 2, 0xff, 0xff]);
        bytes.extend_from_slice(&[0; 4 + 20]);
        bytes.extend_from_slice(b"hello");
        bytes
    }

    #[test]
    fn a_segment_is_read_even_if_its_options_are_cut() {
        let bytes = syn_with_options();
        let whole = read(&packet(&bytes, 65)).unwrap().unwrap();
        assert_eq!((&whole.payload[..], whole.missing), (&b"hello"[..], 0));
        assert_eq!(whole.source.to_string(), "10.0.0.1:8080");
        assert_eq!((whole.sequence, whole.acknowledgment), (256, None));
        assert!(whole.syn && !whole.fin && !whole.rst);
        for (captured, payload, missing) in [(62, &b"he"[..], 3), (54, b"", 5), (40, b"", 5)] {
            let cut = read(&packet(&bytes[..captured], 65)).unwrap().unwrap();
            assert_eq!((&cut.payload[..], cut.missing), (payload, missing));
        }
        assert_eq!(read(&packet(&bytes[..39], 65)), Err(PassedKind::HeaderCutShort));
    }

    #[test]
    fn a_header_longer_than_its_packet_is_malformed() {
        let mut bytes = syn_with_options();
        bytes[32] = 0xf0;
        assert_eq!(read(&packet(&bytes, 65)), Err(PassedKind::Malformed));
        bytes[32] = 0x40;
        assert_eq!(read(&packet(&bytes, 65)), Err(PassedKind::Malformed));
    }

    #[test]
    fn what_is_not_tcp_is_told_by_its_protocol() {
        let mut bytes = syn_with_options();
        for (protocol, kind) in
            [(17, PassedKind::Udp), (1, PassedKind::Icmp), (132, PassedKind::Transport(132))]
        {
            bytes[9] = protocol;
            assert_eq!(read(&packet(&bytes, 65)), Err(kind));
            bytes[6] = 0x20;
            assert_eq!(read(&packet(&bytes, 65)), Err(kind), "as a fragment too");
            bytes[6] = 0;
        }
        bytes[9] = 6;
        bytes[20..24].copy_from_slice(&[0, 80, 0, 80]);
        bytes[15] = 2;
        assert_eq!(read(&packet(&bytes, 65)), Err(PassedKind::ToItself));
    }
}
