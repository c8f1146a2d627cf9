//! The scenarios that come with the crate, by name. They are the files of `tests/scenarios`, so that what a report calls
//! by name can be read, changed and run as a file. What of the [`CATALOGUE`] they do not show stands there.

mod catalogue;

pub use catalogue::{CATALOGUE, Known};

use std::fmt;

use crate::script::{Expectation, ExpectedOutcome, Script, ScriptError};

use crate::bed::{Ending, Run};
use crate::outcome::Outcome;

/// A scenario that comes with the crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownScenario {
    /// Its name: the file's, without its ending. What stands before the first `-` is its id.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

macro_rules! scenarios {
    ($($name:literal)*) => {
        &[$(KnownScenario { name: $name, text: include_str!(concat!("../tests/scenarios/", $name, ".bed")) }),*]
    };
}

/// All of them, by name.
pub const SCENARIOS: &[KnownScenario] = scenarios! {
    "A1-settings-wait"
    "A1b-settings-wait-through-mux"
    "A2-silent-matcher-first"
    "A3-surplus-ack"
    "A3b-surplus-ack-before-tonic"
    "A3c-surplus-ack-through-mux"
    "A4-early-headers"
    "A4b-late-ack-through-mux"
    "A5-http2-that-is-not-grpc"
    "A5b-http2-that-is-not-grpc-at-mux"
    "A6-priorities-flip"
    "A6b-priorities-flip-through-mux"
    "A7-two-writers"
    "A8-acknowledgements-only"
    "A9-stream-limit-is-stated"
    "A11-ping-before-headers"
    "A11b-ping-before-headers-at-mux"
    "A12-settings-flood"
    "A12b-settings-flood-at-mux"
    "A13-settings-wait-over-tls"
    "A13b-settings-wait-over-tls-through-mux"
    "A14-wait-for-the-ack"
    "A14b-wait-for-the-ack-through-mux"
    "B1-silence"
    "B3-preface-split"
    "B4-http1-byte-by-byte"
    "B5-shortest-request"
    "B5b-shorter-than-a-matcher-reads"
    "B5c-shorter-than-a-matcher-reads-at-mux"
    "B6-wrong-after-the-prefix"
    "B7-slow-preface"
    "B8-half-close-after-the-request"
    "B8b-reset-while-sniffing"
    "B9-health-check"
    "B10-server-speaks-first"
    "B11-deadline-shorter-than-the-way"
    "C1-frame-that-claims-16-mebibytes"
    "C2-continuation-without-end"
    "C4-hello-in-pieces"
    "D1-methods"
    "D1b-methods-at-mux"
    "D2-content-types"
    "D2b-upgrade-to-h2c"
    "D2c-header-block-in-pieces"
    "D3-upper-case-name"
    "D4-tls-on-a-cleartext-port"
    "D4b-cleartext-on-a-tls-port"
    "D6-lookalikes"
    "D7-http1-over-tls"
    "E1-both-on-one-connection"
    "E2-second-request-of-a-connection"
    "E3-replayed-exactly"
    "E6-goaway-while-an-ack-is-expected"
    "M1-http1-beside-grpc"
    "M2-many-versions"
    "M2b-many-versions-through-mux"
    "M3-tls-and-cleartext"
    "M3b-on-the-wrong-port"
    "R1-waits-for-an-end-that-nobody-sends"
    "R2-reset-overtakes-an-answer"
    "R3-meets-the-end-of-its-time-once"
    "R4-puts-off-what-it-has-put-off"
};

impl KnownScenario {
    /// The scenario of that name or id.
    pub fn find(name: &str) -> Option<Self> {
        SCENARIOS.iter().find(|scenario| scenario.name == name || scenario.id() == name).copied()
    }

