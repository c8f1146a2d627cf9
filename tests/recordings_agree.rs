//! What is predicted is what real clients did: every recording of a client in the clear agrees, and a recording that is
//! changed in any respect does not.

use std::collections::BTreeMap;
use std::fs;

use muxbed::capture::writer::{Layout, Plan, write};
use muxbed::capture::{self, Direction, LinkType};
use muxbed::clients::KnownClient;
use muxbed::fidelity::{Comparison, Observation, Recorded, Repeats, compare, compare_repeats};
use muxbed::servers::{BackEnd, Security, ServerName};

fn observations() -> Vec<Observation> {
    let text = fs::read_to_string("captures/observed.json").expect("the list of recordings");
    let Ok(Recorded::Observations(all)) = Recorded::parse(&text) else {
        panic!("it is a list of recordings")
    };
    all
}

fn repeats() -> Vec<Repeats> {
    let text = fs::read_to_string("captures/races.json").expect("the list of repeats");
    let Ok(Recorded::Repeats(all)) = Recorded::parse(&text) else { panic!("it is a list of repeats") };
    all
}

/// The clients whose recordings in the clear agree, each with how many of those there are, and how many repeats.
const CLIENTS: [(&str, usize, usize); 5] = [
    ("grpc-go", 286, 16),
    ("grpc-java", 112, 2),
    ("tonic", 50, 32),
    ("connect-go", 8, 0),
    ("h2-crate", 8, 6),
];

fn is_predicted(client: &str, server: &str) -> bool {
    let server: ServerName = server.parse().expect("the recordings name their servers as the bed does");
    CLIENTS.iter().any(|(known, ..)| *known == client)
        && server.security == Security::Cleartext
        && matches!(server.back_end, BackEnd::GrpcGo | BackEnd::H2c | BackEnd::Tonic | BackEnd::Netty)
}

fn compared(observation: &Observation) -> Comparison {
    let capture =
        fs::read(format!("captures/{}", observation.capture)).expect("the capture lies beside the list");
    compare(observation, &capture)
}

fn assert_agrees(comparison: &Comparison) {
    let Comparison { client, server, skipped, differs, .. } = comparison;
    assert!(comparison.agrees(), "{client} against {server}: {skipped:?} {differs:#?}");
}

/// How many recordings of a family agree: all that are predicted.
fn agreeing(family: &str) -> usize {
    let all = observations().into_iter();
    let predicted =
        all.filter(|observed| observed.client == family && is_predicted(family, &observed.server));
    predicted.inspect(|observation| assert_agrees(&compared(observation))).count()
}

#[test]
fn every_recording_in_the_clear_agrees() {
    let mut agree = CLIENTS.map(|(client, ..)| (client, 0));
    for observation in observations() {
        if is_predicted(&observation.client, &observation.server) {
            assert_agrees(&compared(&observation));
            count(&mut agree, &observation.client);
        }
    }
    assert_eq!(agree, CLIENTS.map(|(client, recordings, _)| (client, recordings)));
}

fn count(counts: &mut [(&str, usize)], client: &str) {
    let of_client = counts.iter_mut().find(|(known, _)| *known == client);
    of_client.expect("it is one of those that are predicted").1 += 1;
}

#[test]
fn every_result_and_text_that_repeats_showed_is_in_the_predicted_set() {
    let mut agree = CLIENTS.map(|(client, ..)| (client, 0));
    for repeats in repeats() {
        if is_predicted(&repeats.client, &repeats.server) {
            assert_agrees(&compare_repeats(&repeats));
            count(&mut agree, &repeats.client);
        }
    }
    assert_eq!(agree, CLIENTS.map(|(client, _, repeats)| (client, repeats)));
}

#[test]
fn only_what_races_in_reality_is_called_racy() {
    for observation in observations() {
        if is_predicted(&observation.client, &observation.server) {
            let comparison = compared(&observation);
            let run = comparison.predicted.expect("it is predicted");
            let server: ServerName = observation.server.parse().expect("it is a server");
            let surplus = ["cmux-settings", "cmux-settings-twice"].contains(&server.front.word());
            let may_race = ["eof", "http1"].contains(&server.front.word())
                || surplus && server.back_end != BackEnd::GrpcGo;
            assert!(may_race || !run.racy, "{run}");
            assert!(run.endings().count() <= 8, "{run}");
        }
    }
}

fn find(capture: &str) -> Observation {
    let found = observations().into_iter().find(|observation| observation.capture == capture);
    found.expect("it is recorded")
}

