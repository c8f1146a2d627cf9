//! A connection that has been given to a route.
//!
//! The back end reads what was sniffed and then the rest; what the multiplexer said or owes is kept from both sides by two
//! filters (see [`settings`](super::settings)). As soon as nothing is left to take out, reads and writes go straight to
//! the connection itself, vectored ones too.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::replay::Replay;
use super::settings::{FromClient, FromServer};
use super::sniffer::HandOver;
use crate::wire::filter::Filter;

/// A connection behind the multiplexer.
#[derive(Debug)]
pub struct Connection<S> {
    inner: Replay<S>,
    from_client: Filter<FromClient>,
    /// Filtered, and not read yet.
    readable: Bytes,
    from_server: Filter<FromServer>,
    /// Filtered, and not written yet.
    unwritten: BytesMut,
}

impl<S> Connection<S> {
    pub(crate) fn new(stream: S, hand_over: HandOver) -> Self {
        Self {
            inner: Replay::new(Bytes::new(), stream),
            from_client: hand_over.from_client,
            readable: hand_over.replay,
            from_server: hand_over.from_server,
            unwritten: hand_over.owed,
        }
    }

    /// The connection itself.
    pub fn inner(&self) -> &S {
        self.inner.inner()
    }
}

impl<S: AsyncRead + Unpin> Connection<S> {
    fn poll_filtered(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut scratch = [0; 2048];
        let mut out = BytesMut::new();
        while out.is_empty() {
            let mut read = ReadBuf::new(&mut scratch);
            ready!(Pin::new(&mut self.inner).poll_read(context, &mut read))?;
            if read.filled().is_empty() {
                // The end: what was held back of a last frame goes too.
                self.from_client.release(&mut out);
                break;
            }
            self.from_client.push(read.filled(), &mut out);
        }
        self.readable = out.freeze();
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> Connection<S> {
    fn poll_unwritten(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unwritten.is_empty() {
            let written = ready!(Pin::new(&mut self.inner).poll_write(context, &self.unwritten))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unwritten.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    fn is_plain(&self) -> bool {
        self.unwritten.is_empty() && self.from_server.is_transparent()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let connection = self.get_mut();
        if connection.readable.is_empty() {
            if connection.from_client.is_transparent() {
                return Pin::new(&mut connection.inner).poll_read(context, buffer);
            }
            ready!(connection.poll_filtered(context))?;
        }
        let length = connection.readable.len().min(buffer.remaining());
        buffer.put_slice(&connection.readable.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let connection = self.get_mut();
        if connection.is_plain() {
            return Pin::new(&mut connection.inner).poll_write_vectored(context, slices);
        }
        ready!(connection.poll_unwritten(context))?;
        if connection.is_plain() {
            return Pin::new(&mut connection.inner).poll_write_vectored(context, slices);
        }
        let mut taken = 0;
        for slice in slices {
            connection.from_server.push(slice, &mut connection.unwritten);
            taken += slice.len();
        }
        // What can't be written now is written before anything else.
        match connection.poll_unwritten(context) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(taken)),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let connection = self.get_mut();
        ready!(connection.poll_unwritten(context))?;
        Pin::new(&mut connection.inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let connection = self.get_mut();
        connection.from_server.release(&mut connection.unwritten);
        ready!(connection.poll_unwritten(context))?;
        Pin::new(&mut connection.inner).poll_shutdown(context)
    }
}
