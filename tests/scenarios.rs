//! The scenarios that come with the crate: every file is one, each is as it expects, and its ladder is the one that was
//! reviewed.

mod reviewed;

use std::collections::BTreeSet;
use std::fs;

use muxbed::bed::bed;
use muxbed::scenarios::{KnownScenario, SCENARIOS, unmet};
use muxbed::script::Script;

#[test]
fn every_file_is_a_scenario_and_every_scenario_a_file() {
    let files =
        fs::read_dir("tests/scenarios").expect("the scenarios").map(|entry| entry.expect("a file").path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "bed"));
    let files: BTreeSet<String> =
        files.map(|path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned()).collect();
    let known: BTreeSet<String> = SCENARIOS.iter().map(|scenario| scenario.name.to_owned()).collect();
    assert_eq!(files, known);
}

#[test]
fn every_scenario_says_what_it_is_about_and_reads_back_as_printed() {
    for scenario in SCENARIOS {
        let script = scenario.script().expect("it can be read");
        assert!(!scenario.about().is_empty(), "{}", scenario.name);
        let printed = script.to_string();
        assert_eq!(Script::parse("printed", &printed).expect("it can be read"), script, "{printed}");
    }
}

#[test]
fn every_scenario_is_as_it_expects() {
    for scenario in SCENARIOS {
        let script = scenario.script().expect("it can be read");
        let runs = bed().script(&script).expect("its clients are known").run_all();
        assert_eq!(unmet(&script, &runs), [], "{}", scenario.name);
    }
}

#[test]
fn what_is_expected_has_to_hold_for_every_result_that_can_happen() {
    let racy = KnownScenario::find("A3").expect("it is known");
    let script =
        Script::parse("racy", &format!("{}\nexpect served by grpc\n", racy.text)).expect("it can be read");
    let runs = bed().script(&script).expect("its clients are known").run_all();
    assert!(runs[0].ending.outcome.is_served());
    let unmet = unmet(&script, &runs);
    assert!(
        unmet[0].words.starts_with("expect served by grpc: grpc-go@1.33.3 can be refused: goaway 1"),
        "{unmet:?}"
    );
}

#[test]
fn the_ladder_of_every_scenario_is_the_one_that_was_reviewed() {
    for scenario in SCENARIOS {
        let script = scenario.script().expect("it can be read");
        let runs = bed().script(&script).expect("its clients are known").run_all();
        // Of clients that meet there is one ladder, but for its last lines.
        let first = runs.first().expect("it has a client");
        reviewed::assert_ladders(scenario.name, first);
    }
}
