//! What a capture holds beside TCP: counted by kind and passed over.
//!
//! A capture of a busy host is mostly other things, and none of them is an error. But "no flow found" must be
//! explainable: a capture taken on an interface whose link layer is not known here shows as exactly that.

use std::collections::BTreeMap;
use std::fmt;

use super::link::LinkType;

/// Counts of what was not read as TCP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PassedOver {
    packets: BTreeMap<PassedKind, u64>,
    /// Blocks of a pcapng file that hold neither packets nor what is needed to read them.
    pub blocks: u64,
}

impl PassedOver {
    /// How many packets of one kind were passed over.
    pub fn packets(&self, kind: PassedKind) -> u64 {
        self.packets.get(&kind).copied().unwrap_or(0)
    }

    /// Every kind that occurred, with its number of packets.
    pub fn kinds(&self) -> impl Iterator<Item = (PassedKind, u64)> + '_ {
        self.packets.iter().map(|(kind, count)| (*kind, *count))
    }

    /// How many packets were passed over in all.
    pub fn total(&self) -> u64 {
        self.packets.values().sum()
    }

    pub(super) fn count(&mut self, kind: PassedKind, packets: u64) {
        if packets > 0 {
            *self.packets.entry(kind).or_insert(0) += packets;
        }
    }
}

/// Why a packet was passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PassedKind {
    /// Its link layer is not known here.
    Link(LinkType),
    /// Its link layer carries something other than IP or ARP, by its EtherType (or what stands for one).
    Network(u16),
    /// ARP or RARP.
    Arp,
    /// ICMP, of IPv4 or IPv6.
    Icmp,
    /// UDP; QUIC too is in here.
    Udp,
    /// Another protocol over IP, by its number. Tunnels are among them: nothing is read through a tunnel.
    Transport(u8),
    /// The capture's snapshot length cut into the headers that would tell what it is.
    HeaderCutShort,
    /// A header contradicts itself.
    Malformed,
    /// A TCP segment from an address and port to the same address and port: its two directions can't be told apart.
    ToItself,
    /// A fragment of a TCP datagram whose other fragments never came, or that the snapshot length cut.
    FragmentUnfinished,
    /// A fragment of a TCP datagram that was given up because its fragments overlap.
    FragmentOverlap,
    /// A fragment that was there before.
    FragmentRepeated,
}

impl fmt::Display for PassedKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link(link) => write!(formatter, "link layer {link}, not known here"),
            Self::Network(number) => write!(formatter, "EtherType {number:#06x}"),
            Self::Arp => formatter.write_str("ARP"),
            Self::Icmp => formatter.write_str("ICMP"),
            Self::Udp => formatter.write_str("UDP"),
            Self::Transport(number) => write!(formatter, "IP protocol {number}"),
            Self::HeaderCutShort => formatter.write_str("headers not captured whole"),
            Self::Malformed => formatter.write_str("headers that contradict themselves"),
            Self::ToItself => formatter.write_str("TCP from a port to itself"),
            Self::FragmentUnfinished => formatter.write_str("fragments of incomplete datagrams"),
            Self::FragmentOverlap => formatter.write_str("fragments that overlap"),
            Self::FragmentRepeated => formatter.write_str("fragments seen before"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_counted_apart() {
        let mut passed = PassedOver::default();
        passed.count(PassedKind::Udp, 1);
        passed.count(PassedKind::Transport(47), 1);
        passed.count(PassedKind::Udp, 2);
        passed.count(PassedKind::FragmentUnfinished, 0);
        assert_eq!(passed.packets(PassedKind::Udp), 3);
        assert_eq!(passed.packets(PassedKind::Transport(50)), 0);
        assert_eq!(passed.total(), 4);
        let said: Vec<String> = passed.kinds().map(|(kind, count)| format!("{count} {kind}")).collect();
        assert_eq!(said, ["3 UDP", "1 IP protocol 47"]);
    }
}
