//! The scenarios that come with the crate, by name. They are the files of `tests/scenarios`, so that what a report calls
//! by name can be read, changed and run as a file.

use crate::script::{Expectation, ExpectedOutcome, Script, ScriptError};

use crate::bed::Run;
use crate::outcome::Outcome;

/// A scenario that comes with the crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownScenario {
    /// Its name: the file's, without its ending.
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
    "A1-settings-wait-mux"
};

impl KnownScenario {
    /// The scenario of that name, or the one and only whose name begins so.
    pub fn find(name: &str) -> Option<Self> {
        let exact = SCENARIOS.iter().find(|scenario| scenario.name == name);
        let mut beginning = SCENARIOS.iter().filter(|scenario| scenario.name.starts_with(name));
        exact.or_else(|| beginning.next().filter(|_| beginning.next().is_none())).copied()
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

/// What a script expects and its runs do not give, in words; `runs` are those of its clients in their order.
pub fn unmet(script: &Script, runs: &[Run]) -> Vec<String> {
    let mut unmet = Vec::new();
    for expectation in &script.expectations {
        let concerned: Vec<&Run> = match &expectation.client {
            Some(name) => runs.iter().filter(|run| run.client == *name).collect(),
            None => runs.iter().collect(),
        };
        if concerned.is_empty() {
            unmet.push(format!("{expectation}: there is no such client"));
        }
        for run in concerned {
            if !meets(run, expectation) {
                let at = crate::report::time(run.ending.at());
                unmet.push(format!("{expectation}: {} is {} at {at}", run.client, run.ending.outcome));
            }
        }
    }
    unmet
}

fn meets(run: &Run, expectation: &Expectation) -> bool {
    let outcome = match (&expectation.outcome, &run.ending.outcome) {
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
    let on_time = expectation.at.is_none_or(|at| at.as_millis() == run.ending.at().as_millis());
    outcome && on_time
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_order_and_can_be_found_by_their_beginning() {
        assert!(SCENARIOS.is_sorted_by_key(|scenario| scenario.name));
        assert_eq!(
            KnownScenario::find("A1-settings-wait-m").map(|found| found.name),
            Some("A1-settings-wait-mux")
        );
        assert_eq!(KnownScenario::find("A1"), None);
    }
}
