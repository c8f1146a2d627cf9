//! How sniffing ends, by name, and who is told.

use std::fmt;
use std::io;

use super::classifier::{Rejection, Route};

/// Why a connection was closed without a back end.
#[derive(Debug)]
pub enum Closed {
    /// It fits no rule, or has no PROXY header that can be read.
    Rejected(Rejection),
    /// It fitted no rule in time.
    Deadline,
    /// The client left after so many bytes.
    End {
        /// Bytes read.
        after: usize,
    },
    /// Reading or writing failed.
    Failed(io::Error),
    /// Its TLS handshake failed.
    Tls(io::Error),
    /// Nobody takes the connections of its route any more.
    RouteClosed,
    /// As many connections of its route wait to be taken as may.
    QueueFull,
    /// The multiplexer ended before it was clear where it belongs.
    Drained,
}

impl Closed {
    /// All reasons, as metrics name them.
    pub const REASONS: [&'static str; 12] = [
        "no_rule",
        "too_long",
        "flood",
        "no_proxy_header",
        "bad_proxy_header",
        "deadline",
        "client_left",
        "failed",
        "tls",
        "route_closed",
        "queue_full",
        "drained",
    ];

    /// One word for it, of [`Closed::REASONS`].
    pub fn reason(&self) -> &'static str {
        Self::REASONS[self.number()]
    }

    /// Its place among the reasons.
    pub(super) fn number(&self) -> usize {
        match self {
            Self::Rejected(Rejection::NoRule) => 0,
            Self::Rejected(Rejection::TooLong) => 1,
            Self::Rejected(Rejection::Flood) => 2,
            Self::Rejected(Rejection::NoProxyHeader) => 3,
            Self::Rejected(Rejection::BadProxyHeader) => 4,
            Self::Deadline => 5,
            Self::End { .. } => 6,
            Self::Failed(_) => 7,
            Self::Tls(_) => 8,
            Self::RouteClosed => 9,
            Self::QueueFull => 10,
            Self::Drained => 11,
        }
    }

    /// Whether a route for what fits no rule may have it: not without the PROXY header that has to be there, and not
    /// if there is nothing to be had.
    pub(super) fn may_fail_open(&self, awaits_header: bool) -> bool {
        match self {
            Self::Rejected(Rejection::NoProxyHeader | Rejection::BadProxyHeader) => false,
            Self::Rejected(_) | Self::Deadline | Self::End { after: 1.. } => !awaits_header,
            _ => false,
        }
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(why) => why.fmt(formatter),
            Self::Deadline => formatter.write_str("it fitted no rule in time"),
            Self::End { after } => write!(formatter, "the client left after {after} bytes"),
            Self::Failed(error) => write!(formatter, "the connection failed: {error}"),
            Self::Tls(error) => write!(formatter, "the TLS handshake failed: {error}"),
            Self::RouteClosed => formatter.write_str("nobody takes its route's connections"),
            Self::QueueFull => formatter.write_str("its route's queue is full"),
            Self::Drained => formatter.write_str("the multiplexer ended before it was decided"),
        }
    }
}

/// What a multiplexer does when a connection could not be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterFailure {
    /// It tries again; if the system has no resources left, after a pause that grows to a second.
    GoOn,
    /// It accepts no more, and ends when all that it has accepted is decided.
    Stop,
}

/// Is told what happens while connections are sniffed. It is called in the middle of that, from many tasks at once.
pub trait Observer: Send + Sync {
    /// A connection was accepted.
    fn accepted(&self) {}
    /// No connection could be accepted.
    fn accept_failed(&self, _error: &io::Error) -> AfterFailure {
        AfterFailure::GoOn
    }
    /// Everything that was sent has been read, and the first HTTP/2 request is still to come.
    fn waits_for_headers(&self) {}
    /// So many bytes are written to the client before its back end is known.
    fn speaks(&self, _bytes: usize) {}
    /// The connection belongs to a route, after so many bytes.
    fn routed(&self, _route: &Route, _bytes: usize) {}
    /// The connection is closed. It may have been routed before, if nobody then took it.
    fn closed(&self, _why: &Closed) {}
}

impl Observer for () {}

impl<O: Observer + ?Sized> Observer for std::sync::Arc<O> {
    fn accepted(&self) {
        (**self).accepted();
    }

    fn accept_failed(&self, error: &io::Error) -> AfterFailure {
        (**self).accept_failed(error)
    }

    fn waits_for_headers(&self) {
        (**self).waits_for_headers();
    }

    fn speaks(&self, bytes: usize) {
        (**self).speaks(bytes);
    }

    fn routed(&self, route: &Route, bytes: usize) {
        (**self).routed(route, bytes);
    }

    fn closed(&self, why: &Closed) {
        (**self).closed(why);
    }
}
