//! Recorded clients against other servers: what stalled is served by `mux`, and against the server of the incident exactly
//! those stall that stalled in reality.

use std::fs;
use std::path::PathBuf;

use muxbed::Outcome;
use muxbed::bed::{KnownBy, Recording, Replayed, TlsReplay, bed, find_client, replay};
use muxbed::capture::Unusable;
use muxbed::clients::{KnownClient, Role};
use muxbed::fidelity::{Observation, Recorded};
use muxbed::servers::ServerName;

fn observations() -> Vec<Observation> {
    let text = fs::read_to_string("captures/observed.json").expect("the list of recordings");
    let Ok(Recorded::Observations(all)) = Recorded::parse(&text) else {
        panic!("it is a list of recordings")
    };
    all
}

/// Every recording of grpc-go in the clear.
fn recordings() -> Vec<PathBuf> {
    recordings_of_grpc_go(".pcap")
}

fn recordings_of_grpc_go(ending: &str) -> Vec<PathBuf> {
    let files = fs::read_dir("captures").expect("the recordings").map(|entry| entry.expect("a file").path());
    let named = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("grpc-go-") && name.ends_with(ending)
    };
    let mut files: Vec<PathBuf> = files.filter(named).collect();
    files.sort();
    files
}

/// By what is in the file: its name would say who it is.
fn replayed(path: &PathBuf, server: &str, run_as: Option<&KnownClient>) -> Vec<Replayed> {
    let recording = Recording::read(&fs::read(path).expect("the capture")).expect("it is a capture");
    let server: ServerName = server.parse().expect("it is a server");
    replay(&recording, None, &bed().named_server(server), run_as)
}

fn assert_all_are_served_by(server: &str) {
    let mut served = 0;
    for path in recordings() {
        for flow in replayed(&path, server, None) {
            let place = format!("{} flow {}", path.display(), flow.flow);
            match (flow.skipped, flow.run) {
                (Some(Unusable::NoClientBytes | Unusable::ClientBytesMissing { .. }), None) => {}
                (None, Some(run)) => {
                    assert!(matches!(run.outcome(), Outcome::Served { .. }), "{place}: {run}");
                    assert!(run.works(), "{place}: {run}");
                    served += 1;
                }
                (skipped, _) => panic!("{place} is skipped: {skipped:?}"),
            }
        }
    }
    assert_eq!(served, 366);
}

#[test]
fn mux_serves_every_recorded_client() {
    assert_all_are_served_by("mux");
}

#[test]
fn mux_before_tonic_serves_every_recorded_client() {
    assert_all_are_served_by("mux-to-tonic");
}

#[test]
fn mux_before_x_net_serves_every_recorded_client() {
    assert_all_are_served_by("mux-to-h2c");
}

#[test]
fn exactly_those_stall_at_cmux_header_that_stalled_there_in_reality() {
    let observations = observations();
    let mut seen = [0, 0];
    let recorded = observations.iter().filter(|observation| {
        observation.client == "grpc-go" && ["cmux-header", "mute"].contains(&observation.server.as_str())
    });
    for observation in recorded {
        let spec = observation.spec().expect("it is a client").to_string();
        let at_header = observations.iter().find(|other| {
            other.server == "cmux-header" && other.spec().is_ok_and(|other| other.to_string() == spec)
        });
        let Some(at_header) = at_header else { panic!("{spec} was not recorded at cmux-header") };
        let failed = at_header.rpcs.iter().any(|call| call.error.is_some());
        let client = find_client(&spec).expect("it is known");
        let path = PathBuf::from("captures").join(&observation.capture);
        for flow in replayed(&path, "cmux-header", Some(&client)) {
            let Some(run) = flow.run else { continue };
            let stalls = matches!(run.outcome(), Outcome::Stalled { .. });
            assert_eq!(stalls, failed, "{} flow {}: {run}", path.display(), flow.flow);
            seen[usize::from(failed)] += 1;
        }
    }
    assert_eq!(seen.iter().sum::<i32>(), 70, "{seen:?}");
    assert!(seen.iter().all(|&seen| seen > 0), "{seen:?}");
}

#[test]
fn a_failure_goes_on_as_every_client_that_begins_like_it_and_was_as_patient() {
    let flows = replayed(&"captures/grpc-go-1.33.3__cmux-header.pcap".into(), "cmux-header", None);
    let [flow] = &flows[..] else { panic!("it has one conversation") };
    let names: Vec<String> = flow.continued_as.iter().map(ToString::to_string).collect();
    assert!(names.contains(&"grpc-go@1.26.0".to_owned()), "{names:?}");
    assert!(!names.contains(&"grpc-go@1.11.0".to_owned()), "it writes its request at once: {names:?}");
    let run = flow.run.as_ref().expect("it is replayed");
    assert!(run.endings().all(|ending| matches!(ending.outcome, Outcome::Stalled { .. })), "{run}");
    assert!(
        run.endings().any(|ending| ending.says().is_some_and(|text| text.contains("timed out"))),
        "{run}"
    );
    // Where the server left at once nobody knows who would have waited.
    let flows = replayed(&"captures/grpc-go-1.33.3__eof.pcap".into(), "cmux-header", None);
    let run = flows[0].run.as_ref().expect("it is replayed");
    assert!(matches!(run.outcome(), Outcome::Stalled { .. }), "the worst of them counts: {run}");
    assert!(run.may.iter().any(|ending| matches!(ending.outcome, Outcome::Served { .. })), "{run}");
}

