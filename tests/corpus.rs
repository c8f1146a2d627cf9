//! Replays the seeds of `corpus/` with what the fuzz targets check, and, when asked to, makes new ones from what the
//! repository has: its scenarios, the profiles of the catalogue and the recordings. `fuzz/README.md` says how the many
//! that are made become the few that are kept.

#[path = "h2_oracle/frames.rs"]
mod frames;
mod h2_oracle;
#[path = "h2_oracle/hpack.rs"]
mod hpack;
#[path = "corpus/seeds.rs"]
mod seeds;
#[path = "h2_oracle/seen.rs"]
mod seen;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bytes::Bytes;
use muxbed::bed;
use muxbed::capture::{self, Direction, KeyLog, RecordedClient};
use muxbed::clients::{ClientSpec, families};
use muxbed::fuzzing::{
    Case, DIFFERENCES, as_run, capture as check_capture, classify, handshake, hello, rivals, script,
    script_of,
};
use muxbed::mux::{ProxyHeaders, Rule, Value};
use muxbed::scenarios::SCENARIOS;
use muxbed::script::{Client, Script, Who};
use muxbed::servers::{Front, ServerName};
use muxbed::wire::proxy::{Addresses, Header, Version};

/// The most bytes of a seed: mutations of a long input seldom hit anything.
const LONGEST: usize = 2048;

/// The same for captures, of which the smallest with a TLS session in it is longer.
const LONGEST_CAPTURE: usize = 4096;

fn files(folder: impl AsRef<Path>) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let listed = fs::read_dir(&root).unwrap_or_else(|error| panic!("{}: {error}", root.display()));
    let listed = listed.map(|entry| entry.expect("it can be listed").path());
    let mut files: Vec<PathBuf> = listed.filter(|path| path.is_file()).collect();
    files.sort();
    files
}

#[track_caller]
fn replay(target: &str, check: fn(&[u8])) {
    let seeds = files(Path::new("corpus").join(target));
    assert!(!seeds.is_empty());
    for seed in seeds {
        let bytes = fs::read(&seed).expect("it can be read");
        assert!(catch_unwind(|| check(&bytes)).is_ok(), "{} fails, see above", seed.display());
    }
}

#[test]
fn every_seed_of_classify_passes() {
    replay("classify", classify);
}

#[test]
fn every_seed_of_handshake_passes() {
    replay("handshake", handshake);
}

#[test]
fn every_seed_of_frames_passes() {
    replay("frames", frames::frames);
}

#[test]
fn every_seed_of_hpack_passes() {
    replay("hpack", hpack::hpack);
}

#[test]
fn every_seed_of_hello_passes() {
    replay("hello", hello);
}

#[test]
fn every_seed_of_capture_passes() {
    replay("capture", check_capture);
}

#[test]
fn every_seed_of_script_passes() {
    replay("script", script);
}

#[test]
fn every_seed_of_rivals_passes() {
    replay("rivals", rivals);
}

#[test]
fn every_difference_from_a_rival_still_is_one() {
    for difference in DIFFERENCES {
        assert!(difference.still_holds(), "{difference:?} no longer differs so: take it off the list");
    }
}

/// What a shell does with `muxbed convert SEED | muxbed run --scenario -`, by which a finding is repeated too.
#[test]
fn every_seed_of_handshake_is_a_scenario_that_repeats_with_the_same_hash() {
    let program = || Command::new(env!("CARGO_BIN_EXE_muxbed"));
    let mut repeated = 0;
    for seed in files("corpus/handshake") {
        let bytes = fs::read(&seed).expect("it can be read");
        let script = as_run(script_of(&bytes));
        let text = program().arg("convert").arg(&seed).output().expect("the program runs").stdout;
        let text = String::from_utf8(text).expect("a scenario is text");
        assert_eq!(Script::parse("converted", &text).as_ref(), Ok(&script), "{}", seed.display());
        // Nothing happens without a client, nor with one that nobody knows.
        let Some(trace) = trace(&script) else { continue };
        let mut run = program();
        run.args(["run", "--format", "json", "--scenario", "-"]);
        let run = run.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut run = run.spawn().expect("the program runs");
        let mut input = run.stdin.take().expect("it is piped");
        input.write_all(text.as_bytes()).expect("it reads");
        drop(input);
        let output = run.wait_with_output().expect("it ends");
        let output = String::from_utf8(output.stdout).expect("JSON is text");
        let line: serde_json::Value = serde_json::from_str(output.lines().next().unwrap_or_default())
            .unwrap_or_else(|error| panic!("{}: {error}", seed.display()));
        assert_eq!(line["trace"], trace, "{}", seed.display());
        repeated += 1;
    }
    assert!(repeated > 0);
}

fn trace(script: &Script) -> Option<String> {
    let scenario = bed().script(script).ok()?;
    (!script.clients.is_empty() || !script.afterwards.is_empty()).then(|| scenario.run_once().trace())
}

#[test]
fn every_target_has_its_seeds_replayed() {
    let targets = files("fuzz/fuzz_targets");
    let names: Vec<_> = targets.iter().filter_map(|path| path.file_stem()?.to_str()).collect();
    assert_eq!(names, ["capture", "classify", "frames", "handshake", "hello", "hpack", "rivals", "script"]);
}

/// What the fuzzer found are scenarios like others, whose texts outlive a change of the byte form.
#[test]
fn what_was_found_stays_mended() {
    let found: Vec<_> = SCENARIOS.iter().filter(|scenario| scenario.name.starts_with('R')).collect();
    assert!(!found.is_empty());
    for scenario in found {
        handshake(&scenario.script().expect("it can be read").to_bytes());
    }
}

