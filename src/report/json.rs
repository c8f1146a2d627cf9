//! One compact JSON object a line. Names are stable: programs read them.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::bed::{Call, Ending, KnownBy, Replayed, Run};
use crate::fidelity::{Comparison, Observation, Repeats, Searched};
use crate::live::{Probe, SurplusAck};
use crate::outcome::Outcome;
use crate::upgrade::Change;

/// What came of a run.
pub fn run_line(run: &Run) -> String {
    let mut object = Map::new();
    object.insert("client".into(), json!(run.client));
    object.insert("server".into(), json!(run.server));
    insert_ending(&mut object, &run.ending);
    object.insert("flight".into(), json!(flight(run)));
    object.insert("racy".into(), json!(run.racy));
    object.insert("may".into(), json!(run.alternatives().into_iter().map(possible).collect::<Vec<_>>()));
    object.insert("trace".into(), json!(run.trace()));
    Value::Object(object).to_string()
}

/// How a prediction compares with an observation.
pub fn fidelity_line(comparison: &Comparison, observed: Observed<'_>) -> String {
    let mut object = Map::new();
    let (capture, observed) = match observed {
        Observed::Once(observation) => (
            Some(observation.capture.as_str()),
            json!({"rpcs": observation.rpcs, "connections": observation.connections}),
        ),
        Observed::Often(repeats) => (None, json!({"results": repeats.results, "errors": repeats.errors})),
    };
    if let Some(capture) = capture {
        object.insert("capture".into(), json!(capture));
    }
    object.insert("client".into(), json!(comparison.client));
    object.insert("server".into(), json!(comparison.server));
    object.insert("agrees".into(), json!(comparison.agrees()));
    object.insert("differs".into(), json!(comparison.differs));
    object.insert("skipped".into(), json!(comparison.skipped));
    object.insert("racy".into(), json!(comparison.predicted.as_ref().is_some_and(|run| run.racy)));
    let predicted: Vec<Value> = comparison.predicted.iter().flat_map(Run::endings).map(predicted).collect();
    object.insert("predicted".into(), json!(predicted));
    object.insert("observed".into(), observed);
    Value::Object(object).to_string()
}

