//! The named servers at work: what each does with the connections that reach it.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

use crate::mux::Replay;
use crate::net::{self, Incoming, Network, PeerAddress, Stream};
use crate::tls::{self, Offer};

use super::back_end::Running;
use super::cmux::{self, Matcher};
use super::http1::{self, Handler};
use super::{Accepted, Front, Security, ServerName, muxed};

/// How long a server takes over things, in one run: part of a schedule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServerPace {
    /// Between a multiplexer's decision and the back end's first look at the connection.
    pub(crate) hand_over: Duration,
    /// Between a request and its answer.
    pub(crate) handler: Duration,
    /// Between reading and closing, for servers that close.
    pub(crate) closing: Duration,
}

/// The server's pace on each connection, by the connection's number.
pub(crate) type Tempo = Arc<dyn Fn(u32) -> ServerPace + Send + Sync>;

/// Takes down what a server says of a connection, by the connection's number.
pub(crate) trait Notes: Send + Sync {
    /// A remark for the transcript.
    fn note(&self, connection: u32, who: &'static str, remark: &str);
    /// The route that a connection was handed to.
    fn routed(&self, connection: u32, who: &'static str, route: &str);
}

/// Serves the connections of `incoming` until no more come.
pub(crate) async fn serve(
    name: ServerName,
    mut incoming: Incoming,
    tempo: Tempo,
    start: Instant,
    notes: Arc<dyn Notes>,
) {
    let back_end = match name.front {
        Front::Http1 => Running::modelled(&http1::HTTP2, start, &tempo),
        _ => Running::start(name.back_end, start, &tempo),
    };
    let serving = Serving { name, back_end, notes };
    while let Some(stream) = incoming.accept().await {
        let pace = tempo(stream.number());
        let peer = stream.peer_address();
        let serving = serving.clone();
        let offer = match name.security {
            Security::Cleartext => {
                serving.connection(stream, peer, pace, false);
                continue;
            }
            Security::TlsOptional => {
                tokio::spawn(serving.either(stream, peer, pace));
                continue;
            }
            Security::Tls => Offer::Protocols,
            Security::TlsWithoutAlpn => Offer::Nothing,
        };
        tokio::spawn(async move {
            if let Ok(stream) = tls::accept(stream, offer).await {
                let chose_http2 = stream.chose_http2();
                serving.connection(stream, peer, pace, chose_http2);
            }
        });
    }
}

#[derive(Clone)]
struct Serving {
    name: ServerName,
    back_end: Running,
    notes: Arc<dyn Notes>,
}

impl Serving {
    /// Looks at the first segment: whoever begins with a handshake record (RFC 8446, section 5.1) speaks TLS.
    async fn either(self, mut stream: Stream, peer: PeerAddress, pace: ServerPace) {
        const HANDSHAKE: u8 = 0x16;
        let mut first = BytesMut::new();
        if stream.read_buf(&mut first).await.is_err() {
            return;
        }
        let speaks_tls = first.first() == Some(&HANDSHAKE);
        let stream = Replay::new(first.freeze(), stream);
        if !speaks_tls {
            self.connection(stream, peer, pace, false);
        } else if let Ok(stream) = tls::accept(stream, Offer::Protocols).await {
            let chose_http2 = stream.chose_http2();
            self.connection(stream, peer, pace, chose_http2);
        }
    }

    fn connection<S>(self, stream: S, peer: PeerAddress, pace: ServerPace, chose_http2: bool)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { name, back_end, notes } = self;
        match name.front {
            Front::Direct if name.back_end.is_relayed() => back_end.accept(relay(stream, peer, pace.closing)),
            Front::Direct => back_end.accept(Accepted::new(stream, peer)),
            Front::CmuxHeader
            | Front::CmuxSettings
            | Front::CmuxSettingsTwice
            | Front::CmuxHeaderThenSettings
            | Front::CmuxPreface => {
                tokio::spawn(through_cmux(stream, peer, name, back_end, pace, notes));
            }
            Front::Mux => drop(tokio::spawn(muxed::serve(stream, peer, back_end, pace, notes))),
            Front::Mute => drop(tokio::spawn(mute(stream, peer, notes))),
            Front::Eof => drop(tokio::spawn(eof(stream, pace))),
            Front::Http1 if chose_http2 => back_end.accept(Accepted::new(stream, peer)),
            Front::Http1 => drop(tokio::spawn(http1::serve(stream, Handler::Nothing, pace.closing))),
        }
    }
}

/// The matchers of each recorded cmux set-up; the last is always the HTTP listener's.
fn matchers(front: Front) -> &'static [Matcher] {
    const GRPC: &str = "application/grpc";
    match front {
        Front::CmuxHeader => {
            &[Matcher::ContentType { value: GRPC, sends_settings: false }, Matcher::Http1Fast]
        }
        Front::CmuxSettings => {
            &[Matcher::ContentType { value: GRPC, sends_settings: true }, Matcher::Http1Fast]
        }
        Front::CmuxSettingsTwice => &[
            Matcher::ContentType { value: "application/grpc+proto", sends_settings: true },
            Matcher::ContentType { value: GRPC, sends_settings: true },
            Matcher::Http1Fast,
        ],
        Front::CmuxHeaderThenSettings => &[
            Matcher::ContentType { value: GRPC, sends_settings: false },
            Matcher::ContentType { value: GRPC, sends_settings: true },
            Matcher::Http1Fast,
        ],
        _ => &[Matcher::Http2, Matcher::Http1Fast],
    }
}

