//! What is predicted is what real clients did: every recording agrees, and a recording that is
//! changed in any respect does not.

use std::fs;

use muxbed::bed::bed;
use muxbed::capture::writer::{Layout, Plan, write};
use muxbed::capture::{self, Direction, LinkType};
use muxbed::clients::{KnownClient, Role, families};
use muxbed::fidelity::{Comparison, Observation, Recorded, Repeats, compare, compare_repeats};
use muxbed::outcome::{Outcome, Refusal};
use muxbed::servers::{BackEnd, Security, ServerName};

fn observations() -> Vec<Observation> {
    listed("captures/observed.json")
}

fn listed(path: &str) -> Vec<Observation> {
    let text = fs::read_to_string(path).expect("the list of recordings");
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

fn compared(observation: &Observation) -> Comparison {
    let capture =
        fs::read(format!("captures/{}", observation.capture)).expect("the capture lies beside the list");
    compare(observation, &capture)
}

fn assert_agrees(comparison: &Comparison) {
    let Comparison { client, server, skipped, differs, .. } = comparison;
    assert!(comparison.agrees(), "{client} against {server}: {skipped:?} {differs:#?}");
}

#[test]
fn every_recording_agrees() {
    let all = observations();
    all.iter().for_each(|observation| assert_agrees(&compared(observation)));
    assert_eq!(all.len(), 957);
}

#[test]
fn every_recording_that_the_live_tests_added_agrees() {
    for observation in listed("captures/more/observed.json") {
        let capture =
            fs::read(format!("captures/more/{}", observation.capture)).expect("it lies beside the list");
        assert_agrees(&compare(&observation, &capture));
    }
}

#[test]
fn every_result_and_text_that_repeats_showed_is_in_the_predicted_set() {
    let all = repeats();
    all.iter().for_each(|repeats| assert_agrees(&compare_repeats(repeats)));
    assert_eq!(all.len(), 120);
}

#[test]
fn only_what_races_in_reality_is_called_racy() {
    for observation in observations() {
        let run = compared(&observation).predicted.expect("it is predicted");
        let server: ServerName = observation.server.parse().expect("it is a server");
        let surplus = ["cmux-settings", "cmux-settings-twice"].contains(&server.front.word());
        let may_race = ["eof", "http1"].contains(&server.front.word())
            || surplus && !matches!(server.back_end, BackEnd::GrpcGo | BackEnd::Netty);
        assert!(may_race || !run.racy, "{run}");
        assert!(run.endings().count() <= 8, "{run}");
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

/// Nobody has recorded `mux`, which is no server of the recordings: there every gRPC client must be served. Some can't be, by
/// whatever server: one that speaks HTTP/1.1, which gRPC is not for; and over TLS one that does not offer h2, though it will not
/// speak without, and one that takes certificates of RSA alone, where the server's is of another kind, as in the recordings.
#[test]
fn every_grpc_client_is_served_through_mux_whatever_is_behind_it() {
    let grpc = families().iter().filter(|family| family.role == Role::GrpcClient);
    for client in
        grpc.flat_map(|family| KnownClient::find_all(&format!("{}@*", family.name)).expect("it is known"))
    {
        for server in [
            "mux",
            "mux-to-h2c",
            "mux-to-tonic",
            "mux-to-netty",
            "mux-to-c-core",
            "mux-to-nghttp2",
            "tls-mux",
        ] {
            let server: ServerName = server.parse().expect("it is a server");
            let over_tls = server.security == Security::Tls;
            let profile = client.family.speaking(client.profile, over_tls);
            let hello = profile.behaviour.tls.as_ref().filter(|_| over_tls);
            let takes_rsa_alone = hello.is_some_and(|hello| hello.rsa_alone);
            let offers_no_h2 = hello.is_some_and(|hello| !hello.alpn.iter().any(|name| name == "h2"));
            let run = bed().known_client(client.clone()).named_server(server).run();
            if takes_rsa_alone {
                assert_eq!(run.outcome(), Outcome::Refused(Refusal::Alert(HANDSHAKE_FAILURE)), "{run}");
            } else if offers_no_h2 || run.ending.flight.concat().starts_with(b"POST ") {
                assert!(!run.works(), "{run}");
            } else {
                assert!(run.works(), "{run}");
            }
            assert!(!run.racy, "{run}");
        }
    }
}

/// RFC 8446, section 6.
const HANDSHAKE_FAILURE: u8 = 40;
