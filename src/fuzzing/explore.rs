//! Somebody else's multiplexer or server, looked at by many clients over many networks.
//!
//! What has to hold is what anybody who deploys it relies on: nothing in it panics, and a client of the catalogue is served
//! however its bytes are cut and however long they travel, also when a stranger does anything at all on a connection beside it.
//! That needs no knowledge of the server. Left out are TLS, faults of the good client's own network, which no server can make good,
//! and whether the server goes the same way twice.

use std::fmt;
use std::sync::LazyLock;

use super::meeting::{self, GUEST};
use crate::bed::{Run, Scenario, Server, TOO_MANY_EVENTS, bed};
use crate::clients::{ClientSpec, KnownClient, Role, families};
use crate::outcome::Outcome;
use crate::script::Script;
use crate::servers::Front;

/// After so many events a stranger counts as one who never rests, and the meeting says nothing about the server.
const MOST_EVENTS: usize = 4_000;

/// Begins an exploration of a server: by default with every gRPC client that a plain server serves, and the seed 0.
///
/// ```
/// use muxbed::{Incoming, fuzzing::explore};
///
/// async fn my_server(incoming: Incoming) {
///     let (_reporter, health) = tonic_health::server::health_reporter();
///     let server = tonic::transport::Server::builder().add_service(health);
///     server.serve_with_incoming(incoming).await.expect("the listener does not fail");
/// }
///
/// let explored = explore(my_server).seed(7).run(50).unwrap_or_else(|finding| panic!("{finding}"));
/// assert_eq!(explored.runs, 50);
/// ```
pub fn explore(server: impl Server) -> Exploration {
    Exploration { server: bed().server(server), guests: None, seed: 0 }
}

/// An exploration in the making. See [`explore`].
#[derive(Clone)]
pub struct Exploration {
    server: Scenario,
    /// Those that ought to be served, if not all.
    guests: Option<Vec<ClientSpec>>,
    seed: u64,
}

/// What an exploration saw that found nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Explored {
    /// How many meetings there were.
    pub runs: u64,
    /// In how many the good client was served: all but those in which a stranger never rests.
    pub served: u64,
}

/// A meeting in which something is wrong. It displays as what is wrong, what happened, the scenario, and what repeats it.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The meeting as bytes: a seed for the corpus of a fuzz target, and what [`Exploration::meet`] takes.
    pub bytes: Vec<u8>,
    /// Its number among those that the seed draws, if it was drawn.
    pub number: Option<u64>,
    /// The scenario.
    pub script: Script,
    /// What happened: the run of the client that fared worst.
    pub run: Run,
    seed: u64,
}

impl Exploration {
    /// The clients of a family that ought to be served, such as `grpc-go@>=1.18`, in place of every gRPC client; called again, it
    /// adds to them.
    ///
    /// # Panics
    ///
    /// If the catalogue has none; the message names the nearest.
    #[track_caller]
    pub fn clients(mut self, range: &str) -> Self {
        match KnownClient::find_all(range) {
            Ok(known) => {
                self.guests.get_or_insert_default().extend(known.into_iter().map(|client| client.spec));
            }
            Err(error) => panic!("{error}"),
        }
        self
    }

    /// The seed that draws the meetings: 0 if none is named.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// So many meetings that the seed draws, up to the first in which something is wrong.
    ///
    /// # Errors
    ///
    /// If something is wrong in one of them.
    pub fn run(&self, runs: u64) -> Result<Explored, Box<Finding>> {
        let mut explored = Explored::default();
        for number in 0..runs {
            explored.served += u64::from(self.run_one(number)?);
            explored.runs += 1;
        }
        Ok(explored)
    }

    /// The one meeting that the seed draws for this number: whether the good client was served, or a stranger never rested.
    ///
    /// # Errors
    ///
    /// If something is wrong in it.
    pub fn run_one(&self, number: u64) -> Result<bool, Box<Finding>> {
        let met = self.met(meeting::drawn(self.seed, number));
        met.map_err(|finding| Box::new(Finding { number: Some(number), ..*finding }))
    }

    /// The meeting that these bytes are, for any bytes: what a fuzz target calls.
    ///
    /// # Panics
    ///
    /// If something is wrong in it; the message is the [`Finding`].
    pub fn meet(&self, bytes: &[u8]) {
        if let Err(finding) = self.met(bytes.to_vec()) {
            panic!("{finding}");
        }
    }

    fn met(&self, bytes: Vec<u8>) -> Result<bool, Box<Finding>> {
        let guests = self.guests.as_deref().unwrap_or(&GRPC_CLIENTS);
        let script = meeting::from_bytes(&bytes, guests);
        let scenario = self.server.clone().script(&script).expect("its clients are of the catalogue");
        let mut runs = scenario.run_all_once(MOST_EVENTS);
        let panicked = |run: &Run| matches!(run.outcome(), Outcome::Panicked { .. });
        let worst = runs.iter().position(panicked).unwrap_or(GUEST);
        let run = runs.swap_remove(worst);
        match run.outcome() {
            Outcome::Served { .. } => Ok(true),
            Outcome::HarnessError { reason } if reason == TOO_MANY_EVENTS => Ok(false),
            _ => Err(Box::new(Finding { bytes, number: None, script, run, seed: self.seed })),
        }
    }
}

/// Every gRPC client that a server without anything before it serves.
static GRPC_CLIENTS: LazyLock<Vec<ClientSpec>> = LazyLock::new(|| {
    let grpc = families().iter().filter(|family| family.role == Role::GrpcClient);
    let known = grpc.filter_map(|family| KnownClient::find_all(&format!("{}@*", family.name)).ok()).flatten();
    let served = known.filter(|client| {
        bed().known_client(client.clone()).named_server(Front::Direct.into()).run_once().works()
    });
    served.map(|client| client.spec).collect()
});

impl fmt::Debug for Exploration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { guests, seed, .. } = self;
        formatter
            .debug_struct("Exploration")
            .field("guests", guests)
            .field("seed", seed)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes, number, script, run, seed } = self;
        writeln!(formatter, "{}: {}\n{run}\n{script}", run.client, run.outcome())?;
        match number {
            Some(number) => write!(formatter, "To repeat it: .seed({seed}).run_one({number})"),
            None => {
                write!(formatter, "To repeat it: .meet(b\"{}\")", bytes.escape_ascii())
            }
        }
    }
}

impl std::error::Error for Finding {}
