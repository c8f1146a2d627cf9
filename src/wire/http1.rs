//! The head of an HTTP/1 message: request or status line and header fields (RFC 9112 sections 2
//! to 5).
//!
//! A multiplexer sees a connection's first bytes grow and wants to know, each time, whether the
//! head is complete, still open, or no HTTP/1 at all; the same bytes must give the same answer
//! however they were cut. A transcript wants the head as it was written: names with their case,
//! fields in their order, repeated ones repeated. So a head is a list, never a map.
//!
//! The octets are read by httparse, which takes what real software sends (a line feed alone ends
//! a line, empty lines may precede a request) and refuses the rest. Two things are lost with it:
//! the white space around a value, and a reason phrase with octets above 0x7f, which becomes
//! empty.
//!
//! Left out: bodies and what frames them, and what the fields mean.

use std::fmt;

use bytes::Bytes;

/// Bounds on a head. A head beyond them is refused as soon as that is certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// The most header fields.
    pub fields: usize,
    /// The most octets, first line and final empty line included.
    pub octets: usize,
}

impl Default for HeadLimits {
    /// 100 fields in 16 KiB: hyper's and nginx' order of magnitude.
    fn default() -> Self {
        HeadLimits { fields: 100, octets: 16_384 }
    }
}

/// What a prefix of a connection turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed<T> {
    /// A whole head.
    Complete {
        /// The head.
        head: T,
        /// Octets it takes; what follows is the body or the next message.
        length: usize,
    },
    /// The beginning of a head, or nothing yet.
    Partial,
    /// No head, whatever follows.
    Invalid(HeadError),
}

/// The head of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHead {
    /// The method, which is case-sensitive.
    pub method: String,
    /// The request target in any of its forms (RFC 9112 section 3.2).
    pub target: String,
    /// The version.
    pub version: Version,
    /// The header fields in the order written.
    pub fields: Vec<HeaderField>,
}

/// The head of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    /// The version.
    pub version: Version,
    /// The status code, three digits.
    pub status: u16,
    /// The reason phrase, often empty.
    pub reason: String,
    /// The header fields in the order written.
    pub fields: Vec<HeaderField>,
}

/// The versions of HTTP/1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// One header field of an HTTP/1 head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderField {
    /// The name with its case.
    pub name: String,
    /// The value without the white space around it; octets above 0x7f are allowed.
    pub value: Bytes,
}

impl RequestHead {
    /// Looks at all that a connection has sent so far.
    pub fn parse(prefix: &[u8], limits: HeadLimits) -> Parsed<RequestHead> {
        parse_within(prefix, limits, |visible, slots| {
            let mut request = httparse::Request::new(slots);
            let httparse::Status::Complete(length) = request.parse(visible)? else {
                return Ok(None);
            };
            let head = RequestHead {
                method: request.method.unwrap_or_default().to_owned(),
                target: request.path.unwrap_or_default().to_owned(),
                version: version_of(request.version),
                fields: fields_of(request.headers),
            };
            Ok(Some((head, length)))
        })
    }

    /// The values of the fields of that name, whatever their case, in order.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Bytes> {
        values_of(&self.fields, name)
    }
}

impl ResponseHead {
    /// Looks at all that a connection has answered so far.
    pub fn parse(prefix: &[u8], limits: HeadLimits) -> Parsed<ResponseHead> {
        parse_within(prefix, limits, |visible, slots| {
            let mut response = httparse::Response::new(slots);
            let httparse::Status::Complete(length) = response.parse(visible)? else {
                return Ok(None);
            };
            let head = ResponseHead {
                version: version_of(response.version),
                status: response.code.unwrap_or_default(),
                reason: response.reason.unwrap_or_default().to_owned(),
                fields: fields_of(response.headers),
            };
            Ok(Some((head, length)))
        })
    }

    /// The values of the fields of that name, whatever their case, in order.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Bytes> {
        values_of(&self.fields, name)
    }
}

