//! Brings a channel's machine together with its connections: the only place where a simulated client meets a runtime.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;
use tokio::time::{Instant, Sleep};

use crate::net::{Arrival, Stream};

use super::channel::Channel;
use super::connection::Request;

/// Runs a client until its work is done and its connections are closed. `dial` opens a connection; `ended` is told of
/// every call that ends, by its number; `weary` is asked now and then whether the run has become too long, and ends it.
pub(crate) async fn run(
    channel: &mut Channel,
    start: Instant,
    mut dial: impl FnMut() -> std::io::Result<Stream>,
    mut ended: impl FnMut(&Channel, usize, Duration),
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
                    Ok(stream) => sockets.push(Socket::open(stream)),
                    Err(_refused) => {
                        sockets.push(Socket::closed());
                        channel.was_reset(sockets.len() - 1, now);
                    }
                }
            }
            let mut progressed = false;
            closed += sockets[closed..].iter().take_while(|socket| socket.is_closed()).count();
            for (number, socket) in sockets.iter_mut().enumerate().skip(closed) {
                progressed |= socket.poll(channel, number, now, context);
            }
            while told < channel.records().len() {
                ended(channel, told, now);
                told += 1;
            }
            let gone = channel.is_over() && sockets[closed..].iter().all(Socket::is_closed);
            if gone || leaves.is_some_and(|at| at <= now) || weary() {
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

/// The socket of one connection.
struct Socket {
    stream: Option<Stream>,
    /// What is left of a write that met a full window.
    unsent: Bytes,
    readable: bool,
}

impl Socket {
    fn open(stream: Stream) -> Self {
        Self { stream: Some(stream), unsent: Bytes::new(), readable: true }
    }

    fn closed() -> Self {
        Self { stream: None, unsent: Bytes::new(), readable: false }
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
    ) -> bool {
        let mut happened = false;
        while self.poll_requests(channel, number, now, context)
            | self.poll_read(channel, number, now, context)
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
            match channel.next_request(number) {
                None => return happened,
                Some(Request::Write(bytes)) => self.unsent = bytes,
                Some(Request::Finish) => {
                    let _ = Pin::new(stream).poll_shutdown(context);
                }
                Some(Request::Close) => self.stream = None,
                Some(Request::Reset) => {
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
    ) -> bool {
        let Some(stream) = self.stream.as_mut().filter(|_| self.readable) else {
            return false;
        };
        match stream.poll_arrival(context, usize::MAX) {
            Poll::Ready(Arrival::Bytes(bytes)) => channel.received(number, &bytes, now),
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
}
