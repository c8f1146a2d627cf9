//! Will this client still shake hands with that server?
//!
//! muxbed is a multiplexer that serves gRPC and HTTP on one port, and the test-bed that proves it: a simulated network on
//! which real versions of gRPC clients, as data, meet that multiplexer, models of others, or your own server. Each
//! handshake ends in a named [`Outcome`], with the exact text that the client's user reads, and where timing decides, with
//! every result that can happen.
//!
//! # Your own server under test
//!
//! A [server](bed::Server) is anything that takes a stream of connections. No ports, no sleeping, no tokio test macro; a stall
//! of 20 seconds is found in microseconds.
//!
//! ```
//! use muxbed::{Incoming, Outcome};
//!
//! async fn my_service(incoming: Incoming) {
//!     let (_reporter, health) = tonic_health::server::health_reporter();
//!     let server = tonic::transport::Server::builder().add_service(health);
//!     server.serve_with_incoming(incoming).await.expect("the listener does not fail");
//! }
//!
//! let run = muxbed::bed().client("grpc-go@1.33.3").server(my_service).run();
//! assert_eq!(run.outcome(), Outcome::Served { route: "grpc".into() }, "{run}");
//! ```
//!
//! A connection is [`tokio::io::AsyncRead`] + [`tokio::io::AsyncWrite`], so hyper takes it as it is, here every profile of
//! grpc-go since 1.77 against a server that has no gRPC at all:
//!
//! ```
//! use http_body_util::Empty;
//! use hyper::{Response, StatusCode, body::Bytes, server::conn::http2, service::service_fn};
//! use hyper_util::rt::{TokioExecutor, TokioIo};
//! use muxbed::{Incoming, Network};
//!
//! async fn not_found(mut incoming: Incoming) {
//!     while let Some(stream) = incoming.accept().await {
//!         let service = service_fn(async |_| {
//!             Response::builder().status(StatusCode::NOT_FOUND).body(Empty::<Bytes>::new())
//!         });
//!         tokio::spawn(http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service));
//!     }
//! }
//!
//! for run in muxbed::bed().clients("grpc-go@>=1.77").server(not_found).network(Network::every_byte()).run_all() {
//!     let says = run.ending.says().unwrap_or_default();
//!     assert!(says.starts_with("rpc error: code = Unimplemented desc = unexpected HTTP status code"), "{run}");
//! }
//! ```
//!
//! A [`Run`] displays as a ladder of what was sent when, short enough for a snapshot. [`Scenario::replay`] takes the clients from
//! a packet capture instead, and drives your server with what really was on the wire.
//!
//! # Your own client under test
//!
//! A [client](bed::Client) can be code too: it dials through its [`Session`](bed::Session), makes its calls, and says how each
//! ended. Here tonic itself meets cmux in front of tonic, whose answer to a surplus acknowledgement is a GOAWAY:
//!
//! ```
//! use hyper_util::rt::TokioIo;
//! use muxbed::bed::Session;
//! use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
//!
//! async fn my_client(session: Session) {
//!     let dialer = session.clone();
//!     let dial = tower::service_fn(move |_| {
//!         let stream = dialer.dial();
//!         async move { stream.map(TokioIo::new) }
//!     });
//!     let endpoint = tonic::transport::Endpoint::from_static("http://server");
//!     let mut client = HealthClient::new(endpoint.connect_with_connector(dial).await.expect("it connects"));
//!     session.ended(client.check(HealthCheckRequest::default()).await.map(drop));
//! }
//!
//! let run = |server: &str| {
//!     let server = server.parse().expect("it is a server");
//!     muxbed::bed().real_client("my client", my_client).named_server(server).run()
//! };
//! assert!(run("mux-to-tonic").works());
//! assert!(!run("cmux-settings-to-tonic").works());
//! ```
//!
//! # The map
//!
//! There is one way through: text, profile, capture or fuzz bytes become a script; the bed runs it against a server over a
//! network; the transcript becomes an outcome, the outcome a report. Nothing flows back.
//!
//! | module | is |
//! |---|---|
//! | [`wire`] | what bytes mean: HTTP/2 frames, HPACK, heads of HTTP/1, TLS records and hellos, PROXY headers |
//! | [`mux`] | the multiplexer: a classifier without socket, clock or task, and what it owes both sides |
//! | [`serve`] | the multiplexer as a program: configuration, listeners, back ends |
//! | [`net`] | the simulated network: links, cuts, faults, on a virtual clock |
//! | [`script`] | the one form that everything which can be run has, as text and as bytes |
//! | [`clients`] | profiles of client versions as data, and what runs them |
//! | [`servers`] | the servers by name: back ends, and other multiplexers bug for bug |
//! | [`capture`] | packet captures, in and out |
//! | [`mod@bed`] | runs a scenario under a family of schedules: transcript, then outcome |
//! | [`outcome`], [`exchange`] | the words of a verdict; what a connection amounts to |
//! | [`fidelity`], [`upgrade`], [`scenarios`] | predictions beside recordings; two versions beside each other; known scenarios |
//! | [`live`] | the catalogue's clients against a real server at an address |
//! | [`fuzzing`] | what the fuzz targets check, a harness for your own server, and scenarios made smaller |
//! | [`report`], [`cli`] | text for people, JSON for programs; arguments and exit codes |

// The oracles of `tests/h2_oracle` name the crate as every other test does.
#[cfg(test)]
extern crate self as muxbed;

// One program is compiled and linked for each mutant, and not three: `.ci/mutants`.
#[cfg(test)]
#[cfg(mutation)]
#[path = "../tests/wire_and_mux.rs"]
mod wire_and_mux;

pub use bed::{Run, Scenario, bed};
pub use net::{Incoming, Network};
pub use outcome::Outcome;

pub mod bed;
pub mod capture;
pub mod cli;
pub mod clients;
pub mod exchange;
pub mod fidelity;
pub mod fuzzing;
pub mod live;
pub mod mux;
pub mod net;
pub mod outcome;
pub mod report;
pub mod scenarios;
pub mod script;
pub mod serve;
pub mod servers;
pub mod upgrade;
pub mod wire;

mod draw;
mod flight;
mod hexadecimal;
mod nearest;
mod planted;
mod quantity;
mod tls;
