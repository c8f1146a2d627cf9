//! From what happened to what is said of it: the ending of a run for one of its clients.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::clients::{Cause, Failure};
use crate::exchange::{Reader, Summary};
use crate::net::Side;
use crate::outcome::{Outcome, Party, Refusal, WaitingFor};

use super::run::Passage;
use super::transcript::{Transcript, What};

/// One way in which a scenario can end for a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// The verdict.
    pub outcome: Outcome,
    /// The calls that the client made, up to the first that failed.
    pub calls: Vec<Call>,
    /// Its connections, in the order of dialling.
    pub connections: Vec<Summary>,
    /// The segments that it sent on the first of them.
    pub flight: Vec<Bytes>,
    /// Everything that happened in the run that ended so, to all of its clients.
    pub transcript: Arc<Transcript>,
    /// What the transcript calls its connections.
    pub(super) numbers: Vec<u32>,
}

/// A call that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// When, counted from the start of the run.
    pub at: Duration,
    /// What its user reads, if it failed. `CLIENT` and `SERVER` stand for addresses.
    pub error: Option<String>,
}

impl Ending {
    /// What the client's user reads, if anything failed.
    pub fn says(&self) -> Option<&str> {
        self.calls.iter().find_map(|call| call.error.as_deref())
    }

    /// When the verdict was clear: the end of the last call.
    pub fn at(&self) -> Duration {
        self.calls.last().map_or(Duration::ZERO, |call| call.at)
    }

    /// The segments that it sent on its first connection before the server said anything.
    pub fn first_flight(&self) -> impl Iterator<Item = &Bytes> {
        let first = self.numbers.first().into_iter();
        let speaks = |what: &What| match what {
            What::Segment { from, .. }
            | What::Inside { from, .. }
            | What::End { from }
            | What::Reset { from } => *from == Side::Server,
            _ => false,
        };
        let here = first.flat_map(|&first| self.transcript.plain(first));
        here.take_while(move |what| !speaks(what)).filter_map(|what| match what {
            What::Segment { bytes, .. } | What::Inside { bytes, .. } => Some(bytes),
            _ => None,
        })
    }

    /// What the other side of a stall does: what a multiplexer said of itself, last before the client left; of the server that
    /// it handed over to, or that stands alone, what can be seen of it.
    pub fn other_side(&self) -> Option<(&'static str, &str)> {
        self.numbers.iter().rev().find_map(|&number| {
            let here = self.transcript.events().iter().filter(move |event| event.connection == number);
            let leaves = |what: &What| match what {
                What::End { from } | What::Reset { from } => *from == Side::Client,
                _ => false,
            };
            let mut noted = None;
            for what in here.map(|event| &event.what).take_while(|what| !leaves(what)) {
                match what {
                    What::Noted { who, remark } => noted = Some((*who, remark.as_str())),
                    What::Routed { .. } => noted = None,
                    _ => {}
                }
            }
            noted.or_else(|| self.seen_of_server(number))
        })
    }

    fn seen_of_server(&self, number: u32) -> Option<(&'static str, &'static str)> {
        let index = self.numbers.iter().position(|known| *known == number)?;
        let Summary { requests, complete_requests, server_settings, .. } = self.connections.get(index)?;
        Some(match (requests, complete_requests) {
            (0, _) if *server_settings => ("server", "waits for a request"),
            (0, _) => ("server", "says nothing"),
            (requests, complete) if requests > complete => ("server", "waits for the rest of the request"),
            _ => ("server", "does not answer"),
        })
    }

