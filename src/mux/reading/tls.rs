//! TLS: whether it begins with a ClientHello, and what that says.

use super::{Answer, starts_with};
use crate::wire::tls::{ClientHello, HelloReader, Progress, RecordReader};

/// What is known of a ClientHello.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::mux) enum Hello {
    /// It may become one.
    #[default]
    Possible,
    /// This is it.
    Complete(Box<ClientHello>),
    /// It is none.
    No,
}

/// Reads a hello over as many records as it has.
#[derive(Clone, Debug, Default)]
pub(super) struct Reader {
    reader: HelloReader,
    pushed: usize,
    found: Hello,
}

impl Reader {
    pub(super) fn advance(&mut self, bytes: &[u8]) -> &Hello {
        if self.found == Hello::Possible
            && let Some(new @ [_, ..]) = bytes.get(self.pushed..)
        {
            self.pushed = bytes.len();
            self.found = match self.reader.push(new) {
                Ok(Progress::NeedMore(_)) => Hello::Possible,
                Ok(Progress::Complete(hello)) => Hello::Complete(hello),
                Err(_) => Hello::No,
            };
            if self.found != Hello::Possible {
                self.reader = HelloReader::new();
            }
        }
        &self.found
    }
}

/// Whether it begins with a handshake record, of any version, that begins with a ClientHello (RFC 8446, sections 4
/// and 5.1): six bytes tell.
pub(in crate::mux) fn is_client_hello(bytes: &[u8]) -> Answer {
    match starts_with(bytes, &[22, 3]) {
        Answer::Match => match *bytes {
            [_, _, _, high, low, ref rest @ ..] => {
                let length = u16::from_be_bytes([high, low]);
                if !(1..=RecordReader::PLAINTEXT).contains(&length) {
                    return Answer::Reject;
                }
                starts_with(rest, &[1])
            }
            _ => Answer::NeedMore,
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_bytes_tell_that_it_is_tls() {
        let begin = [22, 3, 1, 2, 0, 1];
        for end in 0..6 {
            assert_eq!(is_client_hello(&begin[..end]), Answer::NeedMore);
        }
        assert_eq!(is_client_hello(&begin), Answer::Match);
        let others: [&[u8]; 5] =
            [b"G", &[0x80, 0x2e, 1, 3, 1], &[22, 2], &[22, 3, 1, 0xff, 0xff], &[22, 3, 1, 2, 0, 2]];
        for other in others {
            assert_eq!(is_client_hello(other), Answer::Reject, "{other:?}");
        }
    }
}
