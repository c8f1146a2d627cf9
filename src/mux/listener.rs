//! Where connections come from: a TCP port, a Unix socket, or anything else that gives one after another.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

use super::facts::Facts;

/// A connection with what is known of it, or none if there will be no more.
pub type Next<S> = io::Result<Option<(S, Facts)>>;

/// Gives connections, one after another.
pub trait Listener: Send + Unpin {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection.
    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<Next<Self::Stream>>;
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<Next<TcpStream>> {
        let (stream, peer) = ready!(TcpListener::poll_accept(self, context))?;
        // What a client is waiting for must not be kept back: a multiplexer's own words are short. A connection that has
        // ended already fails here, which is for whoever reads it to find out.
        drop(stream.set_nodelay(true));
        let facts =
            Facts { socket_peer: Some(peer), socket_local: stream.local_addr().ok(), ..Facts::default() };
        Poll::Ready(Ok(Some((stream, facts))))
    }
}

#[cfg(unix)]
impl Listener for tokio::net::UnixListener {
    type Stream = tokio::net::UnixStream;

    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<Next<tokio::net::UnixStream>> {
        let (stream, _unnamed) = ready!(tokio::net::UnixListener::poll_accept(self, context))?;
        Poll::Ready(Ok(Some((stream, Facts::default()))))
    }
}

/// The connections that a stream gives.
#[derive(Debug)]
pub struct Streams<T, S> {
    connections: T,
    facts: fn(&S) -> Facts,
}

impl<T, S> Streams<T, S>
where
    T: Stream<Item = io::Result<S>>,
{
    /// These connections, of which nothing else is known.
    pub fn new(connections: T) -> Self {
        Self { connections, facts: |_| Facts::default() }
    }

    /// These connections, and how to learn what is known of one.
    pub fn with_facts(connections: T, facts: fn(&S) -> Facts) -> Self {
        Self { connections, facts }
    }
}

impl<T, S> Listener for Streams<T, S>
where
    T: Stream<Item = io::Result<S>> + Send + Unpin,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = S;

    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<Next<S>> {
        let next = ready!(Pin::new(&mut self.connections).poll_next(context)).transpose()?;
        Poll::Ready(Ok(next.map(|stream| {
            let facts = (self.facts)(&stream);
            (stream, facts)
        })))
    }
}
