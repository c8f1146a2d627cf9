//! A number with its unit, as people write durations and sizes: `20s`, `16KiB`. Which units there are is for the place to say.

/// How many of the smallest unit that is; none if it is no such quantity, or more than can be counted.
pub(crate) fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let (_, size) = units.iter().find(|(unit, _)| *unit == &text[digits.len()..])?;
    let is_number = digits.bytes().all(|digit| digit.is_ascii_digit());
    digits.parse::<u64>().ok().filter(|_| is_number)?.checked_mul(*size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantity_is_a_number_and_a_known_unit() {
        let units = [("ms", 1), ("s", 1000)];
        assert_eq!(quantity("20s", &units), Some(20_000));
        assert_eq!(quantity("20ms", &units), Some(20));
        for text in [
            "20",
            "s",
            "",
            "20min",
            "2 s",
            "-1s",
            "+1s",
            "1.5s",
            "99999999999999999999s",
            "18446744073709551615s",
        ] {
            assert_eq!(quantity(text, &units), None, "{text}");
        }
    }
}
