//! The program: what it prints, its exit codes, and what it says of input that it can't use.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

fn muxbed(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_muxbed")).args(arguments).output().expect("the program runs")
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("it is UTF-8")
}

fn json(arguments: &[&str]) -> (Vec<Value>, Option<i32>) {
    let output = muxbed(&[arguments, &["--format", "json"]].concat());
    let lines =
        out(&output).lines().map(|line| serde_json::from_str(line).expect("one object a line")).collect();
    (lines, output.status.code())
}

fn names(object: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = object.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// A file of its own for a test, in the directory that cargo keeps for tests.
fn file(name: &str, content: &[u8]) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, content).expect("the directory can be written to");
    path
}

/// Exit 2, nothing on standard output, and a message that says all of this.
fn assert_unusable(arguments: &[&str], says: &[&str]) {
    let output = muxbed(arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    for part in says {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
    assert!(!error.contains("panicked"), "{error}");
}

#[test]
fn without_arguments_it_prints_the_matrix_of_the_landmarks() {
    let output = muxbed(&[]);
    assert_eq!(output.status.code(), Some(0));
    let text = out(&output);
    let line = |client: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with(client)).expect("it has a line");
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(line("grpc-go@1.17.0")[1..6], ["served", "served", "served", "served", "served"]);
    assert_eq!(line("grpc-go@1.18.0")[1..6], ["served", "STALLED", "20", "s*", "served"]);
    assert_eq!(line("grpc-go@1.83.1")[1..6], ["served", "STALLED", "20", "s", "served"]);
}

#[test]
fn a_scenario_becomes_bytes_and_those_the_same_scenario() {
    let text = "client \"c\"\n  > preface\n  > settings\n  < settings within 5s\n  close\nserver mux\n";
    let scenario = file("converted.bed", text.as_bytes());
    let output = muxbed(&["convert", scenario.to_str().expect("it is UTF-8")]);
    assert_eq!(output.status.code(), Some(0));
    let bytes = file("converted", &output.stdout);
    assert_eq!(out(&muxbed(&["convert", bytes.to_str().expect("it is UTF-8")])), text);
    let digits: String = output.stdout.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(out(&muxbed(&["convert", "--hex", &digits])), text);
}

#[test]
fn bytes_without_a_server_become_a_scenario_that_can_be_run() {
    let text = out(&muxbed(&["convert", "--hex", ""]));
    assert_eq!(text, "# The bytes name no server: they are run against this one.\nserver mux\n");
}

#[test]
fn a_scenario_shrinks_to_what_its_outcome_needs() {
    let text = "client grpc-go@1.17.0\nclient grpc-go@1.33.3\nserver cmux-header\nnetwork\n  latency 5ms\n";
    let scenario = file("large.bed", text.as_bytes());
    let output = muxbed(&["shrink", scenario.to_str().expect("it is UTF-8")]);
    assert_eq!(output.status.code(), Some(0));
    let shrunk = out(&output);
    let says = "its user reads: rpc error: code = Unavailable desc = timed out waiting for server handshake";
    let stays = format!("# What stays: stalled: client waiting for settings; {says}\n");
    assert!(shrunk.starts_with(&stays), "{shrunk}");
    let kept: Vec<_> = shrunk.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(kept, ["client grpc-go@1.33.3", "server cmux-header"]);
}

#[test]
fn what_cannot_be_converted_is_named_with_its_place() {
    let wrong = file("wrong.bed", b"client \"c\"\n  > prefix\n");
    let wrong = wrong.to_str().expect("it is UTF-8");
    assert_unusable(&["convert", wrong], &["wrong.bed:2:5", "prefix", "preface"]);
    let binary = file("binary.bed", b"client \"c\"\n  \xff\n");
    let binary = binary.to_str().expect("it is UTF-8");
    assert_unusable(&["convert", binary], &["binary.bed:2:3", "--from bytes"]);
    assert_unusable(&["convert", "--hex", "00x1"], &["`x`", "character 3"]);
    assert_unusable(&["convert", "--hex", "001"], &["middle of a byte"]);
    assert_unusable(&["convert", "no-such-file"], &["no-such-file"]);
    assert_unusable(&["shrink", "no-such-file"], &["no-such-file"]);
    let nobody = file("nobody.bed", b"server mux\n");
    assert_unusable(&["shrink", nobody.to_str().expect("it is UTF-8")], &["has no client"]);
}

#[test]
fn a_run_in_json_has_stable_names() {
    let (lines, status) = json(&["run", "--client", "grpc-go@1.33.3", "--server", "cmux-header"]);
    assert_eq!(status, Some(0), "a stall is a result, not a failure of the program");
    let [run] = &lines[..] else { panic!("one run, one line") };
    let expected = "at_ms calls client flight may outcome racy route server trace waiting_for who";
    assert_eq!(names(run).join(" "), expected);
    assert_eq!(run["outcome"], "stalled");
    assert_eq!((&run["who"], &run["waiting_for"]), (&"client".into(), &"settings".into()));
    assert_eq!(run["at_ms"], 20_000);
    let text = "rpc error: code = Unavailable desc = timed out waiting for server handshake";
    assert_eq!(run["calls"], serde_json::json!([{"at_ms": 20_000, "error": text}]));
    let preface = "505249202a20485454502f322e300d0a0d0a534d0d0a0d0a";
    assert_eq!(run["flight"], serde_json::json!([preface, "000000040000000000"]));
    assert_eq!(run["racy"], false);
    assert_eq!(run["trace"].as_str().map(str::len), Some(16));
}

#[test]
fn a_race_says_what_else_may_happen() {
    let (lines, _) = json(&["run", "--client", "grpc-go@1.33.3", "--server", "cmux-settings-to-tonic"]);
    assert_eq!(lines[0]["racy"], true);
    let may = lines[0]["may"].as_array().expect("a list");
    assert!(may.iter().any(|ending| ending["outcome"] == "refused"), "{may:?}");
    assert_eq!(names(&may[0]).join(" "), "at_ms calls outcome");
}

#[test]
fn an_upgrade_that_breaks_something_exits_with_1() {
    let (lines, status) = json(&["upgrade", "grpc-go", "1.17.0", "1.18.0"]);
    assert_eq!(status, Some(1));
    let at = |server: &str| lines.iter().find(|line| line["server"] == server).expect("it is looked at");
    let header = at("cmux-header");
    assert_eq!(names(header).join(" "), "change from remedy server to why");
    assert_eq!(names(&header["from"]).join(" "), "may outcome says");
    assert_eq!(header["change"], "breaks");
    assert!(
        header["to"]["says"]
            .as_str()
            .is_some_and(|text| text.contains("timed out waiting for server handshake"))
    );
    assert!(header["why"].as_str().is_some_and(|why| why.contains("#2565")), "{header}");
    let remedy = header["remedy"].as_array().expect("a list");
    assert!(remedy.contains(&"mux".into()) && remedy.contains(&"cmux-settings".into()), "{remedy:?}");
    assert_eq!(at("mux")["change"], "none");
    let human = out(&muxbed(&["upgrade", "grpc-go", "1.17.0", "1.18.0"]));
    assert!(human.contains("breaks cmux-header") && human.contains("what helps"), "{human}");
}

#[test]
fn an_upgrade_that_breaks_nothing_exits_with_0() {
    let (lines, status) = json(&["upgrade", "grpc-go", "1.18.0", "1.19.0"]);
    assert_eq!(status, Some(0));
    assert!(lines.iter().all(|line| line["change"] != "breaks"));
}

#[test]
fn fidelity_ends_with_a_summary_and_exits_with_1_as_long_as_something_is_skipped() {
    let (lines, status) = json(&["fidelity", "captures/observed.json"]);
    assert_eq!(lines.len(), 958);
    let expected = "agrees capture client differs observed predicted racy server skipped";
    assert_eq!(names(&lines[0]).join(" "), expected);
    let summary = &lines[957]["summary"];
    assert_eq!(names(summary).join(" "), "agree observations racy skipped");
    assert_eq!(summary["observations"], 957);
    let skipped: u64 =
        summary["skipped"].as_object().expect("reasons").values().filter_map(Value::as_u64).sum();
    assert_eq!(summary["agree"].as_u64().expect("a number") + skipped, 957);
    assert_eq!(status, Some(i32::from(skipped > 0)));
    let (lines, _) = json(&["fidelity", "captures/races.json"]);
    assert!(lines[0].get("capture").is_none());
}

#[test]
fn fidelity_says_how_many_schedules_it_takes_to_see_each_result() {
    let (lines, status) = json(&["fidelity", "captures/races.json", "--schedules", "100", "--seed", "3"]);
    assert_eq!(status, Some(0));
    assert_eq!(names(&lines[0]).join(" "), "client schedules server tried");
    assert!(lines[0]["schedules"]["ok, ok"].as_u64().is_some_and(|schedules| schedules >= 1));
    let summary = &lines.last().expect("a summary")["summary"];
    assert_eq!(names(summary).join(" "), "limit most_schedules results seed seen");
    assert_eq!(summary["seen"], summary["results"]);
    let (_, status) = json(&["fidelity", "captures/races.json", "--schedules", "1"]);
    assert_eq!(status, Some(1), "not every result is seen under the first schedule");
    assert_unusable(
        &["fidelity", "captures/observed.json", "--schedules", "9"],
        &["observed.json", "repeats"],
    );
}

#[test]
fn a_recording_that_differs_is_shown_with_a_line_that_runs_it_again() {
    let list = fs::read_to_string("captures/observed.json").expect("the list");
    let mut list: Vec<Value> = serde_json::from_str(&list).expect("it is JSON");
    list.retain(|observation| observation["capture"] == "grpc-go-1.33.3__cmux-header.pcap");
    list[0]["rpcs"][0]["error"] = "another text".into();
    list[0]["capture"] =
        fs::canonicalize("captures/grpc-go-1.33.3__cmux-header.pcap").expect("it is there").to_str().into();
    let path = file("differs.json", Value::from(list).to_string().as_bytes());
    let output = muxbed(&["fidelity", path.to_str().expect("a path")]);
    assert_eq!(output.status.code(), Some(1));
    let text = out(&output);
    assert!(text.contains("another text"), "{text}");
    assert!(text.contains("again: muxbed run --client 'grpc-go@1.33.3' --server cmux-header"), "{text}");
    assert!(text.contains("1 observations: 0 agree, 1 differ, 0 skipped"), "{text}");
}

#[test]
fn a_replay_in_json_has_stable_names() {
    let (lines, status) = json(&["replay", "captures/grpc-go-1.33.3__cmux-header.pcap", "--server", "mux"]);
    assert_eq!(status, Some(0));
    let expected = "at_ms capture captured_outcome client client_known_by continued_as flow may outcome route says \
                    server skipped trace";
    assert_eq!(names(&lines[0]).join(" "), expected);
    assert_eq!(
        (&lines[0]["client"], &lines[0]["client_known_by"]),
        (&"grpc-go@1.33.3".into(), &"file name".into())
    );
    assert_eq!((&lines[0]["outcome"], &lines[0]["route"]), (&"served".into(), &"grpc".into()));
    assert_eq!(lines[0]["captured_outcome"], "stalled");
    let continued_as = lines[0]["continued_as"].as_array().expect("a list");
    assert!(continued_as.len() > 1 && continued_as.contains(&"grpc-go@1.26.0".into()), "{continued_as:?}");
    let unnamed =
        file("incident.pcap", &fs::read("captures/grpc-go-1.33.3__cmux-header.pcap").expect("the capture"));
    let (lines, _) = json(&["replay", unnamed.to_str().expect("a path"), "--server", "mux"]);
    assert_eq!((&lines[0]["client"], &lines[0]["client_known_by"]), (&Value::Null, &Value::Null));
    assert!(lines[0]["continued_as"].as_array().is_some_and(|list| list.len() > 1));
}

#[test]
fn a_replay_that_is_no_longer_served_exits_with_1() {
    let replay = ["replay", "captures/grpc-go-1.33.3__direct.pcap", "--server", "mute"];
    assert_eq!(json(&replay).1, Some(1));
    let text = out(&muxbed(&replay));
    assert!(
        text.contains("again: muxbed replay captures/grpc-go-1.33.3__direct.pcap --flow 1 --server mute"),
        "{text}"
    );
}

#[test]
fn a_scenario_runs_by_its_id() {
    let output = muxbed(&["run", "--scenario", "A1"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(
        out(&output).contains("stalled: client waiting for settings at 20 s, while cmux waits for HEADERS")
    );
}

#[test]
fn a_client_newer_than_any_recorded_says_so() {
    let text = out(&muxbed(&["run", "--client", "grpc-go@1.999.0", "--server", "mux"]));
    assert!(text.contains("grpc-go@1.999.0 is newer than any recorded version"), "{text}");
}

#[test]
fn lists_name_everything() {
    let clients = out(&muxbed(&["list", "clients"]));
    assert!(clients.contains("grpc-go from 1.26.0 until 1.38.0"), "{clients}");
    let servers = out(&muxbed(&["list", "servers"]));
    assert!(servers.contains("cmux-settings-twice") && servers.contains("..-to-tonic"), "{servers}");
    let scenarios = out(&muxbed(&["list", "scenarios"]));
    assert!(scenarios.contains("A1-settings-wait"), "{scenarios}");
}

#[test]
fn explain_says_why_with_its_source() {
    let text = out(&muxbed(&["explain", "grpc-go@1.33.3"]));
    assert!(text.contains("source:") && text.contains("shown by the recordings of"), "{text}");
    assert!(text.contains("settings within 20s"), "{text}");
    let text = out(&muxbed(&["explain", "cmux-settings-to-tonic"]));
    assert!(text.contains("tonic"), "{text}");
    let text = out(&muxbed(&["explain", "A1"]));
    assert!(text.contains("expect stalled client waiting for settings at 20s"), "{text}");
}

#[test]
fn an_unknown_client_names_the_nearest() {
    assert_unusable(
        &["run", "--client", "grpc-g0@1.33.3", "--server", "mux"],
        &["there is no client `grpc-g0`; the nearest is `grpc-go`"],
    );
    assert_unusable(&["upgrade", "grpc-go", "1.17.0", "latest"], &["`latest` is no version"]);
    assert_unusable(&["run", "--client", "grpc-go@0.9"], &["is older than any profile"]);
}

#[test]
fn an_unknown_server_names_the_nearest() {
    assert_unusable(&["run", "--client", "grpc-go@1.33.3", "--server", "cmux-heather"], &["cmux-header"]);
}

#[test]
fn an_unknown_scenario_names_the_nearest() {
    assert_unusable(&["run", "--scenario", "A1-setings-wait"], &["the nearest is `A1-settings-wait`"]);
}

#[test]
fn a_typo_in_a_script_has_its_place_and_a_caret() {
    let path = file("typo.bed", b"client \"c\"\n  > prefase\n  > settings\nserver mux\n");
    let path = path.to_str().expect("a path");
    assert_unusable(&["run", "--scenario", path], &["typo.bed:2:5", "prefase", "^^^^^^^", "preface"]);
}

#[test]
fn a_file_that_is_no_capture_is_said_to_be_none() {
    assert_unusable(&["replay", "Cargo.toml"], &["Cargo.toml", "no pcap or pcapng file; it is text"]);
    assert_unusable(&["replay", "captures/no-such-file.pcap"], &["no-such-file.pcap"]);
}

#[test]
fn a_capture_that_is_cut_off_says_where_and_loses_nothing_before() {
    let whole = fs::read("captures/grpc-go-1.33.3__direct.pcap").expect("the capture");
    let path = file("cut-off.pcap", &whole[..whole.len() - 7]);
    let path = path.to_str().expect("a path");
    assert_unusable(&["replay", path], &["cut-off.pcap", "cut off", "byte"]);
    let (lines, status) = json(&["replay", path]);
    assert_eq!((lines.len(), status), (1, Some(2)), "what is there is replayed");
}

#[test]
fn a_list_of_observations_that_can_not_be_read_has_its_place() {
    let path = file("broken.json", b"[\n  {\"capture\": 5}\n]\n");
    assert_unusable(&["fidelity", path.to_str().expect("a path")], &["broken.json", "line 2"]);
}

#[test]
fn bad_usage_exits_with_2() {
    assert_eq!(muxbed(&["replay"]).status.code(), Some(2));
    assert_eq!(muxbed(&["run", "--format", "yaml"]).status.code(), Some(2));
    assert_eq!(muxbed(&["--help"]).status.code(), Some(0));
}

/// A recording over TLS without the keys that it brings, and the keys as a file.
fn stripped_of_secrets(capture: &str) -> (PathBuf, PathBuf) {
    let whole = fs::read(format!("captures/{capture}")).expect("the capture");
    let (mut stripped, mut keys, mut rest) = (Vec::new(), Vec::new(), &whole[..]);
    while let [kind @ .., _, _, _, _] = &rest[..rest.len().min(8)] {
        let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("four bytes")) as usize;
        let (block, after) = rest.split_at(number(&rest[4..8]));
        if number(kind) == 0x0a {
            keys.extend_from_slice(&block[16..][..number(&block[12..16])]);
        } else {
            stripped.extend_from_slice(block);
        }
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    (file(&format!("stripped-{capture}"), &stripped), file(&format!("{capture}.keys"), &keys))
}

#[test]
fn a_capture_without_its_keys_needs_them_and_the_other_flows_still_run() {
    let (stripped, keys) = stripped_of_secrets("grpc-go-1.33.3__tls-direct.pcapng");
    let (stripped, keys) = (stripped.to_str().expect("a path"), keys.to_str().expect("a path"));
    let clear = "captures/grpc-go-1.33.3__direct.pcap";
    let (lines, status) = json(&["replay", stripped, clear, "--tls", "plaintext"]);
    assert_eq!(status, Some(2));
    let skipped = lines[0]["skipped"].as_str().expect("it is skipped");
    assert!(skipped.starts_with("needs keys"), "{skipped}");
    assert_eq!((&lines[0]["outcome"], &lines[1]["outcome"]), (&Value::Null, &"served".into()));

    let (lines, status) = json(&["replay", stripped, clear, "--tls", "plaintext", "--keylog", keys]);
    assert_eq!((lines.len(), status), (2, Some(0)));
    assert!(lines.iter().all(|line| line["outcome"] == "served"), "{lines:?}");
}

#[test]
fn a_file_that_is_no_key_log_is_said_to_be_none() {
    let replay = ["replay", "captures/grpc-go-1.33.3__tls-direct.pcapng", "--keylog"];
    assert_unusable(&[&replay[..], &["Cargo.toml"]].concat(), &["Cargo.toml", "line 1 is none of a key log"]);
    assert_unusable(&[&replay[..], &["no-such-file.keys"]].concat(), &["no-such-file.keys"]);
}

#[test]
fn a_client_over_tls_is_replayed_in_the_clear() {
    let capture = "captures/grpc-go-1.33.3__tls-cmux-header.pcapng";
    let (lines, status) = json(&["replay", capture, "--tls", "plaintext", "--server", "mux"]);
    assert_eq!(status, Some(0));
    assert_eq!((&lines[0]["outcome"], &lines[0]["captured_outcome"]), (&"served".into(), &"stalled".into()));
    let continued_as = lines[0]["continued_as"].as_array().expect("a list");
    assert!(continued_as.len() > 1 && continued_as.contains(&"grpc-go@1.26.0".into()), "{continued_as:?}");
    let left = "captures/grpc-go-1.67.1__tls-noalpn-cmux-settings.pcapng";
    let (lines, status) = json(&["replay", left, "--tls", "plaintext"]);
    assert_eq!((&lines[0]["skipped"], status), (&"the client sent nothing inside of TLS".into(), Some(0)));
    assert_eq!(lines[0]["captured_outcome"], "refused");
}
