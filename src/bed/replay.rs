//! Replays captures: each recorded conversation's client against another server.

use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use bytes::Bytes;

use crate::capture::{self, BadKeyLog, CaptureError, KeyLog, RecordedClient, RecordedTls, Unusable};
use crate::clients::{ClientSpec, Family, KnownClient, Profile, Role, UnknownClient, families};
use crate::exchange::Summary;
use crate::flight::Flight;
use crate::net::Side;
use crate::outcome::{Outcome, Party, Refusal, WaitingFor};
use crate::servers::{Front, ServerName};

use super::scenario::flow_name;
use super::tls_replay::{Driven, TlsReplay, driven, says_hello_like};
use super::{Run, Scenario, bed};

/// What became of one recorded conversation.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// Its number in the capture, from 1.
    pub flow: usize,
    /// The client, as far as it is known: the one it was run as, or the one it calls itself.
    pub client: Option<ClientSpec>,
    /// Why it was not replayed.
    pub skipped: Option<Unusable>,
    /// How it had ended when it was captured; nothing if there was nothing to answer and nothing went wrong.
    pub captured: Option<Outcome>,
    /// The clients as which it went on past its last byte, each the first of its range of versions.
    pub continued_as: Vec<ClientSpec>,
    /// What came of it; for one that went on as several clients, the worst, and in `may` the others.
    pub run: Option<Run>,
}

/// A capture that could not be replayed at all.
#[derive(Debug)]
pub enum ReplayError {
    /// The file can't be read.
    File {
        /// Its path.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It is no capture.
    Capture {
        /// Its path.
        path: PathBuf,
        /// Why.
        error: CaptureError,
    },
    /// It is no key log.
    KeyLog {
        /// Its path.
        path: PathBuf,
        /// Why.
        error: BadKeyLog,
    },
}

impl fmt::Display for ReplayError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, error } => write!(formatter, "{}: {error}", path.display()),
            Self::Capture { path, error } => write!(formatter, "{}: {error}", path.display()),
            Self::KeyLog { path, error } => write!(formatter, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for ReplayError {}

/// A capture with its conversations made ready to replay.
#[derive(Clone, Debug)]
pub struct Recording {
    clients: Vec<(usize, Result<RecordedClient, Unusable>)>,
    /// How its TLS conversations are replayed.
    pub tls: TlsReplay,
    /// Where and why the file ends before its time, if it does.
    pub cut_off: Option<CaptureError>,
}

impl Recording {
    /// Reads a capture file. TLS in it is decrypted with the keys that it brings.
    ///
    /// # Errors
    ///
    /// If it can't be read or is no capture.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ReplayError> {
        Self::open_with(path, &KeyLog::default())
    }

    /// Reads a capture file, with a key log beside the keys that it brings.
    ///
    /// # Errors
    ///
    /// If it can't be read or is no capture.
    pub fn open_with(path: impl AsRef<Path>, keys: &KeyLog) -> Result<Self, ReplayError> {
        let path = path.as_ref();
        let bytes = fs::read(path).map_err(|error| ReplayError::File { path: path.to_owned(), error })?;
        Self::read_with(&bytes, keys).map_err(|error| ReplayError::Capture { path: path.to_owned(), error })
    }

    /// Reads the content of a capture file. TLS in it is decrypted with the keys that it brings.
    ///
    /// # Errors
    ///
    /// If it is no capture.
    pub fn read(bytes: &[u8]) -> Result<Self, CaptureError> {
        Self::read_with(bytes, &KeyLog::default())
    }

    /// Reads the content of a capture file, with a key log beside the keys that it brings.
    ///
    /// # Errors
    ///
    /// If it is no capture.
    pub fn read_with(bytes: &[u8], keys: &KeyLog) -> Result<Self, CaptureError> {
        let capture = capture::read(bytes)?;
        let mut log = KeyLog::of(&capture);
        log.extend(keys);
        let clients =
            capture.flows.iter().map(|flow| (flow.number, RecordedClient::of(flow, &log))).collect();
        Ok(Self { clients, tls: TlsReplay::default(), cut_off: capture.cut_off })
    }

    /// The same, with its TLS conversations replayed so.
    #[must_use]
    pub fn tls(self, tls: TlsReplay) -> Self {
        Self { tls, ..self }
    }

    /// The conversations with their numbers.
    pub fn clients(&self) -> impl Iterator<Item = (usize, Result<&RecordedClient, Unusable>)> {
        self.clients.iter().map(|(number, client)| (*number, client.as_ref().map_err(|unusable| *unusable)))
    }

    pub(super) fn into_clients(self) -> impl Iterator<Item = (usize, Result<RecordedClient, Unusable>)> {
        self.clients.into_iter()
    }
}

