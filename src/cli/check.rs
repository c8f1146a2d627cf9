//! `muxbed check`: drives a live server with the catalogue's clients.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::bed::Run;
use crate::clients::{KnownClient, Role};
use crate::live::{Greeting, LiveServer, Probe, SurplusAck};
use crate::outcome::{Outcome, Refusal};
use crate::report::{ladder, probe_line, run_line, time};
use crate::wire::ErrorCode;

use super::arguments::{CheckOptions, Format};
use super::run::landmarks;
use super::{Failed, Out, Status, remarks};

/// How many clients meet the server at the same time: most of what they do is wait.
const AT_ONCE: usize = 8;

pub(super) fn check(options: &CheckOptions, out: &mut Out) -> Result<Status, Failed> {
    let server = server(options)?;
    server.reachable().map_err(|error| Failed::Input(format!("{}: {error}", options.address)))?;
    let clients = clients(&options.clients)?;
    let probe = server.probe();
    let runs = meet_all(&server, &clients);
    let met: Vec<Met<'_>> = clients.iter().zip(&runs).map(|(client, run)| Met { client, run }).collect();
    match options.format {
        Format::Json => {
            runs.iter().try_for_each(|run| out.line(run_line(run)))?;
            out.line(probe_line(&probe))?;
        }
        Format::Human => {
            human(options, &probe, &met, out)?;
            for remark in clients.iter().flat_map(remarks) {
                out.line(remark)?;
            }
        }
    }
    Ok(if met.iter().all(Met::shakes_hands) { Status::Expected } else { Status::Differs })
}

/// A client, and what came of it.
#[derive(Clone, Copy)]
struct Met<'a> {
    client: &'a KnownClient,
    run: &'a Run,
}

impl Met<'_> {
    /// Whether client and server understand each other: a gRPC status is an answer, whatever it says.
    fn shakes_hands(&self) -> bool {
        match self.run.ending.outcome {
            Outcome::Served { .. } => true,
            Outcome::Refused(Refusal::Status(_)) => !self.is_answered_in_http1(),
            _ => false,
        }
    }

    /// Whether a gRPC client was answered in HTTP/1, which it can't speak.
    fn is_answered_in_http1(&self) -> bool {
        let last = self.run.ending.connections.last();
        self.client.family.role == Role::GrpcClient && last.is_some_and(|summary| summary.http1_answer)
    }
}

fn server(options: &CheckOptions) -> Result<LiveServer, Failed> {
    let unusable = |error| Failed::Input(format!("{}: {error}; write HOST:PORT", options.address));
    let mut addresses = options.address.to_socket_addrs().map_err(unusable)?;
    let address: SocketAddr =
        addresses.next().ok_or_else(|| Failed::Input(format!("{} has no address", options.address)))?;
    let server = LiveServer::new(address, &options.address).patience(options.patience);
    Ok(match &options.tls {
        None => server,
        Some(Some(name)) => server.tls(name),
        Some(None) => {
            let host = options.address.rsplit_once(':').map_or(options.address.as_str(), |(host, _)| host);
            server.tls(host.trim_start_matches('[').trim_end_matches(']'))
        }
    })
}

/// Those that were asked for, or else the landmarks of gRPC's clients: what an HTTP client makes of a gRPC server is no fault.
fn clients(specs: &[String]) -> Result<Vec<KnownClient>, Failed> {
    if specs.is_empty() {
        let grpc = |client: &KnownClient| client.family.role == Role::GrpcClient;
        return Ok(landmarks().into_iter().filter(grpc).collect());
    }
    let mut clients = Vec::new();
    for spec in specs {
        clients.extend(KnownClient::find_all(spec).map_err(Failed::input)?);
    }
    Ok(clients)
}

/// Runs in the order of the clients, whoever was ready first.
fn meet_all(server: &LiveServer, clients: &[KnownClient]) -> Vec<Run> {
    let next = AtomicUsize::new(0);
    let runs: Vec<Mutex<Option<Run>>> = clients.iter().map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(clients.len()) {
            scope.spawn(|| {
                while let Some((client, run)) = {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    clients.get(number).zip(runs.get(number))
                } {
                    *run.lock().expect("nobody panics with it") = Some(server.meet(client));
                }
            });
        }
    });
    runs.into_iter().filter_map(|run| run.into_inner().expect("nobody panics with it")).collect()
}

