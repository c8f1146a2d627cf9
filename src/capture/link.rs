//! The link layer: from a packet's first byte to its IP header.
//!
//! Link types are those of <https://www.tcpdump.org/linktypes.html>, which also lays down the headers of NULL, LOOP
//! and Linux cooked captures; Ethernet and VLAN headers are etherparse's. Both cooked headers are read here:
//! etherparse has no second version, and of the first it takes only five kinds of hardware, while `tcpdump -i any`
//! records them all.
//!
//! Left out: tunnels (VXLAN, GRE, IP in IP), MPLS, PPPoE and 802.11, and IP inside LLC frames. VLAN tags are read
//! through and forgotten: the same conversation seen on two VLANs of one router is one conversation, seen twice.

use std::fmt;

use etherparse::{EtherType, Ethernet2HeaderSlice, SingleVlanHeaderSlice, ether_type};

use super::passed_over::PassedKind;

/// What the first bytes of a packet are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkType {
    /// 0: a protocol family in the byte order of the machine that captured, then IP (loopback on BSD and macOS).
    Null,
    /// 1: Ethernet, with any number of VLAN tags.
    Ethernet,
    /// 101, and 12 and 14, which some systems wrote for it: IPv4 or IPv6.
    Raw,
    /// 108: a protocol family in network byte order, then IP (loopback on OpenBSD).
    Loop,
    /// 113: Linux cooked capture (`tcpdump -i any` before libpcap 1.10).
    LinuxCooked,
    /// 228: IPv4.
    Ipv4,
    /// 229: IPv6.
    Ipv6,
    /// 276: Linux cooked capture, second version (`tcpdump -i any`).
    LinuxCooked2,
    /// Any other, by its number: counted and passed over.
    Other(u16),
}

impl LinkType {
    /// The number that stands for it in a file.
    pub fn number(self) -> u16 {
        match self {
            Self::Null => 0,
            Self::Ethernet => 1,
            Self::Raw => 101,
            Self::Loop => 108,
            Self::LinuxCooked => 113,
            Self::Ipv4 => 228,
            Self::Ipv6 => 229,
            Self::LinuxCooked2 => 276,
            Self::Other(number) => number,
        }
    }
}

impl From<u16> for LinkType {
    fn from(number: u16) -> Self {
        match number {
            0 => Self::Null,
            1 => Self::Ethernet,
            12 | 14 | 101 => Self::Raw,
            108 => Self::Loop,
            113 => Self::LinuxCooked,
            228 => Self::Ipv4,
            229 => Self::Ipv6,
            276 => Self::LinuxCooked2,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for LinkType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Null => "NULL",
            Self::Ethernet => "Ethernet",
            Self::Raw => "raw IP",
            Self::Loop => "LOOP",
            Self::LinuxCooked => "Linux cooked",
            Self::Ipv4 => "raw IPv4",
            Self::Ipv6 => "raw IPv6",
            Self::LinuxCooked2 => "Linux cooked v2",
            Self::Other(number) => return write!(formatter, "{number}"),
        };
        formatter.write_str(name)
    }
}

/// The part of a packet that begins with its IP header.
///
/// # Errors
///
/// The kind of packet, if it is not IP.
pub(super) fn network(link: LinkType, bytes: &[u8]) -> Result<&[u8], PassedKind> {
    let cut = PassedKind::HeaderCutShort;
    match link {
        LinkType::Ethernet => {
            let header = Ethernet2HeaderSlice::from_slice(bytes).map_err(|_| cut)?;
            ether(header.ether_type(), &bytes[header.slice().len()..])
        }
        LinkType::Raw | LinkType::Ipv4 | LinkType::Ipv6 => Ok(bytes),
        LinkType::Null => {
            let (family, rest) = bytes.split_first_chunk::<4>().ok_or(cut)?;
            // Families are small numbers: only one of the two byte orders gives one.
            let family = u32::from_le_bytes(*family).min(u32::from_be_bytes(*family));
            of_family(family, rest)
        }
        LinkType::Loop => {
            let (family, rest) = bytes.split_first_chunk::<4>().ok_or(cut)?;
            of_family(u32::from_be_bytes(*family), rest)
        }
        LinkType::LinuxCooked => {
            let (header, rest) = bytes.split_first_chunk::<16>().ok_or(cut)?;
            ether(EtherType(u16::from_be_bytes([header[14], header[15]])), rest)
        }
        LinkType::LinuxCooked2 => {
            let (header, rest) = bytes.split_first_chunk::<20>().ok_or(cut)?;
            ether(EtherType(u16::from_be_bytes([header[0], header[1]])), rest)
        }
        LinkType::Other(_) => Err(PassedKind::Link(link)),
    }
}

