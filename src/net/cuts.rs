//! Where the bytes of one write are cut into segments.
//!
//! Sniffers break at cuts: linkerd reads once, a preface split in two is then not HTTP/2 for it. A cut is therefore
//! part of the scenario, not of chance.

use std::num::NonZeroUsize;

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
    /// At these offsets of the direction's whole stream, in rising order, beside the ends of the writes.
    At(Vec<u64>),
}

impl Cuts {
    /// The length of the first segment of a write of `length` bytes (at least 1) that begins at `offset` of the
    /// stream.
    pub(crate) fn first(&self, offset: u64, length: usize) -> usize {
        match self {
            Self::AsWritten => length,
            Self::EveryByte => 1,
            Self::Segment(most) => length.min(most.get()),
            Self::At(offsets) => {
                let next = offsets.partition_point(|&cut| cut <= offset);
                match offsets.get(next) {
                    Some(&cut) => length.min(usize::try_from(cut - offset).unwrap_or(usize::MAX)),
                    None => length,
                }
            }
        }
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
        assert_eq!(segments(&Cuts::At(vec![1, 9, 24, 30]), &[24, 9]), [1, 8, 15, 6, 3]);
    }

    #[test]
    fn a_segment_size_counts_from_each_write() {
        let four = Cuts::Segment(NonZeroUsize::new(4).expect("four is not zero"));
        assert_eq!(segments(&four, &[9, 2]), [4, 4, 1, 2]);
        assert_eq!(segments(&Cuts::EveryByte, &[2, 1]), [1, 1, 1]);
    }
}
