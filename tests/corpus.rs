//! Replays the seeds of `corpus/` with what the fuzz targets check, and, when asked to, makes new ones from what the
//! repository has: its scenarios, the profiles of the catalogue and the recordings. `fuzz/README.md` says how the many
//! that are made become the few that are kept.

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
use muxbed::fuzzing::{Case, as_run, classify, handshake, script_of};
use muxbed::mux::{Rule, Value};
use muxbed::scenarios::SCENARIOS;
use muxbed::script::{Client, Script, Who};
use muxbed::servers::{Front, ServerName};

/// The most bytes of a seed: mutations of a long input seldom hit anything.
const LONGEST: usize = 2048;

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
        let mut run = run.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program runs");
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
    assert_eq!(names, ["classify", "handshake"]);
}

/// What the fuzzer found, as texts: they outlive a change of the byte form. Each kept a run from ending.
const FOUND: [(&str, &str); 4] = [
    (
        "a client that waits, when its calls are done, for an end that nobody sends",
        "client \"c\"\n  > preface, settings\n  < settings\n  ready\n  call\n  > headers call grpc /x, data call end 00\n  \
         < end call\n  finally\n  < close\nserver direct\n",
    ),
    (
        "a reset that overtakes an answer on a slow link",
        "client \"c\"\n  > preface, settings\n  wait 1ms\n  > raw \"0123456789\"\n  < settings\nserver direct\n\
         network\n  to-server reset after 40\n  to-client latency 5ms\n",
    ),
    (
        "a client that makes nothing of the end of its time for SETTINGS, which for it had come again and again",
        "client \"c\"\n  settings within 1ms\n  > preface\n  < settings\n  ready\n  call\n  close\n  \
         on timeout connecting ignore\nserver mute\n",
    ),
    (
        "a client that puts off what it has put off before",
        "client \"c\"\n  > preface, settings\n  wait 1ms\n  ready\n  call\n  < settings\n  on end later\nserver eof\n",
    ),
];

#[test]
fn what_was_found_stays_mended() {
    for (what, text) in FOUND {
        let script = Script::parse(what, text).unwrap_or_else(|error| panic!("{error}"));
        handshake(&script.to_bytes());
    }
}

/// Writes what seeds are chosen from to `fuzz/corpus/TARGET`, which git does not know.
#[test]
#[ignore = "writes files; see fuzz/README.md"]
fn make_seeds() {
    let recorded = Recorded::read();
    write("classify", &classify_seeds(&recorded.flights).iter().map(Case::to_bytes).collect());
    write("handshake", &handshake_seeds(recorded.clients).iter().map(Script::to_bytes).collect());
}

fn write(target: &str, seeds: &BTreeSet<Vec<u8>>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    fs::create_dir_all(&folder).expect("the folder can be made");
    for (number, seed) in seeds.iter().filter(|seed| seed.len() <= LONGEST).enumerate() {
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
}

impl Recorded {
    fn read() -> Self {
        let mut recorded = Self::default();
        for path in files("captures") {
            let bytes = fs::read(&path).expect("it can be read");
            let Ok(capture) = capture::read(&bytes) else { continue };
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
    }
    seeds
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
