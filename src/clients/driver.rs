//! Brings a channel's machine together with its connections: the only place where a simulated client meets a runtime.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;
use tokio::time::{Instant, Sleep};

use crate::net::{Arrival, Side, Stream};
use crate::script::Hello;
use crate::tls::{ClientSession, Opened};

use super::channel::Channel;
use super::connection::Request;

/// Runs a client until its work is done and its connections are closed. `dial` opens a connection; `ended` is told of
/// every call that ends, by its number, and `inside` of what TLS hides on the link; `weary` is asked now and then whether
/// the run has become too long, and ends it.
pub(crate) async fn run(
    channel: &mut Channel,
    start: Instant,
    mut dial: impl FnMut() -> std::io::Result<Stream>,
    mut ended: impl FnMut(&Channel, usize, Duration),
    mut inside: impl FnMut(u32, Duration, Inside),
    weary: impl Fn() -> bool,
) {
    let mut sockets: Vec<Socket> = Vec::new();
    let mut sleep: Option<Pin<Box<Sleep>>> = None;
    // So many of them, from the first, are closed.
    let mut closed = 0;
    // When it leaves whatever is still there: a write that nobody reads, an end that nobody sends.
    let mut leaves: Option<Duration> = None;
    let mut told = 0;
    poll_fn(|context| {
        loop {
            let now = Instant::now() - start;
            channel.advance(now);
            while sockets.len() < channel.connections() {
                match dial() {
                    Ok(stream) => sockets.push(Socket::open(stream, channel.hello())),
                    Err(_refused) => {
                        sockets.push(Socket::closed());
                        channel.was_reset(sockets.len() - 1, now);
                    }
                }
            }
            let mut progressed = false;
            closed += sockets[closed..].iter().take_while(|socket| socket.is_closed()).count();
            for (number, socket) in sockets.iter_mut().enumerate().skip(closed) {
                progressed |= socket.poll(channel, number, now, context, &mut inside);
            }
            while told < channel.records().len() {
                ended(channel, told, now);
                told += 1;
            }
            let gone = channel.is_over() && sockets[closed..].iter().all(Socket::is_closed);
            if gone || leaves.is_some_and(|at| at <= now) || channel.never_rests() || weary() {
                return Poll::Ready(());
            }
            if progressed || sockets.len() < channel.connections() {
                continue;
            }
            let at = channel.next_time().unwrap_or_else(|| *leaves.get_or_insert(now + channel.patience()));
            let at = start + at;
            match &mut sleep {
                Some(sleep) if sleep.deadline() == at && !sleep.is_elapsed() => {}
                Some(sleep) => sleep.as_mut().reset(at),
                None => sleep = Some(Box::pin(tokio::time::sleep_until(at))),
            }
            match sleep.as_mut().map(|sleep| sleep.as_mut().poll(context)) {
                Some(Poll::Ready(())) => {}
                _ => return Poll::Pending,
            }
        }
    })
    .await;
}

/// What happens inside a TLS session, where the link shows only records.
pub(crate) enum Inside {
    /// The handshake is over, and the server has chosen this protocol or none.
    Secured { protocol: Option<String> },
    /// Application data went out or came in.
    Data { from: Side, bytes: Bytes },
}

/// The socket of one connection.
struct Socket {
    stream: Option<Stream>,
    session: Option<ClientSession>,
    /// What is left of a write that met a full window.
    unsent: Bytes,
    /// An end that waits until the session has said so.
    put_off: Option<Request>,
    readable: bool,
}

impl Socket {
    fn open(stream: Stream, hello: Option<&Hello>) -> Self {
        let mut session = hello.map(ClientSession::new);
        let unsent = session.as_mut().and_then(ClientSession::next_write).unwrap_or_default();
        Self { stream: Some(stream), session, unsent, put_off: None, readable: true }
    }

    fn closed() -> Self {
        Self { stream: None, session: None, unsent: Bytes::new(), put_off: None, readable: false }
    }

    fn is_closed(&self) -> bool {
        self.stream.is_none()
    }

