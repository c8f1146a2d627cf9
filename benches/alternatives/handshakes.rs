//! Handshakes: real ones, h2 against h2, over the simulated link and over what it stands beside; and whole runs of the
//! bed, with scripted clients, also for the handshake that never comes.
//!
//! The real ones all do the same: preface, SETTINGS both ways, one request and its answer, and the close, on one thread.
//! They run in a runtime that is made once, since what is measured is the connection. Of a run of the bed everything
//! counts that a sweep over many scenarios pays: the client's plan, a runtime of its own, both sides, the transcript and
//! the verdict. The catalogue is read once, as in any program.

use std::hint::black_box;
use std::io;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use muxbed::bed::{Scenario, bed};
use muxbed::clients::Work;
use muxbed::net::{Cuts, Network, pair};
use muxbed::outcome::Outcome;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;

use super::measure::{Subject, Unit};

const LOOPBACK: &str = "h2 handshake over loopback TCP";
const DUPLEX: &str = "h2 handshake over tokio's duplex";
const DUPLEX_BYTES: &str = "h2 handshake over duplex, byte by byte";
const LINK: &str = "h2 handshake over the link";
const ONE_CALL: &str = "grpc-go@1.33.3 through mux, one schedule";
const STALL: &str = "a 20 s stall (cmux-header), one schedule";
const TWENTY_SECONDS: &str = "the 20 s themselves";

pub(crate) fn subjects() -> Vec<Subject> {
    let mut subjects = vec![
        Subject::new(LOOPBACK, Unit::Often, over_loopback()),
        Subject::new(DUPLEX, Unit::Often, over(|| tokio::io::duplex(65_536))),
        Subject::new(LINK, Unit::Often, over_link(Network::default()))
            .beside(DUPLEX, Some(1.0))
            .beside(LOOPBACK, Some(10.0)),
        Subject::new(
            DUPLEX_BYTES,
            Unit::Often,
            over(|| {
                let (client, server) = tokio::io::duplex(65_536);
                (ByteByByte(client), ByteByByte(server))
            }),
        ),
        Subject::new(
            "h2 handshake over the link, byte by byte",
            Unit::Often,
            over_link(Network::cut(Cuts::EveryByte)),
        )
        .beside(DUPLEX_BYTES, Some(1.0))
        .beside(LINK, None),
    ];
    subjects.extend(runs());
    subjects
}

fn runs() -> Vec<Subject> {
    let served = scenario("grpc-go@1.33.3", "mux");
    assert!(served.run_once().outcome().is_served());
    let real_back_end = scenario("grpc-go@1.33.3", "mux-to-tonic");
    assert!(real_back_end.run_once().outcome().is_served());
    let stalled = scenario("grpc-go@1.33.3", "cmux-header");
    assert!(matches!(stalled.run_once().outcome(), Outcome::Stalled { .. }));
    vec![
        Subject::once("a fresh runtime and nothing in it", Unit::Often, || {
            let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
            let runtime = runtime.expect("a runtime without I/O needs nothing that could be missing");
            runtime.block_on(async {});
        }),
        once(ONE_CALL, Unit::Often, &served).aim(150_000.0).beside(LOOPBACK, None),
        once("the same with tonic itself behind it", Unit::Often, &real_back_end).beside(ONE_CALL, None),
        family("the same with the model, all schedules", Unit::Often, &served).beside(ONE_CALL, None),
        Subject::known(TWENTY_SECONDS, Unit::Time, 20.0),
        once(STALL, Unit::Time, &stalled).aim(50e-6).beside(TWENTY_SECONDS, None),
        family("the same, all schedules", Unit::Time, &stalled).beside(STALL, None),
    ]
}

fn scenario(client: &str, server: &str) -> Scenario {
    let server = server.parse().expect("a known server");
    bed().client(client).named_server(server).work(Work { calls: 1, ..Work::default() })
}

fn once(name: &str, unit: Unit, scenario: &Scenario) -> Subject {
    let scenario = scenario.clone();
    Subject::once(name, unit, move || drop(black_box(scenario.run_once())))
}

fn family(name: &str, unit: Unit, scenario: &Scenario) -> Subject {
    let scenario = scenario.clone();
    Subject::once(name, unit, move || drop(black_box(scenario.run())))
}

fn over_link(network: Network) -> impl FnMut(usize) {
    over(move || pair(&network))
}

/// Handshakes over what `connect` makes, on a paused clock.
fn over<S>(connect: impl Fn() -> (S, S)) -> impl FnMut(usize)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without I/O needs nothing that could be missing");
    move |times| {
        runtime.block_on(async {
            for _ in 0..times {
                let (client, server) = connect();
                handshake(client, server).await.expect("nothing breaks the connection");
            }
        });
    }
}

fn over_loopback() -> impl FnMut(usize) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime with I/O");
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    move |times| {
        runtime.block_on(async {
            for _ in 0..times {
                let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
                let client = client.expect("the listener is there");
                let (server, _) = accepted.expect("the client is there");
                for stream in [&client, &server] {
                    stream.set_nodelay(true).expect("a socket takes this option");
                    // Ports that wait for stray segments would run out.
                    stream.set_zero_linger().expect("a socket takes this option");
                }
                handshake(client, server).await.expect("nothing breaks the connection");
            }
        });
    }
}

/// One request and its answer.
async fn handshake<S>(client: S, server: S) -> Result<(), h2::Error>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let serving = tokio::spawn(async move {
        let mut connection = h2::server::handshake(server).await?;
        while let Some(request) = connection.accept().await {
            let (_, mut respond) = request?;
            respond.send_response(http::Response::new(()), true)?;
        }
        Ok::<(), h2::Error>(())
    });
    let (mut requests, connection) = h2::client::handshake(client).await?;
    let connection = tokio::spawn(connection);
    let request = http::Request::post("http://127.0.0.1:50051/grpc.health.v1.Health/Check");
    let request = request.header("content-type", "application/grpc").body(()).expect("it is well formed");
    let (answer, _) = requests.send_request(request, true)?;
    answer.await?;
    drop(requests);
    // How the connection ends is not the same everywhere: over TCP without lingering it is a reset.
    drop((connection.await, serving.await));
    Ok(())
}

/// Hands out one byte a read, which is the fair alternative to a link that delivers every byte by itself.
pub(crate) struct ByteByByte<S>(pub(crate) S);

impl<S: AsyncRead + Unpin> AsyncRead for ByteByByte<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut byte = [0];
        let mut one = ReadBuf::new(&mut byte);
        ready!(Pin::new(&mut self.get_mut().0).poll_read(context, &mut one))?;
        buffer.put_slice(one.filled());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ByteByByte<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(context)
    }
}
