//! IP datagrams put together from their fragments.
//!
//! Policy on overlaps, as in Linux since 4.19 and as RFC 5722 demands for IPv6: a fragment that lies wholly within one
//! already held is a repetition and is dropped, the first bytes win; any other overlap gives up the whole datagram. No
//! sender makes such fragments by accident, and a reader that guesses would show bytes that no receiver saw.
//!
//! Bounds: at most [`MOST_DATAGRAMS`] incomplete datagrams are held, each for at most [`PATIENCE`] packets of the
//! capture (not seconds: what is read must not depend on whether times were recorded). Fragments are held as slices
//! of the file; only a complete datagram is copied, once.
//!
//! Left out: fragments that the snapshot length cut. Their datagram stays incomplete, which the TCP stream shows as a
//! gap.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use etherparse::IpNumber;

use super::network::{Carried, Datagram, Fragment};
use super::passed_over::{PassedKind, PassedOver};

/// How many incomplete datagrams are held at once; a host holds a few hundred.
const MOST_DATAGRAMS: usize = 1_024;
/// For how many packets after its first fragment a datagram may stay incomplete.
const PATIENCE: u64 = 65_536;
/// The longest payload that an IP datagram in fragments can have.
const LONGEST: u32 = 65_535;

/// The datagrams of a capture that are not complete yet.
#[derive(Debug, Default)]
pub(super) struct Fragments<'a> {
    datagrams: BTreeMap<Key, Partial<'a>>,
    /// In the order of their first packets; some are complete or given up by now.
    by_age: VecDeque<(u64, Key)>,
}

/// A datagram put together.
pub(super) struct Whole {
    pub(super) protocol: IpNumber,
    pub(super) payload: Vec<u8>,
}

/// What makes fragments belong together (RFC 791 section 3.2, RFC 8200 section 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    source: IpAddr,
    destination: IpAddr,
    identification: u32,
    /// 0 for IPv6, where only the first fragment's counts.
    protocol: u8,
}

#[derive(Debug)]
struct Partial<'a> {
    first_packet: u64,
    packets: u64,
    pieces: BTreeMap<u32, &'a [u8]>,
    held: u32,
    length: Option<u32>,
    protocol: IpNumber,
}

impl<'a> Fragments<'a> {
    /// Adds a fragment, the packet's number being given; `None` while the datagram lacks others.
    pub(super) fn add(
        &mut self,
        datagram: &Datagram<'a>,
        fragment: Fragment,
        packet: u64,
        passed_over: &mut PassedOver,
    ) -> Option<Whole> {
        self.give_up_old(packet, passed_over);
        let Carried { protocol, payload, length, .. } = datagram.carried;
        if payload.len() < length {
            passed_over.count(PassedKind::FragmentUnfinished, 1);
            return None;
        }
        let end = fragment.offset as usize + length;
        if end > LONGEST as usize || length == 0 || (fragment.more && !length.is_multiple_of(8)) {
            passed_over.count(PassedKind::Malformed, 1);
            return None;
        }
        let key = Key {
            source: datagram.source,
            destination: datagram.destination,
            identification: fragment.identification,
            protocol: match datagram.source {
                IpAddr::V4(_) => protocol.0,
                IpAddr::V6(_) => 0,
            },
        };
        let partial = self.datagrams.entry(key).or_insert_with(|| {
            self.by_age.push_back((packet, key));
            Partial {
                first_packet: packet,
                packets: 0,
                pieces: BTreeMap::new(),
                held: 0,
                length: None,
                protocol,
            }
        });
        partial.packets += 1;
        match partial.place(fragment, payload, protocol) {
            Placed::Held if partial.length == Some(partial.held) => {
                let partial = self.datagrams.remove(&key)?;
                return Some(Whole {
                    protocol: partial.protocol,
                    payload: partial.pieces.into_values().collect::<Vec<_>>().concat(),
                });
            }
            Placed::Held => {}
            Placed::Repeated => {
                partial.packets -= 1;
                passed_over.count(PassedKind::FragmentRepeated, 1);
            }
            Placed::Overlap => {
                passed_over.count(PassedKind::FragmentOverlap, partial.packets);
                self.datagrams.remove(&key);
            }
        }
        None
    }

    /// Counts what is still incomplete when the capture ends.
    pub(super) fn finish(self, passed_over: &mut PassedOver) {
        for partial in self.datagrams.values() {
            passed_over.count(PassedKind::FragmentUnfinished, partial.packets);
        }
    }

    fn give_up_old(&mut self, packet: u64, passed_over: &mut PassedOver) {
        while let Some(&(first_packet, key)) = self.by_age.front() {
            if packet - first_packet <= PATIENCE && self.datagrams.len() < MOST_DATAGRAMS {
                break;
            }
            self.by_age.pop_front();
            if self.datagrams.get(&key).is_some_and(|partial| partial.first_packet == first_packet)
                && let Some(partial) = self.datagrams.remove(&key)
            {
                passed_over.count(PassedKind::FragmentUnfinished, partial.packets);
            }
        }
    }
}

enum Placed {
    Held,
    Repeated,
    Overlap,
}

