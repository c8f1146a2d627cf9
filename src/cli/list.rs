//! `muxbed list`: the clients, servers and scenarios that are known by name.

use serde_json::json;

use crate::clients::{Family, Profile, families};
use crate::scenarios::SCENARIOS;
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
            for scenario in SCENARIOS {
                match options.format {
                    Format::Json => {
                        out.line(json!({"scenario": scenario.name, "about": scenario.about()}))?;
                    }
                    Format::Human => out.line(format_args!("{:<28} {}", scenario.name, scenario.about()))?,
                }
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
