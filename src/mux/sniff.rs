//! Sniffing a connection: reads until its route is known, says what has to be said, and hands it over.
//!
//! SETTINGS are sent only when a client may be waiting for them: when all that it has sent has been read, a rule still
//! wants its first request, and nothing more is there. A client that does not wait is never spoken to, and its connection
//! is handed over untouched.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, timeout_at};

use super::classifier::{DEFAULT_LIMIT, ProxyHeaders, Rejection, Route, Rules, Verdict};
use super::connection::Connection;
use super::settings::EarlySettings;
use super::sniffer::{Policy, Sniffer};

/// A multiplexer: rules, and how long and how far it looks for one that fits.
#[derive(Clone, Debug)]
pub struct Mux {
    policy: Policy,
    deadline: Duration,
    otherwise: Option<Route>,
}

/// What came of sniffing a connection.
#[derive(Debug)]
pub enum Sniffed<S> {
    /// It belongs to this route.
    Routed {
        /// The route.
        route: Route,
        /// The connection, from its first byte.
        connection: Connection<S>,
    },
    /// It was closed.
    Closed(Closed),
}

/// Why a connection was closed without a route.
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
}

impl Closed {
    /// One word for it, of those that metrics use.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Rejected(Rejection::NoRule) => "no_rule",
            Self::Rejected(Rejection::TooLong) => "too_long",
            Self::Rejected(Rejection::Flood) => "flood",
            Self::Rejected(Rejection::NoProxyHeader) => "no_proxy_header",
            Self::Rejected(Rejection::BadProxyHeader) => "bad_proxy_header",
            Self::Deadline => "deadline",
            Self::End { .. } => "client_left",
            Self::Failed(_) => "failed",
        }
    }
}

impl Closed {
    /// Whether a route for what fits no rule may have it: not without the PROXY header that has to be there, and not
    /// if there is nothing to be had.
    fn may_fail_open(&self, awaits_header: bool) -> bool {
        match self {
            Self::Rejected(Rejection::NoProxyHeader | Rejection::BadProxyHeader) | Self::Failed(_) => false,
            Self::Deadline | Self::End { after: 1.. } => !awaits_header,
            Self::End { after: 0 } => false,
            Self::Rejected(_) => true,
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
        }
    }
}

/// Is told what happens while a connection is sniffed.
pub trait Observer {
    /// Everything that was sent has been read, and the first HTTP/2 request is still to come.
    fn waits_for_headers(&self) {}
    /// So many bytes are written to the client before its back end is known.
    fn speaks(&self, _bytes: usize) {}
    /// The connection goes to a route, after so many bytes.
    fn routed(&self, _route: &Route, _bytes: usize) {}
    /// The connection is closed.
    fn closed(&self, _why: &Closed) {}
}

impl Observer for () {}

impl Mux {
    /// A multiplexer with these rules, that looks at most at 16 KiB and for 10 s, and closes what fits none.
    pub fn new(rules: Rules) -> Self {
        let (headers, early) = (ProxyHeaders::default(), EarlySettings::default());
        let policy = Policy { rules: Arc::new(rules), limit: DEFAULT_LIMIT, headers, early };
        Self { policy, deadline: Duration::from_secs(10), otherwise: None }
    }

    /// The most bytes that are read for a decision.
    #[must_use]
    pub fn limit(mut self, bytes: usize) -> Self {
        self.policy.limit = bytes;
        self
    }

    /// Whether connections begin with a PROXY header.
    #[must_use]
    pub fn proxy_headers(mut self, headers: ProxyHeaders) -> Self {
        self.policy.headers = headers;
        self
    }

    /// What is said to clients that wait for SETTINGS.
    #[must_use]
    pub fn early_settings(mut self, settings: EarlySettings) -> Self {
        self.policy.early = settings;
        self
    }

