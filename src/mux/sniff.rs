//! Sniffing a connection: reads until its route is known, says what has to be said, and hands it over.
//!
//! SETTINGS are sent only when a client may be waiting for them: when all that it has sent has been read, a rule still
//! wants its first request, and nothing more is there. A client that does not wait is never spoken to, and its connection
//! is handed over untouched. One deadline covers everything, a PROXY header and a TLS handshake too, however slowly a
//! client goes on.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, ReadBuf, copy_buf, sink};
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_rustls::TlsAcceptor;
use tracing::debug;

use super::classifier::{DEFAULT_LIMIT, ProxyHeaders, Rejection, Route, Rules, Verdict};
use super::connection::Connection;
use super::facts::{Facts, TlsFacts};
use super::observer::{Closed, Observer};
use super::settings::EarlySettings;
use super::sniffer::{Policy, Sniffer};
use super::{Replay, Transport};
use crate::planted::{Fault, is_planted};
use crate::wire::proxy::{Header, Progress};

/// A multiplexer: rules, and how long and how far it looks for one that fits.
#[derive(Clone, Debug)]
pub struct Mux {
    policy: Policy,
    deadline: Duration,
    otherwise: Option<Route>,
    tls: Option<Arc<ServerConfig>>,
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

/// A connection that is to be sniffed, in one place: whatever hands it on would keep room for a copy while it waits.
pub(super) struct Arrival<S> {
    /// When it has to be decided.
    until: Instant,
    stream: S,
    facts: Facts,
}

impl<S> Arrival<S> {
    pub(super) fn until(&self) -> Instant {
        self.until
    }

    fn over<T>(self, make: impl FnOnce(S) -> T) -> Box<Arrival<T>> {
        let Self { until, stream, facts } = self;
        Box::new(Arrival { until, stream: make(stream), facts })
    }
}

impl Mux {
    /// A multiplexer with these rules, that looks at most at 16 KiB and for 10 s, and closes what fits none.
    pub fn new(rules: Rules) -> Self {
        let (headers, early) = (ProxyHeaders::default(), EarlySettings::default());
        let policy = Policy { rules: Arc::new(rules), limit: DEFAULT_LIMIT, headers, early };
        Self { policy, deadline: Duration::from_secs(10), otherwise: None, tls: None }
    }

    /// The most bytes that are read for a decision.
    #[must_use]
    pub fn limit(mut self, bytes: usize) -> Self {
        self.policy.limit = bytes;
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

    /// Takes TLS off the connections of a listener. The rules look at what is inside; those about hellos, at what the
    /// handshake agreed on.
    #[must_use]
    pub fn tls(mut self, config: Arc<ServerConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// Reads a connection's first bytes until it is clear where it belongs. It is taken as it is, without TLS.
    pub async fn sniff<S>(&self, stream: S, observer: &(impl Observer + ?Sized)) -> Sniffed<S>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.sniff_arrival(self.arrival(stream, Facts::default()), observer).await
    }

    /// A connection that has to be decided from now on.
    pub(super) fn arrival<S>(&self, stream: S, facts: Facts) -> Box<Arrival<S>> {
        Box::new(Arrival { until: Instant::now() + self.deadline, stream, facts })
    }

    /// The same for a connection as a listener accepted it, from its PROXY header and its TLS handshake on.
    #[expect(clippy::manual_async_fn, reason = "an async fn would keep its arguments twice while it waits")]
    pub(super) fn meet<S>(
        &self,
        arrival: Box<Arrival<S>>,
        observer: &(impl Observer + ?Sized),
    ) -> impl Future<Output = Sniffed<Transport<S>>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        async move {
            let Some(config) = &self.tls else {
                return self.sniff_arrival((*arrival).over(Transport::Plain), observer).await;
            };
            // In a box, so that connections without TLS don't have its size.
            match Box::pin(self.secure(config, arrival, observer)).await {
                Ok(arrival) => self.sniff_arrival(arrival, observer).await,
                Err(why) => Sniffed::Closed(why),
            }
        }
    }

