//! How a capture file counts time: units since 1970, in whatever resolution an interface has.
//!
//! The draft (draft-ietf-opsawg-pcapng section 4.2) lets each interface choose powers of ten or of two and shift by
//! whole seconds. Inside this crate there are only nanoseconds; finer times are rounded down.

/// The units of an interface's times, and what to add to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// The length of one unit (`if_tsresol`).
    pub resolution: Resolution,
    /// Seconds to add to every time (`if_tsoffset`).
    pub offset: i64,
}

/// The length of one unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// 10^-n seconds, n being 0 to 127.
    Decimal(u8),
    /// 2^-n seconds, n being 0 to 127.
    Binary(u8),
}

impl Resolution {
    /// One millionth of a second, which holds where nothing is said.
    pub const MICROSECONDS: Self = Self::Decimal(6);
    /// The finest that this crate keeps.
    pub const NANOSECONDS: Self = Self::Decimal(9);
}

impl Default for Resolution {
    fn default() -> Self {
        Self::MICROSECONDS
    }
}

impl From<u8> for Resolution {
    /// Reads the option's byte: the top bit chooses the base, the others are the exponent.
    fn from(option: u8) -> Self {
        if option & 0x80 == 0 { Self::Decimal(option) } else { Self::Binary(option & 0x7f) }
    }
}

impl From<Resolution> for u8 {
    fn from(resolution: Resolution) -> Self {
        match resolution {
            Resolution::Decimal(exponent) => exponent & 0x7f,
            Resolution::Binary(exponent) => exponent | 0x80,
        }
    }
}

impl Clock {
    /// The time in nanoseconds since 1970, rounded down, held at the ends of what 64 bits can say.
    pub fn nanoseconds(self, units: u64) -> u64 {
        let units = u128::from(units);
        let nanoseconds = match self.resolution {
            Resolution::Binary(exponent) => (units * SECOND) >> (exponent & 0x7f),
            Resolution::Decimal(exponent @ 0..=9) => units * 10_u128.pow(9 - u32::from(exponent)),
            // 64 bits have 20 digits: of units finer than 10^-29 seconds nothing is left.
            Resolution::Decimal(exponent) => {
                10_u128.checked_pow(u32::from(exponent) - 9).map_or(0, |unit| units / unit)
            }
        };
        // Both terms are below 2^94.
        let nanoseconds = nanoseconds.cast_signed() + i128::from(self.offset) * 1_000_000_000;
        hold(nanoseconds)
    }

    /// The units that stand for a time in nanoseconds since 1970, rounded down, held at the ends of what 64 bits can
    /// say.
    pub fn units(self, nanoseconds: u64) -> u64 {
        let nanoseconds = i128::from(nanoseconds) - i128::from(self.offset) * 1_000_000_000;
        let Ok(nanoseconds) = u128::try_from(nanoseconds) else {
            return 0;
        };
        let units = match self.resolution {
            // Beyond these exponents 64 bits do not even reach two seconds after 1970.
            Resolution::Binary(exponent @ 0..=63) => Some((nanoseconds << exponent) / SECOND)
                .filter(|_| nanoseconds.leading_zeros() >= u32::from(exponent)),
            Resolution::Decimal(exponent @ 0..=9) => Some(nanoseconds / 10_u128.pow(9 - u32::from(exponent))),
            Resolution::Decimal(exponent) => {
                10_u128.checked_pow(u32::from(exponent) - 9).and_then(|unit| nanoseconds.checked_mul(unit))
            }
            Resolution::Binary(_) => None,
        };
        units.and_then(|units| u64::try_from(units).ok()).unwrap_or(u64::MAX)
    }
}

const SECOND: u128 = 1_000_000_000;

fn hold(nanoseconds: i128) -> u64 {
    u64::try_from(nanoseconds).unwrap_or(if nanoseconds < 0 { 0 } else { u64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_read_in_every_resolution() {
        let at = |option: u8, offset, units| {
            let resolution = option.into();
            Clock { resolution, offset }.nanoseconds(units)
        };
        assert_eq!(at(6, 0, 1_500_000), 1_500_000_000);
        assert_eq!(at(9, 0, 7), 7);
        assert_eq!(at(0, 0, 3), 3_000_000_000);
        assert_eq!(at(12, 0, 7_999), 7);
        assert_eq!(at(0x80 | 20, 0, 3 << 19), 1_500_000_000);
        assert_eq!(at(0x80 | 127, 0, u64::MAX), 0);
        assert_eq!(at(127, 0, u64::MAX), 0);
        assert_eq!(at(6, 10, 5), 10_000_005_000);
        assert_eq!(at(6, -1, 1_000_001), 1_000);
        assert_eq!(at(6, -2, 1_000_001), 0);
        assert_eq!(at(0, i64::MAX, u64::MAX), u64::MAX);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let time = 1_792_345_678_123_456_789;
        for (option, kept) in [(0, 1_000_000_000), (3, 1_000_000), (6, 1_000), (9, 1), (10, 1)] {
            for offset in [0, 1_700_000_000, -5] {
                let clock = Clock { resolution: option.into(), offset };
                let read = clock.nanoseconds(clock.units(time));
                if option == 10 && offset != 1_700_000_000 {
                    assert!(read <= time);
                } else {
                    assert_eq!(read, time / kept * kept, "{option} {offset}");
                }
            }
        }
        let binary = Clock { resolution: Resolution::Binary(30), offset: 0 };
        let read = binary.nanoseconds(binary.units(time));
        assert!((time - 1..=time).contains(&read));
        for option in 0..=u8::MAX {
            assert_eq!(u8::from(Resolution::from(option)), option);
            let clock = Clock { resolution: option.into(), offset: i64::MIN };
            clock.nanoseconds(clock.units(u64::MAX));
        }
    }
}
