//! `muxbed check` against servers on real sockets of this machine: what it says is what the bed says of the model.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Command;
use std::time::Duration;

use muxbed::bed::find_client;
use muxbed::live::{LiveServer, SurplusAck};
use muxbed::outcome::{Outcome, Party, WaitingFor};
use serde_json::Value;

/// A server in a thread of its own, for as long as the test lives.
#[expect(clippy::disallowed_methods, reason = "a live server has a clock and a thread of its own")]
fn serve(server: impl FnOnce(TcpListener) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || server(listener));
    address
}

/// Real tonic with its health service.
fn tonic() -> SocketAddr {
    serve(|listener| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            listener.set_nonblocking(true).expect("it is a socket");
            let listener = tokio::net::TcpListener::from_std(listener).expect("it is a socket");
            let incoming = tonic::transport::server::TcpIncoming::from(listener);
            let (_reporter, health) = tonic_health::server::health_reporter();
            let server = tonic::transport::Server::builder().add_service(health);
            server.serve_with_incoming(incoming).await.expect("it serves");
        });
    })
}

/// Accepts, reads and never answers.
fn mute() -> SocketAddr {
    serve(|listener| {
        let mut streams = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let _ = stream.read(&mut [0; 33]);
            streams.push(stream);
        }
    })
}

fn server(address: SocketAddr) -> LiveServer {
    LiveServer::new(address, &address.to_string()).patience(Duration::from_secs(2))
}

#[test]
fn a_real_tonic_serves_waiting_and_early_clients() {
    let server = server(tonic());
    for client in ["grpc-go@1.17.0", "grpc-go@1.33.3", "grpcio@1.85.1", "tonic@0.14.9"] {
        let run = server.meet(&find_client(client).expect("a known client"));
        assert_eq!(run.outcome(), Outcome::Served { route: "grpc".into() }, "{run}");
        assert_eq!(run.ending.calls.len(), 2);
    }
}

#[test]
fn what_a_client_reads_after_20_seconds_is_known_before() {
    let server = server(mute());
    let run = server.meet(&find_client("grpc-go@1.33.3").expect("a known client"));
    let stalled = Outcome::Stalled { who: Party::Client, waiting_for: WaitingFor::Settings };
    assert_eq!(run.outcome(), stalled, "{run}");
    let says = run.ending.says().unwrap_or_default();
    assert_eq!(says, "rpc error: code = Unavailable desc = timed out waiting for server handshake");
    assert_eq!(run.ending.at().as_secs(), 20);
}

#[test]
fn the_probe_tells_when_settings_come_and_what_a_surplus_acknowledgement_does() {
    let probe = server(tonic()).probe();
    let greeting = probe.settings.expect("tonic sends SETTINGS");
    assert!(greeting.unasked, "h2 sends its SETTINGS before it reads the preface");
    assert_eq!(probe.surplus_ack, SurplusAck::GoAway(1));
    let probe = server(mute()).probe();
    assert_eq!((probe.settings, probe.surplus_ack), (None, SurplusAck::NotAsked));
}

#[test]
fn the_command_exits_with_1_if_a_client_is_not_served_and_with_2_if_nobody_listens() {
    let muxbed = |address: &str, more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muxbed"));
        command.args(["check", address, "--patience", "2s"]).args(more).output().expect("it runs")
    };
    let address = mute().to_string();
    let output =
        muxbed(&address, &["--client", "grpc-go@1.17.0", "--client", "grpc-go@1.18.0", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let lines: Vec<Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("an object a line"))
        .collect();
    assert_eq!(lines.len(), 3);
    assert_eq!((&lines[1]["outcome"], &lines[1]["waiting_for"]), (&"stalled".into(), &"settings".into()));
    assert_eq!(lines[2]["probe"]["surplus_ack"], "not-asked");
    let output = muxbed(&tonic().to_string(), &[]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.starts_with("served grpc-go@1.8.0, "), "{text}");
    assert!(text.contains("it answers GOAWAY PROTOCOL_ERROR"), "{text}");
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    let output = muxbed(&closed.expect("a port").to_string(), &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("refused"), "{output:?}");
}
