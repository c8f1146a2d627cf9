//! A run is a function of its scenario: twice in one process and once in another, every event is the same, byte for byte.

use std::collections::BTreeMap;
use std::process::Command;

use muxbed::bed::{Run, bed};
use muxbed::clients::KnownClient;
use muxbed::scenarios::SCENARIOS;
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
