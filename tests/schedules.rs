//! Schedules as a search: drawn by a seed they show what repeats of real runs showed, and nothing new where nothing races.

use std::fs;

use muxbed::bed::{Run, bed};
use muxbed::fidelity::{Recorded, Repeats, search};

fn repeats() -> Vec<Repeats> {
    let text = fs::read_to_string("captures/races.json").expect("the list of repeats");
    let Ok(Recorded::Repeats(all)) = Recorded::parse(&text) else { panic!("it is a list of repeats") };
    all
}

#[test]
fn every_result_that_was_observed_is_seen_within_a_hundred_schedules_whatever_the_seed() {
    for seed in 0..4 {
        for repeats in repeats() {
            let searched = search(&repeats, seed, 100).expect("it is predicted");
            let all_seen = searched.results.values().all(Option::is_some);
            assert!(all_seen && !searched.results.is_empty(), "seed {seed}: {searched:?}");
        }
    }
}

#[test]
fn a_search_stops_where_it_is_told_to_and_says_what_it_has_not_seen() {
    let races = repeats().into_iter().find(|repeats| repeats.results.len() > 1).expect("something races");
    let searched = search(&races, 0, 1).expect("it is predicted");
    assert_eq!(searched.tried, 1);
    assert!(searched.results.values().any(Option::is_none), "one schedule has one result: {searched:?}");
}

#[test]
fn a_seed_draws_the_same_runs_again() {
    let scenario = bed()
        .client("grpc-go@1.33.3")
        .named_server("cmux-settings-to-tonic".parse().expect("it is a server"));
    let traces =
        |seed| -> Vec<String> { scenario.one_after_another(seed).take(30).map(|run| run.trace()).collect() };
    assert_eq!(traces(7), traces(7));
    assert_ne!(traces(7), traces(8));
}

#[test]
fn a_race_is_found_by_drawn_schedules_alone_and_none_is_found_behind_mux() {
    let results = |server: &str| {
        let server = server.parse().expect("it is a server");
        let scenario = bed().client("grpc-go@1.33.3").named_server(server);
        let runs: Vec<_> = scenario.one_after_another(7).take(300).collect();
        (runs.iter().any(Run::works), runs.iter().any(|run| !run.works()))
    };
    assert_eq!(results("cmux-settings-to-tonic"), (true, true));
    for server in ["mux", "mux-to-tonic", "mux-to-nghttp2", "mux-to-c-core", "mux-to-netty", "mux-to-h2c"] {
        assert_eq!(results(server), (true, false), "{server}");
    }
}

#[test]
fn schedules_are_added_to_those_that_are_always_tried() {
    let scenario =
        bed().client("grpcio@1.44.0").named_server("cmux-settings-to-h2c".parse().expect("a server"));
    let always = scenario.run();
    let more = scenario.clone().seed(7).schedules(200).run();
    assert_eq!(more.ending, always.ending, "what is reported first stays so");
    assert!(always.may.iter().all(|ending| more.may.contains(ending)), "{more}");
}
