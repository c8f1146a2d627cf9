//! What a stream keeps only if its segments do not simply come in order: bytes that wait for those before them, the
//! holes that were given out, and an index of what was given out before, to compare what comes again.
//!
//! Most streams never need it, and a capture may have a stream or two for each of its packets, so it is made when it is
//! first needed. The index is too: it is brought up to date by looking through the events that came since.

use std::ops::Range;

use super::flow::{FlowEvent, What};
use super::pieces::{Body, Laid, Pieces, part, within};
use super::stream::{Arrival, Sink};

/// The disorder of one direction.
#[derive(Debug, Default)]
pub(super) struct Disorder<'a> {
    /// What came before its time.
    pub(super) waiting: Pieces<'a>,
    /// Gaps and truncations given out, by offset.
    holes: Vec<Hole<'a>>,
    /// Where the events of this direction's data are, by offset, as far as the events have been looked through.
    data: Vec<usize>,
    looked_through: usize,
}

/// A gap or truncation that was given out, with what has come for it since.
#[derive(Debug)]
pub(super) struct Hole<'a> {
    /// Which event it is.
    pub(super) event: usize,
    /// Which part of the stream.
    pub(super) range: Range<u64>,
    pub(super) filled: Pieces<'a>,
    /// For a gap: how far was acknowledged when it was declared. For a truncation 0.
    proven: u64,
}

impl<'a> Disorder<'a> {
    /// Remembers a gap or truncation that the event of this index tells of.
    pub(super) fn hole(&mut self, range: Range<u64>, event: usize, proven: u64) {
        self.holes.push(Hole { event, range, filled: Pieces::default(), proven });
    }

    /// Takes into the gap that ends here what was acknowledged together with it, but then might have been a FIN: as
    /// there are bytes up to `to`, it was not. Gives where it ends now.
    pub(super) fn widen_gap(&mut self, here: u64, to: u64, sink: &mut Sink<'_, 'a>) -> u64 {
        let Some(hole) = self.holes.last_mut().filter(|hole| hole.range.end == here) else {
            return here;
        };
        hole.range.end = here.max(to.min(hole.proven));
        if let What::Gap { length, .. } = &mut sink.events[hole.event].what {
            *length = hole.range.end - hole.range.start;
        }
        hole.range.end
    }

    /// Whether the byte before this place is not there: one that comes for it may be that byte.
    pub(super) fn lacks_byte_before(&self, here: u64) -> bool {
        let last = self.holes.last();
        last.is_some_and(|hole| hole.range.end == here && hole.filled.end() != Some(here))
    }

    /// Compares a segment with what was given out before `end`, and fills holes with it.
    pub(super) fn compare(
        &mut self,
        start: u64,
        end: u64,
        arrival: &Arrival<'a>,
        sink: &Sink<'_, 'a>,
    ) -> Laid {
        let end = end.min(start + arrival.bytes.len() as u64);
        let mut laid = Laid::default();
        if start >= end {
            return laid;
        }
        let first = self.holes.partition_point(|hole| hole.range.end <= start);
        for hole in &mut self.holes[first..] {
            if hole.range.start >= end {
                break;
            }
            let common = start.max(hole.range.start)..end.min(hole.range.end);
            let range = (common.start - start) as usize..(common.end - start) as usize;
            let bytes = part(&arrival.bytes, range);
            laid.add(hole.filled.lay(common.start, bytes, sink.packet));
        }

        for (index, event) in sink.events.iter().enumerate().skip(self.looked_through) {
            if event.direction == sink.direction && matches!(event.what, What::Data { .. }) {
                self.data.push(index);
            }
        }
        self.looked_through = sink.events.len();
        let given = |index: usize| match &sink.events[index].what {
            What::Data { offset, bytes } => (*offset, &bytes[..]),
            _ => (0, &[][..]),
        };
        let first = self.data.partition_point(|&index| {
            let (offset, bytes) = given(index);
            offset + bytes.len() as u64 <= start
        });
        for &index in &self.data[first..] {
            let (offset, held) = given(index);
            if offset >= end {
                break;
            }
            let common = start.max(offset)..end.min(offset + held.len() as u64);
            laid.known += common.end - common.start;
            laid.conflict |= within(held, offset, &common) != within(&arrival.bytes, start, &common);
        }
        laid
    }

    /// The holes for which something came, by the events that tell of them.
    pub(super) fn into_filled(self) -> impl Iterator<Item = Hole<'a>> {
        self.holes.into_iter().filter(|hole| !hole.filled.is_empty())
    }
}

/// Puts what came for holes after they were given out into their places, each in the stead of its event.
pub(super) fn fill<'a>(events: &mut Vec<FlowEvent<'a>>, mut holes: Vec<Hole<'a>>) {
    if holes.is_empty() {
        return;
    }
    holes.sort_unstable_by_key(|hole| hole.event);
    let mut holes = holes.into_iter().peekable();
    for (index, event) in std::mem::take(events).into_iter().enumerate() {
        match holes.next_if(|hole| hole.event == index) {
            Some(hole) => fill_one(events, &event, hole),
            None => events.push(event),
        }
    }
}

fn fill_one<'a>(events: &mut Vec<FlowEvent<'a>>, event: &FlowEvent<'a>, hole: Hole<'a>) {
    let mut put = |packet, what| {
        events.push(FlowEvent { packet, what, ..*event });
    };
    let rest = |offset, end| match event.what {
        What::Truncated { .. } => What::Truncated { offset, missing: end - offset },
        _ => What::Gap { offset, length: end - offset },
    };
    let mut here = hole.range.start;
    for (offset, piece) in hole.filled.into_pieces() {
        if here < offset {
            put(event.packet, rest(here, offset));
        }
        here = offset + piece.length();
        if let Body::Bytes(bytes) = piece.body {
            put(piece.packet, What::Data { offset, bytes });
        }
    }
    if here < hole.range.end {
        put(event.packet, rest(here, hole.range.end));
    }
}
