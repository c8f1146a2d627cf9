//! `muxbed upgrade`: what changes for the users of a client between two versions.

use crate::bed::find_client;
use crate::clients::KnownClient;
use crate::report::{time, upgrade_line};
use crate::servers::ServerName;
use crate::upgrade::{Change, Kind, servers, upgrade as upgrade_client};

use super::arguments::{Format, UpgradeOptions};
use super::{Failed, Out, Status};

pub(super) fn upgrade(options: &UpgradeOptions, out: &mut Out) -> Result<Status, Failed> {
    let from = client(&options.library, &options.from)?;
    let to = client(&options.library, &options.to)?;
    let named: Result<Vec<ServerName>, _> = options.servers.iter().map(|name| name.parse()).collect();
    let named = named.map_err(Failed::input)?;
    let looked_at = if named.is_empty() { servers() } else { named };
    let changes = upgrade_client(&from, &to, &looked_at);
    match options.format {
        Format::Json => changes.iter().try_for_each(|change| out.line(upgrade_line(change)))?,
        Format::Human => human(&from, &to, &changes, out)?,
    }
    let breaks = changes.iter().any(|change| change.kind == Kind::Breaks);
    Ok(if breaks { Status::Differs } else { Status::Expected })
}

/// `NAME[/MODE]` and a version, which may carry environment: `1.17.0+A=b`.
fn client(library: &str, version: &str) -> Result<KnownClient, Failed> {
    let (name, mode) = match library.split_once('/') {
        Some((name, mode)) => (name, format!("/{mode}")),
        None => (library, String::new()),
    };
    let (version, environment) = match version.split_once('+') {
        Some((version, environment)) => (version, format!("+{environment}")),
        None => (version, String::new()),
    };
    find_client(&format!("{name}@{version}{mode}{environment}")).map_err(Failed::input)
}

fn human(from: &KnownClient, to: &KnownClient, changes: &[Change], out: &mut Out) -> Result<(), Failed> {
    out.line(format_args!("{} to {}", from.spec, to.spec))?;
    for known in [from, to].into_iter().filter(|known| known.is_newer_than_recorded()) {
        out.line(format_args!(
            "{} is newer than any recorded version ({}): it is taken to behave like that one",
            known.spec, known.family.recorded_up_to
        ))?;
    }
    for kind in [Kind::Breaks, Kind::Mends, Kind::Differs] {
        for change in changes.iter().filter(|change| change.kind == kind) {
            out.line("")?;
            out.line(format_args!("{} {}", out.strong(kind.word()), change.server))?;
            for (version, run) in [(&from.spec.version, &change.from), (&to.spec.version, &change.to)] {
                for (number, ending) in run.endings().enumerate() {
                    let or = if number == 0 { format!("{version}:") } else { "or".to_owned() };
                    let text = ending.says().map(|text| format!(": {text}")).unwrap_or_default();
                    out.line(format_args!("  {or} {} at {}{text}", ending.outcome, time(ending.at())))?;
                }
            }
            if let Some(why) = &change.why {
                out.line(format_args!("  why: {why}"))?;
            }
            if kind == Kind::Breaks {
                let remedy = if change.remedy.is_empty() {
                    "nothing here".to_owned()
                } else {
                    change.remedy.join(", ")
                };
                out.line(format_args!("  what helps: {remedy}"))?;
            }
        }
    }
    let same: Vec<&str> = changes
        .iter()
        .filter(|change| change.kind == Kind::None)
        .map(|change| change.server.as_str())
        .collect();
    if !same.is_empty() {
        out.line("")?;
        out.line(format_args!("nothing changes with {}", same.join(", ")))?;
    }
    Ok(())
}
