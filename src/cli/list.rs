//! `muxbed list`: the clients, servers and scenarios that are known by name.

use serde_json::json;

use crate::bed::bed;
use crate::clients::{Family, Profile, families};
use crate::scenarios::{CATALOGUE, Known, KnownScenario, SCENARIOS, unmet};
use crate::servers::{BackEnd, Front, Security};

use super::arguments::{Format, ListOptions, Listed};
use super::{Failed, Out, Status};

pub(super) fn list(options: &ListOptions, out: &mut Out) -> Result<Status, Failed> {
    match options.what {
        Listed::Clients => {
            for family in families() {
                for profile in &family.profiles {
                    client(options.format, family, profile, out)?;
                }
            }
        }
        Listed::Servers => servers(options.format, out)?,
        Listed::Scenarios => {
            for known in CATALOGUE {
                for scenario in known.scenarios() {
                    self::scenario(options.format, &scenario, out)?;
                }
                if let Some(left) = known.left {
                    lacking(options.format, known, left, out)?;
                }
            }
            let catalogued = |scenario: &KnownScenario| Known::find(scenario.entry()).is_some();
            for scenario in SCENARIOS.iter().filter(|scenario| !catalogued(scenario)) {
                self::scenario(options.format, scenario, out)?;
            }
        }
    }
    Ok(Status::Expected)
}

pub(super) fn client(
    format: Format,
    family: &Family,
    profile: &Profile,
    out: &mut Out,
) -> Result<(), Failed> {
    let until = profile.until.as_ref().map(ToString::to_string);
    match format {
        Format::Json => out.line(json!({
            "client": family.name,
            "mode": profile.mode,
            "from": profile.from.to_string(),
            "until": until,
            "environment": profile.environment,
            "about": profile.about,
            "sources": profile.sources,
            "shown_by": profile.shown_by,
        }))?,
        Format::Human => {
            let mode = profile.mode.as_ref().map(|mode| format!("/{mode}")).unwrap_or_default();
            let environment: String =
                profile.environment.iter().map(|(variable, value)| format!("+{variable}={value}")).collect();
            let range = match until {
                Some(until) => format!("from {} until {until}", profile.from),
                None => format!("from {}", profile.from),
            };
            out.line(format_args!("{}{mode}{environment} {range}", family.name))?;
            out.line(format_args!("  {}", profile.about))?;
        }
    }
    Ok(())
}

/// A scenario with its state, which is found by running it.
fn scenario(format: Format, scenario: &KnownScenario, out: &mut Out) -> Result<(), Failed> {
    let script = scenario.script().map_err(Failed::input)?;
    let runs = bed().script(&script).map_err(Failed::input)?.run_all();
    let state = if unmet(&script, &runs).is_empty() { "as expected" } else { "not as expected" };
    let about = scenario.about();
    match format {
        Format::Json => out.line(json!({
            "id": scenario.id(), "scenario": scenario.name, "state": state, "about": about, "pending": null,
        }))?,
        Format::Human => {
            out.line(format_args!("{:<4} {state:<15} {}", scenario.id(), scenario.name))?;
            out.line(format_args!("       {about}"))?;
        }
    }
    Ok(())
}

/// What no scenario shows of an entry of the catalogue.
fn lacking(format: Format, known: &Known, left: &str, out: &mut Out) -> Result<(), Failed> {
    let state = if known.scenarios().next().is_some() { "partly pending" } else { "pending" };
    match format {
        Format::Json => out.line(json!({
            "id": known.id, "scenario": null, "state": state, "about": known.about, "pending": left,
        }))?,
        Format::Human => {
            out.line(format_args!("{:<4} {state:<15} {}", known.id, known.about))?;
            out.line(format_args!("       {left}"))?;
        }
    }
    Ok(())
}

fn servers(format: Format, out: &mut Out) -> Result<(), Failed> {
    for security in Security::ALL.into_iter().filter(|security| *security != Security::Cleartext) {
        let prefix = format!("{}..", security.word());
        match format {
            Format::Json => out.line(json!({"security": security.word(), "about": security.about()}))?,
            Format::Human => out.line(format_args!("{prefix:<20} {}", security.about()))?,
        }
    }
    for front in Front::ALL {
        match format {
            Format::Json => out.line(json!({"server": front.word(), "about": front.about()}))?,
            Format::Human => out.line(format_args!("{:<20} {}", front.word(), front.about()))?,
        }
    }
    for back_end in BackEnd::ALL {
        let suffix = format!("..-to-{}", back_end.word());
        match format {
            Format::Json => out.line(json!({"back_end": back_end.word(), "about": back_end.about()}))?,
            Format::Human => out.line(format_args!("{suffix:<20} {}", back_end.about()))?,
        }
    }
    Ok(())
}
