//! gRPC and HTTP on one port, and the two kinds of client that such a port has to please.
//!
//! A real tonic and a real axum share a port of 127.0.0.1. An early client sends its request at once; a waiting one sends nothing
//! but the preface and SETTINGS until it has the server's SETTINGS, which is what hung behind cmux. They are the profiles of
//! two releases of grpc-go, over real sockets; tonic's own client and a plain `GET` come after them. It ends by itself, with 1 if
//! anybody is not answered.

#![expect(clippy::print_stdout, reason = "an example says what happens")]

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use muxbed::bed::find_client;
use muxbed::live::LiveServer;
use muxbed::mux::{Mux, Rule, Rules, serve_http};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tonic::transport::{Endpoint, Server};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

const EARLY: &str = "grpc-go@1.17.0";
const WAITING: &str = "grpc-go@1.33.3";

type Answer = Result<String, String>;

#[tokio::main]
async fn main() -> ExitCode {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    println!("gRPC and HTTP on {address}");

    let rules = Rules::new().to("grpc", Rule::Grpc).to("web", Rule::Http1);
    let mut listening = Mux::new(rules).listen(listener);
    let (grpc, web) = (listening.route("grpc"), listening.route("web"));
    let handle = listening.handle();

    let (_reporter, health) = tonic_health::server::health_reporter();
    let tonic = Server::builder().add_service(health).serve_with_incoming(grpc);
    let axum = serve_http(web, Router::new().route("/", get(async || "hello from axum")));
    let servers = tokio::spawn(async { tokio::join!(listening.run(), tonic, axum) });

    let answers = [
        ("an early client", EARLY, profile(address, EARLY).await),
        ("a waiting client", WAITING, profile(address, WAITING).await),
        ("tonic's client", "health check", tonic_client(address).await.map_err(|status| status.to_string())),
        ("an HTTP client", "GET /", http_client(address).await.map_err(|error| error.to_string())),
    ];

    handle.drain(Duration::from_secs(1));
    let (_, tonic, ()) = servers.await.expect("no server panics");
    tonic.expect("the listener does not fail");

    let mut all = true;
    for (who, what, answer) in answers {
        all &= answer.is_ok();
        match answer {
            Ok(answer) => println!("{who:<16} {what:<14}  answered: {answer}"),
            Err(error) => println!("{who:<16} {what:<14}  NOT ANSWERED: {error}"),
        }
    }
    if all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Two health checks, as this client makes them.
#[expect(
    clippy::disallowed_methods,
    reason = "the client runs on a runtime and a clock of its own, against a real server"
)]
async fn profile(address: SocketAddr, client: &'static str) -> Answer {
    let meet = move || {
        let client = find_client(client).expect("the catalogue has it");
        let run = LiveServer::new(address, &address.to_string()).meet(&client);
        if run.works() { Ok(run.outcome().to_string()) } else { Err(run.to_string()) }
    };
    tokio::task::spawn_blocking(meet).await.expect("it does not panic")
}

async fn tonic_client(address: SocketAddr) -> Result<String, Box<dyn std::error::Error>> {
    let channel = Endpoint::from_shared(format!("http://{address}"))?.connect().await?;
    let checked = HealthClient::new(channel).check(HealthCheckRequest::default()).await?;
    Ok(format!("{:?}", checked.into_inner().status()))
}

async fn http_client(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200 ") => Ok(body.to_owned()),
        _ => Err(std::io::Error::other(answer)),
    }
}