async fn through_cmux(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: PeerAddress,
    name: ServerName,
    back_end: Running,
    pace: ServerPace,
    notes: Arc<dyn Notes>,
) {
    let matchers = matchers(name.front);
    let number = peer.number();
    let mut noted = |remark: &str| notes.note(number, "cmux", remark);
    let Some((matched, replay)) = cmux::sniff(stream, matchers, &mut noted).await else {
        notes.note(number, "cmux", "matches nothing and closes");
        return;
    };
    if !pace.hand_over.is_zero() {
        tokio::time::sleep(pace.hand_over).await;
    }
    if matched + 1 == matchers.len() {
        notes.routed(number, "cmux", "http");
        http1::serve(replay, Handler::Page, pace.closing).await;
    } else {
        notes.routed(number, "cmux", "grpc");
        let accepted = if name.back_end.is_relayed() {
            relay(replay, peer, pace.closing)
        } else {
            Accepted::new(replay, peer)
        };
        back_end.accept(accepted);
    }
}

/// A back end in a process of its own, as in the recordings: the listener copies bytes both ways, and closes both
/// connections when either ends. A reset by the back end reaches the client as an end, unless what the client sends comes
/// between the copying's end and the close, which `closing` keeps apart: then nobody reads it, and the close is a reset.
fn relay<S>(client: S, peer: PeerAddress, closing: Duration) -> Accepted
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let (near, far) = net::pair(&Network::default());
    tokio::spawn(async move {
        let (mut from_client, mut to_client) = tokio::io::split(client);
        let (mut from_back_end, mut to_back_end) = tokio::io::split(near);
        let forth = tokio::io::copy(&mut from_client, &mut to_back_end);
        let back = tokio::io::copy(&mut from_back_end, &mut to_client);
        either(forth, back).await;
        if !closing.is_zero() {
            tokio::time::sleep(closing).await;
        }
    });
    Accepted::new(far, peer)
}

/// Polls both, the second first, until one of them is done.
async fn either(forth: impl Future, back: impl Future) {
    let mut forth = pin!(forth);
    let mut back = pin!(back);
    poll_fn(|context| {
        let done = back.as_mut().poll(context).is_ready() || forth.as_mut().poll(context).is_ready();
        if done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Reads and never answers.
async fn mute(mut stream: impl AsyncRead + Unpin, peer: PeerAddress, notes: Arc<dyn Notes>) {
    notes.note(peer.number(), "mute", "reads and never answers");
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer).await.is_ok_and(|length| length > 0) {}
}

/// Reads 33 bytes, as many as preface and empty SETTINGS have, and closes.
async fn eof(mut stream: impl AsyncRead + AsyncWrite + Unpin, pace: ServerPace) {
    let mut buffer = [0; 33];
    let read = stream.read_exact(&mut buffer).await;
    if !pace.closing.is_zero() {
        tokio::time::sleep(pace.closing).await;
    }
    drop(read);
    drop(stream.flush().await);
}
