//! Runs as observations, in the form of `captures/observed.json` and `captures/races.json`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use muxbed::capture::{self, KeyLog, RecordedClient};
use muxbed::clients::ClientSpec;
use muxbed::fidelity::{ObservedConnection, ObservedGoAway, Repeats};
use muxbed::servers::{Security, ServerName};
use serde::Serialize;
use serde_json::{Value, json};

use crate::capturing::{Captured, file_of};
use crate::driving::{CHECKS, Finished};

/// Writes a capture for each run and gives the observations.
pub(crate) fn observe(
    finished: &[Finished],
    captured: &Captured,
    keys: &[u8],
    folder: &Path,
) -> Result<Vec<Value>, String> {
    let ports = captured.by_port()?;
    let mut observations = Vec::new();
    for one in finished {
        let Ok(reported) = &one.reported else { continue };
        let is_tls = one.cell.server.security != Security::Cleartext;
        let packets = ports.get(&one.port).map_or(&[][..], Vec::as_slice);
        let file = file_of(packets, is_tls.then_some(keys));
        let name = file_name(&one.cell.client, one.cell.server, one.cell.repeat);
        let path = folder.join(&name);
        fs::write(&path, &file).map_err(|error| format!("{}: {error}", path.display()))?;
        observations.push(json!({
            "capture": name,
            "client": one.cell.client.name,
            "version": one.cell.client.version.as_str(),
            "env": one.cell.client.environment,
            "mode": one.cell.client.mode,
            "server": one.cell.server.to_string(),
            "port": one.port,
            "wall_s": rounded(one.wall.as_secs_f64()),
            "checks": CHECKS,
            "rpcs": reported.rpcs,
            "output": reported.output,
            "connections": connections(&file),
        }));
    }
    Ok(observations)
}

/// How often each result came, for each client and server.
pub(crate) fn repeats(finished: &[Finished]) -> Vec<Repeats> {
    let mut all = BTreeMap::<(&ClientSpec, ServerName), Repeats>::new();
    for one in finished {
        let Ok(reported) = &one.reported else { continue };
        let client = &one.cell.client;
        let repeats = all.entry((client, one.cell.server)).or_insert_with(|| Repeats {
            client: client.name.clone(),
            version: client.version.as_str().to_owned(),
            mode: client.mode.clone(),
            server: one.cell.server.to_string(),
            results: BTreeMap::new(),
            errors: BTreeMap::new(),
        });
        let words = reported.rpcs.iter().map(|call| if call.error.is_none() { "ok" } else { "error" });
        *repeats.results.entry(words.collect::<Vec<_>>().join(", ")).or_default() += 1;
        for text in reported.rpcs.iter().filter_map(|call| call.error.clone()) {
            *repeats.errors.entry(text).or_default() += 1;
        }
    }
    // The form has no place for an environment.
    all.into_iter()
        .filter(|((client, _), _)| client.environment.is_empty())
        .map(|(_, repeats)| repeats)
        .collect()
}

/// Writes a list with one entry a line.
pub(crate) fn write_list(path: &Path, list: &[impl Serialize]) -> Result<(), String> {
    let lines = list.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>();
    let text = format!("[\n{}\n]\n", lines.map_err(|error| error.to_string())?.join(",\n"));
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

fn file_name(client: &ClientSpec, server: ServerName, repeat: u32) -> String {
    let mut name = format!("{}-{}", client.name, client.version);
    if let Some(mode) = &client.mode {
        name += &format!("-{mode}");
    }
    for value in client.environment.values() {
        name += &format!("-env-{value}");
    }
    if repeat > 0 {
        name += &format!("-again-{repeat}");
    }
    let kind = if server.security == Security::Cleartext { "pcap" } else { "pcapng" };
    format!("{name}__{server}.{kind}")
}

fn connections(file: &[u8]) -> Vec<ObservedConnection> {
    let Ok(capture) = capture::read(file) else { return Vec::new() };
    let log = KeyLog::of(&capture);
    let mut connections = Vec::new();
    for flow in &capture.flows {
        let summary = RecordedClient::of(flow, &log).map(|client| client.summary).unwrap_or_default();
        let end = summary.ended.map(|(side, reset)| {
            let who = match side {
                muxbed::net::Side::Client => "client",
                muxbed::net::Side::Server => "server",
            };
            format!("{who} {}", if reset { "reset" } else { "end" })
        });
        connections.push(ObservedConnection {
            requests: summary.requests,
            goaway: ObservedGoAway { server: summary.goaway, client: None },
            end,
        });
    }
    connections
}

fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}
