//! Sniffing a connection: reads until its route is known, says what has to be said, and hands it over.
//!
//! SETTINGS are sent only when a client may be waiting for them: when all that it has sent has been read, a rule still
//! wants its first request, and nothing more is there. A client that does not wait is never spoken to, and its connection
//! is handed over untouched. One deadline covers everything, a PROXY header and a TLS handshake too, however slowly a
//! client goes on.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, ReadBuf, copy_buf, sink};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;

use super::classifier::{DEFAULT_LIMIT, ProxyHeaders, Rejection, Route, Rules, Verdict};
use super::connection::Connection;
use super::facts::{Facts, TlsFacts};
use super::observer::{Closed, Observer};
use super::settings::EarlySettings;
use super::sniffer::{Policy, Sniffer};
use super::{Replay, Transport};
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
        let sniffer = Sniffer::new(&self.policy);
        self.sniff_until(self.patience(), stream, Facts::default(), sniffer, observer).await
    }

    /// When what begins now has to be decided.
    pub(super) fn patience(&self) -> Instant {
        Instant::now() + self.deadline
    }

    /// The same for a connection as a listener accepted it, from its PROXY header and its TLS handshake on.
    pub(super) async fn meet<S>(
        &self,
        until: Instant,
        stream: S,
        facts: Facts,
        observer: &(impl Observer + ?Sized),
    ) -> Sniffed<Transport<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Some(config) = &self.tls else {
            let sniffer = Sniffer::new(&self.policy);
            return self.sniff_until(until, Transport::Plain(stream), facts, sniffer, observer).await;
        };
        // In a box, so that connections without TLS don't have its size.
        let secured = Box::pin(timeout_at(until, self.secure(config, stream, facts))).await;
        let (stream, facts) = match secured.unwrap_or(Err(Closed::Deadline)) {
            Ok(secured) => secured,
            Err(why) => {
                observer.closed(&why);
                return Sniffed::Closed(why);
            }
        };
        let sniffer = Sniffer::behind_tls(&self.policy, facts.tls.clone());
        self.sniff_until(until, stream, facts, sniffer, observer).await
    }

    async fn secure<S>(
        &self,
        config: &Arc<ServerConfig>,
        mut stream: S,
        mut facts: Facts,
    ) -> Result<(Transport<S>, Facts), Closed>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut read = BytesMut::new();
        if self.policy.headers != ProxyHeaders::Unexpected {
            facts.proxy_header = self.proxy_header(&mut stream, &mut read).await?.map(Arc::from);
        }
        let stream = Replay::new(read.freeze(), stream);
        let accepted = TlsAcceptor::from(Arc::clone(config)).accept(stream).await;
        let stream = accepted.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Closed::End { after: 0 },
            _ => Closed::Tls(error),
        })?;
        facts.tls = Some(Arc::new(TlsFacts::of(stream.get_ref().1)));
        Ok((Transport::Tls(Box::new(stream)), facts))
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

    async fn sniff_until<S>(
        &self,
        until: Instant,
        mut stream: S,
        facts: Facts,
        mut sniffer: Sniffer,
        observer: &(impl Observer + ?Sized),
    ) -> Sniffed<S>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let early = &self.policy.early;
        let why = match timeout_at(until, read_on(&mut stream, &mut sniffer, early, observer)).await {
            Ok(Ok(Read::Decided)) => match sniffer.verdict().clone() {
                Verdict::Match(route) => return self.routed(route, stream, facts, sniffer, observer),
                Verdict::Reject(why) => Closed::Rejected(why),
                Verdict::NeedMore => Closed::Rejected(Rejection::NoRule),
            },
            Ok(Ok(Read::End)) => Closed::End { after: sniffer.length() },
            Ok(Err(error)) => Closed::Failed(error),
            Err(_elapsed) => Closed::Deadline,
        };
        if let Some(route) = self.otherwise.as_ref().filter(|_| why.may_fail_open(sniffer.awaits_header())) {
            return self.routed(route.clone(), stream, facts, sniffer, observer);
        }
        if let Closed::Rejected(_) | Closed::Deadline = why
            && let Some(refusal) = sniffer.refusal(early)
        {
            observer.speaks(refusal.len());
            let farewell = async {
                stream.write_all(&refusal).await?;
                stream.shutdown().await
            };
            let until = Instant::now() + FAREWELL;
            let said = matches!(timeout_at(until, farewell).await, Ok(Ok(())));
            observer.closed(&why);
            if said {
                drop(timeout_at(until, read_away(stream)).await);
            }
        } else {
            observer.closed(&why);
        }
        Sniffed::Closed(why)
    }

    fn routed<S>(
        &self,
        route: Route,
        stream: S,
        facts: Facts,
        sniffer: Sniffer,
        observer: &(impl Observer + ?Sized),
    ) -> Sniffed<S> {
        observer.routed(&route, sniffer.length());
        let connection = Connection::new(stream, facts, sniffer.hand_over(&self.policy.early));
        Sniffed::Routed { route, connection }
    }
}

/// How long a client that is refused may take to hear why.
const FAREWELL: Duration = Duration::from_secs(1);

/// Lets the client close: if the connection were closed here with something of the client's unread, the system would reset
/// it, and what was said be lost (RFC 9112, section 9.6, has it for HTTP/1).
async fn read_away(stream: impl AsyncRead + Unpin) -> io::Result<u64> {
    let mut unread = BufReader::with_capacity(512, stream.take(MOST_UNREAD));
    copy_buf(&mut unread, &mut sink()).await
}

/// The most bytes that are read of a client that is refused: twice HTTP/2's initial window, which a client may have on the way. One
/// that floods is not listened to for longer.
const MOST_UNREAD: u64 = 128 * 1024;

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
