//! A TCP port that `muxbed serve` listens on, at as few system calls for a connection as there have to be.
//!
//! What is the same for all its connections is settled once: `TCP_NODELAY`, which an accepted socket takes over from its
//! listener (Linux and the BSDs), and the address that it came to, unless the listener takes any. A listener of somebody
//! else's can't be relied on for either, so [`TcpListener`] itself, as the library takes it, asks each connection.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::mux::{Facts, Listener};

/// How many connections may wait to be accepted; the system has a limit of its own.
const BACKLOG: u32 = 4096;

/// A port at work.
pub(super) struct Port {
    listener: TcpListener,
    address: SocketAddr,
}

impl Port {
    pub(super) fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.set_nodelay(true)?;
        socket.bind(address)?;
        let listener = socket.listen(BACKLOG)?;
        Ok(Self { address: listener.local_addr()?, listener })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Listener for Port {
    type Stream = TcpStream;

    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<(TcpStream, Facts)>>> {
        let (stream, peer) = ready!(self.listener.poll_accept(context))?;
        let takes_any = self.address.ip().is_unspecified();
        let local = if takes_any { stream.local_addr().ok() } else { Some(self.address) };
        let facts = Facts { socket_peer: Some(peer), socket_local: local, ..Facts::default() };
        Poll::Ready(Ok(Some((stream, facts))))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn its_connections_know_where_they_came_to_and_keep_nothing_back() {
        for bound in ["127.0.0.1:0", "0.0.0.0:0"] {
            let mut port = Port::bind(bound.parse().unwrap()).unwrap();
            let to = SocketAddr::from(([127, 0, 0, 1], port.address().port()));
            let client = TcpStream::connect(to).await.unwrap();
            let accepted = poll_fn(|context| Listener::poll_accept(&mut port, context)).await;
            let (stream, facts) = accepted.unwrap().unwrap();
            assert_eq!(facts.socket_local, Some(to));
            assert_eq!(facts.socket_peer, client.local_addr().ok());
            assert!(stream.nodelay().unwrap());
        }
    }
}