    /// Does what the connection asks for and reads what is there; whether anything happened.
    fn poll(
        &mut self,
        channel: &mut Channel,
        number: usize,
        now: Duration,
        context: &mut Context<'_>,
        inside: &mut impl FnMut(u32, Duration, Inside),
    ) -> bool {
        let mut happened = false;
        while self.poll_requests(channel, number, now, context, inside)
            | self.poll_read(channel, number, now, context, inside)
        {
            happened = true;
        }
        happened
    }

    fn poll_requests(
        &mut self,
        channel: &mut Channel,
        number: usize,
        now: Duration,
        context: &mut Context<'_>,
        inside: &mut impl FnMut(u32, Duration, Inside),
    ) -> bool {
        let mut happened = false;
        loop {
            let Some(stream) = &mut self.stream else {
                while channel.next_request(number).is_some() {}
                return happened;
            };
            if !self.unsent.is_empty() {
                match stream.poll_send(context, &self.unsent) {
                    Poll::Ready(Ok(sent)) => self.unsent.advance(sent),
                    Poll::Ready(Err(_)) => {
                        self.unsent.clear();
                        // What had arrived before the reset is still read first.
                        if !self.readable {
                            channel.was_reset(number, now);
                        }
                    }
                    Poll::Pending => return happened,
                }
                happened = true;
                continue;
            }
            // A last word of the session goes out before the end that it announces.
            let request = channel.next_request(number);
            let Some(request) = request.or_else(|| self.put_off.take()) else { return happened };
            match (&mut self.session, request) {
                (Some(session), Request::Write(bytes)) => {
                    session.write(&bytes);
                    self.unsent = session.next_write().unwrap_or_default();
                    inside(stream.number(), now, Inside::Data { from: Side::Client, bytes });
                }
                (None, Request::Write(bytes)) => self.unsent = bytes,
                (Some(session), end @ (Request::Finish | Request::Close)) if !session.is_closed() => {
                    self.unsent = session.close().unwrap_or_default();
                    self.put_off = Some(end);
                }
                (_, Request::Finish) => {
                    let _ = Pin::new(stream).poll_shutdown(context);
                }
                (_, Request::Close) => self.stream = None,
                (_, Request::Reset) => {
                    stream.reset();
                    self.stream = None;
                }
            }
            happened = true;
        }
    }

    fn poll_read(
        &mut self,
        channel: &mut Channel,
        number: usize,
        now: Duration,
        context: &mut Context<'_>,
        inside: &mut impl FnMut(u32, Duration, Inside),
    ) -> bool {
        let Some(stream) = self.stream.as_mut().filter(|_| self.readable) else {
            return false;
        };
        match stream.poll_arrival(context, usize::MAX) {
            Poll::Ready(Arrival::Bytes(bytes)) => match &mut self.session {
                None => channel.received(number, &bytes, now),
                Some(session) => {
                    let connection = stream.number();
                    let opened = session.received(&bytes);
                    self.unsent =
                        [&self.unsent[..], &session.next_write().unwrap_or_default()].concat().into();
                    for opened in opened {
                        self.take(opened, channel, number, now, |what| inside(connection, now, what));
                    }
                }
            },
            Poll::Ready(Arrival::End) => {
                self.readable = false;
                channel.ended(number, now);
            }
            Poll::Ready(Arrival::Reset) => {
                self.readable = false;
                channel.was_reset(number, now);
            }
            Poll::Ready(Arrival::Nothing { .. }) | Poll::Pending => return false,
        }
        true
    }

    /// What came out of the session.
    fn take(
        &mut self,
        opened: Opened,
        channel: &mut Channel,
        number: usize,
        now: Duration,
        mut inside: impl FnMut(Inside),
    ) {
        match opened {
            Opened::Established { protocol } => {
                inside(Inside::Secured { protocol: protocol.clone() });
                channel.secured(number, protocol.as_deref(), now);
            }
            Opened::Data(bytes) => {
                inside(Inside::Data { from: Side::Server, bytes: bytes.clone() });
                channel.received(number, &bytes, now);
            }
            Opened::End => {
                self.readable = false;
                channel.ended(number, now);
            }
            Opened::Broken(trouble) => {
                self.readable = false;
                channel.broke(number, trouble, now);
            }
        }
    }
}