/// Why octets are no HTTP/1 head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadError {
    /// The method or the target has an octet that is not allowed there.
    RequestLine,
    /// The first line does not say HTTP/1.0 or HTTP/1.1.
    Version,
    /// The status is not three digits.
    Status,
    /// A field name has an octet that is not allowed there.
    FieldName,
    /// A field value has an octet that is not allowed there.
    FieldValue,
    /// A carriage return without a line feed.
    LineEnd,
    /// More header fields than allowed.
    TooManyFields {
        /// The number allowed.
        limit: usize,
    },
    /// No end of the head within the octets allowed.
    TooLong {
        /// The octets allowed.
        limit: usize,
    },
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HeadError::RequestLine => f.write_str("not an HTTP/1 request line"),
            HeadError::Version => f.write_str("the first line does not say HTTP/1.0 or HTTP/1.1"),
            HeadError::Status => f.write_str("the status is not three digits"),
            HeadError::FieldName => f.write_str("octet not allowed in a header field's name"),
            HeadError::FieldValue => f.write_str("octet not allowed in a header field's value"),
            HeadError::LineEnd => f.write_str("carriage return without line feed"),
            HeadError::TooManyFields { limit } => {
                write!(f, "more than {limit} header fields")
            }
            HeadError::TooLong { limit } => {
                write!(f, "no end of the head within {limit} octets")
            }
        }
    }
}

impl std::error::Error for HeadError {}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
        })
    }
}

/// Nothing beyond the limit is looked at, so that a head that ends there is treated alike
/// whether its last octets came with the others or later.
fn parse_within<'a, T>(
    prefix: &'a [u8],
    limits: HeadLimits,
    parse: impl FnOnce(&'a [u8], &mut [httparse::Header<'a>]) -> Result<Option<(T, usize)>, httparse::Error>,
) -> Parsed<T> {
    let visible = &prefix[..prefix.len().min(limits.octets)];
    let mut slots = vec![httparse::EMPTY_HEADER; limits.fields];
    match parse(visible, &mut slots) {
        Ok(Some((head, length))) => Parsed::Complete { head, length },
        Ok(None) if visible.len() == limits.octets => {
            Parsed::Invalid(HeadError::TooLong { limit: limits.octets })
        }
        Ok(None) => Parsed::Partial,
        Err(error) => Parsed::Invalid(match error {
            httparse::Error::Token => HeadError::RequestLine,
            httparse::Error::Version => HeadError::Version,
            httparse::Error::Status => HeadError::Status,
            httparse::Error::HeaderName => HeadError::FieldName,
            httparse::Error::HeaderValue => HeadError::FieldValue,
            httparse::Error::NewLine => HeadError::LineEnd,
            httparse::Error::TooManyHeaders => HeadError::TooManyFields { limit: limits.fields },
        }),
    }
}

/// httparse takes no other minor versions than 0 and 1.
fn version_of(minor: Option<u8>) -> Version {
    if minor == Some(0) { Version::Http10 } else { Version::Http11 }
}

fn fields_of(headers: &[httparse::Header<'_>]) -> Vec<HeaderField> {
    let field = |header: &httparse::Header<'_>| HeaderField {
        name: header.name.to_owned(),
        value: Bytes::copy_from_slice(header.value),
    };
    headers.iter().map(field).collect()
}

fn values_of<'a>(fields: &'a [HeaderField], name: &'a str) -> impl Iterator<Item = &'a Bytes> {
    let named = move |field: &&HeaderField| field.name.eq_ignore_ascii_case(name);
    fields.iter().filter(named).map(|field| &field.value)
}

