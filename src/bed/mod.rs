//! The bed: runs a scenario, takes down what happens, and says what came of it.
//!
//! A run is a function of its scenario: the same input gives the same transcript, in any process, and its
//! [trace](Transcript::trace) says so in 64 bits. Each run has a runtime of its own, a paused clock and one virtual
//! deadline, so a stall of 20 seconds takes microseconds to find. A scenario is run under a small family of schedules,
//! and every result that can happen is named.

use std::sync::Arc;

mod real;
mod replay;
mod run;
mod scenario;
mod schedule;
mod suspects;
mod tls_replay;
mod transcript;
mod verdict;

pub use real::{Client, SecuredStream, Session};
pub use replay::{KnownBy, Recording, ReplayError, Replayed, open_key_log, replay};
pub use scenario::{Scenario, Server, find_client};
pub use tls_replay::TlsReplay;
pub use transcript::{Event, Transcript, What};
pub use verdict::{Call, Ending};

use crate::clients::Plan;
use crate::net::Network;
use crate::outcome::Outcome;

pub(crate) use self::run::{MOST_EVENTS, Start, TOO_MANY_EVENTS};
pub(crate) use self::schedule::Schedule;
pub(crate) use self::transcript::Recorder;

use self::run::{Caller, Setting};

/// Begins a scenario.
pub fn bed() -> Scenario {
    Scenario::new()
}

/// What came of a scenario for one client.
#[derive(Clone, Debug)]
pub struct Run {
    /// The client, as it was named.
    pub client: String,
    /// The server, as it was named.
    pub server: String,
    /// What happens when nobody takes any time.
    pub ending: Ending,
    /// What else can happen, each a different result.
    pub may: Vec<Ending>,
    /// Whether it depends on timing which of them happens.
    pub racy: bool,
}

impl Run {
    /// The verdict when nobody takes any time.
    pub fn outcome(&self) -> Outcome {
        self.ending.outcome.clone()
    }

    /// Every ending that can happen, the one when nobody takes any time first.
    pub fn endings(&self) -> impl Iterator<Item = &Ending> {
        std::iter::once(&self.ending).chain(&self.may)
    }

    /// What else the client's user may come to see. Endings that differ only in what passes on the wire count once, and the one
    /// when nobody takes any time not at all.
    pub fn alternatives(&self) -> Vec<&Ending> {
        let mut seen = vec![&self.ending];
        for ending in &self.may {
            if !seen.iter().any(|known| known.outcome == ending.outcome && known.reads_like(ending)) {
                seen.push(ending);
            }
        }
        seen.split_off(1)
    }

    /// Whether every possible result succeeds.
    pub fn works(&self) -> bool {
        self.endings().all(|ending| ending.outcome.is_served())
    }

    /// How bad the worst of its endings is.
    pub(crate) fn severity(&self) -> u8 {
        self.endings().map(|ending| ending.outcome.severity()).max().unwrap_or_default()
    }

    /// A client that can't be run, and why.
    fn unsupported(client: String, server: String, reason: String) -> Self {
        Self::without_calls(client, server, Outcome::Unsupported { reason })
    }

    /// A client that has to speak TLS, and nobody knows how it does.
    pub(crate) fn over_unknown_tls(client: &str, server: &str) -> Self {
        let reason = format!("what {client} says over TLS is not known");
        Self::unsupported(client.to_owned(), server.to_owned(), reason)
    }

    /// A client that was never run, and the outcome that says so.
    fn without_calls(client: String, server: String, outcome: Outcome) -> Self {
        let ending = Ending {
            outcome,
            calls: Vec::new(),
            connections: Vec::new(),
            flight: Vec::new(),
            transcript: Arc::default(),
            numbers: Vec::new(),
        };
        Self { client, server, ending, may: Vec::new(), racy: false }
    }

    /// The trace hash of the run whose ending is `ending`, in hexadecimal.
    pub fn trace(&self) -> String {
        format!("{:016x}", self.ending.transcript.trace())
    }
}

/// Runs one client against a server behind real sockets. It has one ending: the one that happened.
pub(crate) fn run_live(client: String, server: String, plan: Plan, start: Start) -> Run {
    let setting = Setting {
        clients: vec![Caller::Simulated(Arc::new(plan))],
        come_first: 1,
        network: Network::default(),
        start,
        most_events: MOST_EVENTS,
    };
    let ending = Ending::of(&run::run_awake(&setting), 0);
    Run { client, server, ending, may: Vec::new(), racy: false }
}

/// The most endings that a scenario is said to have.
const MOST_ENDINGS: usize = 8;

fn outcome_of(setting: &Setting, names: &[&str], server: &str, family: &[Schedule]) -> Vec<Run> {
    let plain = run::run(setting, family.first().copied().unwrap_or_default());
    let mut runs: Vec<Run> = names
        .iter()
        .enumerate()
        .map(|(client, &name)| Run {
            client: name.to_owned(),
            server: server.to_owned(),
            ending: Ending::of(&plain, client),
            may: Vec::new(),
            racy: false,
        })
        .collect();
    for schedule in family.iter().skip(1) {
        let passage = run::run(setting, *schedule);
        for (client, run) in runs.iter_mut().enumerate() {
            let ending = Ending::of(&passage, client);
            if run.endings().count() < MOST_ENDINGS && !run.endings().any(|known| known.is_like(&ending)) {
                let same = match setting.clients[client].words_matter() {
                    true => Ending::reads_like,
                    false => Ending::comes_to_the_same,
                };
                run.racy |= !schedule.is_other_build() && !run.endings().any(|known| same(known, &ending));
                run.may.push(ending);
            }
        }
    }
    runs
}
