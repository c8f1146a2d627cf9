//! One direction of a TCP conversation: segments in, stream bytes out in order.
//!
//! Offsets count from the byte after the SYN; sequence numbers are understood relative to what is expected next, so that
//! they may wrap any number of times (RFC 9293 section 3.4). Bytes wait until those before them are there. Whether a gap
//! will still be filled is told by the other end: what it acknowledges it has, so what the capture then lacks was lost on
//! the way to the file, and a gap is declared at that moment. Else it is declared when the flow is over, or when more
//! waits than [`MOST_WAITING`] allows. If the bytes of a declared gap do come later (captures merged from two hosts), they
//! take the gap's place: the receiver had them by then.
//!
//! What cannot belong to the stream, beyond its end or more than the largest window (1 GiB, RFC 7323 section 2.3) away
//! from it, is counted and dropped.

use std::borrow::Cow;

use super::flow::{Direction, FlowEvent, Notes, What};
use super::pieces::{Body, Laid, Piece, Pieces, part, within};

/// How many bytes of one direction may wait for those before them (with 128 for each segment). Linux' largest receive
/// buffer is 6 MiB by default; no receiver holds more out of order than its buffer.
pub(super) const MOST_WAITING: usize = 16 << 20;
/// How far from what is expected a sequence number can be.
pub(super) const LARGEST_WINDOW: i64 = 1 << 30;

/// One direction of a conversation.
#[derive(Debug, Default)]
pub(super) struct Stream<'a> {
    /// The sequence number of the byte at offset 0.
    origin: Option<u32>,
    /// The offset after the last byte given out, or declared missing.
    next: u64,
    waiting: Pieces<'a>,
    /// Gaps and truncations given out, by offset.
    holes: Vec<Hole<'a>>,
    /// Where the events of this direction's data are, by offset, as far as the events have been looked through.
    data: Vec<usize>,
    looked_through: usize,
    /// The offset of the FIN.
    end: Option<u64>,
    ended: bool,
    /// The highest offset that the other end has acknowledged.
    acknowledged: u64,
    /// Whether the other end has acknowledged the SYN.
    confirmed: bool,
}

/// A gap or truncation that was given out, with what has come for it since.
#[derive(Debug)]
pub(super) struct Hole<'a> {
    /// Which event it is.
    pub(super) event: usize,
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) filled: Pieces<'a>,
    /// For a gap: how far was acknowledged when it was declared. For a truncation 0.
    proven: u64,
}

/// What a segment brings for one direction.
pub(super) struct Arrival<'a> {
    /// Of the first byte.
    pub(super) sequence: u32,
    pub(super) bytes: Cow<'a, [u8]>,
    /// Bytes after those that were not captured.
    pub(super) missing: u64,
    pub(super) fin: bool,
    /// Whether the other end last said that it takes no more bytes.
    pub(super) window_closed: bool,
}

/// Where to put what comes of a segment.
pub(super) struct Sink<'s, 'a> {
    pub(super) time: u64,
    pub(super) packet: u64,
    pub(super) direction: Direction,
    pub(super) events: &'s mut Vec<FlowEvent<'a>>,
    pub(super) notes: &'s mut Notes,
    /// How much may wait.
    pub(super) most_waiting: usize,
}

impl<'a> Sink<'_, 'a> {
    pub(super) fn event(&mut self, packet: u64, what: What<'a>) {
        self.events.push(FlowEvent { time: self.time, packet, direction: self.direction, what });
    }
}

impl<'a> Stream<'a> {
    /// The sequence number of the stream's first byte, if it is known.
    pub(super) fn origin(&self) -> Option<u32> {
        self.origin
    }

    /// Sets the sequence number of the stream's first byte.
    pub(super) fn begin_at(&mut self, sequence: u32) {
        self.origin = Some(sequence);
    }

    /// Whether nothing came of its first sequence number yet, so that another may take its place.
    pub(super) fn is_fresh(&self) -> bool {
        !self.confirmed && self.next == 0 && self.waiting.is_empty()
    }

    /// Whether its end was given out.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// How far a sequence number is ahead of what is expected next.
    pub(super) fn ahead(&self, sequence: u32) -> Option<i64> {
        let expected = self.origin?.wrapping_add(self.next as u32).wrapping_add(u32::from(self.ended));
        Some(i64::from(sequence.wrapping_sub(expected).cast_signed()))
    }