    /// What stands before the first `-` of its name.
    pub fn id(&self) -> &'static str {
        self.name.split_once('-').map_or(self.name, |(id, _)| id)
    }

    /// What it is a part of: its id without the letter that tells several of one entry apart.
    pub fn entry(&self) -> &'static str {
        self.id().trim_end_matches(|letter: char| letter.is_ascii_lowercase())
    }

    /// What it is about: the comment that it begins with.
    pub fn about(&self) -> String {
        let comment = self.text.lines().map_while(|line| line.strip_prefix('#'));
        comment.map(str::trim).collect::<Vec<_>>().join(" ")
    }

    /// Reads it.
    ///
    /// # Errors
    ///
    /// If it can't be read; that all of them can is a test.
    pub fn script(&self) -> Result<Script, ScriptError> {
        Script::parse(&format!("{}.bed", self.name), self.text)
    }
}

/// An expectation that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// The run that it does not hold for, by its place; none if it is about a client that there is not.
    pub run: Option<usize>,
    /// What was expected, and what can be instead.
    pub words: String,
}

impl fmt::Display for Unmet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.words)
    }
}

/// What a script expects and its runs do not give; `runs` are those of its clients in their order, and of those
/// that come afterwards, which have to be served. What is expected has to hold for every result that can happen.
pub fn unmet(script: &Script, runs: &[Run]) -> Vec<Unmet> {
    let mut unmet = Vec::new();
    for expectation in &script.expectations {
        let concerns = |number: usize, run: &Run| match &expectation.client {
            Some(name) => run.client == *name,
            None => number < script.clients.len(),
        };
        let numbered = runs.iter().enumerate();
        let concerned: Vec<_> = numbered.filter(|(number, run)| concerns(*number, run)).collect();
        if concerned.is_empty() {
            unmet.push(Unmet { run: None, words: format!("{expectation}: there is no such client") });
        }
        for (number, run) in concerned {
            for ending in run.endings().filter(|ending| !meets(ending, expectation)) {
                let at = crate::report::time(ending.at());
                let words = format!("{expectation}: {} can be {} at {at}", run.client, ending.outcome);
                unmet.push(Unmet { run: Some(number), words });
            }
        }
    }
    for (number, run) in runs.iter().enumerate().skip(script.clients.len()) {
        for ending in run.endings().filter(|ending| !ending.outcome.is_served()) {
            let at = crate::report::time(ending.at());
            let words = format!("afterwards {}: it can be {} at {at}", run.client, ending.outcome);
            unmet.push(Unmet { run: Some(number), words });
        }
    }
    unmet
}

fn meets(ending: &Ending, expectation: &Expectation) -> bool {
    let outcome = match (&expectation.outcome, &ending.outcome) {
        (ExpectedOutcome::Served(expected), Outcome::Served { route }) => {
            expected.as_ref().is_none_or(|expected| expected == route)
        }
        (ExpectedOutcome::Stalled(expected), Outcome::Stalled { waiting_for, .. }) => {
            expected.is_none_or(|expected| expected == *waiting_for)
        }
        (ExpectedOutcome::Refused, Outcome::Refused(_))
        | (ExpectedOutcome::Misrouted, Outcome::Misrouted)
        | (ExpectedOutcome::Unsupported, Outcome::Unsupported { .. }) => true,
        _ => false,
    };
    let on_time = expectation.at.is_none_or(|at| at.as_millis() == ending.at().as_millis());
    outcome && on_time
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_in_order_and_no_two_alike() {
        let place = |scenario: &KnownScenario| {
            let (group, number) = scenario.entry().split_at(1);
            (group, number.parse::<u32>().expect("a letter and a number"), scenario.id())
        };
        assert!(SCENARIOS.windows(2).all(|pair| place(&pair[0]) < place(&pair[1])));
    }

    #[test]
    fn a_scenario_is_found_by_its_name_and_by_its_id() {
        let name = |name: &str| KnownScenario::find(name).map(|found| found.name);
        assert_eq!(name("A1"), Some("A1-settings-wait"));
        assert_eq!(name("A1-settings-wait"), Some("A1-settings-wait"));
        assert_eq!(name("A1-settings"), None);
    }
}
