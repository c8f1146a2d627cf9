//! Edits of `handshake`'s scripts.
//!
//! Most know nothing of what a script holds: the byte form says where its elements are and of which kind, and
//! where one stands another of its kind can. What is borrowed comes from the repository's scenarios and from the profiles of the catalogue, so
//! that whole phrases of real clients meet each other. Named are only those that have no element to hold on to: an
//! absent fault, a cut, a server, a family of faults.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::LazyLock;
use std::time::Duration;

use super::{altered, changed, moved, offset, one_of};
use crate::clients::families;
use crate::draw::Draw;
use crate::fuzzing::families::{Family, script_and_left_out};
use crate::net::{Cuts, Fault, Offsets, Path, Unread};
use crate::scenarios::SCENARIOS;
use crate::script::bytes::Element;
use crate::script::{Client, Script, Who};
use crate::servers::{BackEnd, Front, Security, ServerName};

/// Longer pieces are not borrowed: they would leave room for nothing else.
const LONGEST_BORROWED: usize = 256;

/// The script that this input of `handshake` is, edited, as an input of at most so many bytes. Nothing if the fuzzer's own changes are
/// to be taken: for a share of the seeds, and where an edit finds nothing to change or gets too long.
pub fn mutate_script(input: &[u8], most: usize, seed: u32) -> Option<Vec<u8>> {
    changed(input, most, seed, |edits, draw| {
        let mut edited = Edited::of(input);
        for _ in 0..edits {
            let edit = Edit::ALL[draw.below(Edit::ALL.len() as u64) as usize];
            edited = edit.of(&edited, draw).unwrap_or(edited);
        }
        edited.into_bytes()
    })
}

/// What can be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edit {
    /// An element is taken out.
    TakeOut,
    /// An element is said twice.
    Repeat,
    /// Two elements of one kind change places.
    Swap,
    /// An element of another script comes behind one of its kind.
    Borrow,
    /// An element gives way to one of another script.
    Replace,
    /// A number, a letter or a choice inside an element is another.
    Alter,
    /// A cut is made, moved or closed.
    Cut,
    /// A direction of the network gets another fault, latency or window, or loses it.
    Network,
    /// Another server.
    Server,
    /// A family of faults is left out, or no longer.
    Family,
}

impl Edit {
    const ALL: [Self; 10] = [
        Self::TakeOut,
        Self::Repeat,
        Self::Swap,
        Self::Borrow,
        Self::Replace,
        Self::Alter,
        Self::Cut,
        Self::Network,
        Self::Server,
        Self::Family,
    ];

    /// Makes it, if there is anything to make it of.
    fn of(self, edited: &Edited, draw: &mut Draw) -> Option<Edited> {
        let mut script = edited.script.clone();
        match self {
            Self::Cut => cut(&mut script, draw),
            Self::Network => network(&mut script, draw),
            Self::Server => script.server = Some(server(draw)),
            Self::Family => {
                let bit = 1 << draw.below(Family::ALL.len() as u64);
                return Some(Edited { script, left_out: edited.left_out ^ bit });
            }
            _ => {
                let bytes = self.of_elements(&script, draw)?;
                script = Script::from_bytes(&bytes);
            }
        }
        Some(Edited { script, ..*edited })
    }

    /// The bytes of the script with the edit made of one of its elements.
    fn of_elements(self, script: &Script, draw: &mut Draw) -> Option<Vec<u8>> {
        let (bytes, elements) = script.to_elements();
        let element = picked(&elements, draw)?;
        let own = &bytes[element.range.clone()];
        let with =
            |piece: &[u8]| [&bytes[..element.range.start], piece, &bytes[element.range.end..]].concat();
        match self {
            Self::TakeOut if element.is_option => Some(with(&[0])),
            Self::TakeOut => Some(with(&[])),
            Self::Replace => Some(with(borrowed(element.kind, draw)?)),
            Self::Repeat | Self::Borrow if element.is_option => None,
            Self::Repeat => Some(with(&[own, own].concat())),
            Self::Borrow => Some(with(&[own, borrowed(element.kind, draw)?].concat())),
            Self::Alter => {
                let mut piece = own.to_vec();
                let place = draw.below(piece.len() as u64) as usize;
                piece[place] = altered(piece[place], draw);
                Some(with(&piece))
            }
            _ => {
                let others: Vec<&Element> = elements
                    .iter()
                    .filter(|other| other.kind == element.kind && other.is_option == element.is_option)
                    .filter(|other| {
                        other.range.start >= element.range.end || other.range.end <= element.range.start
                    })
                    .collect();
                let other = one_of(&others, draw)?;
                let (first, second) = if other.range.start < element.range.start {
                    (*other, element)
                } else {
                    (element, *other)
                };
                let part = |start: usize, end: usize| &bytes[start..end];
                Some(
                    [
                        part(0, first.range.start),
                        &bytes[second.range.clone()],
                        part(first.range.end, second.range.start),
                        &bytes[first.range.clone()],
                        part(second.range.end, bytes.len()),
                    ]
                    .concat(),
                )
            }
        }
    }
}

