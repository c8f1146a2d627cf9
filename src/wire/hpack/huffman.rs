//! The Huffman code for strings (RFC 7541 section 5.2 and appendix B).
//!
//! Appendix B's code is canonical: codes of one length count upwards in the order of the octets,
//! and each length goes on where the shorter one stopped. So the lengths are all there is to
//! write down, and the rest is computed from them when the crate is compiled: an encoding table,
//! and for decoding a table over the next eight bits, which settles everything printable but
//! a few signs, and the limits between lengths for the others. Building a tree for each
//! string, as some decoders do, costs a thousand times more than decoding it.

use crate::planted::{Fault, is_planted};

use super::HpackError;

/// The number of the end-of-string symbol.
const END_OF_STRING: u16 = 256;
/// Bits of the longest code.
const LONGEST: u32 = 30;
/// Bits that the short table looks at.
const SHORT: u32 = 8;

/// Bits of each octet's code and, last, of the end-of-string symbol's.
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];

/// All that follows from [`LENGTHS`].
static CODE: Code = Code::canonical();

struct Code {
    /// Each symbol's code, right-aligned.
    codes: [u32; 257],
    /// For each value of the next eight bits the octet whose code they begin with, and the code's
    /// length; length 0 if it is longer. The end of string is not among them.
    short: [(u8, u8); 1 << SHORT],
    /// The symbols by length and within a length by number.
    by_rank: [u16; 257],
    /// For each length.
    limits: [Limit; LONGEST as usize + 1],
}

/// Where the codes of one length lie among all 32-bit words that begin with a code.
#[derive(Clone, Copy)]
struct Limit {
    /// The first word above those that begin with a code of this length or less.
    end: u64,
    /// What to add to a code of this length to get its rank, modulo 2^32.
    rank_offset: u32,
}

/// Octets that `octets` takes Huffman-coded, padding included.
pub(super) fn encoded_length(octets: &[u8]) -> usize {
    let bits: usize = octets.iter().map(|&octet| usize::from(LENGTHS[usize::from(octet)])).sum();
    bits.div_ceil(8)
}

/// Appends `octets`, coded, and padded with ones to a whole octet.
pub(super) fn encode(octets: &[u8], out: &mut Vec<u8>) {
    let mut bits = 0_u64;
    let mut pending = 0_u32;
    for &octet in octets {
        let length = u32::from(LENGTHS[usize::from(octet)]);
        bits = bits << length | u64::from(CODE.codes[usize::from(octet)]);
        pending += length;
        while pending >= 8 {
            pending -= 8;
            out.push((bits >> pending) as u8);
        }
    }
    if pending > 0 {
        let padding = if is_planted(Fault::WrongHuffmanPadding) { 0 } else { 0xff >> pending };
        out.push((bits << (8 - pending)) as u8 | padding);
    }
}

/// The most octets that `coded` octets can stand for, the shortest codes having 5 bits.
pub(super) fn longest_decoded(coded: usize) -> usize {
    coded * 8 / 5
}

/// Writes what `coded` stands for to the front of `out`, which has room for
/// [`longest_decoded`], and says how many octets it is.
pub(super) fn decode(mut coded: &[u8], out: &mut [u8]) -> Result<usize, HpackError> {
    // Left-aligned; zeros follow the `available` bits that were read.
    let mut window = 0_u64;
    let mut available = 0_u32;
    let mut length = 0;
    while let Some((octets, rest)) = coded.split_first_chunk() {
        window |= u64::from(u32::from_be_bytes(*octets)) << (32 - available);
        available += 32;
        coded = rest;
        while available > 32 {
            let (octet, bits) = first_octet(window).ok_or(HpackError::HuffmanEndOfString)?;
            out[length] = octet;
            length += 1;
            window <<= bits;
            available -= bits;
        }
    }
    for &octet in coded {
        window |= u64::from(octet) << (56 - available);
        available += 8;
    }
    loop {
        let (octet, bits) = first_octet(window).ok_or(HpackError::HuffmanEndOfString)?;
        // The zeros can lengthen a code that is cut off but never complete one, since no code
        // is the beginning of another.
        if bits > available {
            return check_padding(window, available).map(|()| length);
        }
        out[length] = octet;
        length += 1;
        window <<= bits;
        available -= bits;
    }
}

/// The octet whose code the window begins with, and the code's length; `None` for the end of
/// string.
#[inline(always)]
fn first_octet(window: u64) -> Option<(u8, u32)> {
    match CODE.short[(window >> (64 - SHORT)) as usize] {
        (_, 0) => first_long(window),
        (octet, length) => Some((octet, length.into())),
    }
}

/// The same for codes that are longer than the short table sees. Out of line, since what clients
/// send has hardly any.
#[cold]
fn first_long(window: u64) -> Option<(u8, u32)> {
    let word = (window >> 32) as u32;
    let mut length = SHORT + 1;
    while u64::from(word) >= CODE.limits[length as usize].end {
        length += 1;
    }
    let rank = (word >> (32 - length)).wrapping_add(CODE.limits[length as usize].rank_offset);
    let symbol = CODE.by_rank[rank as usize];
    Some((u8::try_from(symbol).ok()?, length))
}

