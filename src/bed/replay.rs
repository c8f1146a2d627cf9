//! Replays captures: each recorded conversation's client against another server.

use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use crate::capture::{self, BadKeyLog, CaptureError, KeyLog, RecordedClient, RecordedTls, Unusable};
use crate::clients::{ClientSpec, KnownClient, Role};
use crate::net::Side;
use crate::outcome::{Outcome, Party, Refusal, WaitingFor};

use super::scenario::flow_name;
use super::suspects::{begins_so, fitting, named};
use super::tls_replay::{Driven, TlsReplay, driven};
use super::{MOST_ENDINGS, Run, Scenario};

/// What became of one recorded conversation.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// Its number in the capture, from 1.
    pub flow: usize,
    /// The client, as far as it is known.
    pub client: Option<ClientSpec>,
    /// Who says so.
    pub known_by: Option<KnownBy>,
    /// Why it was not replayed.
    pub skipped: Option<Unusable>,
    /// How it had ended when it was captured; nothing if there was nothing to answer and nothing went wrong.
    pub captured: Option<Outcome>,
    /// The clients as which it went on past its last byte, each the first of its range of versions.
    pub continued_as: Vec<ClientSpec>,
    /// What came of it; for one that went on as several clients, the worst, and in `may` the others.
    pub run: Option<Run>,
}

/// Who says which client a recorded one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownBy {
    /// Whoever replays it.
    Caller,
    /// The name of the recording, in the form `CLIENT-VERSION[-env-VALUE|-MODE]__SERVER`, with which its bytes agree.
    Recording,
    /// The client itself, in a request.
    UserAgent,
}

impl KnownBy {
    /// The words in reports.
    pub fn words(self) -> &'static str {
        match self {
            Self::Caller => "as asked for",
            Self::Recording => "file name",
            Self::UserAgent => "user agent",
        }
    }
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
    /// The client after which it is named, if it is.
    pub(super) named_after: Option<KnownClient>,
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

    /// Reads a capture file, with a key log beside the keys that it brings. A file that is named after a client, in the form
    /// `CLIENT-VERSION[-env-VALUE|-MODE]__SERVER.pcap`, is taken for a recording of that one as far as its bytes allow.
    ///
    /// # Errors
    ///
    /// If it can't be read or is no capture.
    pub fn open_with(path: impl AsRef<Path>, keys: &KeyLog) -> Result<Self, ReplayError> {
        let path = path.as_ref();
        let bytes = fs::read(path).map_err(|error| ReplayError::File { path: path.to_owned(), error })?;
        let recording = Self::read_with(&bytes, keys);
        let recording = recording.map_err(|error| ReplayError::Capture { path: path.to_owned(), error })?;
        let name = path.file_stem().map(std::ffi::OsStr::to_string_lossy);
        let named_after = name.and_then(|name| KnownClient::by_recording(&name));
        Ok(Self { named_after, ..recording })
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
        Ok(Self { clients, named_after: None, tls: TlsReplay::default(), cut_off: capture.cut_off })
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
    let names = Names { run_as, named_after: recording.named_after.as_ref() };
    let wanted = recording.clients().filter(|(flow, _)| only.is_none_or(|only| only == *flow));
    wanted.map(|(flow, client)| replay_one(flow, client, recording.tls, scenario, names)).collect()
}

/// What is said about who the recorded clients are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Names<'a> {
    /// By whoever replays them.
    pub(super) run_as: Option<&'a KnownClient>,
    /// By the recording's own name.
    pub(super) named_after: Option<&'a KnownClient>,
}

impl Names<'_> {
    /// Who this client is, and who says so. What it says of itself may contradict the recording's name, unless it passes on
    /// what another one said.
    fn of(self, client: &RecordedClient) -> Option<(KnownClient, KnownBy)> {
        if let Some(known) = self.run_as {
            return Some((known.clone(), KnownBy::Caller));
        }
        let itself = named(client);
        let agrees = |named: &&KnownClient| {
            let itself = itself.as_ref().map(|known| (&known.spec.name, &known.spec.version));
            itself.is_none_or(|itself| itself == (&named.spec.name, &named.spec.version))
                || named.family.role == Role::Proxy
        };
        match self.named_after.filter(agrees) {
            Some(known) => Some((known.clone(), KnownBy::Recording)),
            None => itself.map(|known| (known, KnownBy::UserAgent)),
        }
    }
}

/// Replays one conversation.
pub(super) fn replay_one(
    flow: usize,
    client: Result<&RecordedClient, Unusable>,
    tls: TlsReplay,
    scenario: &Scenario,
    names: Names<'_>,
) -> Replayed {
    let mut replayed = Replayed {
        flow,
        client: None,
        known_by: None,
        skipped: None,
        captured: None,
        continued_as: Vec::new(),
        run: None,
    };
    let client = match client {
        Ok(client) => client,
        Err(unusable) => return Replayed { skipped: Some(unusable), ..replayed },
    };
    replayed.captured = captured_outcome(client);
    let (known, known_by) = names.of(client).unzip();
    replayed.client = known.as_ref().map(|known| known.spec.clone());
    replayed.known_by = known_by;
    let client = match driven(client, tls, known.as_ref()) {
        Driven::Script(client) => *client,
        Driven::Skipped(unusable) => return Replayed { skipped: Some(unusable), ..replayed },
        Driven::As(candidates) => return as_each_of(candidates, scenario, replayed),
    };
    let waits = known.as_ref().is_none_or(|known| known.profile.behaviour.waits_for_settings());
    let client = if waits { client } else { client.does_not_wait() };
    let client = &client;
    if !client.stops_before_its_request() || tls == TlsReplay::Hello {
        let run = scenario.clone().recorded_client(&flow_name(flow), client).run();
        return Replayed { run: Some(run), ..replayed };
    }
    let candidates = match (known, known_by) {
        (Some(known), Some(KnownBy::Caller)) => vec![known],
        (Some(known), Some(KnownBy::Recording)) if begins_so(&known, client) => {
            // In the clear a beginning says all that it can, and who else begins so may be meant as well. A handshake says
            // next to nothing.
            let in_the_clear = client.tls.is_none() || tls == TlsReplay::Plaintext;
            if in_the_clear { fitting(client) } else { vec![known] }
        }
        (_, Some(KnownBy::Recording)) => {
            // It is named after a client that does not begin so.
            (replayed.client, replayed.known_by) = (None, None);
            fitting(client)
        }
        _ => fitting(client),
    };
    if candidates.is_empty() {
        let reason = "no known client begins like this, so nobody knows what it does next";
        let run = Run::unsupported(flow_name(flow), scenario.server_name(), reason.to_owned());
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
        let is_new = !worst.endings().any(|known| known.is_like(ending));
        if is_new && worst.endings().count() < MOST_ENDINGS {
            worst.may.push(ending.clone());
        }
    }
    Some(worst)
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
