//! Rules: what a connection's first bytes have to be for a route.
//!
//! A rule is a question to everything that has been read so far, and has three answers: yes, no, and not yet. None of
//! them blocks another; which of several yeses counts is the classifier's business.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::facts::TlsFacts;
use super::reading::{Head, Hello, Http2, Reading, is_client_hello, starts_with};
use crate::wire::RequestHead;
use crate::wire::tls::{ClientHello, ProtocolVersion};

/// What a connection's first bytes have to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Anything, even nothing.
    Any,
    /// These bytes.
    Bytes(Bytes),
    /// The bytes of any one of these.
    AnyBytes(Vec<Bytes>),
    /// An HTTP/1 request line, whatever its method.
    Http1,
    /// An HTTP/1 request line with one of these methods. Methods are compared with their case, and any token is one.
    Http1Method(Vec<String>),
    /// The whole head of an HTTP/1 request.
    Http1Head,
    /// An HTTP/1 request that has this field. Names are compared without their case, values with it.
    Http1Header {
        /// The field's name.
        name: String,
        /// What its value has to be; hosts are compared without their case. Of several fields of that name one is enough.
        value: Value,
    },
    /// An HTTP/1 request that asks to go on in HTTP/2 (RFC 7540, section 3.2).
    H2cUpgrade,
    /// An HTTP/1 request that asks to go on as a WebSocket (RFC 6455, section 4.1).
    WebSocket,
    /// HTTP/2's preface.
    Http2,
    /// An HTTP/2 connection whose first request has this field. Names are compared without their case, values with it.
    Http2Header {
        /// The field's name, or a pseudo-header's with its colon.
        name: String,
        /// What its value has to be; hosts are compared without their case. Of several fields of that name one is enough.
        value: Value,
    },
    /// An HTTP/2 connection whose first request is gRPC: its content type is `application/grpc`, alone or followed by
    /// `+` or `;`, which `application/grpc-web` is not.
    Grpc,
    /// A TLS handshake, which six bytes tell.
    Tls,
    /// A TLS handshake that offers one of these versions, in `supported_versions` if it has that.
    ///
    /// This rule and the two that follow look at a handshake that goes on to the back end. Where the multiplexer takes TLS
    /// off itself, they look at what it agreed on, and need no bytes.
    TlsVersion(Vec<ProtocolVersion>),
    /// A TLS handshake that calls this server (SNI). Host names are compared without their case and a dot at their end.
    ServerName(Value),
    /// A TLS handshake that offers this protocol among others (ALPN).
    Alpn(Value),
    /// A rule of your own.
    Custom(Custom),
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

/// A rule of somebody's own: a question to the first bytes of a connection, without socket, clock or task.
///
/// It is asked again with each longer beginning until it says yes or no, and must depend on the bytes alone: what it
/// answers to a beginning it may not take back, and the same bytes get the same answer in however many pieces they came.
/// The other rules do not wait for it, unless they come after it.
///
/// ```
/// use muxbed::mux::{Answer, Rule};
///
/// // SOCKS5 begins with its version and the number of methods, each of one byte (RFC 1928).
/// let socks = Rule::custom("socks5", |bytes: &[u8]| match bytes {
///     [] | [5] => Answer::NeedMore,
///     [5, methods, rest @ ..] if rest.len() < usize::from(*methods) => Answer::NeedMore,
///     [5, ..] => Answer::Match,
///     _ => Answer::Reject,
/// });
/// ```
pub trait Probe: Send + Sync {
    /// Looks at all that has come so far, behind the PROXY header if there was one.
    fn ask(&self, bytes: &[u8]) -> Answer;
}

impl<F: Fn(&[u8]) -> Answer + Send + Sync> Probe for F {
    fn ask(&self, bytes: &[u8]) -> Answer {
        self(bytes)
    }
}

/// A [`Probe`] with a name. It equals itself and its clones.
#[derive(Clone)]
pub struct Custom {
    name: Arc<str>,
    probe: Arc<dyn Probe>,
}

