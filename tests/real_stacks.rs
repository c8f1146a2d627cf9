//! h2, hyper and tonic as they are, client and server, over the simulated link: whole, cut to bytes, cut to the size of a
//! segment, slow, and through a small window.
//!
//! Through a window of 16 bytes or fewer two ends of hyper's HTTP/2 wait for each other, over tokio's duplex just as over
//! this link: neither reads while it has something to flush.

use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::time::Duration;

use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use muxbed::net::{Cuts, Dialer, Incoming, Network, Path, listen, pair};
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

/// The networks over which everything has to work.
fn networks() -> [(&'static str, Network); 5] {
    let segment = Cuts::Segment(NonZeroUsize::new(1460).expect("not zero"));
    let few = NonZeroUsize::new(64).expect("not zero");
    let narrow = Path { window: few, ..Path::default() };
    [
        ("as written", Network::default()),
        ("every byte", Network::every_byte()),
        ("segments", Network::cut(segment)),
        ("slow", Network::latency(Duration::from_millis(70))),
        ("narrow", Network { to_server: narrow.clone(), to_client: narrow, ..Network::default() }),
    ]
}

/// Runs a test in a runtime of its own, whose clock is paused, for each network. A stall would go on for ever, so a
/// virtual hour ends it.
fn over_each_network<Fut: Future<Output = ()>>(test: impl Fn(Network) -> Fut) {
    for (name, network) in networks() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let hour = Duration::from_secs(3600);
        let ended =
            runtime.expect("a runtime").block_on(async { tokio::time::timeout(hour, test(network)).await });
        assert!(ended.is_ok(), "{name}: nothing happens any more");
    }
}

const BODY: usize = 100_000;

async fn echo(request: Request<hyper::body::Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.expect("the request arrives").to_bytes();
    Ok(Response::new(Full::new(body)))
}

fn post() -> Request<Full<Bytes>> {
    let body = Full::new(Bytes::from(vec![7; BODY]));
    Request::post("http://server/echo").header("host", "server").body(body).expect("it is a request")
}

#[test]
fn hyper_speaks_http_1_over_it() {
    over_each_network(|network| async move {
        let (client, server) = pair(&network);
        let service = hyper::service::service_fn(echo);
        tokio::spawn(
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(server), service),
        );
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(client)).await.expect("a connection");
        tokio::spawn(connection);
        for _ in 0..2 {
            let response = sender.send_request(post()).await.expect("an answer");
            let body = response.into_body().collect().await.expect("a body").to_bytes();
            assert_eq!(body, vec![7; BODY]);
        }
    });
}

#[test]
fn hyper_speaks_http_2_over_it() {
    over_each_network(|network| async move {
        let (client, server) = pair(&network);
        let service = hyper::service::service_fn(echo);
        let http = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        tokio::spawn(http.serve_connection(TokioIo::new(server), service));
        let http = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
        let (mut sender, connection) = http.handshake(TokioIo::new(client)).await.expect("a connection");
        tokio::spawn(connection);
        for _ in 0..2 {
            let response = sender.send_request(post()).await.expect("an answer");
            let body = response.into_body().collect().await.expect("a body").to_bytes();
            assert_eq!(body, vec![7; BODY]);
        }
    });
}

#[test]
fn h2_speaks_over_it() {
    over_each_network(|network| async move {
        let (client, server) = pair(&network);
        tokio::spawn(async move {
            let mut connection = h2::server::handshake(server).await.expect("a handshake");
            while let Some(accepted) = connection.accept().await {
                let (_, mut answer) = accepted.expect("a request");
                let mut body = answer.send_response(Response::new(()), false).expect("the stream is open");
                body.send_data(Bytes::from_static(b"hello"), true).expect("the stream is open");
            }
        });
        let (mut sender, connection) = h2::client::handshake(client).await.expect("a handshake");
        tokio::spawn(connection);
        let request = Request::get("http://server/").body(()).expect("it is a request");
        let (response, _) = sender.send_request(request, true).expect("the connection is open");
        let mut body = response.await.expect("an answer").into_body();
        assert_eq!(body.data().await.expect("data").expect("whole data"), "hello");
    });
}

#[test]
fn tonic_speaks_over_it() {
    over_each_network(|network| async move {
        let (dialer, incoming) = listen(network);
        tokio::spawn(serve_health(incoming));
        let mut client = HealthClient::new(channel(dialer).await);
        for _ in 0..2 {
            let answer = client.check(HealthCheckRequest::default()).await.expect("an answer").into_inner();
            assert_eq!(answer.status, ServingStatus::Serving as i32);
        }
    });
}

async fn serve_health(incoming: Incoming) {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status("", ServingStatus::Serving).await;
    let server = tonic::transport::Server::builder().add_service(health);
    server.serve_with_incoming(incoming).await.expect("the listener does not fail");
}

async fn channel(dialer: Dialer) -> tonic::transport::Channel {
    let dial = tower::service_fn(move |_: Uri| {
        let stream = dialer.dial();
        async move { stream.map(TokioIo::new) }
    });
    let endpoint = tonic::transport::Endpoint::from_static("http://server");
    endpoint.connect_with_connector(dial).await.expect("a connection")
}
