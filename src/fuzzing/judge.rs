//! What a script comes to, and whether that is a finding: what the fuzz target checks, and what has to stay when a script
//! is made smaller.

use std::fmt;
use std::time::Duration;

use crate::bed::{MOST_EVENTS, Run, Scenario, TOO_MANY_EVENTS, bed};
use crate::clients::{UnknownClient, Work};
use crate::outcome::Outcome;
use crate::script::Script;
use crate::servers::Front;

/// What came of a script under the first schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// What is wrong with it, where something is: the bed or one of its invariants has failed.
    pub finding: Option<String>,
    /// The verdict of the client that fares worst.
    pub outcome: Option<Outcome>,
    /// What its user reads of each call that it made; nothing of one that succeeded.
    pub calls: Vec<Option<String>>,
}

/// A script as it is run: against the multiplexer, if it names no server.
pub fn as_run(mut script: Script) -> Script {
    script.server.get_or_insert(Front::Mux.into());
    script
}

/// Runs a script, and says what came of it.
///
/// # Errors
///
/// If the catalogue lacks one of its clients.
pub fn judge(script: &Script) -> Result<Judged, UnknownClient> {
    let scenario = bed().script(script)?;
    let (wrong, runs) = examine(&scenario, MOST_EVENTS);
    let worst =
        runs.into_iter().reduce(|worst, run| if run.severity() > worst.severity() { run } else { worst });
    let calls = worst.iter().flat_map(|run| &run.ending.calls);
    Ok(Judged {
        finding: of_text(script).or(wrong),
        calls: calls.map(|call| call.error.clone()).collect(),
        outcome: worst.map(|run| run.ending.outcome),
    })
}

/// What is wrong with a script's text or its run, of which the second must be as the first.
pub(super) fn finding(script: &Script, most_events: usize) -> Option<String> {
    of_text(script).or_else(|| examine(&bed().script(script).ok()?, most_events).0)
}

fn of_text(script: &Script) -> Option<String> {
    match Script::parse("fuzzed", &script.to_string()) {
        Ok(again) if again == *script => None,
        Ok(_) => Some("its text is another script".to_owned()),
        Err(error) => Some(format!("its text is no script: {error}")),
    }
}

/// What is wrong with a scenario's runs, and the first of them.
fn examine(scenario: &Scenario, most_events: usize) -> (Option<String>, Vec<Run>) {
    let [first, again] = [(), ()].map(|()| scenario.run_all_once(most_events));
    if let Some((wrong, run)) = first.iter().find_map(|run| Some((wrong(run)?, run))) {
        return (Some(format!("{wrong}: {}", run.outcome())), first);
    }
    let same = |(first, again): (&Run, &Run)| {
        let [first, again] = [first, again].map(|run| (run.outcome(), &run.ending.calls, run.trace()));
        first == again
    };
    let all_same = first.iter().zip(&again).all(same);
    ((!all_same).then(|| "it ends otherwise the second time".to_owned()), first)
}

fn wrong(run: &Run) -> Option<&'static str> {
    let work = Work::default();
    let latest = (work.patience + work.gap) * work.calls + Duration::from_secs(1);
    match run.outcome() {
        Outcome::Panicked { .. } => Some("a task of the run panicked"),
        // The one way to fail that has no call that ended: two sides, or one and its dialling, that never rest.
        // And a client that can't do what is asked makes none.
        Outcome::HarnessError { reason } if reason != TOO_MANY_EVENTS => Some("the bed has failed"),
        Outcome::HarnessError { .. } | Outcome::Unsupported { .. } => None,
        _ if run.ending.calls.is_empty() => Some("a verdict without a call that ended"),
        _ if run.ending.at() > latest => Some("it ended after all patience"),
        Outcome::Stalled { .. } if run.ending.says().is_none() => {
            Some("a stall of which the user reads nothing")
        }
        _ => None,
    }
}

impl fmt::Display for Judged {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.finding, &self.outcome) {
            (Some(finding), _) => {
                write!(formatter, "finding: {}", finding.lines().next().unwrap_or_default())?;
            }
            (None, Some(outcome)) => write!(formatter, "{outcome}")?,
            (None, None) => formatter.write_str("nothing happens")?,
        }
        let mut errors = self.calls.iter().flatten();
        errors.try_for_each(|error| write!(formatter, "; its user reads: {}", error.replace('\n', " ")))
    }
}
