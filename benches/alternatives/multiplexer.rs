//! The multiplexer at work: from accepting a connection to its route, and the bytes after that, beside the same without it.
//!
//! Connections are TCP on the loopback interface, and client and server share one thread, so a figure is what both cost
//! together; what counts are the ratios. Memory and allocations are asked for in `tests/mux_memory.rs`, where they have to
//! hold. Left out is the program against other programs, which have to be there to be measured.

use std::net::SocketAddr;

use muxbed::mux::{Connections, Mux, Rule, Rules};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use super::measure::{Subject, Unit};

const ACCEPT: &str = "accept 32 connections and read a GET of each";
const BYTES: &str = "1 MiB to an accepted connection";
const REQUESTS: &str = "a small message there and back";

const GET: &[u8] = b"GET /status HTTP/1.1\r\nHost: example.com\r\n\r\n";

/// How many connections come at once.
const AT_ONCE: usize = 32;

/// A write of one piece of those 1 MiB.
const PIECE: usize = 64 * 1024;

pub(crate) fn subjects() -> Vec<Subject> {
    let [plain, muxed] = [Plain::new(), Plain::new()].map(|plain| (plain.runtime, plain.listener));
    let (runtime, listener) = plain;
    let address = listener.local_addr().expect("it is bound");
    let accepts = Subject::once(ACCEPT, Unit::Often, move || {
        runtime.block_on(async {
            let _clients = say_get(address).await;
            for _ in 0..AT_ONCE {
                let (server, _) = listener.accept().await.expect("there is one");
                // As every server of HTTP does it.
                server.set_nodelay(true).expect("it is TCP");
                read_get(server).await;
            }
        });
    });
    let (runtime, listener) = muxed;
    let address = listener.local_addr().expect("it is bound");
    let mut http = listen(&runtime, listener);
    let hands_over = Subject::once("the same through the multiplexer", Unit::Often, move || {
        runtime.block_on(async {
            let _clients = say_get(address).await;
            for _ in 0..AT_ONCE {
                read_get(http.accept().await.expect("it runs")).await;
            }
        });
    });
    let subjects = vec![accepts, hands_over.beside(ACCEPT, Some(0.95))];
    subjects.into_iter().chain(after_hand_over()).collect()
}

/// What passes once a connection is its route's.
fn after_hand_over() -> impl Iterator<Item = Subject> {
    let mut subjects = Vec::new();
    let (runtime, client, server) = plain();
    subjects.push(bytes(BYTES, runtime, client, server));
    let (runtime, client, server) = handed_over();
    subjects
        .push(bytes("1 MiB to one that was handed over", runtime, client, server).beside(BYTES, Some(0.99)));
    let (runtime, client, server) = plain();
    subjects.push(requests(REQUESTS, runtime, client, server));
    let (runtime, client, server) = handed_over();
    let name = "the same on a connection that was handed over";
    subjects.push(requests(name, runtime, client, server).beside(REQUESTS, Some(0.99)));
    subjects.into_iter()
}

fn bytes(
    name: &str,
    runtime: Runtime,
    mut client: TcpStream,
    mut server: impl AsyncRead + Unpin + 'static,
) -> Subject {
    let piece = vec![7; PIECE];
    let mut read = vec![0; PIECE];
    Subject::once(name, Unit::Megabytes(16 * PIECE), move || {
        runtime.block_on(async {
            for _ in 0..16 {
                let (written, came) = tokio::join!(client.write_all(&piece), server.read_exact(&mut read));
                written.and(came.map(drop)).expect("both are open");
            }
        });
    })
}

fn requests(
    name: &str,
    runtime: Runtime,
    mut client: TcpStream,
    mut server: impl AsyncRead + AsyncWrite + Unpin + 'static,
) -> Subject {
    let mut message = [0; 64];
    Subject::once(name, Unit::Often, move || {
        runtime.block_on(async {
            client.write_all(&message).await.expect("it is open");
            server.read_exact(&mut message).await.expect("it is open");
            server.write_all(&message).await.expect("it is open");
            client.read_exact(&mut message).await.expect("it is open");
        });
    })
}

struct Plain {
    runtime: Runtime,
    listener: TcpListener,
}

impl Plain {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("there are ports");
        Self { runtime, listener }
    }
}

fn plain() -> (Runtime, TcpStream, TcpStream) {
    let Plain { runtime, listener } = Plain::new();
    let address = listener.local_addr().expect("it is bound");
    let client = runtime.block_on(TcpStream::connect(address)).expect("it listens");
    let (server, _) = runtime.block_on(listener.accept()).expect("there is one");
    client.set_nodelay(true).and(server.set_nodelay(true)).expect("it is TCP");
    (runtime, client, server)
}

fn handed_over() -> (Runtime, TcpStream, impl AsyncRead + AsyncWrite + Unpin) {
    let Plain { runtime, listener } = Plain::new();
    let address = listener.local_addr().expect("it is bound");
    let mut http = listen(&runtime, listener);
    let (client, server) = runtime.block_on(async {
        let mut client = TcpStream::connect(address).await.expect("it listens");
        client.set_nodelay(true).expect("it is TCP");
        client.write_all(GET).await.expect("there is room");
        let mut server = http.accept().await.expect("it runs");
        server.read_exact(&mut [0; GET.len()]).await.expect("it was sniffed");
        assert!(server.is_unfiltered());
        (client, server)
    });
    (runtime, client, server)
}

/// Runs the bed's multiplexer there; what comes for HTTP.
fn listen(runtime: &Runtime, listener: TcpListener) -> Connections<TcpStream> {
    let mut listening =
        Mux::new(Rules::new().to("grpc", Rule::Grpc).to("http", Rule::Http1)).listen(listener);
    let http = listening.route("http");
    runtime.spawn(listening.run());
    http
}

/// So many clients that have said something.
async fn say_get(address: SocketAddr) -> Vec<TcpStream> {
    let mut clients = Vec::with_capacity(AT_ONCE);
    for _ in 0..AT_ONCE {
        let mut client = TcpStream::connect(address).await.expect("it listens");
        client.write_all(GET).await.expect("there is room");
        clients.push(client);
    }
    clients
}

async fn read_get(mut stream: impl AsyncRead + Unpin) {
    stream.read_exact(&mut [0; GET.len()]).await.expect("it has been sent");
}
