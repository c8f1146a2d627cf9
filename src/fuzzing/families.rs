//! Faults as families, of which each input of `handshake` leaves some out (swarm testing).
//!
//! A script that has every kind of fault rarely gets far: a reset hides what a late segment would have broken. So the two
//! bytes behind a script's own say which families it does without, and the fuzzer searches among their subsets too.
//! Where there is nothing behind the script, as in what [`Script::to_bytes`] gives, none is left out, and it is itself.
//!
//! Left out: faults of the server, which has none to switch.

use crate::net::{Cuts, Fault, Network, Offsets, Path, Unread};
use crate::script::{Behaviour, Calls, Item, OneOrMore, Script, Step, Who};

/// Faults that are left out together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Where streams are cut, by the network and by clients.
    Cuts,
    /// How long segments travel.
    Latency,
    /// Times before which nothing is delivered.
    Stalls,
    /// Windows that make writers wait for readers.
    Windows,
    /// What vanishes on the way.
    Losses,
    /// Resets by the network, and what had not been read then.
    NetworkResets,
    /// Ends that nobody wrote.
    NetworkEnds,
    /// Clients that let time pass.
    Waits,
    /// Clients that finish writing and go on reading.
    HalfCloses,
    /// Clients that abort their connections.
    ClientResets,
    /// Clients that stay and say no more.
    Silences,
    /// Frames and bytes that are said as they stand, legal or not.
    RawBytes,
}

impl Family {
    /// All of them, in the order of their bits.
    pub const ALL: [Self; 12] = [
        Self::Cuts,
        Self::Latency,
        Self::Stalls,
        Self::Windows,
        Self::Losses,
        Self::NetworkResets,
        Self::NetworkEnds,
        Self::Waits,
        Self::HalfCloses,
        Self::ClientResets,
        Self::Silences,
        Self::RawBytes,
    ];

    /// Takes the family out of a script.
    pub fn leave_out(self, script: &mut Script) {
        let Network { to_server, to_client, unread } = &mut script.network;
        self.leave_out_of_path(to_server);
        self.leave_out_of_path(to_client);
        if self == Self::NetworkResets {
            *unread = Unread::default();
        }
        for client in &mut script.clients {
            if let Who::Scripted(behaviour) = &mut client.who {
                self.leave_out_of_client(behaviour);
            }
        }
    }

    fn leave_out_of_path(self, path: &mut Path) {
        let none = Path::default();
        match (self, path.fault) {
            (Self::Cuts, _) => path.cuts = Cuts::AsWritten,
            (Self::Latency, _) => path.latency = none.latency,
            (Self::Stalls, _) => path.stalled_until = none.stalled_until,
            (Self::Windows, _) => path.window = none.window,
            (Self::Losses, Some(Fault::BlackHole { .. }))
            | (Self::NetworkResets, Some(Fault::Reset { .. }))
            | (Self::NetworkEnds, Some(Fault::End { .. })) => path.fault = None,
            _ => {}
        }
    }

    fn leave_out_of_client(self, behaviour: &mut Behaviour) {
        if self == Self::Cuts {
            behaviour.cuts = Offsets::default();
        }
        self.leave_out_of_steps(&mut behaviour.connect);
        if let Some(Calls { steps, upgraded, finally, unagreed }) = &mut behaviour.calls {
            for steps in [steps, upgraded, finally, unagreed] {
                self.leave_out_of_steps(steps);
            }
        }
    }

    fn leave_out_of_steps(self, steps: &mut Vec<Step>) {
        let left = std::mem::take(steps).into_iter().filter_map(|step| match (self, step) {
            (Self::Waits, Step::Wait(_))
            | (Self::HalfCloses, Step::HalfClose)
            | (Self::ClientResets, Step::Reset)
            | (Self::Silences, Step::Silent) => None,
            (Self::RawBytes, Step::Send(items)) => legal(&items).map(Step::Send),
            (Self::RawBytes, Step::Hold(items)) => legal(&items).map(Step::Hold),
            (_, step) => Some(step),
        });
        *steps = left.collect();
    }
}

/// What is left of a write without what is said as it stands.
fn legal(items: &OneOrMore<Item>) -> Option<OneOrMore<Item>> {
    let mut left = items.iter().filter(|item| !matches!(item, Item::Raw(_) | Item::Frame(_))).cloned();
    left.next().map(|first| OneOrMore::new(first, left))
}

/// The script that an input of `handshake` is, without the families that it leaves out.
pub fn script_of(input: &[u8]) -> Script {
    let (mut script, bits) = script_and_left_out(input);
    for (place, family) in Family::ALL.into_iter().enumerate() {
        if bits & 1 << place != 0 {
            family.leave_out(&mut script);
        }
    }
    script
}

/// The script as it stands, and behind it the families that it leaves out, a bit for each in the order of [`Family::ALL`].
pub(super) fn script_and_left_out(input: &[u8]) -> (Script, u16) {
    let (script, behind) = Script::from_bytes_with_rest(input);
    let octet = |place| behind.get(place).copied().unwrap_or_default();
    (script, u16::from_le_bytes(std::array::from_fn(octet)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORMY: &str = "client \"c\"\n  cut 3\n  > preface, settings\n  > raw \"??\"\n  wait 1ms\n  half-close\n  \
                          silent\n  reset\nserver mux\nnetwork\n  to-server cut every-byte\n  to-server latency 5ms\n  \
                          to-client stalled until 1s\n  to-client window 9\n  to-server reset after 40\n  \
                          to-client end after 9\n  unread lost\n";

    fn stormy() -> Script {
        Script::parse("t", STORMY).unwrap_or_else(|error| panic!("{error}"))
    }

    fn without(bits: u16) -> Script {
        script_of(&[&stormy().to_bytes()[..], &bits.to_le_bytes()].concat())
    }

    #[test]
    fn a_script_alone_is_itself() {
        assert_eq!(script_of(&stormy().to_bytes()), stormy());
        assert_eq!(without(0), stormy());
    }

    #[test]
    fn each_family_is_left_out_by_its_bit_and_leaves_the_others() {
        let gone = |bit: usize| {
            let left = without(1 << bit).to_string();
            let lines = stormy().to_string();
            let gone: Vec<String> = lines
                .lines()
                .filter(|line| !left.contains(line))
                .map(|line| line.trim().to_owned())
                .collect();
            gone.join(", ")
        };
        let gone: Vec<String> = (0..Family::ALL.len()).map(gone).collect();
        let expected = [
            "cut 3, to-server cut every-byte",
            "to-server latency 5ms",
            "to-client stalled until 1s",
            "to-client window 9",
            "",
            "unread lost, to-server reset after 40",
            "to-client end after 9",
            "wait 1ms",
            "half-close",
            "reset",
            "silent",
            "> raw \"??\"",
        ];
        assert_eq!(gone, expected);
    }

    #[test]
    fn losses_are_a_family_too() {
        let script = |network: &str| Script::parse("t", network).unwrap_or_else(|error| panic!("{error}"));
        let mut lossy = script("network\n  to-client black-hole after 9\n");
        Family::Losses.leave_out(&mut lossy);
        assert_eq!(lossy, Script::default());
    }

    #[test]
    fn without_any_fault_a_calm_script_is_left() {
        let calm = "client \"c\"\n  > preface, settings\nserver mux\n";
        assert_eq!(without(u16::MAX), Script::parse("t", calm).unwrap_or_else(|error| panic!("{error}")));
    }
}
