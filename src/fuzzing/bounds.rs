//! When a decision has to come, worked out from the rules and the whole stream, and not by the reader that decides.
//!
//! For rules that are about single bytes it is known exactly, and so is the answer: a decision that comes earlier is as
//! wrong as one that comes later. For HTTP it is known by when: with the end of a request line, of a head, or of the frame
//! that ends the first header block. About what begins as TLS nothing is said here but that the limit holds.

use bytes::Bytes;

use crate::mux::{Answer, Rule};
use crate::wire::frame::flags;
use crate::wire::{FrameKind, PREFACE, RawFrame};

/// What is known of a decision on rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// By how many bytes it has to be there.
    pub(super) by: usize,
    /// Whether it may not be there before.
    pub(super) exactly: bool,
}

/// What is known of a rule alone.
struct Settled {
    by: usize,
    /// The answer, if the rule is one of those that are known exactly.
    answer: Option<Answer>,
}

/// When these rules, in their order, have to have decided on a stream; nothing if it does not say.
pub(super) fn due<'r>(rules: impl Iterator<Item = &'r Rule>, stream: &Bytes) -> Option<Due> {
    let mut due = Due { by: 0, exactly: true };
    for rule in rules {
        let settled = settled(rule, stream)?;
        due.by = due.by.max(settled.by);
        match settled.answer {
            Some(Answer::Match) if due.exactly => return Some(due),
            Some(_) => {}
            None => due.exactly = false,
        }
    }
    Some(due)
}

fn settled(rule: &Rule, stream: &Bytes) -> Option<Settled> {
    let exactly = |(by, answer)| Some(Settled { by, answer: Some(answer) });
    let within = |by| Some(Settled { by, answer: None });
    match rule {
        Rule::Any => exactly((0, Answer::Match)),
        Rule::Bytes(expected) => exactly(prefix(stream, expected)?),
        Rule::AnyBytes(expected) => exactly(any(expected.iter().map(|expected| prefix(stream, expected)))?),
        Rule::Http2 => exactly(prefix(stream, &PREFACE)?),
        Rule::Custom(_) => match stream.first()? {
            0 => exactly((1, Answer::Reject)),
            length => {
                let by = 1 + usize::from(*length);
                (by <= stream.len()).then_some(())?;
                exactly((by, Answer::Match))
            }
        },
        Rule::Grpc | Rule::Http2Header { .. } => match prefix(stream, &PREFACE)? {
            (by, Answer::Match) => within(by + first_block(&stream.slice(PREFACE.len()..))?),
            (by, _) => exactly((by, Answer::Reject)),
        },
        Rule::Http1 | Rule::Http1Method(_) => within(line_end(stream)?),
        Rule::Http1Head | Rule::Http1Header { .. } | Rule::H2cUpgrade | Rule::WebSocket => {
            within(head_end(stream)?)
        }
        Rule::Tls | Rule::TlsVersion(_) | Rule::ServerName(_) | Rule::Alpn(_) => None,
    }
}

/// When it is settled whether a stream begins so, and how.
fn prefix(stream: &[u8], expected: &[u8]) -> Option<(usize, Answer)> {
    match stream.iter().zip(expected).position(|(byte, expected)| byte != expected) {
        Some(place) => Some((place + 1, Answer::Reject)),
        None => (stream.len() >= expected.len()).then_some((expected.len(), Answer::Match)),
    }
}

/// The first yes, or the last no.
fn any(answers: impl Iterator<Item = Option<(usize, Answer)>>) -> Option<(usize, Answer)> {
    let mut all = Some((0, Answer::Reject));
    let mut first: Option<usize> = None;
    for answer in answers {
        match (answer, all) {
            (Some((by, Answer::Match)), _) => first = Some(first.map_or(by, |first| first.min(by))),
            (Some((by, _)), Some((last, _))) => all = Some((last.max(by), Answer::Reject)),
            (None, _) => all = None,
            (_, None) => {}
        }
    }
    first.map(|by| (by, Answer::Match)).or(all)
}

/// The end of the frame that ends the first header block.
fn first_block(frames: &Bytes) -> Option<usize> {
    let mut rest = frames.clone();
    while let Some(frame) = RawFrame::decode(&mut rest) {
        let in_a_block = matches!(frame.kind, FrameKind::Headers | FrameKind::Continuation);
        if in_a_block && frame.flags & flags::END_HEADERS != 0 {
            return Some(frames.len() - rest.len());
        }
    }
    None
}

/// The end of the first line that is not empty.
fn line_end(stream: &[u8]) -> Option<usize> {
    let begin = if stream.starts_with(b"\r\n") { 2 } else { 0 };
    Some(begin + stream[begin..].iter().position(|byte| *byte == b'\n')? + 1)
}

/// The end of the first empty line behind another.
fn head_end(stream: &[u8]) -> Option<usize> {
    let mut at = line_end(stream)?;
    loop {
        match &stream[at..] {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            rest => at += rest.iter().position(|byte| *byte == b'\n')? + 1,
        }
    }
}
