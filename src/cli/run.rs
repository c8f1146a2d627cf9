//! `muxbed run`: clients against servers, as ladders or as a matrix.

use std::collections::BTreeMap;
use std::io;

use crate::bed::{Run, bed};
use crate::clients::{ClientSpec, Family, KnownClient, Profile, Role, families};
use crate::outcome::Outcome;
use crate::report::{
    every_ladder, junit_of_expectations, junit_of_runs, ladder, markdown_matrix, matrix, run_line, time,
};
use crate::scenarios::unmet;
use crate::servers::{BackEnd, Front, Security, ServerName};
use crate::upgrade::servers as every_server;

use super::arguments::{ReportFormat, RunOptions};
use super::{Failed, Out, Status, aside, remarks, source};

pub(super) fn run(options: &RunOptions, out: &mut Out) -> Result<Status, Failed> {
    if let Some(scenario) = &options.scenario {
        return run_scenario(scenario, options, out);
    }
    let clients = clients(&options.clients)?;
    let servers = servers(&options.servers)?;
    let mut runs = Vec::new();
    for client in &clients {
        for server in &servers {
            let mut scenario =
                bed().known_client(client.clone()).named_server(*server).schedules(options.schedules);
            if let Some(seed) = options.seed {
                scenario = scenario.seed(seed);
            }
            runs.push(scenario.run());
        }
    }
    let names: Vec<String> = clients.iter().map(|client| client.spec.to_string()).collect();
    let servers: Vec<String> = servers.iter().map(ToString::to_string).collect();
    match options.format {
        ReportFormat::Json => runs.iter().try_for_each(|run| out.line(run_line(run)))?,
        ReportFormat::Junit => out.line(junit_of_runs(&runs).map_err(Failed::input)?)?,
        ReportFormat::Markdown => out.line(markdown_matrix(&names, &servers, &runs).trim_end())?,
        ReportFormat::Human if runs.len() == 1 => ladders(&runs[0], options, out)?,
        ReportFormat::Human => {
            out.line(matrix(&names, &servers, &runs))?;
            out.line("")?;
            out.line("served: every call is answered; STALLED: both sides wait until then; refused: somebody says no;")?;
            out.line("races: timing decides whether calls are answered; *: the version before this one still worked.")?;
            if let Some(run) = most_telling(&runs, servers.len()) {
                out.line("One of them in full:")?;
                out.line(format_args!("  muxbed run --client '{}' --server {}", run.client, run.server))?;
            }
        }
    }
    if options.format == ReportFormat::Human {
        for remark in clients.iter().flat_map(remarks) {
            out.line(remark)?;
        }
    }
    Ok(if runs.iter().any(|run| run.ending.outcome.is_broken()) { Status::Differs } else { Status::Expected })
}

fn run_scenario(name: &str, options: &RunOptions, out: &mut Out) -> Result<Status, Failed> {
    let script = source::script(name)?;
    let mut scenario = bed().script(&script).map_err(Failed::input)?;
    match options.servers.as_slice() {
        [] if script.server.is_none() => {
            return Err(Failed::Input(format!("{name} names no server; add `--server NAME`")));
        }
        [] => {}
        [server] => scenario = scenario.named_server(server.parse().map_err(Failed::input)?),
        [_, second, ..] => {
            return Err(Failed::Input(format!(
                "a scenario has one server: take away one `--server`, for example `--server {second}`"
            )));
        }
    }
    if script.clients.is_empty() && script.afterwards.is_empty() {
        return Err(Failed::Input(format!("{name} has no client, so nothing happens in it")));
    }
    if let Some(seed) = options.seed {
        scenario = scenario.seed(seed);
    }
    let runs = scenario.schedules(options.schedules).run_all();
    // What is expected is expected of the scenario's own server.
    let judged = options.servers.is_empty() || script.server.is_none();
    let unmet = if judged { unmet(&script, &runs) } else { Vec::new() };
    let expects = judged && !(script.expectations.is_empty() && script.afterwards.is_empty());
    match options.format {
        ReportFormat::Json => runs.iter().try_for_each(|run| out.line(run_line(run)))?,
        ReportFormat::Junit if expects => {
            out.line(junit_of_expectations(&runs, &unmet).map_err(Failed::input)?)?;
        }
        ReportFormat::Junit => out.line(junit_of_runs(&runs).map_err(Failed::input)?)?,
        ReportFormat::Markdown => {
            out.line("```text")?;
            company(&runs, options, out)?;
            out.line("```")?;
            unmet.iter().try_for_each(|unmet| out.line(format_args!("\nNot as expected: {unmet}")))?;
        }
        ReportFormat::Human => {
            company(&runs, options, out)?;
            unmet.iter().try_for_each(|unmet| out.line(format_args!("not as expected: {unmet}")))?;
            if !judged && !script.expectations.is_empty() {
                out.line("what the scenario expects is expected of its own server, and was not looked at")?;
            }
        }
    }
    if matches!(options.format, ReportFormat::Json | ReportFormat::Junit) {
        unmet.iter().for_each(|unmet| aside(format_args!("not as expected: {unmet}")));
    }
    let broken = runs.iter().any(|run| run.ending.outcome.is_broken()) || !unmet.is_empty();
    Ok(if broken { Status::Differs } else { Status::Expected })
}