/// The rest of a string must be the beginning of the end-of-string code, ones, and shorter than
/// an octet.
fn check_padding(window: u64, bits: u32) -> Result<(), HpackError> {
    if window.leading_ones() < bits {
        return Err(HpackError::HuffmanPadding);
    }
    if bits >= 8 {
        return Err(HpackError::HuffmanPaddingTooLong);
    }
    Ok(())
}

impl Code {
    const fn canonical() -> Code {
        let mut code = Code {
            codes: [0; 257],
            short: [(0, 0); 1 << SHORT],
            by_rank: [0; 257],
            limits: [Limit { end: 0, rank_offset: 0 }; LONGEST as usize + 1],
        };
        let mut next_code = 0_u32;
        let mut rank = 0;
        let mut length = 1;
        while length <= LONGEST {
            next_code <<= 1;
            let rank_offset = (rank as u32).wrapping_sub(next_code);
            let mut symbol = 0;
            while symbol <= END_OF_STRING {
                if LENGTHS[symbol as usize] as u32 == length {
                    code.codes[symbol as usize] = next_code;
                    code.by_rank[rank] = symbol;
                    if length <= SHORT {
                        code.fill_short(symbol as u8, next_code, length);
                    }
                    next_code += 1;
                    rank += 1;
                }
                symbol += 1;
            }
            let end = (next_code as u64) << (32 - length);
            code.limits[length as usize] = Limit { end, rank_offset };
            length += 1;
        }
        code
    }

    const fn fill_short(&mut self, octet: u8, code: u32, length: u32) {
        let mut word = code << (SHORT - length);
        let end = (code + 1) << (SHORT - length);
        while word < end {
            self.short[word as usize] = (octet, length as u8);
            word += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(coded: &[u8]) -> Result<Vec<u8>, HpackError> {
        let mut out = vec![0; longest_decoded(coded.len())];
        let length = decode(coded, &mut out)?;
        out.truncate(length);
        Ok(out)
    }

    fn encoded(octets: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(octets, &mut out);
        assert_eq!(out.len(), encoded_length(octets));
        out
    }

    #[test]
    fn codes_are_those_of_appendix_b() {
        // One or two of each length, the last octet and the end of string among them.
        let listed = [
            (b'0', 0x0),
            (b't', 0x9),
            (b' ', 0x14),
            (b'u', 0x2d),
            (b':', 0x5c),
            (b'z', 0x7b),
            (b'&', 0xf8),
            (b'Z', 0xfd),
            (b'!', 0x3f8),
            (b'|', 0x7fc),
            (b'#', 0xffa),
            (b'~', 0x1ffd),
            (b'^', 0x3ffc),
            (b'{', 0x7ffe),
            (b'\\', 0x7fff0),
            (128, 0xfffe6),
            (161, 0x1fffdd),
            (129, 0x3fffd2),
            (1, 0x7fffd8),
            (9, 0xffffea),
            (199, 0x1ffffec),
            (192, 0x3ffffe0),
            (203, 0x7ffffde),
            (2, 0xfffffe2),
            (b'\n', 0x3ffffffc),
            (22, 0x3ffffffe),
        ];
        for (octet, code) in listed {
            assert_eq!(CODE.codes[usize::from(octet)], code, "{octet}");
        }
        assert_eq!(CODE.codes[usize::from(END_OF_STRING)], 0x3fffffff);
    }

    #[test]
    fn every_octet_comes_back_at_every_bit_offset() {
        for octet in 0..=u8::MAX {
            for before in 0..8 {
                let mut octets = vec![b'0'; before];
                octets.extend([octet, b'&', octet]);
                assert_eq!(decoded(&encoded(&octets)), Ok(octets));
            }
        }
    }

    #[test]
    fn example_of_appendix_c_4_1() {
        let coded = [0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff];
        assert_eq!(encoded(b"www.example.com"), coded);
        assert_eq!(decoded(&coded).unwrap(), b"www.example.com");
    }

    #[test]
    fn padding_is_ones_and_less_than_an_octet() {
        assert_eq!(decoded(b""), Ok(vec![]));
        assert_eq!(decoded(&[0x07]), Ok(b"0".to_vec()));
        assert_eq!(decoded(&[0x06]), Err(HpackError::HuffmanPadding));
        assert_eq!(decoded(&[0x00]), Err(HpackError::HuffmanPadding));
        assert_eq!(decoded(&[0xff]), Err(HpackError::HuffmanPaddingTooLong));
        assert_eq!(decoded(&[0x07, 0xff]), Err(HpackError::HuffmanPaddingTooLong));
        assert_eq!(decoded(&[0xff, 0xff, 0xff]), Err(HpackError::HuffmanPaddingTooLong));
        // Cut off inside the code of octet 1, 0x7fffd8 in 23 bits.
        assert_eq!(decoded(&[0xff, 0xff]), Err(HpackError::HuffmanPaddingTooLong));
        assert_eq!(decoded(&[0xff, 0xfe]), Err(HpackError::HuffmanPadding));
    }

    #[test]
    fn the_end_of_string_code_is_refused() {
        let end = Err(HpackError::HuffmanEndOfString);
        assert_eq!(decoded(&[0xff; 4]), end);
        assert_eq!(decoded(&[0xff; 40]), end);
        assert_eq!(decoded(&[0x07, 0xff, 0xff, 0xff, 0xff]), end);
    }
}
