//! Services chosen by each request, for connections that carry gRPC and other HTTP mixed.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::Extension;
use axum::routing::get;
use axum::{Router, http::HeaderMap};
use http_body_util::BodyExt;
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response, StatusCode, body::Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use muxbed::mux::per_request::{PerRequest, under};
use muxbed::mux::{Facts, Handle, Mux, Rule, Rules, Streams, serve_http, serve_http_with};
use muxbed::{Network, Outcome};
use tokio::io::DuplexStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::body::Body;
use tonic::service::Routes;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

const LOAD_BALANCER: &str = "192.0.2.7:4711";

fn http() -> Mux {
    Mux::new(Rules::new().to("all", Rule::Http2).to("all", Rule::Http1))
}

fn health() -> Routes {
    Routes::new(tonic_health::server::health_reporter().1)
}

fn web() -> Router {
    Router::new()
        .route("/", get(async || "hello"))
        .route("/peer", get(peer))
        .fallback(async || "nothing here")
}

async fn peer(Extension(facts): Extension<Facts>, headers: HeaderMap) -> String {
    assert!(headers.contains_key("host"), "HTTP/1.1 has it");
    facts.peer().map(|peer| peer.to_string()).unwrap_or_default()
}

/// A port with both services, in memory.
struct Port {
    door: mpsc::UnboundedSender<std::io::Result<DuplexStream>>,
    handle: Handle,
    serving: JoinHandle<()>,
}

impl Port {
    fn of(web: Router) -> Self {
        let (door, accepted) = mpsc::unbounded_channel();
        let from = |_: &DuplexStream| {
            let peer: SocketAddr = LOAD_BALANCER.parse().expect("it is an address");
            Facts { socket_peer: Some(peer), ..Facts::default() }
        };
        let listener = Streams::with_facts(UnboundedReceiverStream::new(accepted), from);
        let mut listening = http().listen(listener);
        let all = listening.route("all");
        let handle = listening.handle();
        tokio::spawn(listening.run());
        let serving = tokio::spawn(serve_http(all, PerRequest::new(health(), web)));
        Self { door, handle, serving }
    }

    fn dial(&self) -> TokioIo<DuplexStream> {
        let (near, far) = tokio::io::duplex(64 * 1024);
        self.door.send(Ok(far)).expect("it listens");
        TokioIo::new(near)
    }

    async fn over_http2(&self) -> http2::SendRequest<Body> {
        let (sender, connection) =
            http2::handshake(TokioExecutor::new(), self.dial()).await.expect("it connects");
        tokio::spawn(connection);
        sender
    }

    async fn over_http1(&self) -> http1::SendRequest<Body> {
        let (sender, connection) = http1::handshake(self.dial()).await.expect("it connects");
        tokio::spawn(connection);
        sender
    }
}

fn rest(path: &str) -> Request<Body> {
    let uri = format!("http://server{path}");
    Request::get(uri).header("host", "server").body(Body::empty()).expect("it is a request")
}

async fn text(response: Response<Incoming>) -> String {
    let body = response.into_body().collect().await.expect("it is complete").to_bytes();
    String::from_utf8(body.to_vec()).expect("it is text")
}

/// tonic's own client on this one connection.
fn grpc_on(
    connection: &http2::SendRequest<Body>,
) -> HealthClient<
    impl tower::Service<Request<Body>, Response = Response<Incoming>, Error = hyper::Error, Future: Send>
    + Clone
    + use<>,
> {
    let connection = connection.clone();
    let service = tower::service_fn(move |request| connection.clone().send_request(request));
    HealthClient::with_origin(service, "http://server".parse().expect("it is an address"))
}

#[tokio::test(start_paused = true)]
async fn one_http2_connection_carries_a_health_check_and_a_get() {
    let port = Port::of(web());
    let mut connection = port.over_http2().await;
    for _ in 0..2 {
        let checked = grpc_on(&connection).check(HealthCheckRequest::default()).await.expect("it is served");
        assert_eq!(checked.into_inner().status(), ServingStatus::Serving);
        let answer = connection.send_request(rest("/")).await.expect("it is answered");
        assert_eq!((answer.status(), text(answer).await.as_str()), (StatusCode::OK, "hello"));
    }
}