/// The ladder of clients that met, which is the same for all of them but for what came of it.
fn company(runs: &[Run], options: &RunOptions, out: &mut Out) -> io::Result<()> {
    let (first, others) =
        if options.every_result { (runs, &[][..]) } else { runs.split_at(runs.len().min(1)) };
    first.iter().try_for_each(|run| ladders(run, options, out))?;
    for run in others {
        for (number, ending) in std::iter::once(&run.ending).chain(run.alternatives()).enumerate() {
            let whose = if number == 0 { format!("{}:", run.client) } else { "  or".to_owned() };
            let says = ending.says().map(|text| format!(": {text}")).unwrap_or_default();
            out.line(format_args!("{whose} {} at {}{says}", ending.outcome, time(ending.at())))?;
        }
    }
    Ok(())
}

fn ladders(run: &Run, options: &RunOptions, out: &mut Out) -> io::Result<()> {
    if options.every_result {
        return every_ladder(run).iter().try_for_each(|ladder| out.line(ladder));
    }
    out.line(ladder(run).trim_end())
}

/// The run of a matrix, in rows of `servers`, that says most: a stall rather than another failure, and one where the client of the
/// row before was served rather than another. Of several the first.
fn most_telling(runs: &[Run], servers: usize) -> Option<&Run> {
    let telling = |(number, run): &(usize, &Run)| {
        let stalls = matches!(run.ending.outcome, Outcome::Stalled { .. });
        let worked = number.checked_sub(servers).is_some_and(|before| runs[before].works());
        (stalls, !run.works(), worked)
    };
    // Of several that say as much the last one is the greatest.
    runs.iter().enumerate().rev().max_by_key(telling).map(|(_, run)| run)
}

fn clients(specs: &[String]) -> Result<Vec<KnownClient>, Failed> {
    if specs.is_empty() {
        return Ok(landmarks());
    }
    let mut clients = Vec::new();
    for spec in specs {
        clients.extend(KnownClient::find_all(spec).map_err(Failed::input)?);
    }
    Ok(clients)
}

/// The versions of each family with which something changed.
pub(super) fn landmarks() -> Vec<KnownClient> {
    let landmarks = families().iter().flat_map(|family| {
        let of = move |mode: Option<String>| {
            family.landmarks.iter().map(move |version| ClientSpec {
                name: family.name.clone(),
                version: version.clone(),
                mode: mode.clone(),
                environment: BTreeMap::new(),
            })
        };
        modes(family).into_iter().flat_map(of)
    });
    landmarks.filter_map(|spec| KnownClient::find(&spec).ok()).collect()
}

/// The modes in which a family's landmarks are looked at: of gRPC's own clients all that somebody chooses, for each is a way to
/// make the same call. What a client falls back to when a server chooses no `h2` is nobody's choice.
fn modes(family: &Family) -> Vec<Option<String>> {
    let mut modes = vec![family.default_mode.clone()];
    if family.role == Role::GrpcClient {
        for profile in &family.profiles {
            let fallback = |other: &Profile| other.without_h2.as_ref() == Some(&profile.title);
            if !modes.contains(&profile.mode) && !family.profiles.iter().any(fallback) {
                modes.push(profile.mode.clone());
            }
        }
    }
    modes
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
            ServerName { security: Security::Tls, ..named(Front::Mux, BackEnd::GrpcGo) },
            ServerName { security: Security::TlsWithoutAlpn, ..named(Front::Mux, BackEnd::GrpcGo) },
        ]);
    }
    named_servers(names)
}

/// The servers of these names; `all` by itself is every set-up that tells clients apart.
pub(super) fn named_servers(names: &[String]) -> Result<Vec<ServerName>, Failed> {
    if names.iter().map(String::as_str).eq(["all"]) {
        return Ok(every_server());
    }
    names.iter().map(|name| name.parse().map_err(Failed::input)).collect()
}