    /// Whether somebody who can't measure milliseconds would tell the two apart: by the calls, their texts, or the
    /// GOAWAYs of the connections that matter (the first, and later ones that carried a request).
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.reads_like(other) && self.goaways() == other.goaways()
    }

    /// Whether the user reads the same of every call.
    pub(crate) fn reads_like(&self, other: &Self) -> bool {
        let errors =
            |ending: &'_ Self| ending.calls.iter().map(|call| call.error.clone()).collect::<Vec<_>>();
        errors(self) == errors(other)
    }

    /// The same without the texts, for a client whose words are not its own.
    pub(crate) fn comes_to_the_same(&self, other: &Self) -> bool {
        let results =
            |ending: &'_ Self| ending.calls.iter().map(|call| call.error.is_none()).collect::<Vec<_>>();
        results(self) == results(other)
    }

    fn goaways(&self) -> Vec<Option<u32>> {
        let matter = |(number, summary): &(usize, &Summary)| *number == 0 || summary.requests > 0;
        let kept = self.connections.iter().enumerate().filter(matter);
        kept.map(|(_, summary)| summary.goaway).collect()
    }

    /// The ending of a run for client number `client`.
    pub(crate) fn of(passage: &Passage, client: usize) -> Self {
        let numbers: Vec<u32> = passage.transcript.connections_of(client).collect();
        let connections = summarise(&passage.transcript, &numbers);
        let records = &passage.calls[client];
        let calls = records
            .iter()
            .map(|record| Call {
                at: record.at,
                error: record.failure.as_ref().map(|failure| failure.text.clone()),
            })
            .collect();
        let outcome = if let Some(message) = &passage.panicked {
            Outcome::Panicked { message: message.clone() }
        } else if let Some(reason) = passage.failed.clone() {
            Outcome::HarnessError { reason }
        } else if let Some(failure) = records.iter().find_map(|record| record.failure.as_ref()) {
            of_failure(failure, connections.last())
        } else {
            let last = records.last().and_then(|record| record.connection).unwrap_or_default();
            Outcome::Served { route: route(passage, &numbers, &connections, last) }
        };
        let flight =
            numbers.first().map(|&first| passage.transcript.sent_by_client(first).cloned().collect());
        let (flight, transcript) = (flight.unwrap_or_default(), Arc::clone(&passage.transcript));
        Self { outcome, calls, connections, flight, transcript, numbers }
    }
}

fn of_failure(failure: &Failure, connection: Option<&Summary>) -> Outcome {
    match failure.cause {
        Cause::Unknown => of_connection(connection),
        Cause::Refused(refusal) => Outcome::Refused(refusal),
        Cause::Waited(waiting_for) => Outcome::Stalled { who: Party::Client, waiting_for },
    }
}

/// What the failure of a call comes to, by the connection that it was on: as for a recorded client, there is no other
/// witness.
fn of_connection(connection: Option<&Summary>) -> Outcome {
    let Some(summary) = connection else { return Outcome::Refused(Refusal::Close) };
    let waiting_for = if summary.requests > 0 { WaitingFor::Response } else { WaitingFor::Settings };
    match (summary.goaway, summary.failed_status, summary.ended) {
        (Some(code), _, _) => Outcome::Refused(Refusal::GoAway(code)),
        (None, Some(status), _) => Outcome::Refused(Refusal::Status(status)),
        (None, None, Some((Side::Server, true))) => Outcome::Refused(Refusal::Reset),
        (None, None, Some((Side::Server, false))) => Outcome::Refused(Refusal::Close),
        // It left before it had asked for anything: what was negotiated was not to its liking.
        (None, None, Some((Side::Client, _))) if summary.requests == 0 && !summary.server_settings => {
            Outcome::Refused(Refusal::Close)
        }
        (None, None, _) => Outcome::Stalled { who: Party::Client, waiting_for },
    }
}

/// The route that answered: a multiplexer's name for it, else what was spoken, if anything was asked.
fn route(passage: &Passage, numbers: &[u32], connections: &[Summary], connection: usize) -> String {
    let named = numbers.get(connection).and_then(|&number| passage.transcript.route(number));
    let sealed = numbers.get(connection).is_some_and(|&number| passage.transcript.is_sealed(number));
    let spoken = match connections.get(connection) {
        // A handshake was all that was asked for.
        Some(summary) if sealed && summary.requests == 0 => "tls",
        Some(summary) if summary.requests == 0 => "none",
        Some(summary) if !summary.grpc => "http",
        _ => "grpc",
    };
    named.unwrap_or(spoken).to_owned()
}

/// What each connection comes to, in the order of `numbers`; read in one go, since there can be very many. As in
/// [`Transcript::plain`], what carries a sealed connection does not count, but what is inside.
fn summarise(transcript: &Transcript, numbers: &[u32]) -> Vec<Summary> {
    let mut readers: BTreeMap<u32, Reader> = numbers.iter().map(|&number| (number, Reader::new())).collect();
    let mut sealed = BTreeSet::new();
    for event in transcript.events() {
        let Some(reader) = readers.get_mut(&event.connection) else { continue };
        match &event.what {
            What::Segment { .. } if sealed.contains(&event.connection) => {}
            What::Segment { from, bytes } | What::Inside { from, bytes } => reader.segment(*from, bytes),
            What::End { from } => reader.end(*from),
            What::Reset { from } => reader.reset(*from),
            What::Dialled { sealed: true, .. } => drop(sealed.insert(event.connection)),
            What::Dialled { .. }
            | What::Secured { .. }
            | What::Noted { .. }
            | What::Routed { .. }
            | What::CallEnded { .. } => {}
        }
    }
    numbers.iter().map(|number| readers[number].summary().clone()).collect()
}
