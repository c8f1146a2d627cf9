//! What the program concludes, by exit code and in words, where one could conclude otherwise: an answer that is no handshake,
//! captures that end too soon, expectations in every format, a reader that goes away.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn muxbed(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_muxbed")).args(arguments).output().expect("the program runs")
}

/// Runs a scenario that is written to its standard input.
fn run_text(text: &str, arguments: &[&str]) -> Output {
    let mut muxbed = Command::new(env!("CARGO_BIN_EXE_muxbed"));
    let muxbed = muxbed.args(["run", "--scenario", "-"]).args(arguments);
    let piped = muxbed.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = piped.spawn().expect("the program runs");
    running.stdin.take().expect("it is piped").write_all(text.as_bytes()).expect("it reads");
    running.wait_with_output().expect("it ends")
}

/// The exit code, and all that was said.
fn told(output: &Output) -> (Option<i32>, String) {
    let said = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    (output.status.code(), said.concat())
}

/// A folder of its own for a test, in the directory that cargo keeps for tests.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&path).expect("the directory can be written to");
    path
}

/// A live server that says this to everybody, whatever they say.
#[expect(clippy::disallowed_methods, reason = "a live server has a thread of its own")]
fn says(words: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    std::thread::spawn(move || {
        // None is closed: with bytes unread that would be a reset, which may overtake the answer.
        let mut streams = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(words);
            streams.push(stream);
        }
    });
    address
}

#[test]
fn an_answer_in_http1_is_no_handshake() {
    let address = says(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    let clients = ["--client", "grpc-go@1.83.1", "--client", "grpcio@1.85.1"];
    let (status, said) = told(&muxbed(&[&["check", &address][..], &clients].concat()));
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("there is no handshake: the server answers in HTTP/1, with status 400"), "{said}");
    assert!(
        said.contains(&format!("again: muxbed check {address} --patience 2000ms --client 'grpc-go@1.83.1'")),
        "{said}"
    );
}

#[test]
fn what_a_client_would_say_is_not_made_up() {
    let address = says(b"\0\0\x05\x04\0\0\0\0\0short");
    let (status, said) = told(&muxbed(&["check", &address, "--client", "tonic@0.14.9"]));
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("(the client's own words for this are not known)"), "{said}");
}

#[test]
fn a_capture_that_is_cut_off_agrees_with_nothing() {
    let folder = folder("cut-off");
    let name = "grpc-go-1.10.0__cmux-preface.pcap";
    let capture = fs::read(Path::new("captures").join(name)).expect("it is recorded");
    fs::write(folder.join(name), &capture[..500]).expect("it can be written");
    let all: serde_json::Value =
        serde_json::from_slice(&fs::read("captures/observed.json").expect("it is there"))
            .expect("it is JSON");
    let observed = all.as_array().expect("a list").iter().filter(|one| one["capture"] == name);
    let list = folder.join("observed.json");
    let observed = serde_json::to_string(&observed.collect::<Vec<_>>()).expect("it is JSON");
    fs::write(&list, observed).expect("it can be written");
    let (status, said) = told(&muxbed(&["fidelity", &list.display().to_string()]));
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains(&format!("{name}: skipped, its capture can't be read to its end")), "{said}");
    assert!(said.contains("0 agree, 0 differ, 1 skipped"), "{said}");
}

#[test]
fn a_capture_that_is_cut_off_does_not_keep_the_next_from_being_replayed() {
    let whole = "captures/grpc-go-1.33.3__cmux-header.pcap";
    let cut = folder("replayed").join("cut.pcap");
    let capture = fs::read(whole).expect("it is recorded");
    fs::write(&cut, &capture[..500]).expect("it can be written");
    let (status, said) = told(&muxbed(&["replay", &cut.display().to_string(), whole]));
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("grpc-go-1.33.3__cmux-header.pcap flow 1"), "{said}");
    assert!(said.contains("cut.pcap: the file is cut off"), "{said}");
}

