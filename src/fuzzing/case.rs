//! What the target `classify` makes of its bytes: rules, limits and cuts first, and then the stream itself.
//!
//! The form is put together of the same parts as a script's, for the same reasons: any bytes are some case, and zeros are
//! what is usual. Five zeros and then a stream are that stream, uncut, for gRPC beside HTTP/1.

use std::sync::LazyLock;

use bytes::Bytes;

use crate::mux::{Answer, Custom, DEFAULT_LIMIT, ProxyHeaders, Rule, Rules, Value};
use crate::net::Offsets;
use crate::script::bytes::{ByteForm, Listed, Reader, Writer, choice, listed_by_a_byte};
use crate::wire::proxy::{Header, Progress};
use crate::wire::tls::ProtocolVersion;

/// In the order of their numbers.
const HEADERS: [ProxyHeaders; 3] = [ProxyHeaders::Unexpected, ProxyHeaders::Optional, ProxyHeaders::Required];

/// A connection's first bytes, where they are cut, and what looks at them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Case {
    /// The rules in order; none are gRPC by header and HTTP/1 beside it.
    pub rules: Vec<Rule>,
    /// One more than the most bytes that are read for a decision; 0 is the usual limit.
    pub limit: u64,
    /// Whether there is a route for what fits no rule.
    pub has_otherwise: bool,
    /// Whether the client stays when it has said everything, until the multiplexer has long lost patience.
    pub stays: bool,
    /// Whether a PROXY header stands in front.
    pub headers: ProxyHeaders,
    /// Where the stream is cut.
    pub cuts: Offsets,
    /// What the client says.
    pub stream: Bytes,
}

impl Case {
    /// The case that these bytes are, for any bytes.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut input = Reader::new(bytes);
        let rules = ByteForm::read(&mut input);
        let limit = input.number();
        let has_otherwise = ByteForm::read(&mut input);
        let how = input.choose(2 * HEADERS.len());
        Self {
            rules,
            limit,
            has_otherwise,
            stays: how % 2 == 1,
            headers: HEADERS[how / 2],
            cuts: ByteForm::read(&mut input),
            stream: Bytes::copy_from_slice(input.take(u64::MAX)),
        }
    }

    /// The case as bytes, of which [`Self::from_bytes`] makes the same case.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Self { rules, limit, has_otherwise, stays, headers, cuts, stream } = self;
        let mut output = Writer::new(&[]);
        rules.write(&mut output);
        output.number(*limit);
        has_otherwise.write(&mut output);
        let number = HEADERS.iter().position(|listed| listed == headers).unwrap_or_default();
        output.tag(2 * number as u8 + u8::from(*stays));
        cuts.write(&mut output);
        output.octets(stream);
        output.into_bytes()
    }

    pub(super) fn rules(&self) -> Rules {
        if self.rules.is_empty() {
            return Rules::new().to("grpc", Rule::Grpc).to("http", Rule::Http1);
        }
        let numbered = self.rules.iter().enumerate();
        numbered.fold(Rules::new(), |rules, (number, rule)| rules.to(&number.to_string(), rule.clone()))
    }

    pub(super) fn limit(&self) -> usize {
        self.limit.checked_sub(1).map_or(DEFAULT_LIMIT, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
    }

    /// What the bytes within the limit are to whoever looks for a PROXY header.
    pub(super) fn header(&self) -> Progress {
        match self.headers {
            ProxyHeaders::Unexpected => Progress::Absent,
            _ => Header::read(&self.stream[..self.stream.len().min(self.limit())]),
        }
    }

    /// How many bytes it takes to know that there is none.
    pub(super) fn known_to_have_no_header(&self) -> usize {
        let absent = |end: &usize| Header::read(&self.stream[..*end]) == Progress::Absent;
        (0..=self.stream.len()).find(absent).unwrap_or(self.stream.len())
    }

    /// Where what the rules look at begins.
    pub(super) fn begin(&self) -> usize {
        match self.header() {
            Progress::Complete { length, .. } => length,
            _ => 0,
        }
    }

    /// The stream in the pieces that the cuts make of it.
    pub(super) fn pieces(&self) -> Vec<Bytes> {
        let mut rest = self.stream.clone();
        let mut pieces = Vec::new();
        while !rest.is_empty() {
            let offset = (self.stream.len() - rest.len()) as u64;
            pieces.push(rest.split_to(self.cuts.first(offset, rest.len())));
        }
        pieces
    }
}

choice!(Rule {
    Grpc,
    Http1,
    Any,
    Http2,
    Http2Header { name: name, value: value },
    Bytes { 0: bytes },
    AnyBytes { 0: bytes },
    Http1Method { 0: methods },
    Http1Head,
    Http1Header { name: name, value: value },
    H2cUpgrade,
    WebSocket,
    Tls,
    TlsVersion { 0: versions },
    ServerName { 0: value },
    Alpn { 0: value },
    Custom { 0: custom },
});

impl ByteForm for ProtocolVersion {
    fn read(input: &mut Reader<'_>) -> Self {
        u16::try_from(input.number()).unwrap_or(u16::MAX).into()
    }

    fn write(&self, output: &mut Writer<'_>) {
        output.number(u16::from(*self).into());
    }
}

listed_by_a_byte!(ProtocolVersion);

/// The one custom rule that there is here: the first byte says how many follow, as where lengths come first.
impl ByteForm for Custom {
    fn read(_: &mut Reader<'_>) -> Self {
        COUNTED.clone()
    }

    fn write(&self, _: &mut Writer<'_>) {}
}

static COUNTED: LazyLock<Custom> = LazyLock::new(|| {
    Custom::new("counted", |bytes: &[u8]| match bytes {
        [] => Answer::NeedMore,
        [0, ..] => Answer::Reject,
        [length, rest @ ..] if rest.len() < usize::from(*length) => Answer::NeedMore,
        _ => Answer::Match,
    })
});

choice!(Value { Equals { 0: text }, StartsWith { 0: text } });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_zeros_and_a_stream_are_that_stream_uncut() {
        let case = Case::from_bytes(b"\0\0\0\0\0PRI");
        assert_eq!(case, Case { stream: Bytes::from_static(b"PRI"), ..Case::default() });
        assert_eq!(case.pieces(), ["PRI"]);
    }

    #[test]
    fn a_case_survives_its_bytes() {
        let case = Case {
            rules: vec![
                Rule::Bytes(Bytes::from_static(b"SSH-")),
                Rule::Http2Header { name: "te".to_owned(), value: Value::StartsWith("t".to_owned()) },
                Rule::AnyBytes(vec!["a".into(), Bytes::new()]),
                Rule::TlsVersion(vec![ProtocolVersion::Tls13]),
                Rule::Custom(COUNTED.clone()),
                Rule::Any,
            ],
            limit: 300,
            has_otherwise: true,
            stays: true,
            headers: ProxyHeaders::Optional,
            cuts: [1, 3].into(),
            stream: Bytes::from_static(b"stream"),
        };
        assert_eq!(Case::from_bytes(&case.to_bytes()), case);
        assert_eq!(case.pieces(), ["s", "tr", "eam"]);
    }
}
