//! The forms of a script against each other: what one says, the others say too, for the scripts that come with the crate,
//! for scripts made up, and for whatever any bytes are. And what a reader of a misspelt script is told.

#[path = "../properties/mod.rs"]
mod properties;
mod strategies;
mod typos;

use std::fs;

use muxbed::clients::families;
use muxbed::script::{Client, Script, Who};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use properties::cases;

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn a_script_survives_its_text(script in strategies::script()) {
        let text = script.to_string();
        let read = Script::parse("made up", &text).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(&read, &script, "{}", text);
        prop_assert_eq!(read.to_string(), text);
    }

    #[test]
    fn a_script_survives_its_bytes(script in strategies::script()) {
        prop_assert_eq!(Script::from_bytes(&script.to_bytes()), script);
    }

    #[test]
    fn any_bytes_are_a_script(bytes in strategies::bytes()) {
        let script = Script::from_bytes(&bytes);
        let written = script.to_bytes();
        prop_assert_eq!(&Script::from_bytes(&written), &script);
        // What is short by convention is spelled out in memory: a client that is not named, at the most.
        prop_assert!(written.len() <= 64 + 6 * bytes.len(), "{} of {}", written.len(), bytes.len());
        let text = script.to_string();
        let read = Script::parse("decoded", &text).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(read, script, "{}", text);
    }

    #[test]
    fn no_text_is_too_odd_to_be_read_or_refused(text in vec(shred(), 0..40)) {
        let text = text.concat();
        if let Ok(script) = Script::parse("shreds", &text) {
            prop_assert_eq!(Script::parse("printed", &script.to_string()), Ok(script.clone()));
            prop_assert_eq!(Script::from_bytes(&script.to_bytes()), script);
        }
    }
}

/// Words, marks and line ends of which scripts are made.
fn shred() -> impl Strategy<Value = String> {
    let words = [
        "client ",
        "\"c\" ",
        "\n",
        "\n  ",
        "> ",
        "< ",
        "preface",
        ", ",
        "settings ",
        "ack ",
        "headers 1 ",
        "grpc /x ",
        "fields f ",
        "fields ",
        "data 3 end ",
        "00ff ",
        "within 5ms ",
        "else \"t\" ",
        "cut ",
        "1 ",
        "9 ",
        "on end ",
        "on reset call ",
        "fail \"a\" ",
        "or \"b\" ",
        "retry ",
        "ready",
        "call ",
        "finally",
        "network",
        "to-server ",
        "latency 1s ",
        "unread lost",
        "server mux",
        "expect served ",
        "by r ",
        "at 20s ",
        "# ",
        "\\",
        "\"",
        "wait 1us ",
        "after loss idle",
        "literal ",
        "raw \"\\x00\" ",
        "no acks",
        "close",
        "grpc-go@1.2.3 ",
        "\u{85}",
        "\u{2028}",
        "\r",
    ];
    select(words.to_vec()).prop_map(str::to_owned)
}

#[track_caller]
fn survives(name: &str, script: &Script) {
    let text = script.to_string();
    match Script::parse(name, &text) {
        Ok(read) => assert_eq!(read, *script, "{name} changes in its text:\n{text}"),
        Err(error) => panic!("{name} can't be read back:\n{error}"),
    }
    assert_eq!(Script::from_bytes(&script.to_bytes()), *script, "{name} changes in its bytes");
}

#[test]
fn every_scenario_that_comes_with_the_crate_survives() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios");
    let mut seen = 0;
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        if path.extension().is_some_and(|extension| extension == "bed") {
            let name = path.display().to_string();
            let text = fs::read_to_string(&path).expect("it can be read");
            survives(&name, &Script::parse(&name, &text).unwrap_or_else(|error| panic!("{error}")));
            seen += 1;
        }
    }
    assert!(seen > 0);
}

#[test]
fn every_profile_survives() {
    for family in families() {
        for profile in &family.profiles {
            let who = Who::Scripted(Box::new(profile.behaviour.clone()));
            let script = Script {
                field_lists: family.field_lists.clone(),
                clients: vec![Client { name: "x".to_owned(), who }],
                ..Script::default()
            };
            survives(&format!("{}: {}", family.name, profile.title), &script);
        }
    }
}

#[test]
fn a_name_that_is_referred_to_often_is_there_once() {
    // A list with a long name, and a write that names it again and again: in proportion to the bytes, not to both.
    let length = 200;
    let mut bytes = vec![1, length];
    bytes.extend([b'n'; 200]);
    bytes.extend([0, 0, 1, 1]);
    bytes.extend([3, 0, 0, 3, 0].repeat(100));
    let script = Script::from_bytes(&bytes);
    let named = script.to_string().matches("fields nnn").count();
    assert_eq!(named, 101);
    assert!(script.to_bytes().len() <= bytes.len() + 16);
}
