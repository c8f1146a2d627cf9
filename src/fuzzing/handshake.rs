//! The target `handshake`: whatever script the bytes are, it has a text, its run ends, and ends the same way again.

use std::time::Duration;

use crate::bed::{Run, TOO_MANY_EVENTS, bed};
use crate::clients::Work;
use crate::outcome::Outcome;
use crate::script::Script;
use crate::servers::Front;

/// After so many events a run counts as one without end. The usual number is there to spare no honest scenario; it would
/// let a few bytes that dial again and again cost a second.
const MOST_EVENTS: usize = 4_000;

/// Runs the script that these bytes are (see [`Script::from_bytes`]) under the first schedule, twice. A script without a
/// server runs against the multiplexer; one with a client that the catalogue lacks only has to survive its text.
///
/// # Panics
///
/// If the script's text is not the same script; if anything panics in a run; if a run ends later than its calls have
/// patience, or without a call that ended; or if the second run ends otherwise than the first, or goes another way.
pub fn handshake(bytes: &[u8]) {
    let script = Script::from_bytes(bytes);
    let text = script.to_string();
    assert_eq!(Script::parse("fuzzed", &text).as_ref(), Ok(&script), "its text is another script:\n{text}");
    let Ok(scenario) = bed().script(&script) else { return };
    let scenario = if script.server.is_some() { scenario } else { scenario.named_server(Front::Mux.into()) };
    let [first, again] = [(), ()].map(|()| scenario.run_all_once(MOST_EVENTS));
    for run in &first {
        if let Err(wrong) = check(run) {
            panic!("{wrong}: {}\n{run}\n{text}", run.outcome());
        }
    }
    for (first, again) in first.iter().zip(&again) {
        let [first, again] = [first, again].map(|run| (run.outcome(), &run.ending.calls, run.trace()));
        assert_eq!(first, again, "it ends otherwise the second time:\n{text}");
    }
}

fn check(run: &Run) -> Result<(), &'static str> {
    let work = Work::default();
    let latest = (work.patience + work.gap) * work.calls + Duration::from_secs(1);
    match run.outcome() {
        Outcome::Panicked { .. } => Err("a task of the run panicked"),
        // The one way to fail that has no call that ended: two sides, or one and its dialling, that never rest.
        // And a client that can't do what is asked makes none.
        Outcome::HarnessError { reason } if reason != TOO_MANY_EVENTS => Err("the bed had to end the run"),
        Outcome::HarnessError { .. } | Outcome::Unsupported { .. } => Ok(()),
        _ if run.ending.calls.is_empty() => Err("a verdict without a call that ended"),
        _ if run.ending.at() > latest => Err("it ended after all patience"),
        Outcome::Stalled { .. } if run.ending.says().is_none() => {
            Err("a stall of which the user reads nothing")
        }
        _ => Ok(()),
    }
}