/// Reads a key log: a file such as `SSLKEYLOGFILE` names.
///
/// # Errors
///
/// If it can't be read or is no key log.
pub fn open_key_log(path: impl AsRef<Path>) -> Result<KeyLog, ReplayError> {
    let path = path.as_ref();
    let text = fs::read(path).map_err(|error| ReplayError::File { path: path.to_owned(), error })?;
    KeyLog::parse(&text).map_err(|error| ReplayError::KeyLog { path: path.to_owned(), error })
}

/// Replays the conversations of a capture, or only the one of this number, in `scenario`, which has a server and a network
/// and needs no client. `run_as` says which client it is, for conversations that go on past their last captured byte.
pub fn replay(
    recording: &Recording,
    only: Option<usize>,
    scenario: &Scenario,
    run_as: Option<&KnownClient>,
) -> Vec<Replayed> {
    let wanted = recording.clients().filter(|(flow, _)| only.is_none_or(|only| only == *flow));
    wanted.map(|(flow, client)| replay_one(flow, client, recording.tls, scenario, run_as)).collect()
}

/// Replays one conversation.
pub(super) fn replay_one(
    flow: usize,
    client: Result<&RecordedClient, Unusable>,
    tls: TlsReplay,
    scenario: &Scenario,
    run_as: Option<&KnownClient>,
) -> Replayed {
    let mut replayed =
        Replayed { flow, client: None, skipped: None, captured: None, continued_as: Vec::new(), run: None };
    let client = match client {
        Ok(client) => client,
        Err(unusable) => return Replayed { skipped: Some(unusable), ..replayed },
    };
    replayed.captured = captured_outcome(client);
    replayed.client = run_as.map(|known| known.spec.clone()).or_else(|| named_by(&client.summary));
    let known = replayed.client.as_ref().and_then(|spec| KnownClient::find(spec).ok());
    let client = match driven(client, tls, known.as_ref()) {
        Driven::Script(client) => *client,
        Driven::Skipped(unusable) => return Replayed { skipped: Some(unusable), ..replayed },
        Driven::As(candidates) => return as_each_of(candidates, scenario, replayed),
    };
    let waits = known.is_none_or(|known| known.profile.behaviour.waits_for_settings());
    let client = if waits { client } else { client.does_not_wait() };
    let client = &client;
    if !client.stops_before_its_request() || tls == TlsReplay::Hello {
        let run = scenario.clone().recorded_client(&flow_name(flow), client).run();
        return Replayed { run: Some(run), ..replayed };
    }
    let candidates = match run_as {
        Some(known) => vec![known.clone()],
        None => fitting(client),
    };
    if candidates.is_empty() {
        let mut run = scenario.clone().recorded_client(&flow_name(flow), client).run();
        let reason = "no known client begins like this, so nobody knows what it does next";
        run.ending.outcome = Outcome::Unsupported { reason: reason.to_owned() };
        return Replayed { run: Some(run), ..replayed };
    }
    as_each_of(candidates, scenario, replayed)
}

/// Goes on as each of these clients, and keeps the worst.
fn as_each_of(candidates: Vec<KnownClient>, scenario: &Scenario, replayed: Replayed) -> Replayed {
    let runs = candidates.iter().map(|known| scenario.clone().known_client(known.clone()).run());
    let run = worst(runs);
    let continued_as = candidates.into_iter().map(|known| known.spec).collect();
    Replayed { continued_as, run, ..replayed }
}

/// The run with the worst outcome; what the others lead to is what else may happen.
fn worst(runs: impl Iterator<Item = Run>) -> Option<Run> {
    let mut worst: Option<Run> = None;
    let mut others = Vec::new();
    for run in runs {
        let severity = |run: &Run| run.ending.outcome.severity();
        if worst.as_ref().is_none_or(|worst| severity(&run) > severity(worst)) {
            others.extend(worst.replace(run));
        } else {
            others.push(run);
        }
    }
    let mut worst = worst?;
    for ending in others.iter().flat_map(Run::endings) {
        if !worst.endings().any(|known| known.is_like(ending)) {
            worst.may.push(ending.clone());
        }
    }
    Some(worst)
}

/// Whether the hello of a recorded client, if it has one, is what the profile says.
fn may_be(family: &Family, profile: &Profile, client: &RecordedClient) -> bool {
    client.tls.as_ref().is_none_or(|tls| says_hello_like(family, profile, tls))
}

