//! Sniffing a connection: reads until its route is known, says what has to be said, and hands it over.
//!
//! SETTINGS are sent only when a client may be waiting for them: when all that it has sent has been read, a rule still
//! wants its first request, and nothing more is there. A client that does not wait is never spoken to, and its connection
//! is handed over untouched.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, timeout_at};

use super::classifier::{DEFAULT_LIMIT, Rejection, Route, Rules, Verdict};
use super::connection::Connection;
use super::sniffer::Sniffer;

/// A multiplexer: rules, and how long and how far it looks for one that fits.
#[derive(Clone, Debug)]
pub struct Mux {
    rules: Arc<Rules>,
    limit: usize,
    deadline: Duration,
    otherwise: Option<Route>,
}

/// What came of sniffing a connection.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one of it for each connection, and it is moved once")]
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
    /// It fits no rule.
    NoRule,
    /// It fitted no rule within the most bytes that are read.
    TooLong,
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
        Self {
            rules: Arc::new(rules),
            limit: DEFAULT_LIMIT,
            deadline: Duration::from_secs(10),
            otherwise: None,
        }
    }

    /// The most bytes that are read for a decision.
    #[must_use]
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
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
        let mut sniffer = Sniffer::new(Arc::clone(&self.rules), self.limit);
        let until = Instant::now() + self.deadline;
        let why = match timeout_at(until, read_on(&mut stream, &mut sniffer, observer)).await {
            Ok(Ok(Read::Decided)) => match sniffer.verdict().clone() {
                Verdict::Match(route) => return Self::routed(route, stream, sniffer, observer),
                Verdict::Reject(Rejection::TooLong) => Closed::TooLong,
                Verdict::Reject(Rejection::NoRule) | Verdict::NeedMore => Closed::NoRule,
            },
            Ok(Ok(Read::End)) => Closed::End { after: sniffer.length() },
            Ok(Err(error)) => Closed::Failed(error),
            Err(_elapsed) => Closed::Deadline,
        };
        match (&why, &self.otherwise) {
            (Closed::NoRule | Closed::TooLong | Closed::Deadline, Some(route)) => {
                return Self::routed(route.clone(), stream, sniffer, observer);
            }
            (Closed::End { after: 1.. }, Some(route)) => {
                return Self::routed(route.clone(), stream, sniffer, observer);
            }
            (Closed::NoRule | Closed::TooLong | Closed::Deadline, None) => {
                if let Some(refusal) = sniffer.refusal() {
                    observer.speaks(refusal.len());
                    // A client that does not take it has nothing to lose by it.
                    drop(
                        timeout_at(
                            until.max(Instant::now() + Duration::from_secs(1)),
                            stream.write_all(&refusal),
                        )
                        .await,
                    );
                }
            }
            _ => {}
        }
        observer.closed(&why);
        Sniffed::Closed(why)
    }

    fn routed<S>(
        route: Route,
        stream: S,
        sniffer: Sniffer,
        observer: &(impl Observer + ?Sized),
    ) -> Sniffed<S> {
        observer.routed(&route, sniffer.length());
        Sniffed::Routed { route, connection: Connection::new(stream, sniffer.hand_over()) }
    }
}

enum Read {
    Decided,
    End,
}

async fn read_on<S>(
    stream: &mut S,
    sniffer: &mut Sniffer,
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
        match read_or_speak(stream, sniffer).await? {
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
async fn read_or_speak<S: AsyncRead + Unpin>(stream: &mut S, sniffer: &mut Sniffer) -> io::Result<Next> {
    let mut scratch = [0; 2048];
    poll_fn(|context| {
        let mut buffer = ReadBuf::new(&mut scratch);
        match Pin::new(&mut *stream).poll_read(context, &mut buffer) {
            Poll::Ready(Ok(())) => {
                sniffer.push(buffer.filled());
                Poll::Ready(Ok(Next::Read(buffer.filled().len())))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => match sniffer.speak() {
                Some(bytes) => Poll::Ready(Ok(Next::Speak(bytes))),
                None => Poll::Pending,
            },
        }
    })
    .await
}
