//! Somebody else's server under exploration: what is broken is caught, and what is not is left alone.

#[path = "../examples/broken_multiplexer/multiplexer.rs"]
mod multiplexer;
#[path = "../examples/hyper_auto/server.rs"]
mod server;

use std::panic::AssertUnwindSafe;

use muxbed::fuzzing::explore;
use muxbed::{Incoming, Outcome};

#[test]
fn a_multiplexer_that_decides_on_one_read_is_caught_by_a_cut() {
    let exploration = explore(multiplexer::one_read_and_decide).seed(7);
    let finding = exploration.run(200).expect_err("it decides on one read");
    assert_ne!(finding.run.outcome(), Outcome::Served { route: "grpc".into() });
    let text = finding.to_string();
    assert!(text.contains("to-server"), "a cut is what it takes: {text}");
    let number = finding.number.expect("it was drawn");
    assert!(text.contains(&format!(".seed(7).run_one({number})")), "{text}");
    let again = exploration.run_one(number).expect_err("it is found again");
    assert_eq!(again.to_string(), text, "what is printed repeats it");
    let by_bytes = std::panic::catch_unwind(AssertUnwindSafe(|| exploration.meet(&finding.bytes)));
    assert!(by_bytes.is_err(), "a fuzz target finds it by these bytes");
}

#[test]
fn without_a_cut_it_serves_everybody() {
    explore(multiplexer::one_read_and_decide).meet(&[]);
}

#[test]
fn hyper_auto_serves_every_grpc_client_whatever_a_stranger_does() {
    let explored = explore(server::hyper_auto).seed(7).run(300).unwrap_or_else(|finding| panic!("{finding}"));
    assert_eq!(explored.runs, 300);
    assert!(explored.served > 280, "strangers that never rest are few: {explored:?}");
}

#[test]
fn a_panic_that_a_stranger_causes_is_a_finding_though_the_good_client_is_served() {
    async fn panics_at_a_get(mut incoming: Incoming) {
        let (queue, accepted) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(server_of(accepted));
        while let Some(stream) = incoming.accept().await {
            let queue = queue.clone();
            tokio::spawn(async move {
                let mux =
                    muxbed::mux::Mux::new(muxbed::mux::Rules::new().to("grpc", muxbed::mux::Rule::Grpc));
                match mux.sniff(stream, &()).await {
                    muxbed::mux::Sniffed::Routed { connection, .. } => drop(queue.send(connection)),
                    muxbed::mux::Sniffed::Closed(why) => panic!("nobody expects {why}"),
                }
            });
        }
    }
    let finding = explore(panics_at_a_get).seed(7).run(200).expect_err("some stranger is no gRPC client");
    assert!(matches!(finding.run.outcome(), Outcome::Panicked { .. }), "{finding}");
}

async fn server_of<S>(mut accepted: tokio::sync::mpsc::UnboundedReceiver<S>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (_reporter, health) = tonic_health::server::health_reporter();
    let service = hyper_util::service::TowerToHyperService::new(tonic::service::Routes::new(health));
    while let Some(stream) = accepted.recv().await {
        let http = hyper::server::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new());
        tokio::spawn(http.serve_connection(hyper_util::rt::TokioIo::new(stream), service.clone()));
    }
}