#[test]
fn in_every_format_a_scenario_fails_by_what_it_expects() {
    let (status, said) = told(&muxbed(&["run", "--scenario", "A1", "--format", "junit"]));
    assert_eq!((status, said.contains("failures=\"0\"")), (Some(0), true), "{said}");
    let unmet = "client grpc-go@1.33.3\nserver direct\nexpect stalled\n";
    for (format, mark) in [
        ("human", "not as expected: expect stalled"),
        ("markdown", "Not as expected: expect stalled"),
        ("json", "not as expected: expect stalled"),
        ("junit", "<failure message=\"expect stalled: grpc-go@1.33.3 can be served by grpc at 20 ms"),
    ] {
        let (status, said) = told(&run_text(unmet, &["--format", format]));
        assert_eq!((status, said.contains(mark)), (Some(1), true), "{format}: {said}");
    }
    let (status, said) = told(&run_text(unmet, &["--server", "mute"]));
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("is expected of its own server, and was not looked at"), "{said}");
}

#[test]
fn who_reads_no_further_takes_nothing_from_the_exit_code() {
    for (arguments, status) in
        [(&["upgrade", "grpc-go", "1.17.0", "1.18.0"][..], 1), (&["fidelity", "captures/observed.json"], 0)]
    {
        let mut muxbed = Command::new(env!("CARGO_BIN_EXE_muxbed"));
        let muxbed = muxbed.args(arguments).args(["--format", "json"]);
        let piped = muxbed.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = piped.spawn().expect("the program runs");
        drop(running.stdout.take());
        let output = running.wait_with_output().expect("it ends");
        assert_eq!(told(&output), (Some(status), String::new()), "{arguments:?}");
    }
}

#[test]
fn a_script_that_asks_for_nothing_is_served_by_none() {
    let (status, said) = told(&run_text("client \"x\"\n  > preface\nserver mute\n", &[]));
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("all is said\nserved by none"), "{said}");
}

#[test]
fn what_can_not_be_meant_is_not_taken_for_something_else() {
    for (arguments, says) in [
        (&["run", "--client", "grpc-go@>99", "--server", "mux"][..], "begins with a version that is >99"),
        (&["run", "--client", "grpc-go@<1.5", "--server", "mux"], "begins with a version that is <1.5"),
        (&["run", "--client", "grpc-go@*1", "--server", "mux"], "`*1` is no condition on a version"),
        (&["run", "--client", "grpc-go@^1.80", "--server", "mux"], "`^1.80` is no condition on a version"),
        (&["run", "--client", "grpc-go@>1,<2", "--server", "mux"], "`1,<2` is no version"),
        (&["run", "--scenario", "A1", "--server", "mux", "--server", "mute"], "a scenario has one server"),
        (&["check", "127.0.0.1:1", "--patience", "99999999999999999999s"], "write for example `2s`"),
        (&["convert", "--hex", "0g"], "--hex: `g`, character 2, is no hexadecimal digit"),
    ] {
        let (status, said) = told(&muxbed(arguments));
        assert_eq!((status, said.contains(says)), (Some(2), true), "{arguments:?}: {said}");
    }
    for (text, says) in [
        ("client grpc-go@1.33.3\nserver mute\nserver direct\n", "standard input:3"),
        ("# Of nosuch@1.\nclient nosuch@1\nserver mute\n", "standard input:2:8"),
        ("server mux\nafterwards nosuch@1\n", "standard input:2:12"),
        ("client \"x\"\n  > data 1 end 0g\nserver mute\n", "`g`, character 2, is no hexadecimal digit"),
    ] {
        let (status, said) = told(&run_text(text, &[]));
        assert_eq!((status, said.contains(says)), (Some(2), true), "{text}: {said}");
    }
}

#[test]
fn what_no_scenario_shows_yet_can_be_explained() {
    let (status, said) = told(&muxbed(&["explain", "A10"]));
    assert_eq!(status, Some(0), "{said}");
    assert!(said.starts_with("no scenario shows A10 (windows or tables that the server lowers"), "{said}");
}

#[test]
fn one_of_the_matrix_is_named_to_be_seen_in_full() {
    let clients = ["--client", "grpcio@1.31.0", "--client", "grpcio@1.32.0"];
    let servers = ["--server", "mux", "--server", "cmux-header"];
    let (_, said) = told(&muxbed(&[&["run"][..], &clients, &servers].concat()));
    assert!(said.contains("muxbed run --client 'grpcio@1.32.0' --server cmux-header"), "{said}");
    let servers = ["--server", "direct", "--server", "eof"];
    let (_, said) = told(&muxbed(&[&["run"][..], &clients, &servers].concat()));
    assert!(said.contains("muxbed run --client 'grpcio@1.31.0' --server eof"), "{said}");
}