/// Writes what seeds are chosen from to `fuzz/corpus/TARGET`, which git does not know.
#[test]
#[ignore = "writes files; see fuzz/README.md"]
fn make_seeds() {
    let recorded = Recorded::read();
    write("classify", &classify_seeds(&recorded.flights).iter().map(Case::to_bytes).collect());
    write("frames", &seeds::frames(&recorded.flights));
    write("hpack", &seeds::hpack(&recorded.flights));
    write("hello", &seeds::hello(&recorded.flights));
    write("capture", &seeds::capture(&recorded.with_keys));
    write("script", &seeds::script());
    write("rivals", &seeds::rivals(&recorded.flights));
    write("handshake", &handshake_seeds(recorded.clients).iter().map(Script::to_bytes).collect());
}

fn write(target: &str, seeds: &BTreeSet<Vec<u8>>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    fs::create_dir_all(&folder).expect("the folder can be made");
    let longest = if target == "capture" { LONGEST_CAPTURE } else { LONGEST };
    for (number, seed) in seeds.iter().filter(|seed| seed.len() <= longest).enumerate() {
        fs::write(folder.join(format!("seed-{number:04}")), seed).expect("it can be written");
    }
}

/// What the recordings have to give, alike ones once.
#[derive(Default)]
struct Recorded {
    /// What clients sent.
    flights: BTreeSet<Bytes>,
    /// The same as scripts.
    clients: Vec<RecordedClient>,
    /// Files with the keys that open what is in them.
    with_keys: Vec<Vec<u8>>,
}

impl Recorded {
    fn read() -> Self {
        let mut recorded = Self::default();
        for path in files("captures") {
            let bytes = fs::read(&path).expect("it can be read");
            let Ok(capture) = capture::read(&bytes) else { continue };
            if !capture.secrets.is_empty() {
                recorded.with_keys.push(bytes.clone());
            }
            for flow in &capture.flows {
                let sent = flow.data(Direction::ToServer).flat_map(|(_, bytes)| bytes).copied();
                if recorded.flights.insert(sent.take(LONGEST).collect()) {
                    recorded.clients.extend(RecordedClient::of(flow, &KeyLog::default()));
                }
            }
        }
        recorded
    }
}

fn classify_seeds(flights: &BTreeSet<Bytes>) -> Vec<Case> {
    let field = |name: &str, value| Rule::Http2Header { name: name.to_owned(), value };
    let rule_sets = [
        vec![],
        vec![Rule::Any],
        vec![Rule::Grpc, Rule::Any],
        vec![Rule::Http2, Rule::Http1],
        vec![Rule::Bytes(Bytes::from_static(b"GET /")), Rule::Grpc],
        vec![
            field("content-type", Value::Equals("application/grpc+proto".to_owned())),
            field("content-type", Value::StartsWith("application/grpc".to_owned())),
        ],
    ];
    let shapes = [
        Case::default(),
        Case { stays: true, cuts: [24, 33].into(), ..Case::default() },
        Case { limit: 41, has_otherwise: true, cuts: [1, 9, 24].into(), ..Case::default() },
    ];
    let mut seeds = Vec::new();
    for flight in flights {
        for rules in &rule_sets {
            let cases = shapes.iter().cloned();
            let told = |case| Case { rules: rules.clone(), stream: flight.clone(), ..case };
            seeds.extend(cases.map(told));
        }
        for (header, headers) in headers_in_front() {
            let stream = Bytes::from([&header[..], flight].concat());
            seeds.push(Case { headers, cuts: [3, 13, 20, 50].into(), stream, ..Case::default() });
        }
    }
    seeds
}

/// Each form of a PROXY header, where one may stand and where one has to.
fn headers_in_front() -> Vec<(Bytes, ProxyHeaders)> {
    let address = |text: &str| text.parse().expect("it is an address");
    let pairs = [("192.0.2.1:40000", "192.0.2.2:443"), ("[2001:db8::1]:40000", "[2001:db8::2]:443")];
    let stated = pairs.map(|(source, destination)| {
        Some(Addresses { source: address(source), destination: address(destination) })
    });
    let headers = [None].into_iter().chain(stated).map(Header::new);
    let written = headers.flat_map(|header| [Version::V1, Version::V2].map(|version| header.encode(version)));
    written
        .flat_map(|header| {
            [ProxyHeaders::Optional, ProxyHeaders::Required].map(|headers| (header.clone(), headers))
        })
        .collect()
}

fn handshake_seeds(recorded: Vec<RecordedClient>) -> Vec<Script> {
    let scenarios = SCENARIOS.iter().map(|scenario| scenario.script().expect("it can be read"));
    let mut seeds: Vec<Script> = scenarios.collect();
    let servers = || Front::ALL.map(|front| Some(ServerName::from(front))).into_iter();
    let alone = |who| vec![Client { name: "c".to_owned(), who }];
    for family in families() {
        for profile in &family.profiles {
            let spec = ClientSpec {
                name: family.name.clone(),
                version: profile.from.clone(),
                mode: profile.mode.clone(),
                environment: profile.environment.clone(),
            };
            let script = Script { clients: alone(Who::Catalogued { spec, over: None }), ..Script::default() };
            seeds.extend(servers().map(|server| Script { server, ..script.clone() }));
            let who = Who::Scripted(Box::new(profile.behaviour.clone()));
            let field_lists = family.field_lists.clone();
            let script = Script { clients: alone(who), field_lists, ..Script::default() };
            seeds.extend(servers().map(|server| Script { server, ..script.clone() }));
        }
    }
    for client in recorded {
        let who = Who::Scripted(Box::new(client.behaviour));
        seeds.push(Script { clients: alone(who), ..Script::default() });
    }
    seeds
}