/// An input of `handshake`: see [`crate::fuzzing::script_of`].
#[derive(Clone, Debug)]
struct Edited {
    script: Script,
    left_out: u16,
}

impl Edited {
    fn of(input: &[u8]) -> Self {
        let (script, left_out) = script_and_left_out(input);
        Self { script, left_out }
    }

    fn into_bytes(self) -> Vec<u8> {
        let mut bytes = self.script.to_bytes();
        if self.left_out != 0 {
            bytes.extend(self.left_out.to_le_bytes());
        }
        bytes
    }
}

/// One of the elements: first of which kind, for there are many fields and few clients.
fn picked<'e>(elements: &'e [Element], draw: &mut Draw) -> Option<&'e Element> {
    let mut kinds: BTreeMap<&str, Vec<&Element>> = BTreeMap::new();
    for element in elements {
        kinds.entry(element.kind).or_default().push(element);
    }
    let kinds: Vec<Vec<&Element>> = kinds.into_values().collect();
    one_of(one_of(&kinds, draw)?, draw).copied()
}

fn borrowed(kind: &str, draw: &mut Draw) -> Option<&'static [u8]> {
    one_of(LENDERS.get(kind)?, draw).map(Vec::as_slice)
}

/// The elements of the scenarios and profiles of this crate, by kind, each once.
static LENDERS: LazyLock<BTreeMap<&'static str, Vec<Vec<u8>>>> = LazyLock::new(|| {
    let scenarios = SCENARIOS.iter().filter_map(|scenario| scenario.script().ok());
    let profiles = families().iter().flat_map(|family| {
        family.profiles.iter().map(|profile| {
            let who = Who::Scripted(Box::new(profile.behaviour.clone()));
            let clients = vec![Client { name: "c".to_owned(), who }];
            Script { clients, field_lists: family.field_lists.clone(), ..Script::default() }
        })
    });
    let mut lenders: BTreeMap<&str, Vec<Vec<u8>>> = BTreeMap::new();
    for script in scenarios.chain(profiles) {
        let (bytes, elements) = script.to_elements();
        for element in elements.into_iter().filter(|element| element.range.len() <= LONGEST_BORROWED) {
            lenders.entry(element.kind).or_default().push(bytes[element.range].to_vec());
        }
    }
    for pieces in lenders.values_mut() {
        pieces.sort();
        pieces.dedup();
    }
    lenders
});

fn cut(script: &mut Script, draw: &mut Draw) {
    let clients = script.clients.iter_mut().filter_map(|client| match &mut client.who {
        Who::Scripted(behaviour) => Some(&mut behaviour.cuts),
        Who::Catalogued { .. } => None,
    });
    let mut clients: Vec<&mut Offsets> = clients.collect();
    if let Some(client) = (draw.below(2 + clients.len() as u64) as usize).checked_sub(2) {
        *clients[client] = moved(clients[client], draw);
        return;
    }
    let network = &mut script.network;
    let path = if draw.below(2) == 0 { &mut network.to_server } else { &mut network.to_client };
    path.cuts = match (&path.cuts, draw.below(8)) {
        (_, 0) => Cuts::EveryByte,
        (_, 1) => Cuts::Segment(NonZeroUsize::MIN.saturating_add(draw.below(40) as usize)),
        (_, 2) => Cuts::AsWritten,
        (Cuts::At(offsets), _) => Cuts::At(moved(offsets, draw)),
        _ => Cuts::At([offset(draw), offset(draw)].into()),
    };
}

fn network(script: &mut Script, draw: &mut Draw) {
    let network = &mut script.network;
    let path = if draw.below(2) == 0 { &mut network.to_server } else { &mut network.to_client };
    let none = Path::default();
    let after = offset(draw);
    match draw.below(9) {
        0 => path.fault = None,
        1 => path.fault = Some(Fault::BlackHole { after }),
        2 => path.fault = Some(Fault::Reset { after }),
        3 => path.fault = Some(Fault::End { after }),
        4 => path.latency = Duration::from_millis([0, 1, 5, 40, 500][draw.below(5) as usize]),
        5 => path.window = NonZeroUsize::new(after as usize).unwrap_or(none.window),
        6 => path.window = none.window,
        7 => path.stalled_until = Duration::from_millis([0, 10, 1_000, 25_000][draw.below(4) as usize]),
        _ => {
            network.unread = match network.unread {
                Unread::Kept => Unread::Lost,
                Unread::Lost => Unread::Kept,
            }
        }
    }
}

