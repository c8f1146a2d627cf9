//! A multiplexer with the mistake that many have made: it looks at what one read gives it, and decides.
//!
//! While a client's preface comes in one piece nothing is wrong with it, and that is what a test on one machine shows.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use muxbed::Incoming;
use muxbed::net::Stream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;

/// gRPC to tonic, everything else to somebody who knows nothing.
pub(crate) async fn one_read_and_decide(mut incoming: Incoming) {
    let (grpc, accepted) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let (_reporter, health) = tonic_health::server::health_reporter();
        let server = tonic::transport::Server::builder().add_service(health);
        server.serve_with_incoming(UnboundedReceiverStream::new(accepted)).await
    });
    while let Some(mut stream) = incoming.accept().await {
        let grpc = grpc.clone();
        tokio::spawn(async move {
            let mut first = [0; 24];
            let length = stream.read(&mut first).await?;
            if first.starts_with(b"PRI * HTTP/2.0") {
                drop(grpc.send(Ok::<_, io::Error>(Again { first, read: 0, length, stream })));
            } else {
                stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await?;
            }
            io::Result::Ok(())
        });
    }
}

/// A stream whose first bytes are read again.
struct Again {
    first: [u8; 24],
    read: usize,
    length: usize,
    stream: Stream,
}

impl AsyncRead for Again {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read == self.length {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let end = self.length.min(self.read + buffer.remaining());
        buffer.put_slice(&self.first[self.read..end]);
        self.read = end;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Again {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl tonic::transport::server::Connected for Again {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}