    /// What waits for bytes before it, in bytes.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.cost()
    }

    /// The packet that brought what has waited at the lowest offset.
    pub(super) fn waiting_packet(&self) -> Option<u64> {
        self.waiting.first().map(|(_, packet)| packet)
    }

    /// Takes in a segment.
    pub(super) fn receive(&mut self, arrival: Arrival<'a>, sink: &mut Sink<'_, 'a>) {
        let Some(ahead) = self.ahead(arrival.sequence) else {
            // The start is missing: the first byte seen is the first there is. A segment without bytes is no basis, for
            // it may be a probe, one below what will come.
            if !arrival.bytes.is_empty() || arrival.missing > 0 || arrival.fin {
                self.origin = Some(arrival.sequence);
                self.receive(arrival, sink);
            }
            return;
        };
        let plain = arrival.missing == 0 && !arrival.fin && self.end.is_none();
        if ahead == 0 && plain && self.waiting.is_empty() {
            if !arrival.bytes.is_empty() {
                if arrival.bytes.len() == 1 && arrival.window_closed {
                    sink.notes.zero_window_probes += 1;
                }
                self.give(Body::Bytes(arrival.bytes), sink.packet, sink);
                // What was acknowledged before it came may reach further.
                self.settle(sink);
            }
        } else if ahead.abs() > LARGEST_WINDOW {
            sink.notes.out_of_window += 1;
        } else if ahead == -1 && plain_probe(&arrival) && !self.ends_in_gap() {
            if arrival.window_closed {
                sink.notes.zero_window_probes += 1;
            } else {
                sink.notes.keep_alives += 1;
            }
        } else if !arrival.bytes.is_empty() || arrival.missing > 0 || arrival.fin {
            let start = self.next as i64 + i64::from(self.ended) + ahead;
            self.receive_at(start, arrival, sink);
        }
    }

    /// Takes in what the other end says it has.
    pub(super) fn acknowledge(&mut self, acknowledgment: u32, sink: &mut Sink<'_, 'a>) {
        let Some(ahead) = self.ahead(acknowledgment) else {
            // The start is missing: what the other end has by now came before it.
            self.origin = Some(acknowledgment);
            return;
        };
        self.confirmed |= ahead >= 0;
        if ahead <= 0 || self.ended {
            return;
        }
        if ahead > LARGEST_WINDOW {
            sink.notes.out_of_window += 1;
            return;
        }
        self.acknowledged = self.acknowledged.max(self.next + ahead.unsigned_abs());
        self.settle(sink);
    }

    /// Declares the first gap that bytes wait behind, and gives those out.
    pub(super) fn release(&mut self, sink: &mut Sink<'_, 'a>) {
        if let Some((first, _)) = self.waiting.first() {
            self.gap(first, sink);
            self.give_waiting(sink);
        }
    }

    /// Says what is known of the end when nothing more will come, nothing waiting any longer; gives the holes.
    pub(super) fn finish(&mut self, sink: &mut Sink<'_, 'a>) -> Vec<Hole<'a>> {
        if let Some(end) = self.end
            && self.next < end
        {
            self.gap(end, sink);
            self.give_waiting(sink);
        }
        if !self.ended && self.acknowledged > self.next {
            sink.notes.unseen_ends += 1;
        }
        std::mem::take(&mut self.holes)
    }

    fn receive_at(&mut self, start: i64, mut arrival: Arrival<'a>, sink: &mut Sink<'_, 'a>) {
        if start < 0 {
            sink.notes.before_start += 1;
            let before = start.unsigned_abs();
            let skipped = before.min(arrival.bytes.len() as u64);
            arrival.bytes = part(&arrival.bytes, skipped as usize..arrival.bytes.len());
            arrival.missing -= (before - skipped).min(arrival.missing);
        }
        let start = u64::try_from(start).unwrap_or(0);
        let captured_end = start + arrival.bytes.len() as u64;
        let end = captured_end + arrival.missing;
        let fin = arrival.fin;
        if self.end.is_some_and(|known| end > known) || (fin && !self.may_end_at(end)) {
            sink.notes.out_of_window += 1;
            return;
        }
        let repeated_fin = fin && self.end == Some(end);
        if fin {
            self.end = Some(end);
        }
        if start < self.next {
            self.widen_last_gap(captured_end, sink);
        }
        let mut laid = self.receive_again(start, &arrival, sink);
        let late = laid.new > 0;
        let new_start = start.max(self.next);
        if captured_end > new_start {
            let skipped = (new_start - start) as usize;
            let new = part(&arrival.bytes, skipped..arrival.bytes.len());
            laid.add(self.waiting.lay(new_start, new, sink.packet));
        }
        let missing_start = captured_end.max(self.next);
        if missing_start < end {
            laid.new += self.waiting.lay_missing(missing_start..end, sink.packet);
        }

        let repeats = if start == end { repeated_fin } else { laid.new == 0 };
        sink.notes.retransmissions += u32::from(repeats);
        sink.notes.overlaps += u32::from(laid.new > 0 && laid.known > 0);
        sink.notes.conflicts += u32::from(laid.conflict);
        sink.notes.late += u32::from(late);
        self.give_waiting(sink);
        while self.waiting.cost() > sink.most_waiting {
            self.release(sink);
        }
        self.settle(sink);
        let waits = self.next <= start && laid.new > 0;
        sink.notes.early += u32::from(waits);
    }

    /// Compares what was given out before with the same part of a segment, and fills gaps with it.
    fn receive_again(&mut self, start: u64, arrival: &Arrival<'a>, sink: &Sink<'_, 'a>) -> Laid {
        let end = self.next.min(start + arrival.bytes.len() as u64);
        let mut laid = Laid::default();
        if start >= end {
            return laid;
        }
        let first = self.holes.partition_point(|hole| hole.end <= start);
        for hole in &mut self.holes[first..] {
            if hole.start >= end {
                break;
            }
            let common = start.max(hole.start)..end.min(hole.end);
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

    /// Whether the last byte is not there: one that comes for it may be that byte.
    fn ends_in_gap(&self) -> bool {
        let last = self.holes.last();
        last.is_some_and(|hole| hole.end == self.next && hole.filled.end() != Some(hole.end))
    }

    fn may_end_at(&self, end: u64) -> bool {
        match self.end {
            Some(known) => known == end,
            None => end >= self.next.max(self.waiting.end().unwrap_or(0)),
        }
    }

    /// Declares gaps for what was acknowledged and is not in the capture.
    fn settle(&mut self, sink: &mut Sink<'_, 'a>) {
        while self.next < self.acknowledged {
            let proven = match (self.end, self.waiting.first()) {
                (_, Some((first, _))) => self.acknowledged.min(first),
                (Some(end), None) => self.acknowledged.min(end),
                // A FIN takes a sequence number too: the last one acknowledged may be that of a FIN not captured.
                (None, None) => self.acknowledged - 1,
            };
            if proven <= self.next {
                break;
            }
            self.gap(proven, sink);
            self.give_waiting(sink);
        }
    }

    fn give_waiting(&mut self, sink: &mut Sink<'_, 'a>) {
        while let Some(Piece { packet, body }) = self.waiting.take(self.next) {
            self.give(body, packet, sink);
        }
        if self.end == Some(self.next) && !self.ended {
            self.ended = true;
            sink.event(sink.packet, What::End);
        }
    }

    fn give(&mut self, body: Body<'a>, packet: u64, sink: &mut Sink<'_, 'a>) {
        let offset = self.next;
        match body {
            Body::Bytes(bytes) => {
                self.next += bytes.len() as u64;
                sink.event(packet, What::Data { offset, bytes });
            }
            Body::Missing(missing) => {
                self.next += missing;
                self.hole(offset, sink.events.len(), 0);
                sink.event(packet, What::Truncated { offset, missing });
            }
        }
    }

    fn gap(&mut self, to: u64, sink: &mut Sink<'_, 'a>) {
        self.widen_last_gap(to, sink);
        if self.next < to {
            let offset = self.next;
            self.next = to;
            self.hole(offset, sink.events.len(), self.acknowledged);
            let length = to - offset;
            sink.event(sink.packet, What::Gap { offset, length });
        }
    }

    /// Takes into the gap just declared what was acknowledged together with it, but then might have been a FIN: as there
    /// are bytes up to `to`, it was not.
    fn widen_last_gap(&mut self, to: u64, sink: &mut Sink<'_, 'a>) {
        if let Some(hole) = self.holes.last_mut()
            && hole.end == self.next
        {
            hole.end = self.next.max(to.min(hole.proven));
            self.next = hole.end;
            if let What::Gap { length, .. } = &mut sink.events[hole.event].what {
                *length = hole.end - hole.start;
            }
        }
    }

    fn hole(&mut self, start: u64, event: usize, proven: u64) {
        self.holes.push(Hole { event, start, end: self.next, filled: Pieces::default(), proven });
    }
}

fn plain_probe(arrival: &Arrival<'_>) -> bool {
    arrival.bytes.len() as u64 + arrival.missing <= 1 && !arrival.fin
}
