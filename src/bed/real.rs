//! Clients that are code: a library itself, over the bed's links, where no profile has to be believed.
//!
//! Such a client dials when it likes and says how each of its calls ended. What the end of one amounts to is read off its
//! connections, since a library's error is only a text. Schedules reach it through the network and the server; its own pace
//! is its own.

use std::fmt::Display;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::clients::{CallRecord, Cause, Failure};
use crate::net::{Dialer, Side, Stream};
use crate::outcome::WaitingFor;
use crate::script::Hello;
use crate::tls::{self, ClientStream};

use super::transcript::{Recorder, What};

/// A client under test: anything that dials.
///
/// The bed runs a scenario several times and starts the client anew for each. It is done when its future is.
pub trait Client: Send + Sync + 'static {
    /// Starts the client, inside the run's runtime.
    fn start(&self, session: Session) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

impl<F, Fut> Client for F
where
    F: Fn(Session) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    fn start(&self, session: Session) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(self(session))
    }
}

/// What a client that is code has of the bed: a way to the server, and somebody to tell of its calls.
#[derive(Clone)]
pub struct Session {
    shared: Arc<Shared>,
}

struct Shared {
    client: usize,
    dialer: Dialer,
    start: Instant,
    recorder: Recorder,
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    dialled: usize,
    records: Vec<CallRecord>,
}

impl Session {
    pub(super) fn new(client: usize, dialer: Dialer, start: Instant, recorder: Recorder) -> Self {
        let told = Mutex::default();
        Self { shared: Arc::new(Shared { client, dialer, start, recorder, told }) }
    }

    /// Opens a connection.
    ///
    /// # Errors
    ///
    /// If nobody accepts any more.
    pub fn dial(&self) -> io::Result<Stream> {
        self.dialled(false)
    }

    /// Opens a connection and shakes hands for TLS on it, saying `hello`; any certificate is trusted. What the server chose
    /// by ALPN is [`SecuredStream::protocol`].
    ///
    /// # Errors
    ///
    /// If nobody accepts any more, or the handshake fails.
    pub async fn dial_over_tls(&self, hello: &Hello) -> io::Result<SecuredStream> {
        let stream = self.dialled(true)?;
        let connection = stream.number();
        let inner = tls::connect(stream, hello).await?;
        let protocol = inner.get_ref().1.alpn_protocol();
        let protocol = protocol.map(|name| String::from_utf8_lossy(name).into_owned());
        self.shared.record(connection, What::Secured { protocol: protocol.clone() });
        Ok(SecuredStream { inner, connection, protocol, shared: Arc::clone(&self.shared) })
    }

    /// A call has ended, with what its user reads if it failed.
    pub fn ended(&self, result: Result<(), impl Display>) {
        let error = result.err().map(|error| error.to_string());
        self.record_call(error, Cause::Unknown);
    }

    pub(super) fn gave_no_end(&self) {
        self.record_call(Some("still at work".to_owned()), Cause::Waited(WaitingFor::Response));
    }

    pub(super) fn into_records(self) -> Vec<CallRecord> {
        std::mem::take(&mut self.shared.told().records)
    }

    fn dialled(&self, sealed: bool) -> io::Result<Stream> {
        let stream = self.shared.dialer.dial()?;
        let client = self.shared.client;
        self.shared.record(stream.number(), What::Dialled { client, sealed });
        self.shared.told().dialled += 1;
        Ok(stream)
    }

    fn record_call(&self, error: Option<String>, cause: Cause) {
        let shared = &self.shared;
        let failure = error.clone().map(|text| Failure { text, cause });
        let connection = {
            let mut told = shared.told();
            let connection = told.dialled.checked_sub(1);
            told.records.push(CallRecord { at: Instant::now() - shared.start, failure, connection });
            connection
        };
        let number = connection.unwrap_or_default() as u32;
        shared.record(number, What::CallEnded { client: shared.client, error });
    }
}

impl Shared {
    fn record(&self, connection: u32, what: What) {
        self.recorder.record(Instant::now() - self.start, connection, what);
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection inside TLS.
pub struct SecuredStream {
    inner: ClientStream,
    connection: u32,
    protocol: Option<String>,
    shared: Arc<Shared>,
}

impl SecuredStream {
    /// What the server chose by ALPN.
    pub fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    fn inside(&self, from: Side, bytes: &[u8]) {
        if !bytes.is_empty() {
            let bytes = Bytes::copy_from_slice(bytes);
            self.shared.record(self.connection, What::Inside { from, bytes });
        }
    }
}

impl AsyncRead for SecuredStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(context, buffer);
        self.inside(Side::Server, &buffer.filled()[before..]);
        read
    }
}

impl AsyncWrite for SecuredStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        if let Poll::Ready(Ok(length)) = written {
            self.inside(Side::Client, &bytes[..length]);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Session").field("client", &self.shared.client).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for SecuredStream {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SecuredStream").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

/// How long a client that is code may stay at work: longer than any deadline that a library has by itself.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs a client that is code until it is done, and lets its connections close.
pub(super) async fn run(client: &dyn Client, session: &Session) {
    let start = session.shared.start;
    if tokio::time::timeout_at(start + PATIENCE, client.start(session.clone())).await.is_err() {
        session.gave_no_end();
    }
    // A library closes in tasks of its own; time passes when none of them has anything left to do.
    tokio::time::sleep(Duration::from_millis(1)).await;
}
