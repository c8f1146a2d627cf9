//! Chooses a route from a connection's first bytes, without waiting for more than it needs.
//!
//! All rules look at one growing prefix. The first rule in order that says yes wins, but not while an earlier one still
//! says "not yet": a catch-all can't take what belongs to somebody before it. Since no rule ever changes its mind, the
//! same bytes cut anywhere give the same decision; and after so many bytes without one, it is no.

use std::fmt;
use std::sync::Arc;

use super::facts::TlsFacts;
use super::reading::{Http2, Opening, Reading, Trouble};
use super::rule::{Answer, Rule};
use crate::planted::{Fault, is_planted};
use crate::wire::proxy::{Header, Progress};

/// Rules in the order of their priority, each with the route that it leads to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    list: Vec<(Rule, Route)>,
}

/// A route's name. Several rules may lead to one route.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route(Arc<str>);

impl Route {
    /// A route of this name.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Route {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Rules {
    /// No rules yet: everything is rejected.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule behind those that are there.
    #[must_use]
    pub fn to(mut self, route: &str, rule: Rule) -> Self {
        self.list.push((rule, Route::new(route)));
        self
    }

    /// The rules in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Rule, &Route)> {
        self.list.iter().map(|(rule, route)| (rule, route))
    }
}

/// What the first bytes of a connection lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This route.
    Match(Route),
    /// No route.
    Reject(Rejection),
    /// More bytes decide.
    NeedMore,
}

/// Why there is no route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// Every rule says no.
    NoRule,
    /// The most bytes have been read, and some rule still says "not yet".
    TooLong,
    /// Every rule says no to HTTP/2 that wants more answers before its first request than any client does.
    Flood,
    /// There is no PROXY header where there has to be one.
    NoProxyHeader,
    /// What begins as a PROXY header is none.
    BadProxyHeader,
}

impl fmt::Display for Rejection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NoRule => "it fits no rule",
            Self::TooLong => "it fitted no rule within the most bytes that are read",
            Self::Flood => "it wants too many answers before its first request",
            Self::NoProxyHeader => "there is no PROXY header",
            Self::BadProxyHeader => "the PROXY header can't be read",
        })
    }
}

/// Whether connections begin with the header of the PROXY protocol, in either version. Whoever may connect can state any
/// address in it: let connections with it come from a load balancer only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxyHeaders {
    /// They don't: what looks like one is what the client says.
    #[default]
    Unexpected,
    /// Some do.
    Optional,
    /// All do; others are rejected.
    Required,
}

/// The default of the most bytes that are read for a decision.
pub const DEFAULT_LIMIT: usize = 16 * 1024;

/// Reads one connection's first bytes.
///
/// ```
/// use std::sync::Arc;
/// use muxbed::mux::{Classifier, DEFAULT_LIMIT, Rule, Rules, Verdict};
///
/// let rules = Arc::new(Rules::new().to("grpc", Rule::Grpc).to("web", Rule::Http1));
/// let mut classifier = Classifier::new(rules, DEFAULT_LIMIT);
/// assert_eq!(*classifier.push(b"GET / HT"), Verdict::NeedMore);
/// assert!(matches!(classifier.push(b"TP/1.1\r\n"), Verdict::Match(route) if route.name() == "web"));
/// ```
#[derive(Clone, Debug)]
pub struct Classifier {
    decision: Decision,
    /// What was pushed without a decision.
    bytes: Vec<u8>,
}

impl Classifier {
    /// A classifier for one connection that decides within `limit` bytes.
    #[inline]
    pub fn new(rules: Arc<Rules>, limit: usize) -> Self {
        Self::expecting(ProxyHeaders::Unexpected, rules, limit)
    }

    /// The same for connections that may begin with a PROXY header. The rules look at what follows it.
    #[inline]
    pub fn expecting(headers: ProxyHeaders, rules: Arc<Rules>, limit: usize) -> Self {
        Self { decision: Decision::new(rules, limit, headers), bytes: Vec::new() }
    }

    /// The decision on what has been pushed so far. The first that is not `NeedMore` is final.
    pub fn verdict(&self) -> &Verdict {
        self.decision.verdict()
    }

    /// What the connection's PROXY header says, and its length.
    pub fn proxy_header(&self) -> Option<(&Header, usize)> {
        self.decision.proxy_header()
    }

    /// Reads on, and decides.
    pub fn push(&mut self, bytes: &[u8]) -> &Verdict {
        if self.bytes.is_empty() {
            // Most connections are decided by what comes first, and need no copy of it.
            if matches!(self.decision.look(bytes), Verdict::NeedMore) {
                self.bytes.extend_from_slice(bytes);
            }
        } else if *self.decision.verdict() == Verdict::NeedMore {
            self.bytes.extend_from_slice(bytes);
            self.decision.look(&self.bytes);
        }
        self.decision.verdict()
    }
}

/// The decision on one connection, for whoever keeps its bytes.
#[derive(Clone, Debug)]
pub(super) struct Decision {
    rules: Arc<Rules>,
    limit: usize,
    proxy: Proxy,
    reading: Reading,
    verdict: Verdict,
}

