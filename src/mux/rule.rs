//! Rules: what a connection's first bytes have to be for a route.
//!
//! A rule is a question to everything that has been read so far, and has three answers: yes, no, and not yet. None of
//! them blocks another; which of several yeses counts is the classifier's business.

use bytes::Bytes;

use super::prefix::{Http1, Http2, Prefix};

/// What a connection's first bytes have to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Anything, even nothing.
    Any,
    /// These bytes.
    Bytes(Bytes),
    /// An HTTP/1 request line, whatever its method.
    Http1,
    /// HTTP/2's preface.
    Http2,
    /// An HTTP/2 connection whose first request has this field. Names are compared as HTTP/2 writes them, in lower case.
    Http2Header {
        /// The field's name, or a pseudo-header's with its colon.
        name: String,
        /// What its value has to be.
        value: Value,
    },
    /// An HTTP/2 connection whose first request is gRPC: its content type is `application/grpc`, alone or followed by
    /// `+` or `;`, which `application/grpc-web` is not.
    Grpc,
}

/// What a field's value has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Just this.
    Equals(String),
    /// This at its beginning.
    StartsWith(String),
}

/// A rule's answer to what has been read so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Whatever follows, it fits.
    Match,
    /// Whatever follows, it does not.
    Reject,
    /// It depends on what follows.
    NeedMore,
}

impl Rule {
    /// Asks the rule. Once it is Match or Reject it stays so, however the bytes go on.
    pub(crate) fn ask(&self, prefix: &Prefix) -> Answer {
        match self {
            Self::Any => Answer::Match,
            Self::Bytes(expected) => prefix.starts_with(expected),
            Self::Http1 => match prefix.http1() {
                Http1::Possible => Answer::NeedMore,
                Http1::RequestLine { .. } => Answer::Match,
                Http1::No => Answer::Reject,
            },
            Self::Http2 => match prefix.http2() {
                Http2::Possible => Answer::NeedMore,
                Http2::Preface { .. } => Answer::Match,
                Http2::No => Answer::Reject,
            },
            Self::Http2Header { name, value } => Self::first_request(prefix, |fields| {
                fields.iter().any(|(n, v)| n == name.as_bytes() && value.fits(v))
            }),
            Self::Grpc => Self::first_request(prefix, |fields| {
                fields.iter().any(|(name, value)| name == "content-type" && is_grpc(value))
            }),
        }
    }

    fn first_request(prefix: &Prefix, fits: impl FnOnce(&[(Bytes, Bytes)]) -> bool) -> Answer {
        match prefix.http2() {
            Http2::Possible => Answer::NeedMore,
            Http2::No => Answer::Reject,
            Http2::Preface { request: Some(fields), .. } if fits(fields) => Answer::Match,
            Http2::Preface { request: Some(_), .. } | Http2::Preface { broken: true, .. } => Answer::Reject,
            Http2::Preface { .. } => Answer::NeedMore,
        }
    }
}

impl Value {
    fn fits(&self, value: &[u8]) -> bool {
        match self {
            Self::Equals(expected) => value == expected.as_bytes(),
            Self::StartsWith(expected) => value.starts_with(expected.as_bytes()),
        }
    }
}

fn is_grpc(content_type: &[u8]) -> bool {
    content_type
        .strip_prefix(b"application/grpc")
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_is_not_grpc_web() {
        assert!(is_grpc(b"application/grpc"));
        assert!(is_grpc(b"application/grpc+proto"));
        assert!(!is_grpc(b"application/grpc-web"));
        assert!(!is_grpc(b"application/grpc-web+proto"));
        assert!(!is_grpc(b"application/grpcfoo"));
    }
}