    /// Takes TLS off, in time.
    async fn secure<S>(
        &self,
        config: &Arc<ServerConfig>,
        arrival: Box<Arrival<S>>,
        observer: &(impl Observer + ?Sized),
    ) -> Result<Box<Arrival<Transport<S>>>, Closed>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let peer = arrival.facts.socket_peer;
        let secured = timeout_at(arrival.until, self.shake_hands(config, arrival)).await;
        secured.unwrap_or(Err(Closed::Deadline)).inspect_err(|why| {
            debug!(?peer, reason = why.reason(), "a connection is closed: {why}");
            observer.closed(why);
        })
    }

    async fn shake_hands<S>(
        &self,
        config: &Arc<ServerConfig>,
        mut arrival: Box<Arrival<S>>,
    ) -> Result<Box<Arrival<Transport<S>>>, Closed>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut read = BytesMut::new();
        if self.policy.headers != ProxyHeaders::Unexpected {
            let header = self.proxy_header(&mut arrival.stream, &mut read).await?;
            arrival.facts.proxy_header = header.map(Arc::from);
        }
        let Arrival { until, stream, mut facts } = *arrival;
        let stream = Replay::new(read.freeze(), stream);
        let accepted = TlsAcceptor::from(Arc::clone(config)).accept(stream).await;
        let stream = accepted.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Closed::End { after: 0 },
            _ => Closed::Tls(error),
        })?;
        facts.tls = Some(Arc::new(TlsFacts::of(stream.get_ref().1)));
        Ok(Box::new(Arrival { until, stream: Transport::Tls(Box::new(stream)), facts }))
    }

    /// Reads a PROXY header; what was read behind it is left in `read`.
    async fn proxy_header<S>(
        &self,
        stream: &mut S,
        read: &mut BytesMut,
    ) -> Result<Option<Box<Header>>, Closed>
    where
        S: AsyncRead + Unpin,
    {
        loop {
            match Header::read(read) {
                Progress::Complete { header, length } => {
                    drop(read.split_to(length));
                    return Ok(Some(header));
                }
                Progress::Absent if self.policy.headers == ProxyHeaders::Optional => return Ok(None),
                Progress::Absent => return Err(Closed::Rejected(Rejection::NoProxyHeader)),
                Progress::Malformed => return Err(Closed::Rejected(Rejection::BadProxyHeader)),
                Progress::NeedMore if read.len() >= self.policy.limit => {
                    return Err(Closed::Rejected(Rejection::TooLong));
                }
                Progress::NeedMore => {}
            }
            if stream.read_buf(read).await.map_err(Closed::Failed)? == 0 {
                return Err(Closed::End { after: read.len() });
            }
        }
    }

    #[expect(clippy::manual_async_fn, reason = "an async fn would keep its arguments twice while it waits")]
    fn sniff_arrival<S>(
        &self,
        mut arrival: Box<Arrival<S>>,
        observer: &(impl Observer + ?Sized),
    ) -> impl Future<Output = Sniffed<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        async move {
            let early = &self.policy.early;
            let Arrival { until, stream, facts } = &mut *arrival;
            let begin = || Sniffer::new(&self.policy, facts.tls.as_ref());
            // One that says nothing needs no memory, unless a rule has something to say of nothing.
            let mut sniffer = begin().decided().map(Box::new);
            let ended = {
                let mut alarm = pin!(sleep_until(*until));
                let mut unflushed = false;
                let ended = poll_fn(|context| {
                    let read =
                        poll_sniff(stream, &mut sniffer, begin, early, observer, &mut unflushed, context);
                    if read.is_pending()
                        && !is_planted(Fault::MissedDeadline)
                        && alarm.as_mut().poll(context).is_ready()
                    {
                        return Poll::Ready(Err(Closed::Deadline));
                    }
                    read.map_err(Closed::Failed)
                });
                ended.await
            };
            let mut sniffer = sniffer.unwrap_or_else(|| Box::new(begin()));
            let why = match ended {
                Ok(Read::Decided) => match sniffer.verdict().clone() {
                    Verdict::Match(route) => return self.routed(route, *arrival, *sniffer, observer),
                    Verdict::Reject(why) => Closed::Rejected(why),
                    Verdict::NeedMore => Closed::Rejected(Rejection::NoRule),
                },
                Ok(Read::End) => Closed::End { after: sniffer.length() },
                Err(why) => why,
            };
            let open = self.otherwise.as_ref().filter(|_| why.may_fail_open(sniffer.awaits_header()));
            if let Some(route) = open {
                return self.routed(route.clone(), *arrival, *sniffer, observer);
            }
            debug!(peer = ?arrival.facts.socket_peer, reason = why.reason(), "a connection is closed: {why}");
            if let Closed::Rejected(_) | Closed::Deadline = why
                && let Some(refusal) = sniffer.refusal(early)
            {
                observer.speaks(refusal.len());
                // In a box, since few connections come to this.
                Box::pin(say_farewell(arrival.stream, refusal, || observer.closed(&why))).await;
            } else {
                observer.closed(&why);
            }
            Sniffed::Closed(why)
        }
    }

    fn routed<S>(
        &self,
        route: Route,
        Arrival { stream, facts, .. }: Arrival<S>,
        sniffer: Sniffer,
        observer: &(impl Observer + ?Sized),
    ) -> Sniffed<S> {
        debug!(peer = ?facts.socket_peer, %route, "a connection belongs to a route");
        observer.routed(&route, sniffer.length());
        let connection = Connection::new(stream, Box::new(facts), sniffer.hand_over(&self.policy.early));
        Sniffed::Routed { route, connection }
    }
}

