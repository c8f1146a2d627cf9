//! `muxbed replay`: drives a server with the clients of a capture.

use std::path::Path;

use crate::bed::{Recording, Replayed, Run, bed, find_client, open_key_log, replay as replay_recording};
use crate::capture::KeyLog;
use crate::clients::ClientSpec;
use crate::outcome::Outcome;
use crate::report::{indented, ladder, replay_line, time};
use crate::servers::ServerName;

use super::arguments::{Format, ReplayOptions, TlsOption};
use super::{Failed, Out, Status};

pub(super) fn replay(options: &ReplayOptions, out: &mut Out) -> Result<Status, Failed> {
    let server: ServerName = options.server.parse().map_err(Failed::input)?;
    let run_as = options.run_as.as_deref().map(find_client).transpose().map_err(Failed::input)?;
    let keys = options.keylog.as_ref().map(open_key_log).transpose().map_err(Failed::input)?;
    let keys = keys.unwrap_or_else(KeyLog::default);
    let recordings: Result<Vec<_>, _> = options
        .captures
        .iter()
        .map(|path| Recording::open_with(path, &keys).map(|read| (path, read.tls(options.tls.into()))))
        .collect();
    let mut status = Status::Expected;
    let mut replays = 0;
    let mut cut_off = Vec::new();
    for (path, recording) in recordings.map_err(Failed::input)? {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let scenario = bed().named_server(server);
        for replayed in replay_recording(&recording, options.flow, &scenario, run_as.as_ref()) {
            replays += 1;
            let this = status_of(&replayed);
            match options.format {
                Format::Json => out.line(replay_line(&name, &options.server, &replayed))?,
                Format::Human => {
                    human(&name, &replayed, out)?;
                    if options.flow.is_some() {
                        replayed.run.iter().try_for_each(|run| out.line(ladder(run).trim_end()))?;
                    } else if this == Status::Differs {
                        out.line(format_args!("  again: {}", again(path, replayed.flow, options)))?;
                    }
                }
            }
            status = status.max(this);
        }
        if recording.clients().next().is_none() && options.format == Format::Human {
            out.line(format_args!("{name}: no TCP conversation in it"))?;
        }
        if let Some(error) = &recording.cut_off {
            cut_off.push(format!("{}: {error}", path.display()));
        }
    }
    if !cut_off.is_empty() {
        out.flush()?;
        return Err(Failed::Input(cut_off.join("\nmuxbed: ")));
    }
    if let (0, Some(flow)) = (replays, options.flow) {
        return Err(Failed::Input(format!("none of the captures has a flow {flow}")));
    }
    Ok(status)
}

/// What replays one conversation alone.
fn again(capture: &Path, flow: usize, options: &ReplayOptions) -> String {
    let mut again = format!("muxbed replay {} --flow {flow} --server {}", quoted(capture), options.server);
    if let Some(keylog) = &options.keylog {
        again.push_str(&format!(" --keylog {}", quoted(keylog)));
    }
    match options.tls {
        TlsOption::Rewrap => {}
        TlsOption::Plaintext => again.push_str(" --tls plaintext"),
        TlsOption::Hello => again.push_str(" --tls hello"),
    }
    if let Some(client) = &options.run_as {
        again.push_str(&format!(" --as '{client}'"));
    }
    again
}

/// A path as a shell reads it back.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let plain = |character: char| character.is_ascii_alphanumeric() || "/._-+@%,:=".contains(character);
    if path.chars().all(plain) { path } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

fn status_of(replayed: &Replayed) -> Status {
    let was_served = replayed.captured.as_ref().is_some_and(Outcome::is_served);
    // A handshake that fails now and then is one that fails.
    let is_served = replayed.run.as_ref().is_some_and(Run::works);
    match replayed.skipped {
        Some(unusable) if unusable.wants_keys() => Status::Unusable,
        Some(_) => Status::Expected,
        None if was_served && !is_served => Status::Differs,
        None => Status::Expected,
    }
}

fn human(capture: &str, replayed: &Replayed, out: &mut Out) -> Result<(), Failed> {
    let captured = match &replayed.captured {
        Some(outcome) => format!("captured: {outcome}"),
        None => "captured: nothing was asked".to_owned(),
    };
    let client = replayed.client.as_ref().map(|client| format!(" ({client})")).unwrap_or_default();
    let head = format!("{capture} flow {}{client}", replayed.flow);
    let Some(run) = &replayed.run else {
        let reason = replayed.skipped.map(|reason| reason.to_string()).unwrap_or_default();
        return Ok(out.line(format_args!("{head}: skipped, {reason}"))?);
    };
    let outcome = out.strong(&run.ending.outcome.to_string());
    let at = time(run.ending.at());
    out.line(format_args!("{head}: {outcome} at {at} against {} ({captured})", run.server))?;
    if let Some(text) = run.ending.says() {
        out.line(format_args!("  says: {}", indented(text)))?;
    }
    if !replayed.continued_as.is_empty() {
        out.line(format_args!("  past its last byte as {}", listed(&replayed.continued_as)))?;
    }
    for ending in run.alternatives() {
        let text = ending.says().map(|text| format!(": {}", indented(text))).unwrap_or_default();
        out.line(format_args!("  or: {} at {}{text}", ending.outcome, time(ending.at())))?;
    }
    Ok(())
}

/// A few clients by name, of many only how many there are.
fn listed(clients: &[ClientSpec]) -> String {
    const FEW: usize = 4;
    let names: Vec<String> = clients.iter().take(FEW).map(ToString::to_string).collect();
    let names = names.join(", ");
    match clients.len().checked_sub(FEW) {
        None | Some(0) => names,
        Some(more) => format!("{names} or one of {more} more that begin like it; `--as CLIENT` chooses one"),
    }
}
