//! `muxbed shrink`: the smallest scenario to be found of which the same comes.
//!
//! What stays is the verdict of the client that fares worst, and what its user reads of each call; not the times. Its
//! server stays too, and no client of the catalogue becomes another one: what went wrong with one is not explained by
//! what goes wrong with another.

use crate::clients::ClientSpec;
use crate::fuzzing::{self, Judged, as_checked, as_run, judge};
use crate::script::{Script, Who};

use super::arguments::{ScenarioForm, ShrinkOptions};
use super::convert::deliver;
use super::source::script_in_any_form;
use super::{Failed, Out, Status};

pub(super) fn shrink(options: &ShrinkOptions, out: &mut Out) -> Result<Status, Failed> {
    let (script, form) = script_in_any_form(&options.scenario, options.from)?;
    let script = match form {
        ScenarioForm::Bytes => as_checked(script),
        ScenarioForm::Text => as_run(script),
    };
    let judged = judge(&script).map_err(Failed::input)?;
    if judged.outcome.is_none() {
        let name = &options.scenario;
        return Err(Failed::Input(format!("{name} has no client, so nothing happens in it")));
    }
    let shrunk = fuzzing::shrink(&script, options.runs, |smaller| {
        // By its words, since `1.17` is the version `1.17.0` in fewer bytes.
        let is_known =
            |spec: &ClientSpec| catalogued(&script).any(|known| known.to_string() == spec.to_string());
        let known = catalogued(smaller).all(is_known);
        known && smaller.server == script.server && judge(smaller).is_ok_and(|now| now == judged)
    });
    let shrunk = fuzzing::Shrunk { script: named(shrunk.script), ..shrunk };
    deliver(told(&shrunk, &judged, script.to_bytes().len()).as_bytes(), options.out.as_deref(), out)?;
    Ok(Status::Expected)
}

fn catalogued(script: &Script) -> impl Iterator<Item = &ClientSpec> {
    let named = script.clients.iter().filter_map(|client| match &client.who {
        Who::Catalogued { spec, .. } => Some(spec),
        Who::Scripted(_) => None,
    });
    named.chain(&script.afterwards)
}

/// A client of the catalogue is called what it is, though no name at all would be shorter.
fn named(mut script: Script) -> Script {
    for client in &mut script.clients {
        if let Who::Catalogued { spec, .. } = &client.who {
            client.name = spec.to_string();
        }
    }
    script
}

/// The scenario, below what stayed.
fn told(shrunk: &fuzzing::Shrunk, judged: &Judged, before: usize) -> String {
    let fuzzing::Shrunk { script, tries, is_minimal } = shrunk;
    let after = script.to_bytes().len();
    let end = if *is_minimal { "no smaller one is a change away" } else { "a smaller one may be left" };
    format!("# What stays: {judged}\n# From {before} bytes to {after}, in {tries} tries; {end}.\n{script}")
}