/// How long a client that is refused may take to hear why.
const FAREWELL: Duration = Duration::from_secs(1);

/// Says why, and lets the client close: if the connection were closed here with something of the client's unread, the system
/// would reset it, and what was said be lost (RFC 9112, section 9.6, has it for HTTP/1).
async fn say_farewell(mut stream: impl AsyncRead + AsyncWrite + Unpin, why: Bytes, then: impl FnOnce()) {
    let until = Instant::now() + FAREWELL;
    let said = async {
        stream.write_all(&why).await?;
        stream.shutdown().await
    };
    let said = matches!(timeout_at(until, said).await, Ok(Ok(())));
    then();
    if said {
        let mut unread = BufReader::with_capacity(512, stream.take(MOST_UNREAD));
        drop(timeout_at(until, copy_buf(&mut unread, &mut sink())).await);
    }
}

/// The most bytes that are read of a client that is refused: twice HTTP/2's initial window, which a client may have on the way. One
/// that floods is not listened to for longer.
const MOST_UNREAD: u64 = 128 * 1024;

enum Read {
    Decided,
    End,
}

/// Reads what is there until it is decided; if nothing is, says what has to be said before waiting for more.
fn poll_sniff<S>(
    stream: &mut S,
    sniffer: &mut Option<Box<Sniffer>>,
    begin: impl Fn() -> Sniffer,
    early: &EarlySettings,
    observer: &(impl Observer + ?Sized),
    unflushed: &mut bool,
    context: &mut Context<'_>,
) -> Poll<io::Result<Read>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = Pin::new(stream);
    loop {
        if let Some(sniffer) = sniffer {
            while !sniffer.unwritten().is_empty() {
                match ready!(stream.as_mut().poll_write(context, sniffer.unwritten()))? {
                    0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    written => sniffer.written(written),
                }
                *unflushed = true;
            }
            if *unflushed {
                ready!(stream.as_mut().poll_flush(context))?;
                *unflushed = false;
            }
            if *sniffer.verdict() != Verdict::NeedMore {
                return Poll::Ready(Ok(Read::Decided));
            }
        }
        // On the stack while something is read, and not kept by a connection that says nothing.
        let mut scratch = [MaybeUninit::uninit(); 4096];
        let mut buffer = ReadBuf::uninit(&mut scratch);
        match stream.as_mut().poll_read(context, &mut buffer)? {
            Poll::Ready(()) if buffer.filled().is_empty() => return Poll::Ready(Ok(Read::End)),
            Poll::Ready(()) => sniffer.get_or_insert_with(|| Box::new(begin())).push(buffer.filled()),
            Poll::Pending => {
                let Some(sniffer) = sniffer else { return Poll::Pending };
                let begins = !sniffer.has_spoken();
                match sniffer.speak(early) {
                    0 => return Poll::Pending,
                    bytes => {
                        if begins {
                            observer.waits_for_headers();
                        }
                        observer.speaks(bytes);
                    }
                }
            }
        }
    }
}
