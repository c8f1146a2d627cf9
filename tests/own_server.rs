//! A user's own server under test, in a few lines: tonic, hyper, and servers that go wrong.

use std::convert::Infallible;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Bytes, Frame};
use hyper_util::rt::{TokioExecutor, TokioIo};
use muxbed::outcome::{Party, Refusal, WaitingFor};
use muxbed::report::junit_of_expectations;
use muxbed::{Incoming, Network, Outcome};

fn served() -> Outcome {
    Outcome::Served { route: "grpc".into() }
}

async fn tonic_server(incoming: Incoming) {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status("", tonic_health::ServingStatus::Serving).await;
    let server = tonic::transport::Server::builder().add_service(health);
    server.serve_with_incoming(incoming).await.expect("the listener does not fail");
}

/// A health service by hand: the answer's message is `SERVING` (field 1, value 1) behind its gRPC prefix.
async fn answer(
    _: Request<hyper::body::Incoming>,
) -> Result<Response<impl hyper::body::Body<Data = Bytes, Error = Infallible>>, Infallible> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let message = Frame::data(Bytes::from_static(&[0, 0, 0, 0, 2, 8, 1]));
    let frames = [Ok::<_, Infallible>(message), Ok(Frame::trailers(trailers))];
    let body = http_body_util::StreamBody::new(tokio_stream::iter(frames)).boxed();
    Ok(Response::builder().header("content-type", "application/grpc").body(body).expect("it is a response"))
}

async fn hyper_server(mut incoming: Incoming) {
    while let Some(stream) = incoming.accept().await {
        tokio::spawn(async move {
            let http = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            let service = hyper::service::service_fn(answer);
            http.serve_connection(TokioIo::new(stream), service).await
        });
    }
}

#[test]
fn tonic_serves_every_grpc_go() {
    for run in muxbed::bed().clients("grpc-go@>=1.8").server(tonic_server).run_all() {
        assert_eq!(run.outcome(), served(), "{run}");
        assert!(run.works(), "{run}");
    }
}

#[test]
fn hyper_serves_grpc_go() {
    let run = muxbed::bed().client("grpc-go@1.33.3").server(hyper_server).run();
    assert_eq!(run.outcome(), served(), "{run}");
}

#[test]
fn what_works_at_once_works_byte_by_byte_and_slowly_too() {
    for network in [Network::every_byte(), Network::latency(Duration::from_millis(40))] {
        let run = muxbed::bed().client("grpc-go@1.83.1").server(tonic_server).network(network).run();
        assert_eq!(run.outcome(), served(), "{run}");
    }
}

#[test]
fn a_server_that_never_speaks_is_a_stall_with_its_text() {
    let silent = async |mut incoming: Incoming| {
        let mut kept = Vec::new();
        while let Some(stream) = incoming.accept().await {
            kept.push(stream);
        }
    };
    let run = muxbed::bed().client("grpc-go@1.33.3").server(silent).run();
    assert_eq!(run.outcome(), Outcome::Stalled { who: Party::Client, waiting_for: WaitingFor::Settings });
    assert_eq!(run.ending.at(), Duration::from_secs(20));
    assert!(
        run.ending.says().is_some_and(|text| text.ends_with("timed out waiting for server handshake")),
        "{run}"
    );
}

#[test]
fn a_server_that_hangs_up_refuses() {
    let run = muxbed::bed().client("grpc-go@1.33.3").server(async |mut incoming: Incoming| {
        while let Some(stream) = incoming.accept().await {
            drop(stream);
        }
    });
    assert!(matches!(run.run().outcome(), Outcome::Refused(Refusal::Close | Refusal::Reset)));
}

#[test]
fn a_panic_in_any_task_of_the_server_is_the_outcome_with_its_message() {
    let run = muxbed::bed().client("grpc-go@1.33.3").server(async |mut incoming: Incoming| {
        while let Some(stream) = incoming.accept().await {
            tokio::spawn(async move {
                let _kept = stream;
                panic!("no such table: users");
            });
        }
    });
    let run = run.run();
    let Outcome::Panicked { message } = run.outcome() else { panic!("it is a panic") };
    assert!(message.starts_with("no such table: users (tests/own_server.rs:"), "{message}");
    // Whatever was expected of it.
    let junit = junit_of_expectations(&[run], &[]).expect("XML can say it");
    assert!(junit.contains("failures=\"1\"") && junit.contains("no such table: users"), "{junit}");
}

#[test]
fn of_several_clients_the_worst_speaks_for_all() {
    let scenario =
        muxbed::bed().clients("grpc-go@*").named_server("cmux-header".parse().expect("it is a server"));
    let worst = scenario.run();
    assert!(matches!(worst.outcome(), Outcome::Stalled { .. }), "{worst}");
    let works: Vec<(String, bool)> =
        scenario.run_all().into_iter().map(|run| (run.client.clone(), run.works())).collect();
    assert!(works.contains(&("grpc-go@1.17.0".to_owned(), true)), "{works:?}");
    assert!(works.contains(&("grpc-go@1.18.0".to_owned(), false)), "{works:?}");
}

#[test]
fn a_capture_is_replayed_against_it() {
    let run = muxbed::bed().replay("captures/grpc-go-1.33.3__cmux-header.pcap").server(tonic_server).run();
    assert!(run.works(), "{run}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = || muxbed::bed().client("grpc-go@1.33.3").server(tonic_server).seed(7).run();
    let first = run();
    for _ in 0..20 {
        let again = run();
        assert_eq!((again.trace(), &again.may), (first.trace(), &first.may));
    }
}

#[test]
#[should_panic(expected = "there is no client `grpc-og`; the nearest is `grpc-go`")]
fn an_unknown_client_is_said_at_once() {
    muxbed::bed().client("grpc-og@1.33.3");
}