#[tokio::test(start_paused = true)]
async fn both_at_once_are_answered_by_their_own() {
    let port = Port::of(web());
    let mut connection = port.over_http2().await;
    let mut grpc = grpc_on(&connection);
    let get = connection.send_request(rest("/"));
    let (checked, answer) = tokio::join!(grpc.check(HealthCheckRequest::default()), get);
    assert_eq!(checked.expect("it is served").into_inner().status(), ServingStatus::Serving);
    assert_eq!(text(answer.expect("it is answered")).await, "hello");
}

#[tokio::test(start_paused = true)]
async fn grpc_web_is_not_grpc_and_a_service_that_tonic_does_not_know_is_tonics_to_refuse() {
    let port = Port::of(web());
    let mut connection = port.over_http2().await;
    for (content_type, tonics) in [
        ("application/grpc", true),
        ("application/grpc+proto", true),
        ("application/grpc;charset=utf-8", true),
        ("application/grpc-web", false),
        ("application/grpc-web+proto", false),
        ("application/json", false),
    ] {
        let request = Request::post("http://server/no.Such/Method").header("content-type", content_type);
        let request = request.body(Body::empty()).expect("it is a request");
        let answer = connection.send_request(request).await.expect("it is answered");
        assert_eq!(answer.headers().get("grpc-status").is_some_and(|status| status == "12"), tonics);
        assert_eq!(text(answer).await == "nothing here", !tonics, "{content_type}");
    }
}

#[tokio::test(start_paused = true)]
async fn http1_is_served_as_well_and_knows_who_connected() {
    let port = Port::of(web());
    let mut connection = port.over_http1().await;
    for (path, expected) in [("/", "hello"), ("/peer", LOAD_BALANCER), ("/", "hello")] {
        let mut request = rest(path);
        *request.uri_mut() = path.parse().expect("it is a path");
        assert_eq!(text(connection.send_request(request).await.expect("it is answered")).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_what_is_being_answered_and_not_for_who_is_idle() {
    let (asked, mut was_asked) = mpsc::unbounded_channel();
    let slow = async move || {
        let (answer, answered) = oneshot::channel();
        asked.send(answer).expect("the test waits for it");
        answered.await.expect("the test answers")
    };
    let port = Port::of(web().route("/slow", get(slow)));
    let mut idle = port.over_http2().await;
    assert_eq!(text(idle.send_request(rest("/")).await.expect("it is answered")).await, "hello");
    let mut busy = port.over_http1().await;
    let slow = tokio::spawn(async move { busy.send_request(rest("/slow")).await });
    let answer: oneshot::Sender<&str> = was_asked.recv().await.expect("it is asked");
    port.handle.drain(Duration::from_secs(1));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!port.serving.is_finished(), "somebody is being answered");
    assert!(idle.ready().await.is_err(), "who is idle was told to go");
    answer.send("at last").expect("it is awaited");
    let answer = slow.await.expect("it ends").expect("it is answered");
    assert_eq!(text(answer).await, "at last");
    port.serving.await.expect("it ends");
}

/// Chosen by path, and with hyper's settings of one's own.
async fn by_path(incoming: muxbed::Incoming) {
    let mut listening = http().listen(Streams::new(incoming));
    let all = listening.route("all");
    tokio::spawn(listening.run());
    let service = PerRequest::choosing(under("/grpc.health.v1.Health"), health(), web());
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().auto_date_header(false);
    server.http2().auto_date_header(false).max_concurrent_streams(7);
    serve_http_with(all, service, server).await;
}

#[test]
fn clients_that_wait_for_settings_and_those_that_do_not_are_served() {
    for client in ["grpc-go@1.17.0", "grpc-go@1.33.3", "grpcio@1.85.1", "tonic@0.14.9"] {
        for network in [Network::default(), Network::every_byte()] {
            let run = muxbed::bed().client(client).server(by_path).network(network).run();
            assert_eq!(run.outcome(), Outcome::Served { route: "grpc".into() }, "{run}");
            assert!(run.works(), "{run}");
        }
    }
}

#[test]
fn a_client_gets_hypers_settings_and_no_others() {
    let run = muxbed::bed().client("grpc-go@1.33.3").server(by_path).run().to_string();
    let settings: Vec<&str> =
        run.lines().filter(|line| line.contains("< SETTINGS") && !line.contains("SETTINGS ack")).collect();
    assert_eq!(settings.len(), 1, "{run}");
    assert!(settings[0].contains("MAX_CONCURRENT_STREAMS=7"), "{run}");
}
