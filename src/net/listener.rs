//! A listener without a port: what is dialled on one side is accepted on the other, in that order.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::stream::{Observer, observed_pair};
use super::{Network, Stream};

/// Opens connections to the server under test.
#[derive(Clone)]
pub struct Dialer {
    shared: Arc<Shared>,
    queue: mpsc::UnboundedSender<Stream>,
}

/// The connections that reach a server: a [stream](futures_core::Stream) of results, as tonic's
/// `serve_with_incoming` takes it, and [`Incoming::accept`] for everybody else. It ends when the bed has no client
/// left.
#[derive(Debug)]
pub struct Incoming {
    queue: mpsc::UnboundedReceiver<Stream>,
}

/// A dialler and the connections that come of it, over `network`. Must be called inside a tokio runtime whose clock is
/// paused.
pub fn listen(network: Network) -> (Dialer, Incoming) {
    listen_observed(move |_| network.clone(), |_| None)
}

struct Shared {
    start: Instant,
    dialled: AtomicU32,
    network: Box<dyn Fn(u32) -> Network + Send + Sync>,
    observer: Box<dyn Fn(u32) -> Option<Arc<dyn Observer>> + Send + Sync>,
}

pub(crate) fn listen_observed(
    network: impl Fn(u32) -> Network + Send + Sync + 'static,
    observer: impl Fn(u32) -> Option<Arc<dyn Observer>> + Send + Sync + 'static,
) -> (Dialer, Incoming) {
    let (queue, incoming) = mpsc::unbounded_channel();
    let shared = Shared {
        start: Instant::now(),
        dialled: AtomicU32::new(0),
        network: Box::new(network),
        observer: Box::new(observer),
    };
    (Dialer { shared: Arc::new(shared), queue }, Incoming { queue: incoming })
}

impl Dialer {
    /// Opens a connection. Refused when nobody accepts any more.
    pub fn dial(&self) -> io::Result<Stream> {
        let number = self.shared.dialled.fetch_add(1, Ordering::Relaxed);
        let network = (self.shared.network)(number);
        let observer = (self.shared.observer)(number);
        let (client, server) = observed_pair(&network, self.shared.start, number, observer);
        self.queue.send(server).map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
        Ok(client)
    }
}

impl Incoming {
    /// The next connection; `None` when no more can come.
    pub async fn accept(&mut self) -> Option<Stream> {
        self.queue.recv().await
    }
}

impl futures_core::Stream for Incoming {
    type Item = io::Result<Stream>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().queue.poll_recv(context).map(|stream| stream.map(Ok))
    }
}

impl std::fmt::Debug for Dialer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Dialer").finish_non_exhaustive()
    }
}
