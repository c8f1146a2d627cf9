//! Recorded gRPC clients over TLS against other servers: `mux` serves each, and without ALPN exactly those refuse that refused
//! in reality, with their text.

use std::fs;
use std::path::{Path, PathBuf};

use muxbed::bed::{KnownBy, Recording, Replayed, TlsReplay, bed, replay};
use muxbed::fidelity::{Observation, Recorded};
use muxbed::outcome::{Outcome, Refusal};

fn observations() -> Vec<Observation> {
    let text = fs::read_to_string("captures/observed.json").expect("the list of recordings");
    let Ok(Recorded::Observations(all)) = Recorded::parse(&text) else {
        panic!("it is a list of recordings")
    };
    all
}

/// Every recording of a gRPC client over TLS.
fn recordings() -> Vec<PathBuf> {
    let files = fs::read_dir("captures").expect("the recordings").map(|entry| entry.expect("a file").path());
    let named = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("grpc-") && name.contains("tls") && name.ends_with(".pcapng")
    };
    let mut files: Vec<PathBuf> = files.filter(named).collect();
    files.sort();
    assert_eq!(files.len(), 157);
    files
}

fn replayed(recording: &Recording, server: &str) -> Vec<Replayed> {
    replay(recording, None, &bed().named_server(server.parse().expect("it is a server")), None)
}

#[test]
fn mux_serves_every_recorded_client_over_tls() {
    for path in recordings() {
        let recording = Recording::open(&path).expect("it is a capture");
        for flow in replayed(&recording, "tls-mux") {
            let run = flow.run.unwrap_or_else(|| panic!("{}: {:?}", path.display(), flow.skipped));
            assert!(run.works(), "{}: {run}", path.display());
        }
    }
}

/// The texts that the user of a recorded client read where no ALPN was negotiated; none if it did not mind.
fn texts_without_alpn(observations: &[Observation], capture: &Path) -> Option<Vec<String>> {
    let of = |name: &str| observations.iter().find(|observation| observation.capture == name);
    let observed = of(&capture.file_name()?.to_string_lossy())?;
    let spec = observed.spec().ok()?;
    let without = observations.iter().find(|other| {
        other.server == "tls-noalpn-cmux-settings" && other.spec().is_ok_and(|other| other == spec)
    })?;
    Some(without.rpcs.iter().filter_map(|call| call.error.clone()).collect())
}

#[test]
fn exactly_those_refuse_a_server_without_alpn_that_refused_one_in_reality() {
    let observations = observations();
    let mut seen = [0, 0];
    for path in recordings() {
        // Of one client there is no recording without ALPN.
        let Some(texts) = texts_without_alpn(&observations, &path) else { continue };
        let recording = Recording::open(&path).expect("it is a capture");
        for flow in replayed(&recording, "tls-noalpn-mux") {
            let run = flow.run.unwrap_or_else(|| panic!("{}: {:?}", path.display(), flow.skipped));
            let says: Vec<&str> = run.endings().filter_map(|ending| ending.says()).collect();
            if texts.is_empty() {
                assert!(run.works(), "{}: {run}", path.display());
            } else {
                let refused = run.endings().all(|ending| matches!(ending.outcome, Outcome::Refused(_)));
                assert!(refused, "{}: {run}", path.display());
                assert!(says.iter().all(|says| texts.iter().any(|text| text == says)), "{texts:?}: {run}");
            }
            seen[usize::from(texts.is_empty())] += 1;
        }
    }
    assert_eq!(seen, [60, 96]);
}

#[test]
fn a_client_that_names_itself_needs_no_file_name() {
    let mut named = 0;
    let directly = |path: &PathBuf| path.to_string_lossy().contains("__tls-direct");
    for path in recordings().into_iter().filter(directly) {
        let recording = Recording::read(&fs::read(&path).expect("the capture")).expect("it is a capture");
        for flow in replayed(&recording, "tls-noalpn-mux") {
            let Some(client) = flow.client else { continue };
            assert_eq!(flow.known_by, Some(KnownBy::UserAgent));
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let family = client.name.replace("grpc-java", &format!("grpc-java-{}", client.version));
            let family = if family == client.name { format!("{family}-{}", client.version) } else { family };
            assert!(name.starts_with(&family), "{name} is not {client}");
            named += 1;
        }
    }
    assert_eq!(named, 39);
}

#[test]
fn one_that_goes_on_without_alpn_is_none_of_those_that_insist_on_it() {
    // grpc-go from 1.67 on says the same hello.
    let bytes = fs::read("captures/grpc-go-1.33.3__tls-noalpn-cmux-settings.pcapng").expect("the capture");
    let recording = Recording::read(&bytes).expect("it is a capture");
    let flows = replayed(&recording, "tls-noalpn-mux");
    assert!(flows[0].run.as_ref().is_some_and(muxbed::Run::works), "{flows:?}");
}

#[test]
fn a_recording_whose_name_its_bytes_contradict_is_not_taken_for_it() {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let path = directory.join("grpc-js-1.13.0__direct.pcapng");
    fs::copy("captures/grpc-go-1.33.3__tls-direct.pcapng", &path).expect("the directory can be written to");
    let flows = replayed(&Recording::open(&path).expect("it is a capture"), "tls-mux");
    assert_eq!(flows[0].client.as_ref().map(ToString::to_string).as_deref(), Some("grpc-go@1.33.3"));
    let path = directory.join("grpc-js-1.13.0__cmux-header.pcap");
    fs::copy("captures/grpc-go-1.33.3__cmux-header.pcap", &path).expect("the directory can be written to");
    let flows = replayed(&Recording::open(&path).expect("it is a capture"), "mux");
    assert_eq!(flows[0].client, None);
    assert!(flows[0].continued_as.iter().all(|client| client.name != "grpc-js"), "{flows:?}");
}

#[test]
fn tls_comes_back_as_it_is_asked_to() {
    let replayed_as = |tls, server| {
        let recording = Recording::open("captures/grpc-go-1.33.3__tls-direct.pcapng");
        let flows = replayed(&recording.expect("it is a capture").tls(tls), server);
        flows[0].run.clone().expect("it is replayed").outcome()
    };
    let served = |route: &str| Outcome::Served { route: route.to_owned() };
    assert_eq!(replayed_as(TlsReplay::Rewrap, "tls-mux"), served("grpc"));
    assert_eq!(replayed_as(TlsReplay::Rewrap, "mux"), Outcome::Refused(Refusal::Close), "it is no TLS");
    assert_eq!(replayed_as(TlsReplay::Plaintext, "mux"), served("grpc"));
    assert_eq!(replayed_as(TlsReplay::Hello, "tls-mux"), served("tls"));
}