impl Rule {
    /// A rule of your own, and what it is called where rules are shown.
    pub fn custom(name: &str, probe: impl Probe + 'static) -> Self {
        Self::Custom(Custom::new(name, probe))
    }

    /// Whether it says "not yet" to nothing at all, on a connection whose TLS was not taken off.
    pub(super) fn needs_bytes(&self) -> bool {
        !matches!(self, Self::Any | Self::Bytes(_) | Self::AnyBytes(_) | Self::Custom(_))
    }

    /// Asks the rule. Once it is Match or Reject it stays so, however the bytes go on.
    pub(super) fn ask(&self, reading: &mut Reading, bytes: &[u8]) -> Answer {
        match self {
            Self::Any => Answer::Match,
            Self::Bytes(expected) => starts_with(bytes, expected),
            Self::AnyBytes(expected) => any(expected.iter().map(|expected| starts_with(bytes, expected))),
            Self::Http1 => reading.request_line(bytes).0,
            Self::Http1Method(methods) => match reading.request_line(bytes) {
                (_, Some(method)) if !methods.iter().any(|wanted| wanted.as_bytes() == method) => {
                    Answer::Reject
                }
                (answer, _) => answer,
            },
            Self::Http1Head => head(reading, bytes, |_| true),
            Self::Http1Header { name, value } => {
                head(reading, bytes, |head| head.values(name).any(|found| value.fits_field(name, found)))
            }
            Self::H2cUpgrade => head(reading, bytes, |head| {
                asks_for(head, b"h2c") && has_token(head, "connection", b"http2-settings")
            }),
            Self::WebSocket => {
                head(reading, bytes, |head| head.method == "GET" && asks_for(head, b"websocket"))
            }
            Self::Http2 => match reading.http2(bytes) {
                Http2::Possible => Answer::NeedMore,
                Http2::Preface(_) => Answer::Match,
                Http2::No => Answer::Reject,
            },
            Self::Http2Header { name, value } => first_request(reading, bytes, |fields| {
                let named = |field: &Bytes| field.eq_ignore_ascii_case(name.as_bytes());
                fields.iter().any(|(field, found)| named(field) && value.fits_field(name, found))
            }),
            Self::Grpc => first_request(reading, bytes, |fields| {
                fields.iter().any(|(name, value)| name == "content-type" && is_grpc(value))
            }),
            Self::Tls => is_client_hello(bytes),
            Self::TlsVersion(versions) => hello(
                reading,
                bytes,
                |tls| tls.version.is_some_and(|version| versions.contains(&version)),
                |hello| hello.versions().iter().any(|offered| versions.contains(offered)),
            ),
            Self::ServerName(value) => {
                let fits = |name: &Option<String>| {
                    name.as_ref().is_some_and(|name| value.fits_host(name.as_bytes()))
                };
                hello(reading, bytes, |tls| fits(&tls.server_name), |hello| fits(&hello.server_name))
            }
            Self::Alpn(value) => hello(
                reading,
                bytes,
                |tls| tls.protocol.as_ref().is_some_and(|name| value.fits(name)),
                |hello| hello.alpn.iter().any(|name| value.fits(name)),
            ),
            Self::Custom(custom) => custom.probe.ask(bytes),
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

    /// A host is the same in other letters (RFC 9110, section 4.2.3); other fields' values are taken as they are.
    fn fits_field(&self, name: &str, value: &[u8]) -> bool {
        let is_host = name.eq_ignore_ascii_case("host") || name.eq_ignore_ascii_case(":authority");
        if is_host { self.fits_host(value) } else { self.fits(value) }
    }

    /// A name that ends in a dot is the same name, though nobody should send it so (RFC 6066, section 3): TLS that was taken off
    /// does not show it.
    fn fits_host(&self, name: &[u8]) -> bool {
        match self {
            Self::Equals(expected) => {
                without_dot(name).eq_ignore_ascii_case(without_dot(expected.as_bytes()))
            }
            Self::StartsWith(expected) => name
                .get(..expected.len())
                .is_some_and(|begin| begin.eq_ignore_ascii_case(expected.as_bytes())),
        }
    }
}

fn without_dot(name: &[u8]) -> &[u8] {
    name.strip_suffix(b".").unwrap_or(name)
}

impl Custom {
    /// This probe by this name.
    pub fn new(name: &str, probe: impl Probe + 'static) -> Self {
        Self { name: name.into(), probe: Arc::new(probe) }
    }
}

impl PartialEq for Custom {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.probe, &other.probe)
    }
}

