//! One end of a simulated connection as a tokio stream, on the paused clock.
//!
//! A vectored write is one segment, as `writev` makes it: h2 writes a frame's head and its payload that way, and two
//! segments where a real server sends one would be a cut that nobody made. Dropping a stream closes it, with all that
//! [`Link::close`] says about unread bytes.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::{Arrival, Closed, Ending, Link, Network, Side};

/// What is told about the segments, ends and resets of a connection, in the order in which they are sent.
pub(crate) trait Observer: Send + Sync {
    fn segment(&self, at: Duration, from: Side, bytes: &Bytes);
    fn end(&self, at: Duration, from: Side);
    fn reset(&self, at: Duration, from: Side);
}

/// One end of a simulated connection.
pub struct Stream {
    shared: Arc<Shared>,
    side: Side,
    sleep: Option<Pin<Box<Sleep>>>,
}

/// Both ends of a connection over `network`: the client's and the server's. Must be called inside a tokio runtime
/// whose clock is paused; the run's time is counted from this call.
pub fn pair(network: &Network) -> (Stream, Stream) {
    observed_pair(network, Instant::now(), 0, None)
}

/// The address that the far end of a simulated connection is said to have; for tonic's request extensions and for logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddress(
    /// The loopback address and a port that is the connection's number.
    pub SocketAddr,
);

impl PeerAddress {
    pub(crate) fn number(self) -> u32 {
        u32::from(self.0.port())
    }
}

pub(crate) fn observed_pair(
    network: &Network,
    start: Instant,
    number: u32,
    observer: Option<Arc<dyn Observer>>,
) -> (Stream, Stream) {
    let shared = Arc::new(Shared {
        start,
        number,
        observer,
        state: Mutex::new(State { link: Link::new(network), readers: [None, None], writers: [None, None] }),
    });
    let client = Stream { shared: Arc::clone(&shared), side: Side::Client, sleep: None };
    let server = Stream { shared, side: Side::Server, sleep: None };
    (client, server)
}

struct Shared {
    start: Instant,
    number: u32,
    observer: Option<Arc<dyn Observer>>,
    state: Mutex<State>,
}

struct State {
    link: Link,
    readers: [Option<Waker>; 2],
    writers: [Option<Waker>; 2],
}

impl Shared {
    fn now(&self) -> Duration {
        Instant::now() - self.start
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wake(&mut self, side: Side) {
        for waker in
            [self.readers[side.index()].take(), self.writers[side.index()].take()].into_iter().flatten()
        {
            waker.wake();
        }
    }
}

impl Stream {
    /// The number of the connection among those of its run, from 0.
    pub fn number(&self) -> u32 {
        self.shared.number
    }

    /// Where the far end is said to be.
    pub fn peer_address(&self) -> PeerAddress {
        let port = u16::try_from(self.shared.number).unwrap_or(u16::MAX);
        PeerAddress(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }

    /// Aborts the connection: the far end gets a reset.
    pub fn reset(&mut self) {
        let now = self.shared.now();
        let mut state = self.shared.lock();
        state.link.reset(self.side, now);
        state.wake(self.side.other());
        if let Some(observer) = &self.shared.observer {
            observer.reset(now, self.side);
        }
    }

    /// Waits for the next segment, or the rest of one, without copying it.
    pub(crate) fn poll_arrival(&mut self, context: &mut Context<'_>, most: usize) -> Poll<Arrival> {
        loop {
            let now = self.shared.now();
            let until = {
                let mut state = self.shared.lock();
                match state.link.read(self.side, now, most) {
                    Arrival::Nothing { until } => {
                        state.readers[self.side.index()] = Some(context.waker().clone());
                        until
                    }
                    arrival => {
                        if let Some(waker) = state.writers[self.side.other().index()].take() {
                            waker.wake();
                        }
                        return Poll::Ready(arrival);
                    }
                }
            };
            let Some(until) = until else {
                return Poll::Pending;
            };
            let at = self.shared.start + until;
            match &mut self.sleep {
                Some(sleep) if sleep.deadline() == at => {}
                Some(sleep) => sleep.as_mut().reset(at),
                None => self.sleep = Some(Box::pin(tokio::time::sleep_until(at))),
            }
            let sleep = self.sleep.as_mut().expect("armed above");
            ready!(sleep.as_mut().poll(context));
        }
    }

    /// Sends as much of `bytes` as the window takes.
    pub(crate) fn poll_send(&mut self, context: &mut Context<'_>, bytes: &Bytes) -> Poll<io::Result<usize>> {
        let now = self.shared.now();
        let mut state = self.shared.lock();
        let side = self.side;
        let written = state.link.write(side, now, bytes, |segment| {
            if let Some(observer) = &self.shared.observer {
                observer.segment(now, side, segment);
            }
        });
        match written {
            Ok(0) if !bytes.is_empty() => {
                state.writers[side.index()] = Some(context.waker().clone());
                Poll::Pending
            }
            Ok(written) => {
                state.wake(side.other());
                Poll::Ready(Ok(written))
            }
            Err(Closed::Here) => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            Err(Closed::Reset) => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
    }

    fn finish(&mut self) {
        let now = self.shared.now();
        let mut state = self.shared.lock();
        if state.link.finish(self.side, now).is_some() {
            state.wake(self.side.other());
            if let Some(observer) = &self.shared.observer {
                observer.end(now, self.side);
            }
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let now = self.shared.now();
        let mut state = self.shared.lock();
        let how = state.link.close(self.side, now);
        state.wake(self.side.other());
        if let Some(observer) = &self.shared.observer {
            match how {
                Some(Ending::Finish) => observer.end(now, self.side),
                Some(Ending::Reset) => observer.reset(now, self.side),
                None => {}
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        match ready!(self.get_mut().poll_arrival(context, buffer.remaining())) {
            Arrival::Bytes(bytes) => buffer.put_slice(&bytes),
            Arrival::Reset => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            Arrival::End | Arrival::Nothing { .. } => {}
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().poll_send(context, &Bytes::copy_from_slice(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut joined = BytesMut::with_capacity(slices.iter().map(|slice| slice.len()).sum());
        for slice in slices {
            joined.extend_from_slice(slice);
        }
        self.get_mut().poll_send(context, &joined.freeze())
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().finish();
        Poll::Ready(Ok(()))
    }
}

impl tonic::transport::server::Connected for Stream {
    type ConnectInfo = PeerAddress;

    fn connect_info(&self) -> PeerAddress {
        self.peer_address()
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Stream")
            .field("number", &self.shared.number)
            .field("side", &self.side)
            .finish()
    }
}
