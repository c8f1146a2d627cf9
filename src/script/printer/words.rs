//! The smallest parts of a printed line: times, lists of numbers, bytes, quoted texts and words.

use std::fmt::{self, Display, Formatter, Write};
use std::time::Duration;

use crate::net::Offsets;
use crate::wire::Priority;

/// A duration in the largest unit that holds it exactly.
pub(crate) struct Time(pub(crate) Duration);

impl Display for Time {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let nanoseconds = self.0.as_nanos();
        let units = [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000), ("ns", 1)];
        let (unit, size) = if nanoseconds == 0 {
            ("ms", 1)
        } else {
            units.into_iter().find(|(_, size)| nanoseconds.is_multiple_of(*size)).unwrap_or(("ns", 1))
        };
        write!(formatter, "{}{unit}", nanoseconds / size)
    }
}

pub(super) struct Listed<'a>(pub(super) &'a Offsets);

impl Display for Listed<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|offset| write!(formatter, " {offset}"))
    }
}

/// A stream's place among the others.
pub(super) struct Place<'a>(pub(super) &'a Priority);

impl Display for Place<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let Priority { exclusive, dependency, weight } = self.0;
        let exclusive = if *exclusive { " exclusive" } else { "" };
        write!(formatter, "on {dependency} weight {weight}{exclusive}")
    }
}

pub(super) struct Hexadecimal<'a>(pub(super) &'a [u8]);

impl Display for Hexadecimal<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        if !self.0.is_empty() {
            formatter.write_char(' ')?;
        }
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// Text in quotes, with what can't be printed escaped.
pub(super) struct Quoted<'a>(pub(super) &'a [u8]);

impl Display for Quoted<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_char('"')?;
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '"' | '\\' => write!(formatter, "\\{character}")?,
                    '\r' => formatter.write_str("\\r")?,
                    '\n' => formatter.write_str("\\n")?,
                    '\t' => formatter.write_str("\\t")?,
                    control if control.is_ascii_control() => {
                        write!(formatter, "\\x{:02x}", u32::from(control))?;
                    }
                    other => formatter.write_char(other)?,
                }
            }
            chunk.invalid().iter().try_for_each(|byte| write!(formatter, "\\x{byte:02x}"))?;
        }
        formatter.write_char('"')
    }
}

/// A word as it is where it can be read back as one, else in quotes.
pub(super) struct Word<'a>(pub(super) &'a str);

impl Display for Word<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let plain = |character: char| {
            !(character.is_whitespace() || character.is_control() || "\",#".contains(character))
        };
        if !self.0.is_empty() && self.0.chars().all(plain) {
            formatter.write_str(self.0)
        } else {
            Quoted(self.0.as_bytes()).fmt(formatter)
        }
    }
}

/// Whether bytes are better shown as text.
pub(super) fn readable(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| byte.is_ascii_graphic() || b" \r\n\t".contains(byte))
}
