//! Where the bytes of one write are cut into segments.
//!
//! Sniffers break at cuts: linkerd reads once, a preface split in two is then not HTTP/2 for it. A cut is therefore
//! part of the scenario, not of chance.

use std::num::NonZeroUsize;
use std::ops::Deref;

/// How a direction of a link cuts what is written into segments. A reader gets at most one segment a read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cuts {
    /// One segment for each write, as a kernel sends it when nothing is waiting.
    #[default]
    AsWritten,
    /// Every byte by itself.
    EveryByte,
    /// At most so many bytes in a segment, counted from the start of each write.
    Segment(NonZeroUsize),
    /// At these offsets of the direction's whole stream, beside the ends of the writes.
    At(Offsets),
}

/// Where a stream is cut: how many bytes come before each cut. They rise, and none is 0, since before the first byte
/// there is nothing to cut off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offsets(Vec<u64>);

impl Cuts {
    /// The length of the first segment of a write of `length` bytes (at least 1) that begins at `offset` of the
    /// stream.
    pub(crate) fn first(&self, offset: u64, length: usize) -> usize {
        match self {
            Self::AsWritten => length,
            Self::EveryByte => 1,
            Self::Segment(most) => length.min(most.get()),
            Self::At(offsets) => offsets.first(offset, length),
        }
    }
}

impl Offsets {
    /// The length of the first segment of `length` bytes that begin at `offset` of the stream.
    pub(crate) fn first(&self, offset: u64, length: usize) -> usize {
        let next = self.0.partition_point(|&cut| cut <= offset);
        let room = self.0.get(next).map(|&cut| usize::try_from(cut - offset).unwrap_or(usize::MAX));
        room.map_or(length, |room| room.min(length))
    }
}

impl FromIterator<u64> for Offsets {
    /// Takes offsets in any order, as often as they come, and leaves 0 out.
    fn from_iter<I: IntoIterator<Item = u64>>(offsets: I) -> Self {
        let mut offsets: Vec<u64> = offsets.into_iter().filter(|&offset| offset > 0).collect();
        offsets.sort_unstable();
        offsets.dedup();
        Self(offsets)
    }
}

impl<const COUNT: usize> From<[u64; COUNT]> for Offsets {
    fn from(offsets: [u64; COUNT]) -> Self {
        offsets.into_iter().collect()
    }
}

impl Deref for Offsets {
    type Target = [u64];

    fn deref(&self) -> &[u64] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(cuts: &Cuts, writes: &[usize]) -> Vec<usize> {
        let mut offset = 0;
        let mut lengths = Vec::new();
        for &write in writes {
            let mut left = write;
            while left > 0 {
                let length = cuts.first(offset, left);
                lengths.push(length);
                offset += length as u64;
                left -= length;
            }
        }
        lengths
    }

    #[test]
    fn writes_stay_whole_unless_told_otherwise() {
        assert_eq!(segments(&Cuts::AsWritten, &[24, 9]), [24, 9]);
    }

    #[test]
    fn explicit_offsets_count_over_all_writes() {
        assert_eq!(segments(&Cuts::At(Offsets::from([24, 9, 0, 1, 9, 30])), &[24, 9]), [1, 8, 15, 6, 3]);
    }

    #[test]
    fn a_segment_size_counts_from_each_write() {
        let four = Cuts::Segment(NonZeroUsize::new(4).expect("four is not zero"));
        assert_eq!(segments(&four, &[9, 2]), [4, 4, 1, 2]);
        assert_eq!(segments(&Cuts::EveryByte, &[2, 1]), [1, 1, 1]);
    }
}
