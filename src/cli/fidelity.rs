//! `muxbed fidelity`: predicts recorded runs and compares.

use std::fs;
use std::path::Path;

use crate::fidelity::{Comparison, Recorded, Searched, compare, compare_repeats, search};
use crate::report::{Observed, fidelity_line, fidelity_summary, search_line, search_summary};

use super::arguments::{FidelityOptions, Format};
use super::{Failed, Out, Status};

pub(super) fn fidelity(options: &FidelityOptions, out: &mut Out) -> Result<Status, Failed> {
    let path = &options.recorded;
    let place = |error: &dyn std::fmt::Display| Failed::Input(format!("{}: {error}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| place(&error))?;
    let recorded = Recorded::parse(&text).map_err(|error| place(&error))?;
    if let Some(most) = options.schedules {
        return searched(&recorded, options, most, out);
    }
    let beside = path.parent().unwrap_or(Path::new(""));
    let mut comparisons = Vec::new();
    let mut shown = |comparison: Comparison, observed: Observed<'_>, out: &mut Out| -> Result<(), Failed> {
        match options.format {
            Format::Json => out.line(fidelity_line(&comparison, observed))?,
            Format::Human if comparison.skipped.is_some() => {
                let reason = comparison.skipped.as_deref().unwrap_or_default();
                let whose = match observed {
                    Observed::Once(observation) => beside.join(&observation.capture).display().to_string(),
                    Observed::Often(_) => format!("{} against {}", comparison.client, comparison.server),
                };
                out.line(format_args!("{whose}: skipped, {reason}"))?;
            }
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

/// How many schedules it takes to see each observed result; differs if one was not seen.
fn searched(
    recorded: &Recorded,
    options: &FidelityOptions,
    most: u64,
    out: &mut Out,
) -> Result<Status, Failed> {
    let Recorded::Repeats(all) = recorded else {
        let path = options.recorded.display();
        return Err(Failed::Input(format!(
            "{path}: --schedules is for repeats, such as captures/races.json"
        )));
    };
    let searches = all.iter().map(|repeats| search(repeats, options.seed, most));
    let searches = searches.collect::<Result<Vec<Searched>, String>>().map_err(Failed::Input)?;
    for searched in &searches {
        match options.format {
            Format::Json => out.line(search_line(searched))?,
            Format::Human => {
                let results = searched.results.iter().map(|(result, seen)| match seen {
                    Some(schedules) => format!("`{result}` after {schedules}"),
                    None => format!("`{result}` NOT SEEN in {}", searched.tried),
                });
                let results: Vec<String> = results.collect();
                out.line(format_args!(
                    "{} against {}: {}",
                    searched.client,
                    searched.server,
                    results.join(", ")
                ))?;
            }
        }
    }
    match options.format {
        Format::Json => out.line(search_summary(&searches, options.seed, most))?,
        Format::Human => {
            let results = || searches.iter().flat_map(|searched| searched.results.values());
            let mut seen: Vec<u64> = results().copied().flatten().collect();
            seen.sort_unstable();
            let of_a_hundred =
                |share: usize| seen.get(seen.len() * share / 100).or(seen.last()).unwrap_or(&0);
            out.line(format_args!(
                "{} of {} results seen; half within {} schedules, nine tenths within {}, all of these within {}; seed {}",
                seen.len(),
                results().count(),
                of_a_hundred(50),
                of_a_hundred(90),
                of_a_hundred(100),
                options.seed,
            ))?;
        }
    }
    let all_seen = searches.iter().all(|searched| searched.results.values().all(Option::is_some));
    Ok(if all_seen { Status::Expected } else { Status::Differs })
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
    Ok(())
}
