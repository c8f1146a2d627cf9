//! JUnit's XML, which every CI reads: a test case for each handshake, a failure for each that does not work.

use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use crate::bed::Run;
use crate::scenarios::Unmet;
use crate::upgrade::{Change, Kind};

use super::{ladder, time};

/// A case for each run of a scenario that says what it expects: it fails with what does not hold for it. What is expected of
/// a client that there is not is a case of its own.
///
/// # Errors
///
/// If XML can't say a text: it has no word for some control characters.
pub fn junit_of_expectations(runs: &[Run], unmet: &[Unmet]) -> Result<String, SerializeError> {
    let words_of = |run: Option<usize>| {
        let concerned = unmet.iter().filter(|unmet| unmet.run == run);
        concerned.map(|unmet| unmet.words.as_str()).collect::<Vec<_>>().join("; ")
    };
    let cases = runs.iter().enumerate().map(|(number, run)| {
        let words = words_of(Some(number));
        let words = if words.is_empty() && run.ending.outcome.is_broken() { worst(run) } else { words };
        case_of_run(run, (!words.is_empty()).then(|| (words, ladder(run))))
    });
    let of_nobody = words_of(None);
    let missing = (!of_nobody.is_empty())
        .then(|| case("expectations".to_owned(), "scenario", Some((of_nobody, String::new()))));
    written("muxbed run", cases.chain(missing))
}

/// A case for each run, which fails unless every possible result is a success.
///
/// # Errors
///
/// If XML can't say a text: it has no word for some control characters.
pub fn junit_of_runs(runs: &[Run]) -> Result<String, SerializeError> {
    let cases = runs.iter().map(|run| case_of_run(run, (!run.works()).then(|| (worst(run), ladder(run)))));
    written("muxbed run", cases)
}

/// A case for each server, which fails if the upgrade breaks it.
///
/// # Errors
///
/// As [`junit_of_runs`].
pub fn junit_of_upgrade(title: &str, changes: &[Change]) -> Result<String, SerializeError> {
    let cases = changes.iter().map(|change| {
        let breaks = (change.kind == Kind::Breaks).then(|| {
            let why = change.why.as_deref().unwrap_or_default();
            let helps = change.remedy.join(", ");
            (worst(&change.to), format!("{}why: {why}\nwhat helps: {helps}\n", ladder(&change.to)))
        });
        case(format!("{title} with {}", change.server), &change.server, breaks)
    });
    written("muxbed upgrade", cases)
}

fn written(name: &str, cases: impl Iterator<Item = TestCase>) -> Result<String, SerializeError> {
    let mut suite = TestSuite::new(name);
    suite.add_test_cases(cases);
    let mut report = Report::new(name);
    report.add_test_suite(suite);
    report.to_string()
}

fn case_of_run(run: &Run, failure: Option<(String, String)>) -> TestCase {
    case(format!("{} against {}", run.client, run.server), &run.server, failure)
}

fn case(name: String, server: &str, failure: Option<(String, String)>) -> TestCase {
    let status = match failure {
        None => TestCaseStatus::success(),
        Some((message, description)) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(message).set_description(description);
            status
        }
    };
    let mut case = TestCase::new(name, status);
    case.set_classname(server.to_owned());
    case
}

/// The first result that is no success, in a line.
fn worst(run: &Run) -> String {
    let failing = run.endings().find(|ending| !ending.outcome.is_served()).unwrap_or(&run.ending);
    let says = failing.says().map(|text| format!(": {text}")).unwrap_or_default();
    let can = if run.may.is_empty() { "" } else { "can be " };
    format!("{can}{} at {}{says}", failing.outcome, time(failing.at()))
}
