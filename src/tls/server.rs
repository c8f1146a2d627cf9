//! The server's side: a listener's connections with TLS taken off them.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use rustls::ServerConfig;
use rustls::server::NoServerSessionStorage;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::mux::Replay;

use super::identity::IDENTITY;
use super::provider::{PROVIDER, StoppedClock};

/// What a listener offers by ALPN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// `h2` and `http/1.1`.
    Protocols,
    /// No ALPN at all: it answers none.
    Nothing,
}

/// Shakes hands with a client and gives the connection inside. A client that does not shake hands properly has got an alert
/// by then; one that does not begin with a handshake record gets no word, as crypto/tls does it (Go 1.27 `crypto/tls/conn.go`
/// readRecordOrCCS: a first record that does not look like TLS).
pub(crate) async fn accept<S>(mut stream: S, offer: Offer) -> io::Result<Secured<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let config = match offer {
        Offer::Protocols => &WITH_ALPN,
        Offer::Nothing => &WITHOUT_ALPN,
    };
    let mut first = [0];
    stream.read_exact(&mut first).await?;
    if first != [HANDSHAKE] {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let stream = Replay::new(Bytes::copy_from_slice(&first), stream);
    Ok(Secured(TlsAcceptor::from(Arc::clone(config)).accept(stream).await?))
}

/// A handshake record's type (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;

/// A connection with TLS taken off it. Dropping it says `close_notify` first, as crypto/tls does on closing.
pub(crate) struct Secured<S: AsyncRead + AsyncWrite + Unpin>(TlsStream<Replay<S>>);

impl<S: AsyncRead + AsyncWrite + Unpin> Secured<S> {
    /// Whether ALPN chose HTTP/2.
    pub(crate) fn chose_http2(&self) -> bool {
        self.0.get_ref().1.alpn_protocol() == Some(b"h2")
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Drop for Secured<S> {
    fn drop(&mut self) {
        let (stream, session) = self.0.get_mut();
        session.send_close_notify();
        let mut records = Vec::new();
        while session.wants_write() && session.write_tls(&mut records).is_ok() {}
        let mut context = Context::from_waker(Waker::noop());
        // A client that has left, or does not read, misses nothing.
        let _ = Pin::new(stream).poll_write(&mut context, &records);
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Secured<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Secured<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let stream = &mut self.get_mut().0;
        let written = Pin::new(&mut *stream).poll_write(context, bytes);
        // Each write leaves at once, as on a connection without TLS.
        let _ = Pin::new(stream).poll_flush(context);
        written
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(context)
    }
}

static WITH_ALPN: LazyLock<Arc<ServerConfig>> = LazyLock::new(|| config(&[b"h2", b"http/1.1"]));

static WITHOUT_ALPN: LazyLock<Arc<ServerConfig>> = LazyLock::new(|| config(&[]));

fn config(protocols: &[&[u8]]) -> Arc<ServerConfig> {
    let builder = ServerConfig::builder_with_details(Arc::clone(&PROVIDER), Arc::new(StoppedClock))
        .with_safe_default_protocol_versions()
        .expect("ring has suites of both versions");
    let builder = builder.with_no_client_auth();
    let mut config = builder
        .with_single_cert(vec![IDENTITY.certificate.clone()], IDENTITY.key())
        .expect("the certificate is of this key");
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Arc::new(config)
}
