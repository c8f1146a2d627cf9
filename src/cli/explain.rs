//! `muxbed explain`: what a client or a server is, and why it behaves so.

use crate::bed::find_client;
use crate::clients::KnownClient;
use crate::scenarios::KnownScenario;
use crate::servers::ServerName;

use super::arguments::ExplainOptions;
use super::{Failed, Out, Status, newer_than_recorded};

pub(super) fn explain(options: &ExplainOptions, out: &mut Out) -> Result<Status, Failed> {
    if options.id.contains('@') {
        client(&find_client(&options.id).map_err(Failed::input)?, out)?;
    } else if let Some(scenario) = KnownScenario::find(&options.id) {
        out.line(format_args!("{}: {}", scenario.name, scenario.about()))?;
        out.line(scenario.text.trim_end())?;
    } else {
        let server: ServerName = options.id.parse().map_err(Failed::input)?;
        out.line(format_args!("{server}"))?;
        out.line(format_args!("  {}: {}", server.front.word(), server.front.about()))?;
        if server.front.has_back_end() {
            out.line(format_args!("  {}: {}", server.back_end.word(), server.back_end.about()))?;
        }
    }
    Ok(Status::Expected)
}

fn client(known: &KnownClient, out: &mut Out) -> Result<(), Failed> {
    let KnownClient { spec, profile, .. } = known;
    out.line(format_args!("{spec}: profile \"{}\"", profile.title))?;
    out.line(format_args!("  {}", profile.about))?;
    if known.is_newer_than_recorded() {
        out.line(format_args!("  {}", newer_than_recorded(known)))?;
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