impl<'a> Partial<'a> {
    fn place(&mut self, fragment: Fragment, payload: &'a [u8], protocol: IpNumber) -> Placed {
        let start = fragment.offset;
        let size = payload.len() as u32;
        let end = start + size;
        let before = self.pieces.range(..=start).next_back();
        if let Some((&held, piece)) = before {
            let held_end = held + piece.len() as u32;
            if end <= held_end {
                return Placed::Repeated;
            }
            if start < held_end {
                return Placed::Overlap;
            }
        }
        let overlaps_next = self.pieces.range(start..end).next().is_some();
        let beyond_end = self.length.is_some_and(|length| end > length);
        let second_end = !fragment.more && self.length.is_some();
        let last = self.pieces.last_key_value();
        let ends_early = !fragment.more && last.is_some_and(|(&offset, _)| offset > start);
        if overlaps_next || beyond_end || second_end || ends_early {
            return Placed::Overlap;
        }
        if !fragment.more {
            self.length = Some(end);
        }
        if start == 0 {
            self.protocol = protocol;
        }
        self.held += size;
        self.pieces.insert(start, payload);
        Placed::Held
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::ip_number;
    use std::net::Ipv4Addr;

    fn add<'a>(
        fragments: &mut Fragments<'a>,
        passed_over: &mut PassedOver,
        packet: u64,
        (identification, offset, more): (u32, u32, bool),
        payload: &'a [u8],
    ) -> Option<Vec<u8>> {
        let datagram = Datagram {
            source: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
            destination: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)),
            carried: Carried { protocol: ip_number::TCP, payload, length: payload.len(), fragment: None },
        };
        let fragment = Fragment { identification, offset, more };
        fragments.add(&datagram, fragment, packet, passed_over).map(|whole| whole.payload)
    }

    #[test]
    fn fragments_in_any_order_make_the_datagram() {
        let [a, b, c] = [[1_u8; 16], [2; 16], [3; 16]];
        let mut passed = PassedOver::default();
        let mut held = Fragments::default();
        let mut put = |packet, which, payload| add(&mut held, &mut passed, packet, which, payload);
        assert_eq!(put(1, (5, 32, false), &c[..3]), None);
        assert_eq!(put(2, (5, 0, true), &a), None);
        assert_eq!(put(3, (6, 0, true), &b), None, "another datagram");
        assert_eq!(put(4, (5, 0, true), &b), None, "the first bytes win");
        let whole = put(5, (5, 16, true), &b).unwrap();
        assert_eq!(whole, [&a[..], &b, &c[..3]].concat());
        held.finish(&mut passed);
        assert_eq!(passed.packets(PassedKind::FragmentRepeated), 1);
        assert_eq!(passed.packets(PassedKind::FragmentUnfinished), 1);
    }

    #[test]
    fn an_overlap_gives_up_the_datagram() {
        let bytes = [7_u8; 24];
        for second in [(5, 8, true), (5, 8, false), (5, 0, false)] {
            let mut passed = PassedOver::default();
            let mut held = Fragments::default();
            let mut put = |packet, which| add(&mut held, &mut passed, packet, which, &bytes);
            assert_eq!(put(1, (5, 0, true)), None);
            assert_eq!(put(2, (5, 48, false)), None);
            if second == (5, 0, false) {
                // Within what is held, so a repetition although its flag differs.
                assert_eq!(put(3, second), None);
                assert_eq!(passed.packets(PassedKind::FragmentRepeated), 1);
                continue;
            }
            assert_eq!(put(3, second), None);
            assert_eq!(put(4, (5, 24, true)), None, "the datagram is gone");
            assert_eq!(passed.packets(PassedKind::FragmentOverlap), 3);
        }
    }

    #[test]
    fn what_is_held_is_bounded_in_number_and_in_packets() {
        let bytes = [0_u8; 8];
        let mut passed = PassedOver::default();
        let mut held = Fragments::default();
        for identification in 0..5_000 {
            let packet = u64::from(identification) + 1;
            add(&mut held, &mut passed, packet, (identification, 0, true), &bytes);
            assert!(held.datagrams.len() <= MOST_DATAGRAMS);
            assert_eq!(held.by_age.len(), held.datagrams.len());
        }
        // Complete ones do not count.
        for identification in 10_000..12_000 {
            let packet = u64::from(identification);
            add(&mut held, &mut passed, packet, (identification, 0, true), &bytes);
            let last = (identification, 8, false);
            assert!(add(&mut held, &mut passed, packet, last, &bytes).is_some());
        }
        assert_eq!(held.datagrams.len(), MOST_DATAGRAMS - 2);
        let late = 5_000 + PATIENCE;
        assert_eq!(add(&mut held, &mut passed, late, (4_998, 8, false), &bytes), None);
        assert_eq!(held.datagrams.len(), 2);
        assert!(add(&mut held, &mut passed, late, (4_999, 8, false), &bytes).is_some());
    }

    #[test]
    fn impossible_fragments_are_counted() {
        let bytes = [0_u8; 9];
        let mut passed = PassedOver::default();
        let mut held = Fragments::default();
        add(&mut held, &mut passed, 1, (1, 0, true), &bytes);
        add(&mut held, &mut passed, 2, (1, 65_528, false), &bytes);
        add(&mut held, &mut passed, 3, (1, 0, false), &[]);
        assert_eq!(passed.packets(PassedKind::Malformed), 3);
        assert!(held.datagrams.is_empty());
    }
}