impl Eq for Custom {}

impl fmt::Debug for Custom {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Custom").field(&self.name).finish()
    }
}

/// One yes is enough, and as long as one can still become yes it is not no.
fn any(answers: impl Iterator<Item = Answer>) -> Answer {
    let mut all = Answer::Reject;
    for answer in answers {
        match answer {
            Answer::Match => return Answer::Match,
            Answer::NeedMore => all = Answer::NeedMore,
            Answer::Reject => {}
        }
    }
    all
}

fn head(reading: &mut Reading, bytes: &[u8], fits: impl FnOnce(&RequestHead) -> bool) -> Answer {
    match reading.head(bytes) {
        Head::Possible => Answer::NeedMore,
        Head::Complete(head) if fits(head) => Answer::Match,
        Head::Complete(_) | Head::No => Answer::Reject,
    }
}

fn first_request(
    reading: &mut Reading,
    bytes: &[u8],
    fits: impl FnOnce(&[(Bytes, Bytes)]) -> bool,
) -> Answer {
    match reading.http2(bytes) {
        Http2::Possible => Answer::NeedMore,
        Http2::No => Answer::Reject,
        Http2::Preface(opening) => match (&opening.request, opening.trouble) {
            (Some(fields), _) if fits(fields) => Answer::Match,
            (Some(_), _) | (None, Some(_)) => Answer::Reject,
            (None, None) => Answer::NeedMore,
        },
    }
}

fn hello(
    reading: &mut Reading,
    bytes: &[u8],
    agreed: impl FnOnce(&TlsFacts) -> bool,
    fits: impl FnOnce(&ClientHello) -> bool,
) -> Answer {
    if let Some(tls) = reading.terminated() {
        return if agreed(tls) { Answer::Match } else { Answer::Reject };
    }
    match reading.hello(bytes) {
        Hello::Possible => Answer::NeedMore,
        Hello::Complete(hello) if fits(hello) => Answer::Match,
        Hello::Complete(_) | Hello::No => Answer::Reject,
    }
}

/// Whether it asks for another protocol, as RFC 9110, section 7.8 has it.
fn asks_for(head: &RequestHead, protocol: &[u8]) -> bool {
    has_token(head, "upgrade", protocol) && has_token(head, "connection", b"upgrade")
}

fn has_token(head: &RequestHead, field: &str, token: &[u8]) -> bool {
    let mut tokens = head.values(field).flat_map(|value| value.split(|byte| *byte == b','));
    tokens.any(|one| one.trim_ascii().eq_ignore_ascii_case(token))
}

pub(super) fn is_grpc(content_type: &[u8]) -> bool {
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

    #[test]
    fn of_several_beginnings_one_is_enough() {
        let rule = Rule::AnyBytes(vec!["SSH-".into(), "SSX".into()]);
        let ask = |bytes: &[u8]| rule.ask(&mut Reading::default(), bytes);
        assert_eq!(ask(b"SS"), Answer::NeedMore);
        assert_eq!(ask(b"SSX"), Answer::Match);
        assert_eq!(ask(b"SSH"), Answer::NeedMore);
        assert_eq!(ask(b"SST"), Answer::Reject);
    }

    #[test]
    fn rules_of_ones_own_are_the_same_only_if_they_are_one() {
        let rule = Rule::custom("mine", |_: &[u8]| Answer::Match);
        assert_eq!(rule.clone(), rule);
        assert_ne!(Rule::custom("mine", |_: &[u8]| Answer::Reject), rule);
    }
}
