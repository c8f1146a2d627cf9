//! A client that says its pieces one after another and notes what it hears: a connection without a network.
//!
//! It differs from the simulated link in what the target needs: between two pieces it can be silent for just as long as
//! it takes to notice that nothing is there.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// How a client says what it has to say.
#[derive(Clone, Debug)]
pub(super) struct Speech {
    /// None of them is empty.
    pub(super) pieces: Vec<Bytes>,
    /// Whether it is silent for a moment before each piece and before the end.
    pub(super) hesitates: bool,
    /// How long it stays after the last piece.
    pub(super) stays: Duration,
}

/// The client.
#[derive(Debug)]
pub(super) struct Talker {
    pieces: VecDeque<Bytes>,
    hesitates: bool,
    /// Whether it has been silent before what comes next.
    hesitated: bool,
    stays: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    /// Everything that was written to it.
    pub(super) heard: BytesMut,
}

impl Talker {
    pub(super) fn new(speech: Speech) -> Self {
        let Speech { pieces, hesitates, stays } = speech;
        Self {
            pieces: pieces.into(),
            hesitates,
            hesitated: false,
            stays,
            sleep: None,
            heard: BytesMut::new(),
        }
    }
}

impl AsyncRead for Talker {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let talker = self.get_mut();
        if talker.hesitates && !std::mem::replace(&mut talker.hesitated, true) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Some(piece) = talker.pieces.front_mut() else {
            let stays = talker.stays;
            let sleep = talker.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(stays)));
            ready!(sleep.as_mut().poll(context));
            return Poll::Ready(Ok(()));
        };
        let length = piece.len().min(buffer.remaining());
        buffer.put_slice(&piece[..length]);
        piece.advance(length);
        if piece.is_empty() {
            talker.pieces.pop_front();
            talker.hesitated = false;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Talker {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().heard.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
