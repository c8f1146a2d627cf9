//! One direction of a TCP conversation: segments in, stream bytes out in order.
//!
//! Offsets count from the byte after the SYN; sequence numbers are understood relative to what is expected next, so
//! that they may wrap any number of times (RFC 9293 section 3.4). Bytes wait until those before them are there.
//! Whether a gap will still be filled is told by the other end: what it acknowledges it has, so what the capture then
//! lacks was lost on the way to the file, and a gap is declared at that moment. Else it is declared when the flow is
//! over, or when more waits than [`MOST_WAITING`] allows. If the bytes of a declared gap do come later (captures
//! merged from two hosts), they take the gap's place: the receiver had them by then.
//!
//! What cannot belong to the stream, beyond its end or more than the largest window (1 GiB, RFC 7323 section 2.3) away
//! from it, is counted and dropped.

use std::borrow::Cow;

use super::disorder::{Disorder, Hole};
use super::flow::{Direction, FlowEvent, Notes, What};
use super::pieces::{Body, Laid, Piece, part};

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
    disorder: Option<Box<Disorder<'a>>>,
    end: Option<End>,
    ended: bool,
    /// The highest offset that the other end has acknowledged.
    acknowledged: u64,
    /// Whether the other end has acknowledged the SYN.
    confirmed: bool,
}

/// A FIN.
#[derive(Clone, Copy, Debug)]
struct End {
    offset: u64,
    packet: u64,
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
        !self.confirmed && self.next == 0 && self.first_waiting().is_none()
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
        let disorder = self.disorder.as_ref();
        disorder.map_or(0, |disorder| disorder.waiting.cost())
    }

    /// The packet that brought what has waited at the lowest offset.
    pub(super) fn waiting_packet(&self) -> Option<u64> {
        self.first_waiting().map(|(_, packet)| packet)
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
        let in_order = ahead == 0 && self.end.is_none() && self.waiting() == 0;
        if in_order && arrival.missing == 0 {
            if arrival.bytes.len() == 1 && arrival.window_closed {
                sink.notes.zero_window_probes += 1;
            }
            if !arrival.bytes.is_empty() {
                self.give(Body::Bytes(arrival.bytes), sink.packet, sink);
            }
            if arrival.fin {
                self.end = Some(End { offset: self.next, packet: sink.packet });
                self.give_waiting(sink);
            }
            // What was acknowledged before it came may reach further.
            self.settle(sink);
        } else if ahead.abs() > LARGEST_WINDOW {
            sink.notes.out_of_window += 1;
        } else if ahead == -1 && self.is_probe(&arrival) {
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
        if let Some((first, _)) = self.first_waiting() {
            self.gap(first, sink);
            self.give_waiting(sink);
        }
    }

    /// Says what is known of the end when nothing more will come, nothing waiting any longer; gives the holes for which
    /// something came after they were given out.
    pub(super) fn finish(&mut self, sink: &mut Sink<'_, 'a>) -> Vec<Hole<'a>> {
        if let Some(end) = self.end
            && self.next < end.offset
        {
            self.gap(end.offset, sink);
            self.give_waiting(sink);
        }
        if !self.ended && self.acknowledged > self.next {
            sink.notes.unseen_ends += 1;
        }
        let disorder = self.disorder.take();
        disorder.map_or_else(Vec::new, |disorder| disorder.into_filled().collect())
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
        let beyond = self.end.is_some_and(|known| end > known.offset);
        if beyond || (arrival.fin && !self.may_end_at(end)) {
            sink.notes.out_of_window += 1;
            return;
        }
        let repeated_fin = arrival.fin && self.end.is_some();
        if arrival.fin && self.end.is_none() {
            self.end = Some(End { offset: end, packet: sink.packet });
        }

        let laid = if start == end { Laid::default() } else { self.lay(start, &arrival, sink) };
        let repeats = if start == end { repeated_fin } else { laid.new == 0 };
        sink.notes.retransmissions += u32::from(repeats);
        sink.notes.overlaps += u32::from(laid.new > 0 && laid.known > 0);
        sink.notes.conflicts += u32::from(laid.conflict);
        self.give_waiting(sink);
        while self.waiting() > sink.most_waiting {
            self.release(sink);
        }
        self.settle(sink);
        let waits = self.next <= start && laid.new > 0;
        sink.notes.early += u32::from(waits);
    }

    /// Puts a segment where it belongs: its old part is compared, its new part waits.
    fn lay(&mut self, start: u64, arrival: &Arrival<'a>, sink: &mut Sink<'_, 'a>) -> Laid {
        let captured_end = start + arrival.bytes.len() as u64;
        let disorder = self.disorder.get_or_insert_default();
        let mut laid = Laid::default();
        if start < self.next {
            self.next = disorder.widen_gap(self.next, captured_end, sink);
            laid = disorder.compare(start, self.next, arrival, sink);
            sink.notes.late += u32::from(laid.new > 0);
        }
        let new_start = start.max(self.next);
        if captured_end > new_start {
            let skipped = (new_start - start) as usize;
            let new = part(&arrival.bytes, skipped..arrival.bytes.len());
            laid.add(disorder.waiting.lay(new_start, new, sink.packet));
        }
        let missing = captured_end.max(self.next)..captured_end + arrival.missing;
        if missing.start < missing.end {
            laid.new += disorder.waiting.lay_missing(missing, sink.packet);
        }
        laid
    }

    /// Whether a segment that begins just before what is expected is a probe, and not a byte that was lost.
    fn is_probe(&self, arrival: &Arrival<'_>) -> bool {
        let length = arrival.bytes.len() as u64 + arrival.missing;
        let disorder = self.disorder.as_ref();
        let lost = disorder.is_some_and(|disorder| disorder.lacks_byte_before(self.next));
        length <= 1 && !arrival.fin && !lost
    }

    fn may_end_at(&self, end: u64) -> bool {
        let disorder = self.disorder.as_ref();
        let waiting_end = disorder.and_then(|disorder| disorder.waiting.end());
        match self.end {
            Some(known) => known.offset == end,
            None => end >= self.next.max(waiting_end.unwrap_or(0)),
        }
    }

    fn first_waiting(&self) -> Option<(u64, u64)> {
        self.disorder.as_ref()?.waiting.first()
    }

    /// Declares gaps for what was acknowledged and is not in the capture.
    fn settle(&mut self, sink: &mut Sink<'_, 'a>) {
        while self.next < self.acknowledged {
            let proven = match (self.end, self.first_waiting()) {
                (_, Some((first, _))) => self.acknowledged.min(first),
                (Some(end), None) => self.acknowledged.min(end.offset),
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
        while let Some(disorder) = &mut self.disorder
            && let Some(Piece { packet, body }) = disorder.waiting.take(self.next)
        {
            self.give(body, packet, sink);
        }
        if let Some(end) = self.end
            && end.offset == self.next
            && !self.ended
        {
            self.ended = true;
            sink.event(end.packet, What::End);
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
                let disorder = self.disorder.get_or_insert_default();
                disorder.hole(offset..self.next, sink.events.len(), 0);
                sink.event(packet, What::Truncated { offset, missing });
            }
        }
    }

    fn gap(&mut self, to: u64, sink: &mut Sink<'_, 'a>) {
        let disorder = self.disorder.get_or_insert_default();
        self.next = disorder.widen_gap(self.next, to, sink);
        if self.next < to {
            let offset = self.next;
            self.next = to;
            disorder.hole(offset..to, sink.events.len(), self.acknowledged);
            let length = to - offset;
            sink.event(sink.packet, What::Gap { offset, length });
        }
    }
}
