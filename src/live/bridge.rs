//! Carries links of the bed to a real address: segments as segments, ends as ends, resets as resets.

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::bed::Recorder;
use crate::net::{Incoming, Stream};
use crate::servers::Notes;

/// The most bytes that are taken from a socket at once: no handshake's answer is cut that was not cut on the way.
const AT_ONCE: usize = 64 * 1024;

/// Carries every connection to `address` until the server has said nothing for as long as `patience`. From then on nothing is
/// carried any more, and time jumps.
pub(super) async fn carry(
    mut incoming: Incoming,
    address: SocketAddr,
    patience: Duration,
    recorder: Recorder,
) {
    let heard = Heard::default();
    let silent = Arc::new(Mutex::new(false));
    tokio::spawn(wait_for_silence(heard.clone(), Arc::clone(&silent), patience, recorder));
    while let Some(stream) = incoming.accept().await {
        heard.now(stream.number());
        let (heard, silent) = (heard.clone(), Arc::clone(&silent));
        tokio::spawn(async move {
            let mut carrying = pin!(carry_one(stream, address, heard));
            // What is silent keeps its connections open, so nothing is dropped either.
            std::future::poll_fn(|context| match *silent.lock().unwrap_or_else(PoisonError::into_inner) {
                true => Poll::Pending,
                false => carrying.as_mut().poll(context),
            })
            .await;
        });
    }
}

/// When something was last heard from the server, and on which connection.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Option<(Instant, u32)>>>);

impl Heard {
    fn now(&self, connection: u32) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), connection));
    }

    fn last(&self) -> Option<(Instant, u32)> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn wait_for_silence(heard: Heard, silent: Arc<Mutex<bool>>, patience: Duration, recorder: Recorder) {
    let begun = Instant::now();
    let connection = loop {
        let (last, connection) = heard.last().unwrap_or((begun, 0));
        tokio::time::sleep_until(last + patience).await;
        if heard.last().is_none_or(|(again, _)| again == last) {
            break connection;
        }
    };
    *silent.lock().unwrap_or_else(PoisonError::into_inner) = true;
    recorder.note(
        connection,
        "server",
        "has said nothing for as long as was waited, and is taken to stay silent",
    );
    tokio::time::pause();
}

async fn carry_one(stream: Stream, address: SocketAddr, heard: Heard) {
    let number = stream.number();
    let Ok(socket) = TcpStream::connect(address).await else {
        let mut stream = stream;
        stream.reset();
        return;
    };
    // A segment is sent when it is written, as every client here does it.
    let _ = socket.set_nodelay(true);
    let (socket_end, stream_end) = {
        let (mut from_server, mut to_server) = tokio::io::split(socket);
        let (mut from_client, mut to_client) = tokio::io::split(stream);
        let ended = {
            let forth = copy(&mut from_client, &mut to_server, || {});
            let back = copy(&mut from_server, &mut to_client, || heard.now(number));
            both(forth, back).await
        };
        let socket = from_server.unsplit(to_server);
        let mut stream = from_client.unsplit(to_client);
        if ended.is_err() {
            // Whoever aborted it, the other side learns it as it would have.
            stream.reset();
            let _ = socket.set_zero_linger();
        }
        (socket, stream)
    };
    drop((socket_end, stream_end));
}

/// Copies reads as writes until the end, which it passes on.
async fn copy(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    mut something: impl FnMut(),
) -> io::Result<()> {
    let mut buffer = vec![0; AT_ONCE];
    loop {
        let length = from.read(&mut buffer).await?;
        something();
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..length]).await?;
    }
}

/// Polls both until both are done or one has failed.
async fn both(
    forth: impl Future<Output = io::Result<()>>,
    back: impl Future<Output = io::Result<()>>,
) -> io::Result<()> {
    let (mut forth, mut back) = (pin!(forth), pin!(back));
    let (mut forth_done, mut back_done) = (false, false);
    std::future::poll_fn(move |context| {
        if let Poll::Ready(Err(error)) = poll_unless(&mut forth_done, forth.as_mut(), context) {
            return Poll::Ready(Err(error));
        }
        if let Poll::Ready(Err(error)) = poll_unless(&mut back_done, back.as_mut(), context) {
            return Poll::Ready(Err(error));
        }
        if forth_done && back_done { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await
}

fn poll_unless(
    done: &mut bool,
    future: Pin<&mut impl Future<Output = io::Result<()>>>,
    context: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    if *done {
        return Poll::Ready(Ok(()));
    }
    let polled = future.poll(context);
    *done = polled.is_ready();
    polled
}
