//! Each planted fault is found by the target that it is for, from its committed seeds and a bounded number of mutations of
//! them; without the fault, the same inputs pass.
//!
//! The mutations are a fuzzer's commonest, drawn from a fixed seed and without coverage: what they reach, libFuzzer reaches
//! the sooner.

#[path = "../../tests/h2_oracle/mod.rs"]
mod h2_oracle;
#[path = "../../tests/h2_oracle/hpack.rs"]
mod hpack;

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use super::classify;
use crate::draw::Draw;
use crate::planted::{Fault, with};

/// The most runs until a fault has to be found.
const MOST_RUNS: usize = 2_000;

/// The seeds in their order, and then mutations.
struct Inputs {
    seeds: Vec<Vec<u8>>,
    given: usize,
    draw: Draw,
}

impl Inputs {
    fn of(target: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        let listed = fs::read_dir(folder).expect("the target has seeds");
        let mut paths: Vec<_> = listed.map(|entry| entry.expect("it can be listed").path()).collect();
        paths.sort();
        let seeds = paths.iter().map(|path| fs::read(path).expect("it can be read")).collect();
        Self { seeds, given: 0, draw: Draw::of(1) }
    }

    fn below(&mut self, end: usize) -> usize {
        self.draw.below(end.max(1) as u64) as usize
    }

    fn mutated(&mut self) -> Vec<u8> {
        let pick = self.below(self.seeds.len());
        let mut bytes = self.seeds[pick].clone();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            let length = self.below(16).min(bytes.len() - at);
            match self.below(6) {
                0 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
                1 if !bytes.is_empty() => bytes[at] = self.below(256) as u8,
                2 => bytes.insert(at, self.below(256) as u8),
                3 => drop(bytes.drain(at..at + length)),
                4 => {
                    let copy = bytes[at..at + length].to_vec();
                    bytes.splice(at..at, copy);
                }
                _ => {
                    let other = self.below(self.seeds.len());
                    let from = self.below(self.seeds[other].len());
                    bytes.truncate(at);
                    bytes.extend_from_slice(&self.seeds[other][from..]);
                }
            }
        }
        bytes
    }
}

impl Iterator for Inputs {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        self.given += 1;
        match self.seeds.get(self.given - 1) {
            Some(seed) => Some(seed.clone()),
            None => Some(self.mutated()),
        }
    }
}

/// What the check that fails says of the first input that it fails for.
#[track_caller]
fn found(fault: Fault, target: &str, check: fn(&[u8])) -> String {
    let inputs: Vec<Vec<u8>> = Inputs::of(target).take(MOST_RUNS).collect();
    let fails = |fault, input: &[u8]| with(fault, || catch_unwind(|| check(input))).err();
    for (input, number) in inputs.iter().zip(1..) {
        let Some(panicked) = fails(Some(fault), input) else { continue };
        for input in &inputs[..number] {
            assert!(fails(None, input).is_none(), "it fails without the fault: {}", input.escape_ascii());
        }
        return panicked.downcast_ref::<String>().cloned().unwrap_or_default();
    }
    panic!("{target} does not find {fault:?} in {MOST_RUNS} runs");
}

#[test]
fn classify_finds_a_late_decision() {
    let says = found(Fault::LateDecision, "classify", classify);
    assert!(says.contains("it decides after") || says.contains("has not decided"), "{says}");
}

#[test]
fn classify_finds_a_byte_lost_at_a_cut() {
    let says = found(Fault::ByteLostAtACut, "classify", classify);
    assert!(says.contains("the back end did not get what was sent"), "{says}");
}

#[test]
fn classify_finds_a_surplus_acknowledgement() {
    let says = found(Fault::SurplusAck, "classify", classify);
    assert!(says.contains("one acknowledgement for each"), "{says}");
}

#[test]
fn classify_finds_an_unbounded_buffer() {
    let says = found(Fault::UnboundedBuffer, "classify", classify);
    assert!(says.contains("the limit"), "{says}");
}

#[test]
fn classify_finds_a_missed_deadline() {
    let says = found(Fault::MissedDeadline, "classify", classify);
    assert!(says.contains("does not do what its classifier says"), "{says}");
}

#[test]
fn hpack_finds_wrong_huffman_padding() {
    let says = found(Fault::WrongHuffmanPadding, "hpack", hpack::hpack);
    assert!(!says.is_empty());
}
