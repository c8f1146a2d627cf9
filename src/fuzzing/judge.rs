//! What a script comes to, and whether that is a finding: what the fuzz target checks, and what has to stay when a script
//! is made smaller.

use std::fmt;
use std::time::Duration;

use crate::bed::{MOST_EVENTS, Run, Scenario, TOO_MANY_EVENTS, bed};
use crate::clients::{ClientSpec, UnknownClient, Work};
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

/// A script as `handshake` checks it: the same, and behind the multiplexer with a client that comes after all faults. Who an input
/// itself wants served afterwards may be somebody whom no such server can serve: grpc-go from 1.67 on where ALPN is not known.
pub fn as_checked(script: Script) -> Script {
    let mut script = as_run(script);
    script.afterwards.clear();
    if script.server.is_some_and(|server| server.front == Front::Mux) {
        script.afterwards.push(good_client());
    }
    script
}

/// Who has to be served whatever went wrong before: it waits for SETTINGS, as most clients do, and needs no ALPN.
fn good_client() -> ClientSpec {
    "grpc-go@1.33.3".parse().expect("a client's name")
}

/// Runs a script, and says what came of it.
///
/// # Errors
///
/// If the catalogue lacks one of its clients.
pub fn judge(script: &Script) -> Result<Judged, UnknownClient> {
    let scenario = bed().script(script)?;
    let (wrong, runs) = examine(script, &scenario, MOST_EVENTS, true);
    let worst =
        runs.into_iter().reduce(|worst, run| if run.severity() > worst.severity() { run } else { worst });
    let calls = worst.iter().flat_map(|run| &run.ending.calls);
    Ok(Judged {
        finding: of_text(script).or(wrong),
        calls: calls.map(|call| call.error.clone()).collect(),
        outcome: worst.map(|run| run.ending.outcome),
    })
}

/// What is wrong with a script's run; where it is looked at twice, with its text too, and with a second run that is not as the
/// first.
pub(super) fn finding(script: &Script, most_events: usize, twice: bool) -> Option<String> {
    let text = if twice { of_text(script) } else { None };
    text.or_else(|| examine(script, &bed().script(script).ok()?, most_events, twice).0)
}

fn of_text(script: &Script) -> Option<String> {
    match Script::parse("fuzzed", &script.to_string()) {
        Ok(again) if again == *script => None,
        Ok(_) => Some("its text is another script".to_owned()),
        Err(error) => Some(format!("its text is no script: {error}")),
    }
}

/// What is wrong with a scenario's runs, and the first of them.
fn examine(
    script: &Script,
    scenario: &Scenario,
    most_events: usize,
    twice: bool,
) -> (Option<String>, Vec<Run>) {
    let first = scenario.run_all_once(most_events);
    if first.iter().any(is_cut_short_by_h2) {
        return (None, first);
    }
    let (meanwhile, afterwards) = first.split_at(script.clients.len().min(first.len()));
    if let Some((wrong, run)) = meanwhile.iter().find_map(|run| Some((wrong(run)?, run))) {
        return (Some(format!("{wrong}: {}", run.outcome())), first);
    }
    let through_mux = script.server.is_some_and(|server| server.front == Front::Mux);
    if let Some(run) = afterwards.iter().find(|run| through_mux && is_unserved(run)) {
        return (
            Some(format!("{} comes afterwards and is not served: {}", run.client, run.outcome())),
            first,
        );
    }
    if !twice {
        return (None, first);
    }
    let again = scenario.run_all_once(most_events);
    let same = |(first, again): (&Run, &Run)| {
        let [first, again] = [first, again].map(|run| (run.outcome(), &run.ending.calls, run.trace()));
        first == again
    };
    let all_same = first.iter().zip(&again).all(same);
    ((!all_same).then(|| "it ends otherwise the second time".to_owned()), first)
}

/// Not of a run that was ended: who comes afterwards had no time.
fn is_unserved(run: &Run) -> bool {
    match run.outcome() {
        Outcome::HarnessError { reason } => reason != TOO_MANY_EVENTS,
        outcome => !outcome.is_served(),
    }
}

/// Where h2 is tested (its feature `unstable`, which our tests of frames need) it asserts that no connection is dropped in the
/// middle, as that of tonic is when its client is gone; see `Store` in its `proto/streams/store.rs`, of 0.4.20. A panic of a task
/// is one of the whole run, and says nothing of who came afterwards.
fn is_cut_short_by_h2(run: &Run) -> bool {
    matches!(run.outcome(), Outcome::Panicked { message } if message.contains("assertion failed: self.slab.is_empty()"))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::servers::{BackEnd, Security, ServerName};

    fn judged(text: &str) -> Judged {
        let script = Script::parse("t", text).unwrap_or_else(|error| panic!("{error}"));
        judge(&as_checked(script)).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn whatever_went_wrong_the_multiplexer_serves_who_comes_afterwards() {
        let client = "client \"c\"\n  > preface, settings\n  < settings\n  > headers 1 grpc /x, data 1 end 00\n  < end 1\n";
        for fault in
            ["black-hole after 30", "reset after 24", "end after 40", "stalled until 90s", "window 1"]
        {
            for direction in ["to-server", "to-client"] {
                let judged = judged(&format!("{client}server mux\nnetwork\n  {direction} {fault}\n"));
                assert_eq!(judged.finding, None, "{direction} {fault}");
            }
        }
    }

    #[test]
    fn the_good_client_is_served_by_every_multiplexer_there_is() {
        for security in Security::ALL {
            for back_end in BackEnd::ALL {
                let server = ServerName { security, front: Front::Mux, back_end };
                let script = as_checked(Script { server: Some(server), ..Script::default() });
                assert_eq!(judge(&script).map(|judged| judged.finding), Ok(None), "{server}");
            }
        }
    }

    #[test]
    fn a_client_that_comes_afterwards_and_is_not_served_is_a_finding() {
        // The catalogue has clients that `mux` refuses: HTTP/2 that is not gRPC.
        let script = Script::parse("t", "server mux\nafterwards curl@7.88.1/prior-knowledge\n").unwrap();
        let finding = judge(&script).unwrap().finding.unwrap_or_default();
        assert!(finding.contains("comes afterwards and is not served: refused"), "{finding}");
    }
}