/// The clients of the catalogue that begin just like this: of each profile its first version, or the version that the
/// client says it is.
fn fitting(client: &RecordedClient) -> Vec<KnownClient> {
    let captured = Flight::of(client.segments.iter().map(|segment| &segment[..]));
    let named = named_by(&client.summary);
    let authority = client.summary.authority.as_deref().unwrap_or("127.0.0.1:50051");
    let mut fitting = Vec::new();
    for family in families() {
        for profile in family.profiles.iter().filter(|profile| may_be(family, profile, client)) {
            let version = match &named {
                Some(spec) if spec.name != family.name || !profile.covers_version(&spec.version) => continue,
                Some(spec) => &spec.version,
                None => &profile.from,
            };
            let spec = ClientSpec {
                name: family.name.clone(),
                version: version.clone(),
                mode: profile.mode.clone(),
                environment: profile.environment.clone(),
            };
            let Ok(known) = KnownClient::find(&spec) else { continue };
            // Served at once, it shows all of its flight.
            let direct = ServerName::from(Front::Direct);
            let scenario = bed().known_client(known.clone()).named_server(direct).authority(authority);
            let flight = scenario.first_flight();
            let predicted = Flight::of(flight.iter().map(|segment| &segment[..]));
            let written_so = !stops_inside_a_write(&client.segments, &flight);
            if written_so && Flight::difference(&captured, &predicted).is_none() {
                fitting.push(known);
            }
        }
    }
    // Little has been written, or it would hold a request. An HTTP client writes its request at once, so of those that begin
    // alike it is the last to be suspected.
    let calls_grpc = |known: &KnownClient| known.family.role != Role::HttpClient;
    if fitting.iter().any(calls_grpc) {
        fitting.retain(calls_grpc);
    }
    fitting
}

/// Whether the conversation stops where this client would have written more at once.
fn stops_inside_a_write(captured: &[impl AsRef<[u8]>], predicted: &[Bytes]) -> bool {
    let captured: Vec<u8> = captured.iter().flat_map(AsRef::as_ref).copied().collect();
    let begins_so = predicted.concat().starts_with(&captured);
    let mut written = 0;
    let mut ends = predicted.iter().map(|segment| {
        written += segment.len();
        written
    });
    begins_so && !ends.any(|end| end == captured.len())
}

/// The client that a request names: `user-agent: grpc-go/1.33.3`.
fn named_by(summary: &Summary) -> Option<ClientSpec> {
    let agent = summary.user_agent.as_deref()?;
    let (name, version) = agent.split_whitespace().next()?.split_once('/')?;
    let spec = format!("{name}@{version}").parse().map_err(UnknownClient::from);
    let known = spec.and_then(|spec| KnownClient::find(&spec)).ok()?;
    Some(known.spec)
}

/// How a recorded conversation ended for its client, as far as its bytes tell.
fn captured_outcome(client: &RecordedClient) -> Option<Outcome> {
    let summary = &client.summary;
    let route = if summary.grpc { "grpc" } else { "http" };
    if summary.requests > 0 && summary.answered >= summary.requests {
        return Some(match summary.failed_status {
            Some(status) => Outcome::Refused(Refusal::Status(status)),
            None => Outcome::Served { route: route.to_owned() },
        });
    }
    if let (None, Some(tls)) = (summary.goaway, &client.tls) {
        let outcome = captured_tls_outcome(client, tls);
        if outcome.is_some() {
            return outcome;
        }
    }
    let refusal = match (summary.goaway, summary.ended) {
        (Some(code), _) => Refusal::GoAway(code),
        (None, Some((Side::Server, true))) => Refusal::Reset,
        (None, Some((Side::Server, false))) => Refusal::Close,
        (None, _) if summary.http1_answer => Refusal::Close,
        (None, _) if summary.requests == 0 && summary.server_settings => return None,
        (None, _) => {
            let waiting_for = if summary.requests > 0 { WaitingFor::Response } else { WaitingFor::Settings };
            return Some(Outcome::Stalled { who: Party::Client, waiting_for });
        }
    };
    Some(Outcome::Refused(refusal))
}

/// How it ended, if it was TLS that ended it.
fn captured_tls_outcome(client: &RecordedClient, tls: &RecordedTls) -> Option<Outcome> {
    if let Some((_, alert)) = tls.refusal() {
        return Some(Outcome::Refused(Refusal::Alert(alert.description.into())));
    }
    match client.summary.ended {
        // It looked at what was negotiated, and went.
        Some((Side::Client, false)) if client.segments.is_empty() => Some(Outcome::Refused(Refusal::Close)),
        None if !tls.established => {
            Some(Outcome::Stalled { who: Party::Client, waiting_for: WaitingFor::TlsHandshake })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_writes_more_at_once_does_not_stop_there() {
        let preface: [&[u8]; 1] = [b"PRI"];
        let written =
            |segments: &[&'static str]| segments.iter().copied().map(Bytes::from).collect::<Vec<_>>();
        assert!(stops_inside_a_write(&preface, &written(&["PRI and SETTINGS"])));
        assert!(!stops_inside_a_write(&preface, &written(&["PRI", " and SETTINGS"])));
        assert!(!stops_inside_a_write(&preface, &written(&["GET"])), "it begins otherwise altogether");
    }
}
