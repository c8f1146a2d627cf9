//! How the handshakes that this project exists for go, step by step: the incident with every landmark of its story, and
//! recorded clients of each landmark version against the multiplexer.

mod reviewed;

use muxbed::bed::{Recording, bed, find_client, replay};
use muxbed::report::ladder;
use muxbed::servers::ServerName;

use reviewed::assert_ladders;

fn incident(version: &str, environment: &str) {
    for server in ["cmux-header", "cmux-settings", "cmux-preface", "mux"] {
        let variable = if environment.is_empty() {
            String::new()
        } else {
            format!("+GRPC_GO_REQUIRE_HANDSHAKE={environment}")
        };
        let known: ServerName = server.parse().expect("it is a server");
        let run = bed().client(&format!("grpc-go@{version}{variable}")).named_server(known).run();
        let environment = if environment.is_empty() { String::new() } else { format!("-{environment}") };
        assert_ladders(&format!("incident-{version}{environment}-{server}"), &run);
    }
}

#[test]
fn grpc_go_1_17_does_not_wait_for_settings() {
    incident("1.17.0", "");
}

#[test]
fn grpc_go_1_17_waits_when_told_to() {
    incident("1.17.0", "on");
}

#[test]
fn grpc_go_1_17_does_not_wait_when_told_not_to() {
    incident("1.17.0", "off");
}

#[test]
fn grpc_go_1_17_does_not_wait_as_a_hybrid() {
    incident("1.17.0", "hybrid");
}

#[test]
fn grpc_go_1_18_waits_for_settings() {
    incident("1.18.0", "");
}

#[test]
fn grpc_go_1_19_waits_for_settings() {
    incident("1.19.0", "");
}

#[test]
fn grpc_go_1_33_waits_for_settings() {
    incident("1.33.3", "");
}

/// The recorded client that did or would have hung at a multiplexer that waits for HEADERS, against ours.
fn replayed(version: &str) {
    let capture = format!("grpc-go-{version}__cmux-header.pcap");
    let recording = Recording::open(format!("captures/{capture}")).expect("it is a capture");
    let client = find_client(&format!("grpc-go@{version}")).expect("it is known");
    let scenario = bed().named_server("mux".parse().expect("it is a server"));
    let flows = replay(&recording, Some(1), &scenario, Some(&client));
    let run = flows[0].run.as_ref().expect("it is replayed");
    assert_ladders(&format!("replay-{version}-mux"), run);
}

#[test]
fn a_recorded_grpc_go_1_8_0_is_served() {
    replayed("1.8.0");
}

#[test]
fn a_recorded_grpc_go_1_16_0_is_served() {
    replayed("1.16.0");
}

#[test]
fn a_recorded_grpc_go_1_17_0_is_served() {
    replayed("1.17.0");
}

#[test]
fn a_recorded_grpc_go_1_18_0_is_served() {
    replayed("1.18.0");
}

#[test]
fn a_recorded_grpc_go_1_19_0_is_served() {
    replayed("1.19.0");
}

#[test]
fn a_recorded_grpc_go_1_23_0_is_served() {
    replayed("1.23.0");
}

#[test]
fn a_recorded_grpc_go_1_33_3_is_served() {
    replayed("1.33.3");
}

#[test]
fn a_recorded_grpc_go_1_40_0_is_served() {
    replayed("1.40.0");
}

#[test]
fn a_recorded_grpc_go_1_41_0_is_served() {
    replayed("1.41.0");
}

#[test]
fn a_recorded_grpc_go_1_58_3_is_served() {
    replayed("1.58.3");
}

#[test]
fn a_recorded_grpc_go_1_64_0_is_served() {
    replayed("1.64.0");
}

#[test]
fn a_recorded_grpc_go_1_72_2_is_served() {
    replayed("1.72.2");
}

#[test]
fn a_recorded_grpc_go_1_83_1_is_served() {
    replayed("1.83.1");
}

#[test]
fn a_ladder_is_at_most_forty_lines_however_many_the_last_words_have() {
    let server = "cmux-settings-to-h2c".parse().expect("it is a server");
    let run = bed().client("haproxy-h2@2.6.12").named_server(server).run();
    let ladder = ladder(&run);
    assert!(ladder.contains(" more .."), "it is one that is cut: {ladder}");
    assert!(ladder.lines().count() <= 40, "{ladder}");
}
