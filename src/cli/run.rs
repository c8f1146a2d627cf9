//! `muxbed run`: clients against servers, as ladders or as a matrix.

use crate::bed::{Run, bed};
use crate::clients::{ClientSpec, KnownClient, families};
use crate::outcome::Outcome;
use crate::report::{ladder, matrix, run_line};
use crate::servers::{BackEnd, Front, Security, ServerName};

use super::arguments::{Format, RunOptions};
use super::{Failed, Out, Status};

pub(super) fn run(options: &RunOptions, out: &mut Out) -> Result<Status, Failed> {
    let clients = clients(&options.clients)?;
    let servers = servers(&options.servers)?;
    let mut runs = Vec::new();
    for client in &clients {
        for server in &servers {
            let mut scenario = bed().known_client(client.clone()).named_server(*server);
            if let Some(seed) = options.seed {
                scenario = scenario.seed(seed);
            }
            runs.push(scenario.run());
        }
    }
    match options.format {
        Format::Json => runs.iter().try_for_each(|run| out.line(run_line(run)))?,
        Format::Human if runs.len() == 1 => out.line(ladder(&runs[0]).trim_end())?,
        Format::Human => {
            let clients: Vec<String> = clients.iter().map(|client| client.spec.to_string()).collect();
            let servers: Vec<String> = servers.iter().map(ToString::to_string).collect();
            out.line(matrix(&clients, &servers, &runs))?;
            out.line("ok: every call is answered; STALL: both sides wait, until then; refused: somebody says no at once;")?;
            out.line("races: it depends on timing whether calls are answered. One of them in full: muxbed run --client SPEC --server NAME")?;
        }
    }
    Ok(if runs.iter().any(is_broken) { Status::Differs } else { Status::Expected })
}

/// Outcomes that are nobody's design.
fn is_broken(run: &Run) -> bool {
    matches!(run.ending.outcome, Outcome::Corrupted | Outcome::Panicked { .. } | Outcome::HarnessError { .. })
}

fn clients(specs: &[String]) -> Result<Vec<KnownClient>, Failed> {
    if specs.is_empty() {
        let landmarks = families().iter().flat_map(|family| {
            family.landmarks.iter().map(|version| ClientSpec {
                name: family.name.clone(),
                version: version.clone(),
                mode: family.default_mode.clone(),
                environment: std::collections::BTreeMap::new(),
            })
        });
        return landmarks.map(|spec| KnownClient::find(&spec).map_err(Failed::input)).collect();
    }
    let mut clients = Vec::new();
    for spec in specs {
        clients.extend(KnownClient::find_all(spec).map_err(Failed::input)?);
    }
    Ok(clients)
}

fn servers(names: &[String]) -> Result<Vec<ServerName>, Failed> {
    if names.is_empty() {
        let named = |front, back_end| ServerName { security: Security::Cleartext, front, back_end };
        return Ok(vec![
            named(Front::Direct, BackEnd::GrpcGo),
            named(Front::CmuxHeader, BackEnd::GrpcGo),
            named(Front::CmuxSettings, BackEnd::GrpcGo),
            named(Front::CmuxPreface, BackEnd::GrpcGo),
            named(Front::Mux, BackEnd::GrpcGo),
            named(Front::CmuxSettings, BackEnd::H2c),
            named(Front::CmuxSettings, BackEnd::Tonic),
            named(Front::Mux, BackEnd::H2c),
            named(Front::Mux, BackEnd::Tonic),
            named(Front::Mute, BackEnd::GrpcGo),
            named(Front::Eof, BackEnd::GrpcGo),
            named(Front::Http1, BackEnd::GrpcGo),
        ]);
    }
    names.iter().map(|name| name.parse().map_err(Failed::input)).collect()
}