fn human(options: &CheckOptions, probe: &Probe, met: &[Met<'_>], out: &mut Out) -> Result<(), Failed> {
    if let [Met { run, .. }] = met {
        out.line(ladder(run).trim_end())?;
        out.line("")?;
    } else {
        let mut left = met.to_vec();
        while let Some(first) = left.first().copied() {
            // What is the same for several clients is said once.
            let alike: Vec<Met<'_>> = left.extract_if(.., |met| reads_alike(met, &first)).collect();
            let names: Vec<&str> = alike.iter().map(|met| met.run.client.as_str()).collect();
            let word = out.strong(first.run.ending.outcome.word());
            out.line(format_args!("{word} {}", names.join(", ")))?;
            told(&first, out)?;
            if !first.shakes_hands() {
                out.line(format_args!("  again: {}", again(options, &first.run.client)))?;
            }
            out.line("")?;
        }
    }
    out.line(greeting(&options.address, probe.settings.as_ref()))?;
    out.line(format_args!("One SETTINGS acknowledgement more than was due: {}", made_of(probe.surplus_ack)))?;
    Ok(())
}

/// What meets the server with one client alone.
fn again(options: &CheckOptions, client: &str) -> String {
    let tls = match &options.tls {
        None => String::new(),
        Some(None) => " --tls".to_owned(),
        Some(Some(name)) => format!(" --tls {name}"),
    };
    let patience = options.patience.as_millis();
    format!("muxbed check {}{tls} --patience {patience}ms --client '{client}'", options.address)
}

fn reads_alike(one: &Met<'_>, other: &Met<'_>) -> bool {
    let ending = |met: &Met<'_>| {
        let ending = &met.run.ending;
        (ending.outcome.clone(), ending.says().map(str::to_owned), waited(met.run), met.shakes_hands())
    };
    ending(one) == ending(other)
}

/// When it was over, if that took time that somebody notices.
fn waited(run: &Run) -> Option<u64> {
    let at = run.ending.at().as_secs();
    (!run.ending.outcome.is_served() && at > 0).then_some(at)
}

fn told(met: &Met<'_>, out: &mut Out) -> Result<(), Failed> {
    let Met { run, .. } = met;
    let ending = &run.ending;
    match &ending.outcome {
        Outcome::Served { .. } => return Ok(()),
        Outcome::Refused(Refusal::Status(status)) if met.is_answered_in_http1() => {
            out.line(format_args!(
                "  there is no handshake: the server answers in HTTP/1, with status {status}"
            ))?;
        }
        Outcome::Refused(Refusal::Status(status)) => {
            out.line(format_args!("  the handshake works; a health check is answered with status {status}"))?;
        }
        outcome => {
            let at = waited(run).map(|at| format!(" at {}", time(Duration::from_secs(at))));
            out.line(format_args!("  {outcome}{}", at.unwrap_or_default()))?;
        }
    }
    if let Some(says) = ending.says() {
        out.line(format_args!("  says: {says}"))?;
    }
    Ok(())
}

fn greeting(address: &str, greeting: Option<&Greeting>) -> String {
    let Some(Greeting { values, unasked, .. }) = greeting else {
        return format!(
            "{address} sends no SETTINGS before a request: clients that wait for them wait in vain."
        );
    };
    let values: Vec<String> =
        values.iter().map(|setting| format!("{}={}", setting.id, setting.value)).collect();
    let values = if values.is_empty() { "no values".to_owned() } else { values.join(" ") };
    let when =
        if *unasked { "before the client says anything" } else { "once the client has sent its preface" };
    format!("{address} sends SETTINGS {when}: {values}")
}

fn made_of(surplus: SurplusAck) -> String {
    let code = |code: u32| ErrorCode::from(code).to_string();
    match surplus {
        SurplusAck::Ignored => {
            "it goes on, so a multiplexer may send SETTINGS of its own before it".to_owned()
        }
        SurplusAck::GoAway(number) => format!("it answers GOAWAY {}", code(number)),
        SurplusAck::Closed => "it ends the connection".to_owned(),
        SurplusAck::DiedOfThoseThatWereDue(Some(number)) => {
            format!("not tried: it answers GOAWAY {} to those that were due already", code(number))
        }
        SurplusAck::DiedOfThoseThatWereDue(None) => {
            "not tried: it ends the connection over those that were due already".to_owned()
        }
        SurplusAck::NotAsked => "not tried, since it answered no call".to_owned(),
    }
}
