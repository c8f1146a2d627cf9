//! The smallest parts of a line: durations, numbers, offsets, hexadecimal, and how HPACK writes a field.

use std::time::Duration;

use bytes::Bytes;

use crate::hexadecimal::from_hexadecimal;
use crate::net::Offsets;
use crate::quantity::quantity;
use crate::script::error::Complaint;
use crate::script::{Line, ScriptError};
use crate::wire::hpack::{Huffman, Indexing, NameSource, Policy, StaticEntry};

const UNITS: [(&str, u64); 4] = [("ns", 1), ("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000)];

pub(super) fn duration(line: &mut Line<'_>) -> Result<Duration, ScriptError> {
    let word = line.expect_word("a duration, for example `20s` or `5ms`,")?;
    quantity(&word, &UNITS).map(Duration::from_nanos).ok_or_else(|| {
        line.complain_last(
            Complaint::new(format!("`{word}` is no duration")).help("write for example `20s` or `5ms`"),
        )
    })
}

/// A number, in decimal or after `0x` in hexadecimal.
pub(super) fn number(line: &mut Line<'_>, what: &str) -> Result<u32, ScriptError> {
    let word = line.expect_word(what)?;
    parse_number(&word).ok_or_else(|| {
        line.complain_last(Complaint::new(format!("`{word}` is no number of 32 bits, {what}")))
    })
}

pub(super) fn parse_number(word: &str) -> Option<u32> {
    match word.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => word.parse().ok(),
    }
}

pub(crate) fn offsets(line: &mut Line<'_>) -> Result<Offsets, ScriptError> {
    let mut offsets = Vec::new();
    let mut last = 0;
    while line.peek().is_some() {
        let offset = line.parsed("an offset")?;
        if offset <= last {
            let complaint = match offset {
                0 => "before the first byte there is nothing to cut off: offsets begin with 1",
                _ => "offsets must rise",
            };
            return Err(line.complain_last(Complaint::new(complaint)));
        }
        last = offset;
        offsets.push(offset);
    }
    Ok(offsets.into_iter().collect())
}

pub(super) fn word_or_text(line: &mut Line<'_>, what: &str) -> Result<String, ScriptError> {
    if line.at_text() { line.quoted(what) } else { line.expect_word(what) }
}

/// Bytes in hexadecimal, in as many words as are there.
pub(super) fn hexadecimal(line: &mut Line<'_>) -> Result<Bytes, ScriptError> {
    let mut bytes = Vec::new();
    while let Some(word) = line.word() {
        match from_hexadecimal(&word) {
            Ok(more) => bytes.extend(more),
            Err(error) => {
                let complaint = Complaint::new(format!("`{word}` is not bytes in hexadecimal: {error}"));
                return Err(line.complain_last(complaint));
            }
        }
    }
    Ok(bytes.into())
}

/// How HPACK writes a field: the words that change `base`.
pub(super) fn policy(line: &mut Line<'_>, base: Policy) -> Result<Policy, ScriptError> {
    let mut policy = base;
    while let Some(word) = line.word() {
        let Some((_, change)) = POLICY_WORDS.iter().find(|(known, _)| *known == word) else {
            let known = POLICY_WORDS.map(|(known, _)| known);
            return Err(line.complain_last(Complaint::unknown("way to write a field", &word, &known)));
        };
        change(&mut policy);
    }
    Ok(policy)
}

/// The words that turn `base` into `policy`, each after a space.
pub(in crate::script) fn policy_words(policy: Policy, base: Policy) -> String {
    let mut words = String::new();
    let mut reached = base;
    for (word, change) in POLICY_WORDS {
        let mut changed = reached;
        change(&mut changed);
        if changed != reached && differences(changed, policy) < differences(reached, policy) {
            reached = changed;
            words.push(' ');
            words.push_str(word);
        }
    }
    words
}

type Change = fn(&mut Policy);

const POLICY_WORDS: [(&str, Change); 14] = [
    ("indexed", |policy| policy.indexed_when_known = true),
    ("literal", |policy| policy.indexed_when_known = false),
    ("incremental", |policy| policy.indexing = Indexing::Incremental),
    ("without-indexing", |policy| policy.indexing = Indexing::Without),
    ("never-indexed", |policy| policy.indexing = Indexing::Never),
    ("first-name", |policy| policy.name = NameSource::FromTable(StaticEntry::First)),
    ("last-name", |policy| policy.name = NameSource::FromTable(StaticEntry::Last)),
    ("spelled-name", |policy| policy.name = NameSource::Spelled),
    ("shorter-name", |policy| policy.name_huffman = Huffman::WhenShorter),
    ("huffman-name", |policy| policy.name_huffman = Huffman::Always),
    ("plain-name", |policy| policy.name_huffman = Huffman::Never),
    ("shorter-value", |policy| policy.value_huffman = Huffman::WhenShorter),
    ("huffman-value", |policy| policy.value_huffman = Huffman::Always),
    ("plain-value", |policy| policy.value_huffman = Huffman::Never),
];

fn differences(one: Policy, other: Policy) -> usize {
    usize::from(one.indexed_when_known != other.indexed_when_known)
        + usize::from(one.indexing != other.indexing)
        + usize::from(one.name != other.name)
        + usize::from(one.name_huffman != other.name_huffman)
        + usize::from(one.value_huffman != other.value_huffman)
}
