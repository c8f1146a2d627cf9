//! Integers with a prefix (RFC 7541 section 5.1).
//!
//! The low bits of an octet whose high bits say what the integer is for; if those are all ones,
//! more octets follow with seven bits each, the least significant first.
//!
//! Limits are an implementation's own. Here an integer fits in 32 bits, as settings do, and takes
//! at most six octets, which is what 2^32-1 needs. Padding with zeros up to that length is read.

use super::HpackError;

/// Octets of the longest integer read.
const LONGEST: usize = 6;

/// Takes an integer with a prefix of `prefix_bits`, 1 to 8, off the front of `input`.
#[inline]
pub(super) fn decode(input: &mut &[u8], prefix_bits: u32) -> Result<u32, HpackError> {
    let (&first, rest) = input.split_first().ok_or(HpackError::Truncated)?;
    *input = rest;
    let most = prefix_mask(prefix_bits);
    let prefix = first & most;
    if prefix < most { Ok(prefix.into()) } else { decode_rest(input, prefix.into()) }
}

/// The octets after a prefix of ones.
fn decode_rest(input: &mut &[u8], prefix: u64) -> Result<u32, HpackError> {
    let mut value = prefix;
    for (index, &octet) in input.iter().take(LONGEST - 1).enumerate() {
        value += u64::from(octet & 0x7f) << (7 * index);
        if octet < 0x80 {
            *input = &input[index + 1..];
            return u32::try_from(value).map_err(|_| HpackError::IntegerOverflow);
        }
    }
    Err(if input.len() < LONGEST - 1 { HpackError::Truncated } else { HpackError::IntegerOverflow })
}

/// Writes `value` in as few octets as it needs, the bits above the prefix set as in `pattern`.
/// More than 32 bits can be written, by which only a string of 4 GiB is found out.
pub(super) fn encode(value: u64, prefix_bits: u32, pattern: u8, out: &mut Vec<u8>) {
    let most = prefix_mask(prefix_bits);
    if value < u64::from(most) {
        out.push(pattern | value as u8);
        return;
    }
    out.push(pattern | most);
    let mut rest = value - u64::from(most);
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn prefix_mask(prefix_bits: u32) -> u8 {
    debug_assert!((1..=8).contains(&prefix_bits));
    0xff >> (8 - prefix_bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7541 appendix C.1: value, prefix bits, octets.
    const EXAMPLES: [(u32, u32, &[u8]); 3] =
        [(10, 5, &[0x0a]), (1_337, 5, &[0x1f, 0x9a, 0x0a]), (42, 8, &[0x2a])];

    #[test]
    fn appendix_c_1() {
        for (value, prefix_bits, octets) in EXAMPLES {
            let mut out = Vec::new();
            encode(value.into(), prefix_bits, 0, &mut out);
            assert_eq!(out, octets);
            let mut input = octets;
            assert_eq!(decode(&mut input, prefix_bits), Ok(value));
            assert!(input.is_empty());
        }
    }

    #[test]
    fn edges_come_back_in_every_prefix() {
        for prefix_bits in 1..=8 {
            let edge = u32::from(prefix_mask(prefix_bits));
            let further = [edge + 0x7f, edge + 0x80, edge + 0x3fff, edge + 0x4000, u32::MAX];
            for value in (0..=edge + 1).chain(further) {
                let mut out = Vec::new();
                encode(value.into(), prefix_bits, 0, &mut out);
                out.push(0xee);
                let mut input = &out[..];
                assert_eq!(decode(&mut input, prefix_bits), Ok(value));
                assert_eq!(input, [0xee]);
            }
        }
    }

    #[test]
    fn the_bits_above_the_prefix_are_the_callers() {
        let mut out = Vec::new();
        encode(30, 5, 0x20, &mut out);
        encode(31, 5, 0x20, &mut out);
        assert_eq!(out, [0x3e, 0x3f, 0x00]);
        let mut input: &[u8] = &[0xfe];
        assert_eq!(decode(&mut input, 5), Ok(30));
    }

    #[test]
    fn limits() {
        let read = |mut octets: &[u8]| decode(&mut octets, 5);
        assert_eq!(read(&[]), Err(HpackError::Truncated));
        assert_eq!(read(&[0x1f]), Err(HpackError::Truncated));
        assert_eq!(read(&[0x1f, 0x80, 0x80, 0x80, 0x80]), Err(HpackError::Truncated));
        assert_eq!(read(&[0x1f, 0x80, 0x80, 0x80, 0x80, 0x00]), Ok(31));
        assert_eq!(read(&[0x1f, 0xe0, 0xff, 0xff, 0xff, 0x0f]), Ok(u32::MAX));
        let overflow = Err(HpackError::IntegerOverflow);
        assert_eq!(read(&[0x1f, 0xe1, 0xff, 0xff, 0xff, 0x0f]), overflow);
        assert_eq!(read(&[0x1f, 0x80, 0x80, 0x80, 0x80, 0x80]), overflow);
        assert_eq!(read(&[0x1f, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00]), overflow);
    }
}
