//! Chooses a route from a connection's first bytes, without waiting for more than it needs.
//!
//! All rules look at one growing prefix. The first rule in order that says yes wins, but not while an earlier one still
//! says "not yet": a catch-all can't take what belongs to somebody before it. Since no rule ever changes its mind, the
//! same bytes cut anywhere give the same decision; and after so many bytes without one, it is no.

use std::fmt;
use std::sync::Arc;

use super::prefix::{Http2, Prefix};
use super::rule::{Answer, Rule};

/// Rules in the order of their priority, each with the route that it leads to.
#[derive(Clone, Debug, Default)]
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
}

/// The default of the most bytes that are read for a decision.
pub const DEFAULT_LIMIT: usize = 16 * 1024;

/// Reads one connection's first bytes.
#[derive(Clone, Debug)]
pub struct Classifier {
    rules: Arc<Rules>,
    limit: usize,
    prefix: Prefix,
    verdict: Verdict,
}

impl Classifier {
    /// A classifier for one connection that decides within `limit` bytes.
    pub fn new(rules: Arc<Rules>, limit: usize) -> Self {
        let mut classifier = Self { rules, limit, prefix: Prefix::new(), verdict: Verdict::NeedMore };
        classifier.verdict = classifier.decide();
        classifier
    }

    /// The decision on what has been pushed so far. The first that is not `NeedMore` is final.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// Reads on, and decides.
    pub fn push(&mut self, bytes: &[u8]) -> &Verdict {
        if self.verdict == Verdict::NeedMore {
            let room = self.limit.saturating_sub(self.prefix.len());
            self.prefix.push(&bytes[..bytes.len().min(room)]);
            self.verdict = self.decide();
        }
        &self.verdict
    }

    /// Whether the client has said all that it may want to say before the server's SETTINGS come, and a rule still
    /// waits for its first request: then somebody has to send SETTINGS.
    pub fn waits_for_a_request(&self) -> bool {
        self.verdict == Verdict::NeedMore
            && matches!(self.prefix.http2(), Http2::Preface { settings: 1.., request: None, broken: false })
    }

    /// Whether the client speaks HTTP/2.
    pub fn is_http2(&self) -> bool {
        matches!(self.prefix.http2(), Http2::Preface { .. })
    }

    /// The content type of the first HTTP/2 request, if there is a request.
    pub(crate) fn content_type(&self) -> Option<&[u8]> {
        let Http2::Preface { request: Some(fields), .. } = self.prefix.http2() else { return None };
        let field = fields.iter().find(|(name, _)| name == "content-type");
        Some(field.map_or(&b""[..], |(_, value)| value))
    }

    fn decide(&self) -> Verdict {
        for (rule, route) in &self.rules.list {
            match rule.ask(&self.prefix) {
                Answer::Match => return Verdict::Match(route.clone()),
                Answer::Reject => {}
                Answer::NeedMore if self.prefix.len() >= self.limit => {
                    return Verdict::Reject(Rejection::TooLong);
                }
                Answer::NeedMore => return Verdict::NeedMore,
            }
        }
        Verdict::Reject(Rejection::NoRule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::PREFACE;
    use bytes::Bytes;

    fn grpc_and_http() -> Arc<Rules> {
        Arc::new(Rules::new().to("grpc", Rule::Grpc).to("http", Rule::Http1))
    }

    fn verdict(rules: &Arc<Rules>, pieces: &[&[u8]]) -> Verdict {
        let mut classifier = Classifier::new(Arc::clone(rules), DEFAULT_LIMIT);
        for piece in pieces {
            classifier.push(piece);
        }
        classifier.verdict().clone()
    }

    #[test]
    fn a_catch_all_does_not_win_while_an_earlier_rule_is_undecided() {
        let rules = Arc::new(Rules::new().to("grpc", Rule::Grpc).to("rest", Rule::Any));
        assert_eq!(verdict(&rules, &[b"PRI * HT"]), Verdict::NeedMore);
        assert_eq!(verdict(&rules, &[b"PRI * HX"]), Verdict::Match(Route::new("rest")));
    }

    #[test]
    fn a_catch_all_alone_needs_no_bytes() {
        let rules = Arc::new(Rules::new().to("rest", Rule::Any));
        assert_eq!(verdict(&rules, &[]), Verdict::Match(Route::new("rest")));
    }

    #[test]
    fn what_fits_no_rule_is_rejected_at_once() {
        assert_eq!(verdict(&grpc_and_http(), &[b"\x16\x03"]), Verdict::Reject(Rejection::NoRule));
    }

    #[test]
    fn the_limit_is_hard_and_does_not_depend_on_the_cuts() {
        let rules = Arc::new(Rules::new().to("long", Rule::Bytes(Bytes::from_static(&[7; 100]))));
        let decide = |pieces: &[&[u8]]| {
            let mut classifier = Classifier::new(Arc::clone(&rules), 50);
            pieces.iter().for_each(|piece| drop(classifier.push(piece).clone()));
            classifier.verdict().clone()
        };
        assert_eq!(decide(&[&[7; 100]]), Verdict::Reject(Rejection::TooLong));
        assert_eq!(decide(&[&[7; 49], &[7; 51]]), Verdict::Reject(Rejection::TooLong));
        assert_eq!(decide(&[&[7; 49]]), Verdict::NeedMore);
    }

    #[test]
    fn preface_and_settings_alone_wait_for_a_request() {
        let settings: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
        let mut classifier = Classifier::new(grpc_and_http(), DEFAULT_LIMIT);
        classifier.push(&PREFACE);
        assert!(!classifier.waits_for_a_request());
        classifier.push(settings);
        assert!(classifier.waits_for_a_request());
    }
}
