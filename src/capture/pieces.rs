//! Pieces of a stream that are held by their place in it, without overlaps.
//!
//! Policy: the first bytes for a place win. So it is in Linux for whatever a receiver may already have read, and a
//! capture does not tell how far that was; bytes that differ are reported as a conflict, for a reader to distrust the
//! flow. Only what the snapshot length cut off gives way to bytes that come later.
//!
//! The time for laying a piece grows with its captured bytes, however many pieces are held.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

/// A part of a stream as one packet brought it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    /// The packet's number.
    pub(super) packet: u64,
    pub(super) body: Body<'a>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Body<'a> {
    Bytes(Cow<'a, [u8]>),
    /// This many bytes, which the packet had and the capture has not.
    Missing(u64),
}

/// Pieces by their offset in the stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Pieces<'a> {
    held: BTreeMap<u64, Piece<'a>>,
    cost: usize,
}

/// What came of laying a piece.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Laid {
    /// How many bytes were not held before.
    pub(super) new: u64,
    /// How many were.
    pub(super) known: u64,
    /// Whether any of those were others.
    pub(super) conflict: bool,
}

impl Laid {
    pub(super) fn add(&mut self, other: Self) {
        self.new += other.new;
        self.known += other.known;
        self.conflict |= other.conflict;
    }
}

/// What keeping one piece takes beside its bytes, about: a node of the map and the piece itself.
const COST_OF_ONE: usize = 128;

impl<'a> Pieces<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// What is held, in bytes, counting bytes that are only borrowed as if they were not.
    pub(super) fn cost(&self) -> usize {
        self.cost
    }

    /// The offset and packet of the first piece.
    pub(super) fn first(&self) -> Option<(u64, u64)> {
        let (offset, piece) = self.held.first_key_value()?;
        Some((*offset, piece.packet))
    }

    /// The offset after the last piece.
    pub(super) fn end(&self) -> Option<u64> {
        let (offset, piece) = self.held.last_key_value()?;
        Some(offset + piece.length())
    }

    /// Takes out the first piece if it begins here.
    pub(super) fn take(&mut self, offset: u64) -> Option<Piece<'a>> {
        let entry = self.held.first_entry()?;
        if *entry.key() != offset {
            return None;
        }
        let piece = entry.remove();
        self.cost -= piece.cost();
        Some(piece)
    }

    /// Lays bytes wherever none are held yet.
    pub(super) fn lay(&mut self, start: u64, bytes: Cow<'a, [u8]>, packet: u64) -> Laid {
        let end = start + bytes.len() as u64;
        let mut laid = Laid::default();
        let mut free = start;
        for offset in self.touching(start..end) {
            let Some(piece) = self.held.get(&offset) else {
                continue;
            };
            let piece_end = offset + piece.length();
            match &piece.body {
                Body::Bytes(held) => {
                    let common = start.max(offset)..end.min(piece_end);
                    laid.known += common.end - common.start;
                    laid.conflict |= within(held, offset, &common) != within(&bytes, start, &common);
                    if free < offset {
                        laid.new += offset - free;
                        self.insert(free, part(&bytes, index(start, &(free..offset))), packet);
                    }
                    free = common.end;
                }
                Body::Missing(_) => {
                    let of_packet = piece.packet;
                    self.remove(offset);
                    self.insert_missing(offset..start.min(piece_end), of_packet);
                    self.insert_missing(end.max(offset)..piece_end, of_packet);
                }
            }
        }
        if free == start {
            laid.new += end - start;
            self.insert(start, bytes, packet);
        } else if free < end {
            laid.new += end - free;
            self.insert(free, part(&bytes, index(start, &(free..end))), packet);
        }
        laid
    }

    /// Notes that a packet had bytes here which were not captured, up to where the next piece begins; gives how many.
    pub(super) fn lay_missing(&mut self, range: Range<u64>, packet: u64) -> u64 {
        let before = self.held.range(..=range.start).next_back();
        if before.is_some_and(|(offset, piece)| offset + piece.length() > range.start) {
            return 0;
        }
        let next = self.held.range(range.start..).next();
        let end = next.map_or(range.end, |(offset, _)| range.end.min(*offset));
        self.insert_missing(range.start..end, packet);
        end - range.start
    }

    /// All pieces by offset.
    pub(super) fn into_pieces(self) -> impl Iterator<Item = (u64, Piece<'a>)> {
        self.held.into_iter()
    }

    fn touching(&self, range: Range<u64>) -> Vec<u64> {
        let before = self.held.range(..range.start).next_back();
        let first = before
            .filter(|(offset, piece)| *offset + piece.length() > range.start)
            .map_or(range.start, |(offset, _)| *offset);
        self.held.range(first..range.end).map(|(offset, _)| *offset).collect()
    }

    fn insert(&mut self, start: u64, bytes: Cow<'a, [u8]>, packet: u64) {
        let body = Body::Bytes(bytes);
        self.put(start, Piece { packet, body });
    }

    fn insert_missing(&mut self, range: Range<u64>, packet: u64) {
        if range.start < range.end {
            let body = Body::Missing(range.end - range.start);
            self.put(range.start, Piece { packet, body });
        }
    }

    fn put(&mut self, offset: u64, piece: Piece<'a>) {
        self.cost += piece.cost();
        self.held.insert(offset, piece);
    }

    fn remove(&mut self, offset: u64) {
        if let Some(piece) = self.held.remove(&offset) {
            self.cost -= piece.cost();
        }
    }
}

