//! `muxbed explain`: what a client or a server is, and why it behaves so.

use serde_json::json;

use crate::bed::find_client;
use crate::clients::{KnownClient, families};
use crate::nearest;
use crate::scenarios::{Known, KnownScenario, SCENARIOS};
use crate::servers::{BackEnd, Front, Security, ServerName};

use super::arguments::{ExplainOptions, Format};
use super::list::client as listed_client;
use super::{Failed, Out, Status, remarks};

pub(super) fn explain(options: &ExplainOptions, out: &mut Out) -> Result<Status, Failed> {
    let ExplainOptions { id, format } = options;
    if id.contains('@') {
        client(*format, &find_client(id).map_err(Failed::input)?, out)?;
    } else if let Some(family) = families().iter().find(|family| family.name == *id) {
        family.profiles.iter().try_for_each(|profile| listed_client(*format, family, profile, out))?;
    } else if let Some(scenario) = KnownScenario::find(id) {
        match format {
            Format::Json => out.line(json!({
                "scenario": scenario.name, "about": scenario.about(), "script": scenario.text,
            }))?,
            Format::Human => {
                out.line(format_args!("{}: {}", scenario.name, scenario.about()))?;
                out.line(scenario.text.trim_end())?;
            }
        }
    } else if let Some(entry) = Known::find(id) {
        match format {
            Format::Json => out.line(json!({ "scenario": id, "about": entry.about, "left": entry.left }))?,
            Format::Human => out.line(entry.unshown())?,
        }
    } else {
        server(*format, id.parse().map_err(|error| nearest_of_all(id, &error))?, out)?;
    }
    Ok(Status::Expected)
}

/// What was probably meant, of everything that can be explained.
fn nearest_of_all(id: &str, error: &impl std::fmt::Display) -> Failed {
    let families = families().iter().map(|family| family.name.as_str());
    let scenarios = SCENARIOS.iter().map(|scenario| scenario.name);
    let servers = Front::ALL.iter().map(|front| front.word());
    let back_ends = BackEnd::ALL.iter().map(|back_end| back_end.word());
    let known = families.chain(scenarios).chain(servers).chain(back_ends);
    // A name put together of parts is a server's, and the error says which part is wrong.
    if id.contains("-to-") || id.starts_with("tls-") {
        return Failed::input(error);
    }
    let nearest = nearest::word(id, known);
    Failed::Input(format!("there is no client, server or scenario `{id}`; the nearest is `{nearest}`"))
}

fn server(format: Format, server: ServerName, out: &mut Out) -> Result<(), Failed> {
    let back_end = server.front.has_back_end().then_some(server.back_end);
    match format {
        Format::Json => out.line(json!({
            "server": server.to_string(),
            "security": server.security.about(),
            "front": server.front.about(),
            "back_end": back_end.map(BackEnd::about),
        }))?,
        Format::Human => {
            out.line(format_args!("{server}"))?;
            if server.security != Security::Cleartext {
                out.line(format_args!("  {}: {}", server.security.word(), server.security.about()))?;
            }
            out.line(format_args!("  {}: {}", server.front.word(), server.front.about()))?;
            if let Some(back_end) = back_end {
                out.line(format_args!("  {}: {}", back_end.word(), back_end.about()))?;
            }
        }
    }
    Ok(())
}

fn client(format: Format, known: &KnownClient, out: &mut Out) -> Result<(), Failed> {
    let KnownClient { spec, profile, .. } = known;
    if format == Format::Json {
        return Ok(out.line(json!({
            "client": spec.to_string(),
            "profile": profile.title,
            "about": profile.about,
            "newer_than_recorded": known.is_newer_than_recorded(),
            "sources": profile.sources,
            "shown_by": profile.shown_by,
            "script": profile.behaviour.to_string(),
        }))?);
    }
    out.line(format_args!("{spec}: profile \"{}\"", profile.title))?;
    out.line(format_args!("  {}", profile.about))?;
    for remark in remarks(known) {
        out.line(format_args!("  {remark}"))?;
    }
    for source in &profile.sources {
        out.line(format_args!("  source: {source}"))?;
    }
    if !profile.shown_by.is_empty() {
        out.line(format_args!("  shown by the recordings of {}", profile.shown_by.join(", ")))?;
    }
    out.line(format_args!("{}", profile.behaviour).to_string().trim_end())?;
    Ok(())
}
