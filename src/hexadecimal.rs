//! Bytes in hexadecimal, wherever somebody writes them: scripts, key logs, configurations, the command line.

use std::fmt;

/// Why digits are no bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HexadecimalError {
    /// What is at this place, counted from 1, is no hexadecimal digit.
    NoDigit { character: char, place: usize },
    /// So many digits end in the middle of a byte.
    HalfByte { digits: usize },
}

impl fmt::Display for HexadecimalError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDigit { character, place } => {
                write!(formatter, "`{character}`, character {place}, is no hexadecimal digit")
            }
            Self::HalfByte { digits: 1 } => formatter.write_str("one digit is half a byte"),
            Self::HalfByte { digits } => write!(formatter, "{digits} digits end in the middle of a byte"),
        }
    }
}

/// The bytes that these digits are, in either case and without anything between them.
pub(crate) fn from_hexadecimal(digits: &str) -> Result<Vec<u8>, HexadecimalError> {
    let mut values = Vec::with_capacity(digits.len());
    for (index, character) in digits.chars().enumerate() {
        let value = character.to_digit(16).and_then(|value| u8::try_from(value).ok());
        values.push(value.ok_or(HexadecimalError::NoDigit { character, place: index + 1 })?);
    }
    if values.len() % 2 != 0 {
        return Err(HexadecimalError::HalfByte { digits: values.len() });
    }
    Ok(values.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_bytes_or_the_first_thing_that_is_wrong_with_them() {
        assert_eq!(from_hexadecimal("00fF10"), Ok(vec![0, 255, 16]));
        assert_eq!(from_hexadecimal(""), Ok(Vec::new()));
        let told = |digits| from_hexadecimal(digits).map_err(|error| error.to_string());
        assert_eq!(told("0g"), Err("`g`, character 2, is no hexadecimal digit".to_owned()));
        assert_eq!(told("012"), Err("3 digits end in the middle of a byte".to_owned()));
    }
}