impl Piece<'_> {
    pub(super) fn length(&self) -> u64 {
        match &self.body {
            Body::Bytes(bytes) => bytes.len() as u64,
            Body::Missing(length) => *length,
        }
    }

    fn cost(&self) -> usize {
        match &self.body {
            Body::Bytes(bytes) => bytes.len() + COST_OF_ONE,
            Body::Missing(_) => COST_OF_ONE,
        }
    }
}

/// A part of some bytes, borrowed for as long as they were.
pub(super) fn part<'a>(bytes: &Cow<'a, [u8]>, range: Range<usize>) -> Cow<'a, [u8]> {
    match bytes {
        Cow::Borrowed(bytes) => Cow::Borrowed(&bytes[range]),
        Cow::Owned(bytes) => Cow::Owned(bytes[range].to_vec()),
    }
}

/// The bytes of a range of the stream, out of bytes that begin at `start` in it.
pub(super) fn within<'b>(bytes: &'b [u8], start: u64, range: &Range<u64>) -> &'b [u8] {
    &bytes[index(start, range)]
}

fn index(start: u64, range: &Range<u64>) -> Range<usize> {
    // Both differences are within bytes that are in memory.
    (range.start - start) as usize..(range.end - start) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lay(pieces: &mut Pieces<'static>, start: u64, bytes: &'static [u8], packet: u64) -> Laid {
        pieces.lay(start, Cow::Borrowed(bytes), packet)
    }

    fn shown(pieces: Pieces<'_>) -> Vec<String> {
        pieces
            .into_pieces()
            .map(|(offset, piece)| match piece.body {
                Body::Bytes(bytes) => {
                    let text = String::from_utf8_lossy(&bytes);
                    format!("{offset} {text} ({})", piece.packet)
                }
                Body::Missing(length) => format!("{offset} -{length} ({})", piece.packet),
            })
            .collect()
    }

    #[test]
    fn first_bytes_win_and_others_are_a_conflict() {
        let mut pieces = Pieces::default();
        assert_eq!(lay(&mut pieces, 10, b"ab", 1).new, 2);
        assert_eq!(lay(&mut pieces, 14, b"ef", 2).new, 2);
        let laid = lay(&mut pieces, 8, b"yzabcdeXgh", 3);
        let expected = Laid { new: 6, known: 4, conflict: true };
        assert_eq!(laid, expected);
        let again = lay(&mut pieces, 11, b"bcd", 4);
        assert_eq!((again.new, again.conflict), (0, false));
        assert_eq!(shown(pieces), ["8 yz (3)", "10 ab (1)", "12 cd (3)", "14 ef (2)", "16 gh (3)"]);
    }

    #[test]
    fn what_is_missing_gives_way() {
        let mut pieces = Pieces::default();
        lay(&mut pieces, 0, b"ab", 1);
        assert_eq!(pieces.lay_missing(2..10, 1), 8);
        assert_eq!(pieces.lay_missing(1..20, 2), 0, "its first byte is held");
        assert_eq!(pieces.lay_missing(5..20, 2), 0);
        assert_eq!(lay(&mut pieces, 4, b"efg", 3).new, 3);
        assert_eq!(lay(&mut pieces, 9, b"jk", 4).new, 2);
        assert_eq!(pieces.end(), Some(11));
        assert_eq!(shown(pieces), ["0 ab (1)", "2 -2 (1)", "4 efg (3)", "7 -2 (1)", "9 jk (4)"]);
        let mut pieces = Pieces::default();
        lay(&mut pieces, 5, b"f", 1);
        assert_eq!(pieces.lay_missing(2..9, 2), 3, "only up to the next piece");
    }

    #[test]
    fn the_cost_follows_what_is_held() {
        let mut pieces = Pieces::default();
        for start in [0, 30, 20, 10] {
            lay(&mut pieces, start, b"0123456789", start);
        }
        pieces.lay_missing(40..90, 9);
        lay(&mut pieces, 50, b"x", 9);
        assert_eq!(pieces.cost(), 41 + 7 * COST_OF_ONE);
        let mut offset = 0;
        while let Some(piece) = pieces.take(offset) {
            offset += piece.length();
        }
        assert_eq!((offset, pieces.cost()), (90, 0));
    }
}
