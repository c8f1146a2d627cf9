//! How `handshake` and `classify` change their inputs: steps, rules, frames, faults and cuts, where a fuzzer by itself changes
//! bytes.
//!
//! Blind changes of a byte form are inputs too, but most of them change the inside of a text or end a list early. An edit
//! here is one that a person would make: take a line out, say it twice, move it, borrow one from elsewhere, cut a
//! byte earlier, put the same before another server.
//!
//! Sans-IO and a function of input and seed. A share of the inputs is left alone, for the fuzzer's own changes still find what
//! nobody thought of, and only they bring together two inputs of the corpus.

mod case;
mod script;

use crate::draw::Draw;
use crate::net::Offsets;

pub use case::mutate_case;
pub use script::mutate_script;

/// Of so many inputs, one is left to the fuzzer's own changes.
const LEFT_ALONE: u64 = 4;

/// The most edits of one input.
const MOST_EDITS: u64 = 4;

/// What so many edits make of an input, as long as there is room for it and it is another one.
fn changed(
    input: &[u8],
    most: usize,
    seed: u32,
    edited: impl FnOnce(u64, &mut Draw) -> Vec<u8>,
) -> Option<Vec<u8>> {
    let mut draw = Draw::of(seed.into());
    if draw.below(LEFT_ALONE) == 0 {
        return None;
    }
    let edits = 1 + draw.below(MOST_EDITS);
    let output = edited(edits, &mut draw);
    (output.len() <= most && output != input).then_some(output)
}

fn one_of<'e, T>(choices: &'e [T], draw: &mut Draw) -> Option<&'e T> {
    let count = u64::try_from(choices.len()).ok().filter(|count| *count > 0)?;
    choices.get(draw.below(count) as usize)
}

/// Another byte: near, or one that something ends or begins at.
fn altered(byte: u8, draw: &mut Draw) -> u8 {
    const TELLING: [u8; 8] = [0, 1, 9, 24, 33, 0x7f, 0xf8, 0xff];
    match draw.below(4) {
        0 => byte.wrapping_add(1),
        1 => byte.wrapping_sub(1),
        2 => TELLING[draw.below(8) as usize],
        _ => byte ^ 1 << draw.below(8),
    }
}

/// The end of the preface, of empty SETTINGS behind it, of what cmux reads, and of short frames.
const EDGES: [u64; 8] = [1, 9, 18, 24, 33, 42, 57, 100];

/// A number of bytes: just before, at or behind an edge, or any.
fn offset(draw: &mut Draw) -> u64 {
    match draw.below(4) {
        0 => 1 + draw.below(300),
        _ => (EDGES[draw.below(8) as usize] + draw.below(3)).saturating_sub(1).max(1),
    }
}

/// One cut more, one fewer, or one elsewhere.
fn moved(cuts: &Offsets, draw: &mut Draw) -> Offsets {
    let mut cuts = cuts.to_vec();
    if cuts.is_empty() {
        return [offset(draw)].into();
    }
    let place = draw.below(cuts.len() as u64) as usize;
    match draw.below(4) {
        0 => drop(cuts.remove(place)),
        1 => cuts[place] = cuts[place].saturating_add(1),
        2 => cuts[place] = cuts[place].saturating_sub(1),
        _ => cuts.push(offset(draw)),
    }
    cuts.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_is_moved_wherever_it_is() {
        for last in [1, 9, u64::MAX] {
            let moved = |seed| moved(&[3, last].into(), &mut Draw::of(seed)).to_vec();
            let all: Vec<Vec<u64>> = (0..200).map(moved).collect();
            assert!(all.contains(&vec![3]), "{last}");
            assert!(all.iter().any(|cuts| cuts.contains(&4)) && all.iter().any(|cuts| cuts.len() == 3));
        }
    }
}