/// What a prediction is compared with.
#[derive(Clone, Copy, Debug)]
pub enum Observed<'a> {
    /// One recorded run.
    Once(&'a Observation),
    /// A run that was repeated.
    Often(&'a Repeats),
}

/// The last line of a comparison.
pub fn fidelity_summary(comparisons: &[Comparison]) -> String {
    let mut skipped: BTreeMap<&str, u32> = BTreeMap::new();
    for reason in comparisons.iter().filter_map(|comparison| comparison.skipped.as_deref()) {
        *skipped.entry(reason).or_default() += 1;
    }
    let agree = comparisons.iter().filter(|comparison| comparison.agrees()).count();
    let racy =
        comparisons.iter().filter(|comparison| comparison.predicted.as_ref().is_some_and(|run| run.racy));
    json!({"summary": {
        "observations": comparisons.len(), "agree": agree, "racy": racy.count(), "skipped": skipped,
    }})
    .to_string()
}

/// How many schedules it took to see each observed result; null for one that was not seen.
pub fn search_line(searched: &Searched) -> String {
    let Searched { client, server, results, tried } = searched;
    json!({"client": client, "server": server, "schedules": results, "tried": tried}).to_string()
}

/// The last line of a search over schedules.
pub fn search_summary(searches: &[Searched], seed: u64, most: u64) -> String {
    let results = || searches.iter().flat_map(|searched| searched.results.values());
    json!({"summary": {
        "results": results().count(), "seen": results().flatten().count(),
        "most_schedules": results().flatten().max(), "seed": seed, "limit": most,
    }})
    .to_string()
}

/// What came of replaying one conversation of a capture.
pub fn replay_line(capture: &str, server: &str, replayed: &Replayed) -> String {
    let run = replayed.run.as_ref();
    let continued_as: Vec<String> = replayed.continued_as.iter().map(ToString::to_string).collect();
    let may: Vec<Value> = run.iter().flat_map(|run| run.alternatives()).map(possible).collect();
    json!({
        "capture": capture,
        "flow": replayed.flow,
        "client": replayed.client.as_ref().map(ToString::to_string),
        "client_known_by": replayed.known_by.map(KnownBy::words),
        "server": server,
        "outcome": run.map(|run| run.ending.outcome.word()),
        "at_ms": run.map(|run| milliseconds(run.ending.at())),
        "says": run.and_then(|run| run.ending.says()),
        "skipped": replayed.skipped.map(|unusable| unusable.to_string()),
        "route": run.and_then(|run| route(&run.ending.outcome)),
        "captured_outcome": replayed.captured.as_ref().map(Outcome::word),
        "continued_as": continued_as,
        "may": may,
        "trace": run.map(Run::trace),
    })
    .to_string()
}

/// What changes for the users of one server.
pub fn upgrade_line(change: &Change) -> String {
    let side = |run: &Run| {
        json!({
            "outcome": run.ending.outcome.word(),
            "says": run.ending.says(),
            "may": run.alternatives().into_iter().map(possible).collect::<Vec<_>>(),
        })
    };
    json!({
        "server": change.server,
        "from": side(&change.from),
        "to": side(&change.to),
        "change": change.kind.word(),
        "why": change.why,
        "remedy": change.remedy,
    })
    .to_string()
}

/// What a live server was found to do.
pub fn probe_line(probe: &Probe) -> String {
    let greeting = probe.settings.as_ref();
    let values: Option<Vec<Value>> = greeting.map(|greeting| {
        greeting
            .values
            .iter()
            .map(|setting| json!({"id": setting.id.to_string(), "value": setting.value}))
            .collect()
    });
    let (surplus_ack, goaway) = match probe.surplus_ack {
        SurplusAck::Ignored => ("ignored", None),
        SurplusAck::GoAway(code) => ("goaway", Some(code)),
        SurplusAck::Closed => ("closed", None),
        SurplusAck::DiedOfThoseThatWereDue(code) => ("died-before", code),
        SurplusAck::NotAsked => ("not-asked", None),
    };
    json!({"probe": {
        "settings": values,
        "unasked": greeting.map(|greeting| greeting.unasked),
        "surplus_ack": surplus_ack,
        "goaway": goaway,
    }})
    .to_string()
}

fn insert_ending(object: &mut Map<String, Value>, ending: &Ending) {
    object.insert("outcome".into(), json!(ending.outcome.word()));
    object.insert("route".into(), json!(route(&ending.outcome)));
    object.insert("at_ms".into(), json!(milliseconds(ending.at())));
    let (who, waiting_for) = match &ending.outcome {
        Outcome::Stalled { who, waiting_for } => (Some(who.to_string()), Some(waiting_for.word())),
        _ => (None, None),
    };
    object.insert("who".into(), json!(who));
    object.insert("waiting_for".into(), json!(waiting_for));
    object.insert("calls".into(), calls(&ending.calls));
}

fn possible(ending: &Ending) -> Value {
    json!({
        "outcome": ending.outcome.word(),
        "at_ms": milliseconds(ending.at()),
        "calls": calls(&ending.calls),
    })
}

fn predicted(ending: &Ending) -> Value {
    let connections: Vec<Value> = ending
        .connections
        .iter()
        .map(|connection| json!({"requests": connection.requests, "goaway": connection.goaway}))
        .collect();
    json!({"calls": calls(&ending.calls), "connections": connections})
}

fn calls(calls: &[Call]) -> Value {
    calls.iter().map(|call| json!({"at_ms": milliseconds(call.at), "error": call.error})).collect()
}

fn route(outcome: &Outcome) -> Option<&str> {
    match outcome {
        Outcome::Served { route } => Some(route),
        _ => None,
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The segments of the first flight, in hexadecimal.
fn flight(run: &Run) -> Vec<String> {
    let hex = |bytes: &Bytes| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    run.ending.first_flight().map(hex).collect()
}
