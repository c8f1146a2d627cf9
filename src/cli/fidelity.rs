//! `muxbed fidelity`: predicts recorded runs and compares.

use std::fs;
use std::path::Path;

use crate::fidelity::{Comparison, Recorded, compare, compare_repeats};
use crate::report::{Observed, fidelity_line, fidelity_summary};

use super::arguments::{FidelityOptions, Format};
use super::{Failed, Out, Status};

pub(super) fn fidelity(options: &FidelityOptions, out: &mut Out) -> Result<Status, Failed> {
    let path = &options.recorded;
    let place = |error: &dyn std::fmt::Display| Failed::Input(format!("{}: {error}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| place(&error))?;
    let recorded = Recorded::parse(&text).map_err(|error| place(&error))?;
    let beside = path.parent().unwrap_or(Path::new(""));
    let mut comparisons = Vec::new();
    let mut shown = |comparison: Comparison, observed: Observed<'_>, out: &mut Out| -> Result<(), Failed> {
        match options.format {
            Format::Json => out.line(fidelity_line(&comparison, observed))?,
            Format::Human if !comparison.differs.is_empty() => {
                out.line(format_args!("{} against {}", comparison.client, comparison.server))?;
                if let Observed::Once(observation) = observed {
                    out.line(format_args!("  {}", beside.join(&observation.capture).display()))?;
                }
                for difference in &comparison.differs {
                    out.line(format_args!("  {difference}"))?;
                }
                out.line(format_args!(
                    "  again: muxbed run --client '{}' --server {}",
                    comparison.client, comparison.server
                ))?;
            }
            Format::Human => {}
        }
        comparisons.push(comparison);
        Ok(())
    };
    match &recorded {
        Recorded::Observations(observations) => {
            for observation in observations {
                let file = beside.join(&observation.capture);
                let capture =
                    fs::read(&file).map_err(|error| Failed::Input(format!("{}: {error}", file.display())))?;
                shown(compare(observation, &capture), Observed::Once(observation), out)?;
            }
        }
        Recorded::Repeats(all) => {
            for repeats in all {
                shown(compare_repeats(repeats), Observed::Often(repeats), out)?;
            }
        }
    }
    match options.format {
        Format::Json => out.line(fidelity_summary(&comparisons))?,
        Format::Human => summary(&comparisons, out)?,
    }
    let all_agree = comparisons.iter().all(Comparison::agrees);
    Ok(if all_agree { Status::Expected } else { Status::Differs })
}

fn summary(comparisons: &[Comparison], out: &mut Out) -> Result<(), Failed> {
    let count = |wanted: &dyn Fn(&Comparison) -> bool| comparisons.iter().filter(|one| wanted(one)).count();
    let agree = count(&|comparison| comparison.agrees());
    let skipped = count(&|comparison| comparison.skipped.is_some());
    let racy = count(&|comparison| comparison.predicted.as_ref().is_some_and(|run| run.racy));
    out.line(format_args!(
        "{} observations: {agree} agree, {} differ, {skipped} skipped; {racy} depend on timing",
        comparisons.len(),
        comparisons.len() - agree - skipped,
    ))?;
    let mut reasons: Vec<&str> = comparisons.iter().filter_map(|one| one.skipped.as_deref()).collect();
    reasons.sort_unstable();
    for chunk in reasons.chunk_by(|one, other| one == other) {
        out.line(format_args!("  {} skipped: {}", chunk.len(), chunk[0]))?;
    }
    Ok(())
}