#[cfg(test)]
#[path = "../../tests/properties/mod.rs"]
mod properties;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::properties::cases;
    use super::*;

    const UPGRADE: &[u8] = b"GET /a?b HTTP/1.1\r\nHost: static.example\r\nConnection: Upgrade, \
        HTTP2-Settings\r\nX-Twice: 1\r\nx-twice: \xff\r\n\r\nbody";

    fn request(prefix: &[u8]) -> Parsed<RequestHead> {
        RequestHead::parse(prefix, HeadLimits::default())
    }

    #[test]
    fn a_request_is_kept_as_written() {
        let Parsed::Complete { head, length } = request(UPGRADE) else {
            panic!("not complete");
        };
        assert_eq!(&UPGRADE[length..], b"body");
        assert_eq!((&head.method[..], &head.target[..]), ("GET", "/a?b"));
        assert_eq!(head.version, Version::Http11);
        let names: Vec<&str> = head.fields.iter().map(|field| &field.name[..]).collect();
        assert_eq!(names, ["Host", "Connection", "X-Twice", "x-twice"]);
        assert_eq!(head.values("X-TWICE").collect::<Vec<_>>(), [&b"1"[..], &b"\xff"[..]]);
    }

    #[test]
    fn every_shorter_prefix_is_partial() {
        let length = UPGRADE.len() - b"body".len();
        for end in 0..length {
            assert_eq!(request(&UPGRADE[..end]), Parsed::Partial);
        }
        assert!(matches!(request(&UPGRADE[..length]), Parsed::Complete { .. }));
    }

    #[test]
    fn a_response_is_kept_as_written() {
        let octets = b"HTTP/1.0 400 Bad Request\nServer: x\n\n";
        let expected = ResponseHead {
            version: Version::Http10,
            status: 400,
            reason: "Bad Request".to_owned(),
            fields: vec![HeaderField { name: "Server".to_owned(), value: "x".into() }],
        };
        let parsed = ResponseHead::parse(octets, HeadLimits::default());
        assert_eq!(parsed, Parsed::Complete { head: expected, length: octets.len() });
    }

    #[test]
    fn what_is_no_head_is_named() {
        let cases: [(&[u8], HeadError); 6] = [
            (b"\x16\x03\x01", HeadError::RequestLine),
            (b"PRI * HTTP/2.0\r\n", HeadError::Version),
            (b"GET / HTTP/1.1\r\na b: c\r\n", HeadError::FieldName),
            (b"GET / HTTP/1.1\r\na: \x00\r\n", HeadError::FieldValue),
            (b"GET / HTTP/1.1\r\r", HeadError::LineEnd),
            (b"GET / HTTP/1.1\r\n: c\r\n", HeadError::FieldName),
        ];
        for (octets, error) in cases {
            assert_eq!(request(octets), Parsed::Invalid(error), "{octets:?}");
        }
        let response = ResponseHead::parse(b"HTTP/1.1 4x0\r\n", HeadLimits::default());
        assert_eq!(response, Parsed::Invalid(HeadError::Status));
    }

    #[test]
    fn limits_hold_however_the_octets_are_cut() {
        let octets = b"GET / HTTP/1.1\r\na: b\r\nc: d\r\n\r\n";
        let parse = |end: usize, limits| RequestHead::parse(&octets[..end], limits);
        let exact = HeadLimits { fields: 2, octets: octets.len() };
        assert!(matches!(parse(octets.len(), exact), Parsed::Complete { .. }));
        let short = HeadLimits { octets: octets.len() - 1, ..exact };
        let too_long = Parsed::Invalid(HeadError::TooLong { limit: octets.len() - 1 });
        assert_eq!(parse(octets.len(), short), too_long);
        assert_eq!(parse(octets.len() - 1, short), too_long);
        assert_eq!(parse(octets.len() - 2, short), Parsed::Partial);
        let few = HeadLimits { fields: 1, ..exact };
        let too_many = Parsed::Invalid(HeadError::TooManyFields { limit: 1 });
        assert_eq!(parse(octets.len(), few), too_many);
    }

    #[test]
    fn errors_and_versions_are_said_in_words() {
        let said = |octets: &[u8]| match request(octets) {
            Parsed::Invalid(error) => error.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(said(b"GET /\x00"), "not an HTTP/1 request line");
        assert_eq!(said(b"GET / HTTP/2"), "the first line does not say HTTP/1.0 or HTTP/1.1");
        assert_eq!(said(b"GET / HTTP/1.1\r\na: \x00\r\n"), "octet not allowed in a header field's value");
        assert_eq!(HeadError::TooLong { limit: 9 }.to_string(), "no end of the head within 9 octets");
        assert_eq!([Version::Http10, Version::Http11].map(|it| it.to_string()), ["HTTP/1.0", "HTTP/1.1"]);
    }

    proptest! {
        #![proptest_config(cases(256))]

        #[test]
        fn any_cut_gives_the_same_answer(
            place in any::<prop::sample::Index>(),
            octet in any::<u8>(),
            octets in 40_usize..120,
        ) {
            let mut sent = UPGRADE.to_vec();
            sent.insert(place.index(UPGRADE.len()), octet);
            let limits = HeadLimits { fields: 4, octets };
            let whole = RequestHead::parse(&sent, limits);
            let growing = (0..=sent.len()).map(|end| RequestHead::parse(&sent[..end], limits));
            let first = growing.into_iter().find(|parsed| *parsed != Parsed::Partial);
            prop_assert_eq!(first.unwrap_or(Parsed::Partial), whole);
        }
    }
}
