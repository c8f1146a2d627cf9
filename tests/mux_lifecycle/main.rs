//! A multiplexer's whole life in virtual time: silence, slowness and pieces (B1 to B11), size and abuse (C1 to C7),
//! closing, draining, reloading (F1 to F6). The numbers are those of the catalogue of what its peers get wrong.

mod abuse;
mod life;
mod silence;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use muxbed::mux::{Connection, Counters, Handle, Listener, Mux, Rule, Rules, Streams, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_stream::wrappers::UnboundedReceiverStream;

type Accepted = Connection<Transport<DuplexStream>>;
type Incoming = Streams<UnboundedReceiverStream<io::Result<DuplexStream>>, DuplexStream>;

/// gRPC by header and HTTP/1 beside it, within 5 s.
fn grpc_and_http() -> Mux {
    Mux::new(Rules::new().to("grpc", Rule::Grpc).to("http", Rule::Http1)).deadline(Duration::from_secs(5))
}

/// A multiplexer that runs, and all that is around it.
struct Running {
    /// Connects to it; dropping this is the end of the listener.
    door: Option<mpsc::UnboundedSender<io::Result<DuplexStream>>>,
    grpc: muxbed::mux::Connections<DuplexStream>,
    http: muxbed::mux::Connections<DuplexStream>,
    counters: Arc<Counters>,
    handle: Handle,
    ended: JoinHandle<muxbed::mux::Ended>,
    started: Instant,
}

impl Running {
    fn start(mux: Mux) -> Self {
        let (door, connections) = mpsc::unbounded_channel();
        Self::with(mux, door, Streams::new(UnboundedReceiverStream::new(connections)))
    }

    fn with(mux: Mux, door: mpsc::UnboundedSender<io::Result<DuplexStream>>, listener: Incoming) -> Self {
        let counters = Arc::new(Counters::default());
        let mut listening = mux.listen(listener).observer(Arc::clone(&counters));
        let (grpc, http) = (listening.route("grpc"), listening.route("http"));
        let handle = listening.handle();
        let ended = tokio::spawn(listening.run());
        Self { door: Some(door), grpc, http, counters, handle, ended, started: Instant::now() }
    }

    fn connect(&self) -> DuplexStream {
        let (client, server) = duplex(64 * 1024);
        self.door.as_ref().expect("it is open").send(Ok(server)).expect("it runs");
        client
    }

    async fn says(&self, bytes: &[u8]) -> DuplexStream {
        let mut client = self.connect();
        client.write_all(bytes).await.expect("there is room");
        client
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn assert_closed(&self, reason: &str, times: u64) {
        assert_eq!(self.counters.closed(reason), times, "{}", self.counters);
    }
}

/// Reads to the end, whatever it is.
async fn rest(mut stream: impl tokio::io::AsyncRead + Unpin) -> Vec<u8> {
    let mut bytes = Vec::new();
    drop(stream.read_to_end(&mut bytes).await);
    bytes
}

/// Lets everything happen that needs no time.
async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

fn assert_listener<L: Listener>() {}

#[test]
fn tcp_ports_unix_sockets_and_streams_are_listened_on() {
    assert_listener::<tokio::net::TcpListener>();
    #[cfg(unix)]
    assert_listener::<tokio::net::UnixListener>();
    assert_listener::<Incoming>();
}
