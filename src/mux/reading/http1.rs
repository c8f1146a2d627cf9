//! HTTP/1: a request line octet by octet, and the head behind it line by line.
//!
//! The request line is judged at each octet, since a connection that can no longer become HTTP/1 must not be kept waiting.
//! The head is httparse's to read, each time that a line is complete; with at most 100 fields that is at most so often.

use super::Answer;
use crate::wire::RequestHead;
use crate::wire::http1::{HeadLimits, Parsed};

/// RFC 9112, section 3: `method SP request-target SP HTTP-version`, and no more of the target than that it has no white
/// space. One empty line before it is let pass (section 2.2). A bare line feed ends the line, as everywhere.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RequestLine {
    position: usize,
    method_begin: usize,
    method_end: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Begin,
    /// Behind the carriage return of an empty line.
    EmptyLine,
    Method,
    Target {
        is_empty: bool,
    },
    /// So many octets of the version are right.
    Version(usize),
    /// Behind the version's carriage return.
    End,
    Is,
    IsNot,
}

const VERSION: &[u8] = b"HTTP/1.";

impl RequestLine {
    pub(super) fn answer(&self) -> Answer {
        match self.state {
            State::Is => Answer::Match,
            State::IsNot => Answer::Reject,
            _ => Answer::NeedMore,
        }
    }

    /// The method, once its end is there.
    pub(super) fn method<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        (self.method_end > 0).then(|| &bytes[self.method_begin..self.method_end])
    }

    /// Goes on part by part, as most lines come whole, and in the middle of a part if they don't.
    pub(super) fn advance(&mut self, bytes: &[u8]) {
        while let Some(rest @ &[byte, ..]) = bytes.get(self.position..) {
            let (length, state) = match self.state {
                State::Is | State::IsNot => return,
                State::Begin if byte == b'\r' && self.position == 0 => (1, State::EmptyLine),
                State::EmptyLine if byte == b'\n' => (1, State::Begin),
                State::Begin if is_token(byte) => {
                    self.method_begin = self.position;
                    (1, State::Method)
                }
                State::Method => match part(rest, is_token) {
                    (length, None) => (length, State::Method),
                    (length, Some(b' ')) => {
                        self.method_end = self.position + length;
                        (length + 1, State::Target { is_empty: true })
                    }
                    _ => (0, State::IsNot),
                },
                State::Target { is_empty } => match part(rest, is_target) {
                    (length, None) => (length, State::Target { is_empty: false }),
                    (length, Some(b' ')) if length > 0 || !is_empty => (length + 1, State::Version(0)),
                    _ => (0, State::IsNot),
                },
                State::Version(right) if right < VERSION.len() => {
                    let expected = &VERSION[right..];
                    let length = rest.len().min(expected.len());
                    if rest[..length] == expected[..length] {
                        (length, State::Version(right + length))
                    } else {
                        (0, State::IsNot)
                    }
                }
                State::Version(7) if matches!(byte, b'0' | b'1') => (1, State::Version(8)),
                State::Version(8) if byte == b'\r' => (1, State::End),
                State::Version(8) | State::End if byte == b'\n' => (1, State::Is),
                _ => (0, State::IsNot),
            };
            self.position += length;
            self.state = state;
        }
    }
}

/// How many bytes are of a kind, and the one that comes behind them.
fn part(bytes: &[u8], is_one: impl Fn(u8) -> bool) -> (usize, Option<u8>) {
    let length = bytes.iter().position(|byte| !is_one(*byte)).unwrap_or(bytes.len());
    (length, bytes.get(length).copied())
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    const TOKEN: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            table[byte] = (byte as u8).is_ascii_alphanumeric();
            byte += 1;
        }
        let others = b"!#$%&'*+-.^_`|~";
        let mut index = 0;
        while index < others.len() {
            table[others[index] as usize] = true;
            index += 1;
        }
        table
    };
    TOKEN[usize::from(byte)]
}

fn is_target(byte: u8) -> bool {
    byte > b' ' && byte != 0x7f
}

/// What is known of a request's head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::mux) enum Head {
    /// It may become one.
    #[default]
    Possible,
    /// This is it.
    Complete(RequestHead),
    /// It is none.
    No,
}

/// Reads a head whose request line is there.
#[derive(Clone, Debug, Default)]
pub(super) struct HeadReader {
    looked_through: usize,
    found: Head,
}

/// The fields that hyper and nginx take, in order of magnitude; the octets are the classifier's to limit.
const LIMITS: HeadLimits = HeadLimits { fields: 100, octets: usize::MAX };

impl HeadReader {
    pub(super) fn advance(&mut self, bytes: &[u8]) -> &Head {
        let new = bytes.get(self.looked_through..).unwrap_or_default();
        if self.found == Head::Possible
            && let Some(last) = new.iter().rposition(|byte| *byte == b'\n')
        {
            let lines = &bytes[..=self.looked_through + last];
            self.found = match RequestHead::parse(lines, LIMITS) {
                Parsed::Partial => Head::Possible,
                Parsed::Complete { head, .. } => Head::Complete(head),
                Parsed::Invalid(_) => Head::No,
            };
        }
        self.looked_through = bytes.len();
        &self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads it whole and octet by octet, which has to be the same.
    fn line(bytes: &[u8]) -> (Answer, Option<&[u8]>) {
        let mut whole = RequestLine::default();
        whole.advance(bytes);
        let mut growing = RequestLine::default();
        (0..=bytes.len()).for_each(|end| growing.advance(&bytes[..end]));
        assert_eq!(whole.answer(), growing.answer(), "{bytes:?}");
        assert_eq!(whole.method(bytes), growing.method(bytes));
        (whole.answer(), whole.method(bytes))
    }

    #[test]
    fn a_short_request_is_decided_without_waiting_for_more() {
        let lines: [(&[u8], &[u8]); 5] = [
            (b"GET / HTTP/1.0\r\n", b"GET"),
            (b"PATCH /x HTTP/1.1\r\n", b"PATCH"),
            (b"\r\nget /x HTTP/1.1\n", b"get"),
            (b"OPTIONS * HTTP/1.1\r\n", b"OPTIONS"),
            (b"CONNECT a.example:443 HTTP/1.1\r\n", b"CONNECT"),
        ];
        for (bytes, method) in lines {
            assert_eq!(line(bytes), (Answer::Match, Some(method)));
        }
    }

    #[test]
    fn what_can_not_become_a_request_is_no_at_its_first_wrong_byte() {
        let lines: [&[u8]; 10] = [
            b"GET / HTTP/2",
            b"GET / HTTP/1.2",
            b"PRI * HTTP/2",
            b"GET /\r",
            b"\x16",
            b" ",
            b"GET  ",
            b"\r\r",
            b"\r\n\r",
            b"GET / HTTP/1.1 ",
        ];
        for bytes in lines {
            assert_eq!(line(bytes).0, Answer::Reject, "{bytes:?}");
            assert_eq!(line(&bytes[..bytes.len() - 1]).0, Answer::NeedMore, "{bytes:?}");
        }
    }

    #[test]
    fn a_head_with_a_field_that_is_none_is_refused_at_the_end_of_its_line() {
        let bytes = b"GET / HTTP/1.1\r\nHost: a\r\nno field\r\n";
        let mut reader = HeadReader::default();
        assert_eq!(reader.advance(&bytes[..bytes.len() - 1]), &Head::Possible);
        assert_eq!(reader.advance(bytes), &Head::No);
    }
}