    /// How long a decision may take from the first look at the connection, however much arrives meanwhile.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Where connections go that fit no rule, or not in time; without it they are closed.
    #[must_use]
    pub fn otherwise(mut self, route: &str) -> Self {
        self.otherwise = Some(Route::new(route));
        self
    }

    /// Reads a connection's first bytes until it is clear where it belongs.
    pub async fn sniff<S>(&self, mut stream: S, observer: &(impl Observer + ?Sized)) -> Sniffed<S>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut sniffer = Sniffer::new(&self.policy);
        let until = Instant::now() + self.deadline;
        let early = &self.policy.early;
        let why = match timeout_at(until, read_on(&mut stream, &mut sniffer, early, observer)).await {
            Ok(Ok(Read::Decided)) => match sniffer.verdict().clone() {
                Verdict::Match(route) => return self.routed(route, stream, sniffer, observer),
                Verdict::Reject(why) => Closed::Rejected(why),
                Verdict::NeedMore => Closed::Rejected(Rejection::NoRule),
            },
            Ok(Ok(Read::End)) => Closed::End { after: sniffer.length() },
            Ok(Err(error)) => Closed::Failed(error),
            Err(_elapsed) => Closed::Deadline,
        };
        if let Some(route) = self.otherwise.as_ref().filter(|_| why.may_fail_open(sniffer.awaits_header())) {
            return self.routed(route.clone(), stream, sniffer, observer);
        }
        if let Closed::Rejected(_) | Closed::Deadline = why
            && let Some(refusal) = sniffer.refusal(early)
        {
            observer.speaks(refusal.len());
            // A client that does not take it has nothing to lose by it.
            let until = until.max(Instant::now() + Duration::from_secs(1));
            drop(timeout_at(until, stream.write_all(&refusal)).await);
        }
        observer.closed(&why);
        Sniffed::Closed(why)
    }

    fn routed<S>(
        &self,
        route: Route,
        stream: S,
        sniffer: Sniffer,
        observer: &(impl Observer + ?Sized),
    ) -> Sniffed<S> {
        observer.routed(&route, sniffer.length());
        Sniffed::Routed { route, connection: Connection::new(stream, sniffer.hand_over(&self.policy.early)) }
    }
}

enum Read {
    Decided,
    End,
}

async fn read_on<S>(
    stream: &mut S,
    sniffer: &mut Sniffer,
    early: &EarlySettings,
    observer: &(impl Observer + ?Sized),
) -> io::Result<Read>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut waits = false;
    loop {
        if *sniffer.verdict() != Verdict::NeedMore {
            return Ok(Read::Decided);
        }
        match read_or_speak(stream, sniffer, early).await? {
            Next::Read(0) => return Ok(Read::End),
            Next::Read(_) => {}
            Next::Speak(bytes) => {
                if !std::mem::replace(&mut waits, true) {
                    observer.waits_for_headers();
                }
                observer.speaks(bytes.len());
                stream.write_all(&bytes).await?;
                stream.flush().await?;
            }
        }
    }
}

enum Next {
    Read(usize),
    Speak(Bytes),
}

/// Reads what is there; if nothing is, gives what has to be said before waiting for more.
async fn read_or_speak<S: AsyncRead + Unpin>(
    stream: &mut S,
    sniffer: &mut Sniffer,
    early: &EarlySettings,
) -> io::Result<Next> {
    poll_fn(|context| {
        // On the stack while something is read, and not kept by a connection that says nothing.
        let mut scratch = [MaybeUninit::uninit(); 4096];
        let mut buffer = ReadBuf::uninit(&mut scratch);
        match Pin::new(&mut *stream).poll_read(context, &mut buffer) {
            Poll::Ready(Ok(())) => {
                sniffer.push(buffer.filled());
                Poll::Ready(Ok(Next::Read(buffer.filled().len())))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => match sniffer.speak(early) {
                Some(bytes) => Poll::Ready(Ok(Next::Speak(bytes))),
                None => Poll::Pending,
            },
        }
    })
    .await
}