/// Each recording against the model of the server that it was made at, and gRPC's clients against `mux`.
#[test]
fn whoever_was_served_is_served_again() {
    let mut seen = 0;
    for observation in observations().iter().filter(|one| one.capture.ends_with(".pcap")) {
        let server: ServerName = observation.server.parse().expect("it is a server");
        let spec = observation.spec().expect("it is a client");
        let known = KnownClient::find(&spec).expect("it is known");
        let races = server.front.word().starts_with("cmux-settings");
        let path = PathBuf::from("captures").join(&observation.capture);
        let mut servers = Vec::new();
        servers.extend((!races).then_some(observation.server.as_str()));
        servers.extend((known.family.role == Role::GrpcClient).then_some("mux"));
        for server in servers {
            for flow in replayed(&path, server, None) {
                if let (Some(Outcome::Served { .. }), Some(run)) = (&flow.captured, &flow.run) {
                    assert!(run.works(), "{} flow {} at {server}: {run}", path.display(), flow.flow);
                    seen += 1;
                }
            }
        }
    }
    assert_eq!(seen, 639);
}

#[test]
fn a_request_tells_who_made_it_and_in_which_mode() {
    for observation in observations().iter().filter(|one| one.server == "direct") {
        let spec = observation.spec().expect("it is a client");
        let path = PathBuf::from("captures").join(&observation.capture);
        let flows = replayed(&path, "direct", None);
        let told: Vec<_> = flows.iter().filter_map(|flow| flow.client.as_ref()).collect();
        let expected = KnownClient::find(&spec).expect("it is known");
        // These leave it to their user's program to say who asks, or pass on what another client says.
        let names_itself = !["node-http2", "h2-crate", "go-net-http", "reqwest", "haproxy-h2", "nginx-grpc"]
            .contains(&spec.name.as_str());
        // Two modes of one library may write the same.
        let tells_modes = expected.family.role == Role::GrpcClient && spec.mode.as_deref() != Some("lazy");
        for told in told.into_iter().filter(|_| names_itself) {
            assert_eq!((&told.name, &told.version), (&expected.spec.name, &expected.spec.version));
            assert!(!tells_modes || told.mode == expected.spec.mode, "{spec}: {told}");
        }
    }
}

#[test]
fn a_recording_of_tls_that_is_named_after_its_client_goes_on_as_that_one() {
    let recording =
        Recording::open("captures/grpc-go-1.33.3__tls-cmux-header.pcapng").expect("it is a capture");
    let scenario = bed().named_server("tls-cmux-header".parse().expect("it is a server"));
    let flows = replay(&recording, None, &scenario, None);
    assert_eq!(flows[0].continued_as, [find_client("grpc-go@1.33.3").expect("it is known").spec]);
    assert_eq!(flows[0].known_by, Some(KnownBy::Recording));
}

#[test]
fn a_client_that_is_named_goes_on_as_itself() {
    let client = find_client("grpc-go@1.17.0+GRPC_GO_REQUIRE_HANDSHAKE=off").expect("it is known");
    let flows = replayed(&"captures/grpc-go-1.33.3__cmux-header.pcap".into(), "cmux-header", Some(&client));
    let run = flows[0].run.as_ref().expect("it is replayed");
    assert_eq!(flows[0].continued_as, [client.spec]);
    assert!(run.works(), "{run}");
}

#[test]
fn how_it_ended_when_it_was_captured_is_said() {
    let captured = |file: &str| {
        let flows = replayed(&format!("captures/{file}").into(), "mux", None);
        flows[0].captured.clone().map(|outcome| outcome.to_string())
    };
    assert_eq!(captured("grpc-go-1.33.3__direct.pcap").as_deref(), Some("served by grpc"));
    assert_eq!(
        captured("grpc-go-1.33.3__cmux-header.pcap").as_deref(),
        Some("stalled: client waiting for settings")
    );
    assert_eq!(
        captured("grpc-go-1.17.0__mute.pcap").as_deref(),
        Some("stalled: client waiting for response")
    );
    assert_eq!(captured("grpc-go-1.33.3__eof.pcap").as_deref(), Some("refused: close"));
}

#[test]
fn what_grpc_go_said_over_tls_is_served_in_the_clear() {
    let mut seen = [0, 0];
    for path in recordings_of_grpc_go(".pcapng") {
        let recording = Recording::open(&path).expect("it is a capture").tls(TlsReplay::Plaintext);
        let server: ServerName = "mux".parse().expect("it is a server");
        for flow in replay(&recording, None, &bed().named_server(server), None) {
            match (flow.skipped, flow.run) {
                (Some(Unusable::NoApplicationData { alert: None }), None) => seen[0] += 1,
                (None, Some(run)) => {
                    assert!(run.works(), "{} flow {}: {run}", path.display(), flow.flow);
                    seen[1] += 1;
                }
                (skipped, _) => panic!("{} is skipped: {skipped:?}", path.display()),
            }
        }
    }
    // From 1.67 on it insists on ALPN: those say nothing to a server without.
    assert_eq!(seen, [4, 100]);
}

#[test]
fn how_it_ended_over_tls_is_said_too() {
    let captured = |file: &str| {
        let flows = replayed(&format!("captures/{file}").into(), "tls-mux", None);
        assert!(flows[0].run.as_ref().is_none_or(muxbed::Run::works), "{file}");
        flows[0].captured.clone().map(|outcome| outcome.to_string())
    };
    assert_eq!(captured("grpc-go-1.33.3__tls-direct.pcapng").as_deref(), Some("served by grpc"));
    assert_eq!(
        captured("grpc-go-1.33.3__tls-cmux-header.pcapng").as_deref(),
        Some("stalled: client waiting for settings")
    );
    assert_eq!(
        captured("grpc-go-1.67.1__tls-noalpn-cmux-settings.pcapng").as_deref(),
        Some("refused: close")
    );
}
