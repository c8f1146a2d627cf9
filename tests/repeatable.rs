//! A run is a function of its scenario: twice in one process and once in another, every event is the same, byte for byte.

use std::collections::BTreeMap;
use std::process::Command;

use muxbed::bed::{Run, What, bed};
use muxbed::clients::KnownClient;
use muxbed::scenarios::SCENARIOS;
use muxbed::script::Transport;
use muxbed::servers::ServerName;
use muxbed::upgrade::servers;

const FAMILIES: [&str; 3] = ["grpc-go@*", "grpcio@*", "grpc-js@*"];

fn run(client: &KnownClient, server: ServerName) -> Run {
    bed().known_client(client.clone()).named_server(server).seed(7).run()
}

/// What another process says of the same: client, server and all that can happen, with the trace.
fn in_another_process(arguments: &[&str]) -> Vec<serde_json::Value> {
    let program = env!("CARGO_BIN_EXE_muxbed");
    let output = Command::new(program).arg("run").args(arguments).args(["--format", "json"]).output();
    let output = output.expect("the program runs");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("it is UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect()
}

#[test]
fn every_client_against_every_server_gives_the_same_events_again() {
    let servers = servers();
    let names: Vec<String> = servers.iter().map(ToString::to_string).collect();
    let mut arguments = vec!["--seed", "7"];
    arguments.extend(FAMILIES.iter().flat_map(|family| ["--client", family]));
    arguments.extend(names.iter().flat_map(|name| ["--server", name.as_str()]));
    let elsewhere: BTreeMap<(String, String), serde_json::Value> = in_another_process(&arguments)
        .into_iter()
        .map(|line| ((line["client"].to_string(), line["server"].to_string()), line))
        .collect();
    let find = |family| KnownClient::find_all(family).expect("the family is known");
    let clients: Vec<KnownClient> = FAMILIES.into_iter().flat_map(find).collect();
    assert_eq!(elsewhere.len(), clients.len() * servers.len());
    for client in &clients {
        for &server in &servers {
            let (first, second) = (run(client, server), run(client, server));
            assert_eq!(first.ending.transcript, second.ending.transcript, "{first}\n{second}");
            assert_eq!((&first.ending, &first.may), (&second.ending, &second.may));
            let key = (format!("\"{}\"", first.client), format!("\"{server}\""));
            assert_eq!(muxbed::report::run_line(&first), elsewhere[&key].to_string(), "{first}");
        }
    }
}

#[test]
fn every_scenario_gives_the_same_events_again() {
    for scenario in SCENARIOS {
        let script = scenario.script().expect("it can be read");
        let runs = || bed().script(&script).expect("its clients are known").run_all();
        let (first, second) = (runs(), runs());
        let traces = |runs: &[Run]| runs.iter().map(Run::trace).collect::<Vec<_>>();
        assert_eq!(traces(&first), traces(&second), "{}", scenario.name);
        let elsewhere = in_another_process(&["--scenario", scenario.name]);
        let elsewhere: Vec<&str> = elsewhere.iter().filter_map(|line| line["trace"].as_str()).collect();
        assert_eq!(traces(&first), elsewhere, "{}", scenario.name);
    }
}

/// What was on the link, records of TLS and all.
fn segments(run: &Run) -> String {
    let segments = run.ending.transcript.events().iter().filter_map(|event| match &event.what {
        What::Segment { from, bytes } => Some((event.at, event.connection, from, bytes)),
        _ => None,
    });
    segments.map(|segment| format!("{segment:?}\n")).collect()
}

fn over_tls() -> impl Iterator<Item = (String, Run)> {
    let clients = ["grpc-go@1.33.3", "grpc-go@1.83.1", "grpcio@1.32.0", "grpc-js@1.13.0", "grpc-java@1.85.1"];
    let servers =
        ["tls-direct", "tls-cmux-header", "tls-mux-to-tonic", "tls-noalpn-cmux-settings", "tls-optional-mux"];
    let pairs = clients.into_iter().flat_map(move |client| servers.map(|server| (client, server)));
    let alone = pairs.map(|(client, server)| {
        let scenario = bed().client(client).over(Transport::Tls);
        (format!("{client} {server}"), scenario.named_server(server.parse().expect("it is a server")).run())
    });
    let scenarios = SCENARIOS.iter().filter(|scenario| scenario.text.contains("tls-"));
    alone.chain(scenarios.flat_map(|scenario| {
        let script = scenario.script().expect("it can be read");
        let runs = bed().script(&script).expect("its clients are known").run_all();
        runs.into_iter().map(|run| (scenario.name.to_owned(), run))
    }))
}

const FILE_OF_ANOTHER_PROCESS: &str = "MUXBED_TEST_SEGMENTS";

#[test]
fn over_tls_the_bytes_on_the_link_are_the_same_in_another_process() {
    let here: String = over_tls().map(|(name, run)| format!("{name}\n{}", segments(&run))).collect();
    if let Some(file) = std::env::var_os(FILE_OF_ANOTHER_PROCESS) {
        // This is the other one.
        std::fs::write(file, here).expect("the directory can be written to");
        return;
    }
    assert!(here.contains(r#"b"\x16\x03\x01"#), "a ClientHello is among them");
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("segments-over-tls");
    let this = std::env::current_exe().expect("it has a path");
    let mut command = Command::new(this);
    command.args(["--exact", "over_tls_the_bytes_on_the_link_are_the_same_in_another_process"]);
    let status = command.env(FILE_OF_ANOTHER_PROCESS, &file).output().expect("it runs").status;
    assert!(status.success());
    let there = std::fs::read_to_string(&file).expect("it was written");
    assert!(here == there, "the bytes differ");
}

#[test]
fn a_trace_tells_runs_apart() {
    let trace = |client: &str, server: &str| {
        let server = server.parse().expect("it is a server");
        bed().client(client).named_server(server).run().trace()
    };
    let direct = trace("grpc-go@1.33.3", "direct");
    assert_ne!(direct, trace("grpc-go@1.33.3", "mux"));
    assert_ne!(direct, trace("grpc-go@1.33.2", "direct"), "it calls itself otherwise");
}