fn ether(kind: EtherType, bytes: &[u8]) -> Result<&[u8], PassedKind> {
    let mut kind = kind;
    let mut rest = bytes;
    while let ether_type::VLAN_TAGGED_FRAME
    | ether_type::PROVIDER_BRIDGING
    | ether_type::VLAN_DOUBLE_TAGGED_FRAME = kind
    {
        let tag = SingleVlanHeaderSlice::from_slice(rest).map_err(|_| PassedKind::HeaderCutShort)?;
        kind = tag.ether_type();
        rest = &rest[tag.slice().len()..];
    }
    match kind {
        ether_type::IPV4 | ether_type::IPV6 => Ok(rest),
        ether_type::ARP | RARP => Err(PassedKind::Arp),
        EtherType(other) => Err(PassedKind::Network(other)),
    }
}

const RARP: EtherType = EtherType(0x8035);

/// AF_INET is 2 everywhere; AF_INET6 is 24 on NetBSD, OpenBSD and BSD/OS, 28 on FreeBSD, 30 on macOS, 10 on Linux.
fn of_family(family: u32, bytes: &[u8]) -> Result<&[u8], PassedKind> {
    match family {
        2 | 10 | 24 | 28 | 30 => Ok(bytes),
        // Not an EtherType, but what stands in its place; longer ones do not exist.
        other => Err(PassedKind::Network(u16::try_from(other).unwrap_or(u16::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_types_keep_their_numbers() {
        for number in 0..=u16::MAX {
            let link = LinkType::from(number);
            if number != 12 && number != 14 {
                assert_eq!(link.number(), number);
            } else {
                assert_eq!(link, LinkType::Raw);
            }
        }
    }

    #[test]
    fn tags_may_be_nested_and_end_in_something_else() {
        let mut frame = vec![0; 12];
        frame.extend_from_slice(&[0x88, 0xa8, 0, 1, 0x81, 0, 0, 2, 0x91, 0, 0, 3, 8, 0, 0x45]);
        assert_eq!(network(LinkType::Ethernet, &frame), Ok(&[0x45_u8][..]));
        frame[25] = 6;
        assert_eq!(network(LinkType::Ethernet, &frame), Err(PassedKind::Arp));
        frame[24] = 0x88;
        frame[25] = 0xcc;
        assert_eq!(network(LinkType::Ethernet, &frame), Err(PassedKind::Network(0x88cc)));
        assert_eq!(network(LinkType::Ethernet, &frame[..20]), Err(PassedKind::HeaderCutShort));
    }

    #[test]
    fn every_family_of_ipv6_is_known_in_both_byte_orders() {
        for family in [2_u32, 10, 24, 28, 30] {
            let [little, big] = [family.to_le_bytes(), family.to_be_bytes()];
            assert_eq!(network(LinkType::Null, &little), Ok(&[][..]));
            assert_eq!(network(LinkType::Null, &big), Ok(&[][..]));
            assert_eq!(network(LinkType::Loop, &big), Ok(&[][..]));
            assert!(network(LinkType::Loop, &little).is_err());
        }
        assert_eq!(network(LinkType::Null, &[7, 0, 0, 0]), Err(PassedKind::Network(7)));
    }
}