/// Half of them multiplexers of this crate: what the others do wrong is known.
fn server(draw: &mut Draw) -> ServerName {
    let front = match draw.below(2) {
        0 => Front::Mux,
        _ => Front::ALL[draw.below(Front::ALL.len() as u64) as usize],
    };
    let security = match draw.below(2) {
        0 => Security::Cleartext,
        _ => Security::ALL[draw.below(Security::ALL.len() as u64) as usize],
    };
    let back_end = match front.has_back_end() {
        true => BackEnd::ALL[draw.below(BackEnd::ALL.len() as u64) as usize],
        false => BackEnd::default(),
    };
    ServerName { security, front, back_end }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TALE: &str = "client \"c\"\n  cut 3 24\n  > preface, settings 3=100\n  < settings within 5s\n  > headers 1 grpc /x\n  \
                        > data 1 end 00\n  < end 1\n  close\nclient grpc-go@1.33.3\nserver direct\nnetwork\n  \
                        to-server cut 9\n  to-client reset after 40\n";

    fn tale() -> Edited {
        let script = Script::parse("t", TALE).unwrap_or_else(|error| panic!("{error}"));
        Edited { script, left_out: 0 }
    }

    fn edits(edit: Edit) -> Vec<Edited> {
        (0..300).filter_map(|seed| edit.of(&tale(), &mut Draw::of(seed))).collect()
    }

    #[test]
    fn every_edit_happens_and_does_what_it_says() {
        let steps = |edited: &Edited| edited.script.to_string().lines().count();
        let before = steps(&tale());
        let happens = |edit: Edit, what: &dyn Fn(&Edited) -> bool| {
            assert!(edits(edit).iter().any(what), "{edit:?}");
        };
        happens(Edit::TakeOut, &|edited| steps(edited) < before);
        happens(Edit::Repeat, &|edited| edited.script.clients.len() == 3);
        happens(Edit::Swap, &|edited| edited.script.clients[0].name == tale().script.clients[1].name);
        happens(Edit::Borrow, &|edited| steps(edited) > before);
        happens(Edit::Replace, &|edited| steps(edited) == before && edited.script != tale().script);
        happens(Edit::Alter, &|edited| edited.script != tale().script);
        for text in ["cut 4 24", "cut 24", "cut every-byte", "to-server cut 10"] {
            happens(Edit::Cut, &|edited| edited.script.to_string().contains(text));
        }
        for text in ["black-hole after", "latency 5ms", "window", "stalled until", "unread lost"] {
            happens(Edit::Network, &|edited| edited.script.to_string().contains(text));
        }
        happens(Edit::Network, &|edited| edited.script.network.to_client.fault.is_none());
        happens(Edit::Server, &|edited| edited.script.server == Some(Front::Mux.into()));
        happens(Edit::Family, &|edited| edited.left_out == 1 << 11);
    }

    #[test]
    fn what_comes_out_is_an_input_with_a_text_and_the_same_for_the_same_seed() {
        let mut input = tale().into_bytes();
        for seed in 0..3_000 {
            let Some(output) = mutate_script(&input, 2_048, seed) else { continue };
            assert_eq!(mutate_script(&input, 2_048, seed).as_ref(), Some(&output));
            let edited = Edited::of(&output);
            let text = edited.script.to_string();
            assert_eq!(Script::parse("t", &text).as_ref(), Ok(&edited.script), "{text}");
            assert_eq!(edited.into_bytes(), output, "{text}");
            input = output;
        }
    }

    #[test]
    fn a_share_is_left_alone_and_no_output_is_longer_than_there_is_room() {
        let input = tale().into_bytes();
        let alone = (0..4_000).filter(|seed| mutate_script(&input, 2_048, *seed).is_none()).count();
        assert!((900..2_000).contains(&alone), "{alone}");
        for seed in 0..500 {
            assert!(mutate_script(&input, 60, seed).is_none_or(|output| output.len() <= 60));
        }
    }

    #[test]
    fn steps_items_and_cuts_of_real_clients_are_lent() {
        let kinds: Vec<&str> = LENDERS.keys().filter_map(|kind| kind.rsplit("::").next()).collect();
        for kind in ["Step", "Item", "Particular", "Setting", "FieldLine"] {
            assert!(kinds.contains(&kind), "{kinds:?}");
        }
    }
}
