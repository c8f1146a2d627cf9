//! `muxbed upgrade`: what changes for the users of a client between two versions.

use std::time::Duration;

use crate::bed::{Run, find_client};
use crate::clients::{ClientSpec, KnownClient};
use crate::report::{indented, junit_of_upgrade, markdown_upgrade, time, upgrade_line};
use crate::upgrade::{Change, Kind, servers, upgrade as upgrade_client};

use super::arguments::{ReportFormat, UpgradeOptions};
use super::run::named_servers;
use super::{Failed, Out, Status, remarks};

pub(super) fn upgrade(options: &UpgradeOptions, out: &mut Out) -> Result<Status, Failed> {
    let from = client(&options.library, &options.from)?;
    let to = client(&options.library, &options.to)?;
    let looked_at = if options.servers.is_empty() { servers() } else { named_servers(&options.servers)? };
    let changes = upgrade_client(&from, &to, &looked_at);
    match options.format {
        ReportFormat::Json => changes.iter().try_for_each(|change| out.line(upgrade_line(change)))?,
        ReportFormat::Human => human(&from, &to, &changes, out)?,
        ReportFormat::Junit => {
            out.line(junit_of_upgrade(&title(&from, &to), &changes).map_err(Failed::input)?)?;
        }
        ReportFormat::Markdown => out.line(markdown_upgrade(&title(&from, &to), &changes).trim_end())?,
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

fn title(from: &KnownClient, to: &KnownClient) -> String {
    format!("{} to {}", from.spec, to.spec)
}

fn human(from: &KnownClient, to: &KnownClient, changes: &[Change], out: &mut Out) -> Result<(), Failed> {
    out.line(title(from, to))?;
    for remark in [from, to].into_iter().flat_map(remarks) {
        out.line(remark)?;
    }
    for kind in [Kind::Breaks, Kind::Mends, Kind::Differs] {
        let mut left: Vec<&Change> = changes.iter().filter(|change| change.kind == kind).collect();
        while let Some(first) = left.first().copied() {
            // What is the same with several servers is said once.
            let alike: Vec<&Change> = left.extract_if(.., |change| reads_alike(change, first)).collect();
            let names: Vec<&str> = alike.iter().map(|change| change.server.as_str()).collect();
            out.line("")?;
            out.line(format_args!("{} {}", out.strong(kind.word()), names.join(", ")))?;
            side(from, &first.from, out)?;
            side(to, &first.to, out)?;
            if let Some(why) = &first.why {
                out.line(format_args!("  why: {why}"))?;
            }
            if kind == Kind::Breaks {
                helps(&alike, out)?;
                out.line(format_args!(
                    "  again: muxbed run --client '{}' --server {}",
                    to.spec, first.server
                ))?;
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

fn side(client: &KnownClient, run: &Run, out: &mut Out) -> Result<(), Failed> {
    let ClientSpec { version, environment, .. } = &client.spec;
    let environment: String =
        environment.iter().map(|(variable, value)| format!("+{variable}={value}")).collect();
    for (number, ending) in std::iter::once(&run.ending).chain(run.alternatives()).enumerate() {
        let or = if number == 0 { format!("{version}{environment}:") } else { "  or".to_owned() };
        let text = ending.says().map(|text| format!(": {}", indented(text))).unwrap_or_default();
        out.line(format_args!("  {or} {} at {}{text}", ending.outcome, time(ending.at())))?;
    }
    Ok(())
}

fn helps(alike: &[&Change], out: &mut Out) -> Result<(), Failed> {
    for change in alike {
        let remedy = if change.remedy.is_empty() {
            "no other server that is known here".to_owned()
        } else {
            change.remedy.join(", ")
        };
        out.line(format_args!("  what helps instead of {}: {remedy}", change.server))?;
    }
    Ok(())
}

/// Whether users read the same of both, for the same reason.
fn reads_alike(one: &Change, other: &Change) -> bool {
    let read = |run: &Run| -> Vec<(String, Duration, Option<String>)> {
        let endings = std::iter::once(&run.ending).chain(run.alternatives());
        endings
            .map(|ending| (ending.outcome.to_string(), ending.at(), ending.says().map(str::to_owned)))
            .collect()
    };
    read(&one.from) == read(&other.from) && read(&one.to) == read(&other.to) && one.why == other.why
}