/// How a recording that agrees differs, with something about it changed.
fn changed(capture: &str, change: impl FnOnce(&mut Observation)) -> Vec<String> {
    let mut observation = find(capture);
    change(&mut observation);
    compared(&observation).differs
}

const STALL: &str = "grpc-go-1.33.3__cmux-header.pcap";

#[test]
fn another_text_differs() {
    assert!(changed(STALL, |_| {}).is_empty());
    let differs = changed(STALL, |observation| {
        let error = observation.rpcs[0].error.as_mut().expect("the call failed");
        error.push('.');
    });
    assert_eq!(differs.len(), 1, "{differs:#?}");
    assert!(differs[0].contains("timed out waiting for server handshake."), "{differs:#?}");
}

#[test]
fn another_time_differs() {
    let moved = |by: f64| changed(STALL, |observation| observation.rpcs[0].at_s += by);
    assert_eq!(moved(1.0), Vec::<String>::new(), "2 % of 20 s and 0.75 s are allowed");
    assert_eq!(moved(1.3).len(), 1);
    assert_eq!(moved(-1.3).len(), 1);
}

#[test]
fn another_result_differs() {
    let differs = changed(STALL, |observation| observation.rpcs[0].error = None);
    assert!(!differs.is_empty());
    let differs = changed("grpc-go-1.33.3__direct.pcap", |observation| {
        observation.rpcs.pop();
    });
    assert!(!differs.is_empty());
}

#[test]
fn another_goaway_or_another_connection_differs() {
    let differs = changed("grpc-go-1.33.3__direct.pcap", |observation| {
        observation.connections[0].goaway.server = Some(1);
    });
    assert_eq!(differs.len(), 1, "{differs:#?}");
    let differs = changed("grpc-go-1.33.3__direct.pcap", |observation| {
        let again = observation.connections[0].clone();
        observation.connections.push(again);
    });
    assert_eq!(differs.len(), 1, "{differs:#?}");
}

#[test]
fn another_first_flight_differs() {
    let other = find("grpc-go-1.40.0__direct.pcap");
    let differs = changed("grpc-go-1.33.3__direct.pcap", |observation| {
        // The flight of a release that calls itself otherwise.
        observation.capture.clone_from(&other.capture);
        observation.port = other.port;
    });
    assert_eq!(differs.len(), 1, "{differs:#?}");
    assert!(differs[0].contains("user-agent: grpc-go/1.40.0"), "{differs:#?}");
    let differs = changed("grpc-go-1.33.3__direct.pcap", |observation| observation.port += 1);
    assert_eq!(differs.len(), 1, "the authority has another port");
}

#[test]
fn another_cut_in_the_first_flight_differs() {
    let observation = find("grpc-go-1.33.3__direct.pcap");
    let bytes = fs::read(format!("captures/{}", observation.capture)).expect("the capture");
    let capture = capture::read(&bytes).expect("it is a capture");
    let (client, server) = ("127.0.0.1:40000".parse(), "127.0.0.1:50051".parse());
    let mut plan = Plan::new(client.expect("an address"), server.expect("an address"), 0);
    plan.open();
    let mut joined = Vec::new();
    for (_, segment) in capture.flows[0].data(Direction::ToServer) {
        joined.extend_from_slice(segment);
        // Preface and SETTINGS in one segment, though the client writes them one after the other.
        if joined.len() > 24 {
            plan.send(Direction::ToServer, &std::mem::take(&mut joined), usize::MAX);
        }
    }
    let rewritten = write(&Layout::new(LinkType::Ethernet), &[plan]);
    let differs = compare(&observation, &rewritten).differs;
    assert_eq!(differs, ["first flight: cuts of the opening at [], predicted [24]"]);
}

/// Nobody has recorded these two behind `mux`, which is no server of the recordings: there every client must be served.
#[test]
fn every_known_client_is_served_through_mux_whatever_is_behind_it() {
    // What becomes of HTTP clients there depends on how they speak: `http_clients.rs` has them.
    let makes_calls = |family: &&muxbed::clients::Family| family.role != muxbed::clients::Role::HttpClient;
    for family in muxbed::clients::families().iter().filter(makes_calls) {
        for client in KnownClient::find_all(&format!("{}@*", family.name)).expect("the family is known") {
            for server in ["mux", "mux-to-h2c", "mux-to-tonic", "mux-to-c-core", "mux-to-nghttp2"] {
                let server = server.parse().expect("it is a server");
                let run = muxbed::bed::bed().known_client(client.clone()).named_server(server).run();
                assert!(run.works() && !run.racy, "{run}");
            }
        }
    }
}