#[derive(Clone, Debug)]
enum Proxy {
    Expected {
        required: bool,
    },
    /// There is none, or this one, of so many bytes.
    Settled(Option<Box<Header>>, usize),
}

impl Decision {
    #[inline]
    pub(super) fn new(rules: Arc<Rules>, limit: usize, headers: ProxyHeaders) -> Self {
        let proxy = match headers {
            ProxyHeaders::Unexpected => Proxy::Settled(None, 0),
            ProxyHeaders::Optional => Proxy::Expected { required: false },
            ProxyHeaders::Required => Proxy::Expected { required: true },
        };
        Self::begin_with(rules, limit, proxy, Reading::default())
    }

    /// The decision on what is inside TLS that was taken off.
    pub(super) fn behind_tls(rules: Arc<Rules>, limit: usize, tls: Arc<TlsFacts>) -> Self {
        Self::begin_with(rules, limit, Proxy::Settled(None, 0), Reading::behind_tls(tls))
    }

    #[inline]
    fn begin_with(rules: Arc<Rules>, limit: usize, proxy: Proxy, reading: Reading) -> Self {
        let mut decision = Self { rules, limit, proxy, reading, verdict: Verdict::NeedMore };
        // Most rules have nothing to say of nothing.
        let waits = decision.rules.list.first().is_some_and(|(rule, _)| rule.needs_bytes());
        if !waits || limit == 0 || decision.reading.terminated().is_some() {
            decision.look(&[]);
        }
        decision
    }

    pub(super) fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    pub(super) fn proxy_header(&self) -> Option<(&Header, usize)> {
        match &self.proxy {
            Proxy::Settled(Some(header), length) => Some((header, *length)),
            _ => None,
        }
    }

    /// Whether a PROXY header has to come and has not.
    pub(super) fn awaits_header(&self) -> bool {
        matches!(self.proxy, Proxy::Expected { required: true })
    }

    /// The most bytes that it looks at.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Where what the rules look at begins.
    pub(super) fn begin(&self) -> usize {
        self.proxy_header().map_or(0, |(_, length)| length)
    }

    /// Looks at all that has come so far.
    pub(super) fn look(&mut self, whole: &[u8]) -> &Verdict {
        if matches!(self.verdict, Verdict::NeedMore) {
            let limit = if is_planted(Fault::UnboundedBuffer) { usize::MAX } else { self.limit };
            let late = usize::from(is_planted(Fault::LateDecision));
            let visible = &whole[..whole.len().saturating_sub(late).min(limit)];
            match self.decide(visible) {
                Ok(Some(index)) => self.verdict = Verdict::Match(self.rules.list[index].1.clone()),
                Ok(None) if visible.len() >= limit => self.verdict = Verdict::Reject(Rejection::TooLong),
                Ok(None) => {}
                Err(why) => self.verdict = Verdict::Reject(why),
            }
        }
        &self.verdict
    }

    /// Whether the client has said all that it may want to say before the server's SETTINGS come, and a rule still
    /// waits: then somebody has to send SETTINGS. `whole` is what was last looked at.
    pub(super) fn waits_for_a_request(&mut self, whole: &[u8]) -> bool {
        if self.verdict != Verdict::NeedMore || matches!(self.proxy, Proxy::Expected { .. }) {
            return false;
        }
        match self.reading.http2(&whole[self.begin()..]) {
            Http2::Preface(opening) => {
                opening.settings > 0 && opening.request.is_none() && opening.trouble.is_none()
            }
            Http2::Possible | Http2::No => false,
        }
    }

    /// What was read of HTTP/2, if that is what the client speaks.
    pub(super) fn http2(&mut self, whole: &[u8]) -> Option<&Opening> {
        let begin = self.begin();
        match self.reading.http2(&whole[begin..whole.len().min(self.limit).max(begin)]) {
            Http2::Preface(opening) => Some(opening),
            Http2::Possible | Http2::No => None,
        }
    }

    /// Which rule takes it; none while more bytes decide.
    fn decide(&mut self, visible: &[u8]) -> Result<Option<usize>, Rejection> {
        if let Proxy::Expected { required } = self.proxy {
            match Header::read(visible) {
                Progress::NeedMore => return Ok(None),
                Progress::Malformed => return Err(Rejection::BadProxyHeader),
                Progress::Absent if required => return Err(Rejection::NoProxyHeader),
                Progress::Absent => self.proxy = Proxy::Settled(None, 0),
                Progress::Complete { header, length } => self.proxy = Proxy::Settled(Some(header), length),
            }
        }
        let bytes = &visible[self.begin()..];
        for (index, (rule, _)) in self.rules.list.iter().enumerate() {
            match rule.ask(&mut self.reading, bytes) {
                Answer::Match => return Ok(Some(index)),
                Answer::Reject => {}
                Answer::NeedMore => return Ok(None),
            }
        }
        Err(match self.reading.http2_so_far() {
            Http2::Preface(Opening { trouble: Some(Trouble::Flood), .. }) => Rejection::Flood,
            _ => Rejection::NoRule,
        })
    }
}

#[cfg(test)]
mod tests;
