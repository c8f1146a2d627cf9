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
use tonic::transport::server::{Connected, TcpConnectInfo};

use super::facts::Facts;
use super::settings::{FromClient, encoded};
use super::sniffer::{Accounts, HandOver};
use crate::wire::Frame;
use crate::wire::filter::Filter;

/// A connection behind the multiplexer.
#[derive(Debug)]
pub struct Connection<S> {
    inner: S,
    /// Sniffed or filtered, and not read yet.
    readable: Bytes,
    /// What is left to be taken out.
    accounts: Option<Box<Accounts>>,
    facts: Box<Facts>,
}

impl<S> Connection<S> {
    pub(crate) fn new(stream: S, mut facts: Box<Facts>, hand_over: HandOver) -> Self {
        let HandOver { replay, accounts, header } = hand_over;
        if let Some(header) = header {
            facts.proxy_header = Some(header.into());
        }
        Self { inner: stream, readable: replay, accounts, facts }
    }

    /// What is known of it besides its bytes.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The connection itself.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// Whether everything that is read and written from now on goes straight to the connection itself.
    pub fn is_unfiltered(&self) -> bool {
        self.readable.is_empty() && self.accounts.is_none()
    }

    /// Forgets the accounts when they are settled.
    fn settle(&mut self) {
        if self.accounts.as_ref().is_some_and(|accounts| accounts.are_settled()) {
            self.accounts = None;
        }
    }
}

impl Accounts {
    fn are_settled(&self) -> bool {
        self.unwritten.is_empty() && !self.looks_at_the_client() && self.from_server.is_transparent()
    }

    /// Whether there is, or may come to be, something to change in what the client sends.
    fn looks_at_the_client(&self) -> bool {
        self.from_server.judge.settings_to_come || !self.from_client.is_transparent()
    }

    /// Takes up what has waited until the back end has acknowledged what was acknowledged before it.
    fn go_on(&mut self, readable: &mut Bytes) {
        if self.from_server.judge.surplus_acks == 0 && std::mem::take(&mut self.from_client.judge.is_ahead) {
            self.deliver(readable, Filter::go_on);
        }
    }

    /// Gives the back end the acknowledgement of SETTINGS that the multiplexer's have spoken for: the client's, if it is still
    /// to come, and otherwise one in its place.
    fn acknowledge_what_was_spoken_for(&mut self, readable: &mut Bytes) {
        if !std::mem::take(&mut self.from_server.judge.spoken_for) {
            return;
        }
        if self.from_client.judge.unacknowledged > 0 {
            self.from_client.judge.unacknowledged -= 1;
            return;
        }
        self.deliver(readable, |from_client, out| from_client.insert(encoded(&Frame::SettingsAck), out));
    }

    /// Lets whoever waits for the client read what comes out of its filter.
    fn deliver(&mut self, readable: &mut Bytes, take: impl FnOnce(&mut Filter<FromClient>, &mut BytesMut)) {
        let mut out = BytesMut::from(std::mem::take(readable));
        take(&mut self.from_client, &mut out);
        *readable = out.freeze();
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

impl<S: AsyncRead + Unpin> Connection<S> {
    fn poll_filtered(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(accounts) = &mut self.accounts else { return Poll::Ready(Ok(())) };
        let mut scratch = [0; 4096];
        let mut out = BytesMut::new();
        while out.is_empty() {
            let mut read = ReadBuf::new(&mut scratch);
            let waits = accounts.from_client.is_waiting();
            if waits || Pin::new(&mut self.inner).poll_read(context, &mut read)?.is_pending() {
                accounts.reader = Some(context.waker().clone());
                return Poll::Pending;
            }
            if read.filled().is_empty() {
                // The end: what was held back of a last frame goes too.
                accounts.from_client.release(&mut out);
                break;
            }
            accounts.from_client.push(read.filled(), &mut out);
        }
        self.readable = out.freeze();
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> Connection<S> {
    fn poll_unwritten(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(accounts) = &mut self.accounts else { return Poll::Ready(Ok(())) };
        while !accounts.unwritten.is_empty() {
            let written = ready!(Pin::new(&mut self.inner).poll_write(context, &accounts.unwritten))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            accounts.unwritten.advance(written);
        }
        self.settle();
        Poll::Ready(Ok(()))
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
            if !connection.accounts.as_deref().is_some_and(Accounts::looks_at_the_client) {
                return Pin::new(&mut connection.inner).poll_read(context, buffer);
            }
            ready!(connection.poll_filtered(context))?;
            connection.settle();
        }
        let length = connection.readable.len().min(buffer.remaining());
        buffer.put_slice(&connection.readable[..length]);
        connection.readable.advance(length);
        if connection.readable.is_empty() {
            // The memory of what was sniffed.
            connection.readable = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let connection = self.get_mut();
        if connection.accounts.is_none() {
            return Pin::new(&mut connection.inner).poll_write(context, bytes);
        }
        Pin::new(connection).poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let connection = self.get_mut();
        ready!(connection.poll_unwritten(context))?;
        let filtered = connection.accounts.as_mut().filter(|accounts| !accounts.from_server.is_transparent());
        let Some(accounts) = filtered else {
            return Pin::new(&mut connection.inner).poll_write_vectored(context, slices);
        };
        let mut taken = 0;
        for slice in slices {
            accounts.from_server.push(slice, &mut accounts.unwritten);
            taken += slice.len();
        }
        accounts.acknowledge_what_was_spoken_for(&mut connection.readable);
        accounts.go_on(&mut connection.readable);
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
        if let Some(accounts) = &mut connection.accounts {
            accounts.from_server.release(&mut accounts.unwritten);
            // It says nothing more, an acknowledgement neither.
            accounts.from_server.judge.surplus_acks = 0;
            accounts.go_on(&mut connection.readable);
        }
        ready!(connection.poll_unwritten(context))?;
        Pin::new(&mut connection.inner).poll_shutdown(context)
    }
}

/// A server of tonic's knows the addresses, as `Request::remote_addr` gives them; see [`Connection::facts`] for the rest.
impl<S> Connected for Connection<S> {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.facts.connect_info()
    }
}
