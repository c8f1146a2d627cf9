//! A scenario as the bed runs it, and the library's way of writing one.
//!
//! It can have clients that connect to one listener at the same time, and clients that are looked at one by one, each in a
//! run with a server of its own: the versions of a range, the conversations of a capture.

mod running;

use std::path::Path;
use std::sync::Arc;

use tokio::time::Instant;

use crate::capture::{RecordedClient, Unusable};
use crate::clients::{ClientSpec, KnownClient, UnknownClient, Work};
use crate::net::{Incoming, Network};
use crate::script::{self, Behaviour, FieldList, Script, Transport};
use crate::servers::{self, ServerName};

use super::Run;
use super::real::Client;
use super::replay::Recording;
use super::run::{MOST_EVENTS, Start};
use super::schedule::Schedule;
use super::tls_replay::TlsReplay;
use super::transcript::Recorder;

/// A server under test: anything that takes a stream of connections.
///
/// The bed runs a scenario several times, under different schedules, and starts the server anew for each. A server
/// that is a closure is called anew; its connections end when there is no client left.
pub trait Server: Send + Sync + 'static {
    /// What reports call it.
    fn name(&self) -> String;

    /// Starts the server, inside the run's runtime.
    fn start(&self, incoming: Incoming);
}

impl<F, Fut> Server for F
where
    F: Fn(Incoming) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: Send> + Send + 'static,
{
    fn name(&self) -> String {
        "server under test".to_owned()
    }

    fn start(&self, incoming: Incoming) {
        tokio::spawn(self(incoming));
    }
}

/// A scenario in the making. See [`bed`](super::bed).
#[derive(Clone)]
pub struct Scenario {
    /// Those that connect at the same time.
    clients: Vec<Party>,
    /// Those that come when these are done, over a network without faults.
    afterwards: Vec<Party>,
    /// Those that are looked at one by one, beside the others.
    each: Vec<Alone>,
    server: Option<(String, Start)>,
    network: Network,
    authority: String,
    work: Work,
    /// Whether clients of the catalogue speak TLS.
    over_tls: bool,
    seed: Option<u64>,
    /// How many schedules the seed draws beside the family.
    drawn: u64,
}

#[derive(Clone)]
struct Party {
    name: String,
    who: Who,
    /// How it connects, if not as the server says.
    over: Option<Transport>,
}

#[derive(Clone)]
enum Who {
    Known(Box<KnownClient>),
    /// A ladder, with the header lists that it refers to.
    Ladder(Box<Behaviour>, Vec<FieldList>),
    /// Code.
    Real(Arc<dyn Client>),
}

/// One of the clients that are looked at one by one.
#[derive(Clone)]
enum Alone {
    Known(Box<KnownClient>),
    /// A conversation of a capture; it may go on as a client of the catalogue.
    Recorded(Box<Conversation>),
}

#[derive(Clone)]
struct Conversation {
    flow: usize,
    client: Result<RecordedClient, Unusable>,
    named_after: Option<KnownClient>,
    tls: TlsReplay,
}

impl Scenario {
    pub(super) fn new() -> Self {
        Self {
            clients: Vec::new(),
            afterwards: Vec::new(),
            each: Vec::new(),
            server: None,
            network: Network::default(),
            authority: "127.0.0.1:50051".to_owned(),
            work: Work::default(),
            over_tls: false,
            seed: None,
            drawn: 0,
        }
    }

    /// A client of the catalogue. Several clients connect to one listener at the same time.
    ///
    /// # Panics
    ///
    /// If the catalogue has no such client; the message names the nearest. [`Self::known_client`] does not panic.
    #[track_caller]
    pub fn client(self, spec: &str) -> Self {
        let spec = match spec.parse::<ClientSpec>() {
            Ok(spec) => spec,
            Err(error) => panic!("{error}"),
        };
        match KnownClient::find(&spec) {
            Ok(client) => self.known_client(client),
            Err(error) => panic!("{error}"),
        }
    }

    /// The profiles of a family whose versions meet a condition, each in a run of its own: `grpc-go@>=1.18` is 1.18 and
    /// every later version with which something changes.
    ///
    /// # Panics
    ///
    /// As [`Self::client`].
    #[track_caller]
    pub fn clients(mut self, range: &str) -> Self {
        let known = match KnownClient::find_all(range) {
            Ok(known) => known,
            Err(error) => panic!("{error}"),
        };
        self.each.extend(known.into_iter().map(|client| Alone::Known(Box::new(client))));
        self
    }

    /// The conversations of a capture file, each in a run of its own. One that had sent no request when it ended goes on
    /// as a client that begins like it; of one that can't be replayed the outcome is
    /// [`Unsupported`](crate::outcome::Outcome::Unsupported); one without a byte from its client is left out.
    ///
    /// # Panics
    ///
    /// If the file can't be read or is no capture; the message says where it breaks off. [`replay`](super::replay())
    /// does not panic.
    #[track_caller]
    pub fn replay(self, path: impl AsRef<Path>) -> Self {
        match Recording::open(path) {
            Ok(recording) => self.recording(recording),
            Err(error) => panic!("{error}"),
        }
    }

    /// As [`Self::replay`], of a capture that was read before: with a key log, say.
    pub fn recording(mut self, recording: Recording) -> Self {
        let (tls, named_after) = (recording.tls, recording.named_after.clone());
        for (flow, client) in recording.into_clients() {
            if !matches!(client, Err(Unusable::NoClientBytes)) {
                let conversation = Conversation { flow, client, named_after: named_after.clone(), tls };
                self.each.push(Alone::Recorded(Box::new(conversation)));
            }
        }
        self
    }

    /// A client that has been found in the catalogue.
    pub fn known_client(mut self, client: KnownClient) -> Self {
        let name = client.spec.to_string();
        self.clients.push(Party { name, who: Who::Known(Box::new(client)), over: None });
        self
    }

    /// How the client that was named last connects, if not as the server says: to a port that takes TLS and cleartext, or to
    /// the wrong one.
    pub fn over(mut self, transport: Transport) -> Self {
        if let Some(last) = self.clients.last_mut() {
            last.over = Some(transport);
        }
        self
    }

    /// The clients, the network and the server of a script.
    ///
    /// # Errors
    ///
    /// If the catalogue lacks one of its clients.
    pub fn script(mut self, script: &Script) -> Result<Self, UnknownClient> {
        for client in &script.clients {
            let (who, over) = match &client.who {
                script::Who::Catalogued { spec, over } => {
                    (Who::Known(Box::new(KnownClient::find(spec)?)), *over)
                }
                script::Who::Scripted(behaviour) => {
                    (Who::Ladder(behaviour.clone(), script.field_lists.clone()), None)
                }
            };
            self.clients.push(Party { name: client.name.clone(), who, over });
        }
        for spec in &script.afterwards {
            let who = Who::Known(Box::new(KnownClient::find(spec)?));
            self.afterwards.push(Party { name: spec.to_string(), who, over: None });
        }
        self.network = script.network.clone();
        Ok(match script.server {
            Some(server) => self.named_server(server),
            None => self,
        })
    }

    /// A client that is code: a closure that takes a [`Session`](super::Session), or anything else that is a [`Client`].
    pub fn real_client(mut self, name: &str, client: impl Client) -> Self {
        let who = Who::Real(Arc::new(client));
        self.clients.push(Party { name: name.to_owned(), who, over: None });
        self
    }

    /// A client that was recorded.
    pub fn recorded_client(mut self, name: &str, client: &RecordedClient) -> Self {
        let who = Who::Ladder(Box::new(client.behaviour.clone()), Vec::new());
        self.clients.push(Party { name: name.to_owned(), who, over: None });
        self
    }

    /// The server: a closure that takes [`Incoming`], or anything else that is a [`Server`].
    pub fn server(mut self, server: impl Server) -> Self {
        let name = server.name();
        let start = move |incoming: Incoming, _: Schedule, _: Instant, _: Recorder| server.start(incoming);
        self.server = Some((name, Arc::new(start)));
        self
    }

    /// The server terminates TLS, so clients of the catalogue speak it, as their libraries do by default, to the name
    /// `muxbed.test`, and trust any certificate. Servers that are known by name and begin with `tls-` need not be told.
    pub fn tls(mut self) -> Self {
        self.over_tls = true;
        self
    }

    /// One of the servers that are known by name.
    pub fn named_server(mut self, name: ServerName) -> Self {
        let start = move |incoming: Incoming, schedule: Schedule, start: Instant, recorder: Recorder| {
            let tempo: servers::Tempo = Arc::new(move |connection| schedule.server_pace(connection));
            tokio::spawn(servers::serve(name, incoming, tempo, start, Arc::new(recorder)));
        };
        self.server = Some((name.to_string(), Arc::new(start)));
        self.over_tls = name.security.is_tls();
        self
    }

    /// The network between them.
    pub fn network(mut self, network: Network) -> Self {
        self.network = network;
        self
    }

    /// What the clients call the server: an address and port, as it stands in `:authority`.
    pub fn authority(mut self, authority: &str) -> Self {
        authority.clone_into(&mut self.authority);
        self
    }

    /// What the clients do: how many calls, how far apart, with which deadline.
    pub fn work(mut self, work: Work) -> Self {
        self.work = work;
        self
    }

    /// Adds a schedule drawn by this number to those that are always tried.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Adds so many schedules, drawn by the [seed](Self::seed) (0 if there is none), to those that are always tried: a search for
    /// orders of events that those do not have.
    pub fn schedules(mut self, count: u64) -> Self {
        self.drawn = count;
        self
    }

    /// What comes of the scenario for its one client under one schedule after another, without end: first nobody takes any time,
    /// then this seed draws who does. Other than [`Self::run`] it does not put what is alike together, so that one can say how long
    /// it takes to see a result.
    ///
    /// # Panics
    ///
    /// As [`Self::run`] does.
    pub fn one_after_another(&self, seed: u64) -> impl Iterator<Item = Run> + '_ {
        (0..).map(move |number| {
            let runs = self.run_under(|_| vec![Schedule::searched(seed, number)], MOST_EVENTS);
            runs.into_iter().next().expect("a scenario needs a client; name one with `.client(..)`")
        })
    }

    /// Runs the scenario under every schedule of the family. Of several clients it gives the one that fares worst, so
    /// that one assertion speaks for all.
    ///
    /// # Panics
    ///
    /// If no client or no server was named: a scenario without either has no outcome.
    #[track_caller]
    pub fn run(&self) -> Run {
        let runs = self.run_all().into_iter();
        let worst = runs.reduce(|worst, run| if run.severity() > worst.severity() { run } else { worst });
        worst.expect("a scenario needs a client; name one with `.client(..)`")
    }

    /// Runs the scenario for its one client once, under the first schedule, in which nobody takes any time: what a fuzzer
    /// or a sweep over many scenarios wants, where [`Self::run`] looks for races too. Nothing stands in `may`.
    ///
    /// # Panics
    ///
    /// As [`Self::run`] does.
    #[track_caller]
    pub fn run_once(&self) -> Run {
        let runs = self.run_all_once(MOST_EVENTS);
        runs.into_iter().next().expect("a scenario needs a client; name one with `.client(..)`")
    }

    /// The same for all that connect at the same time; the run counts as one without end after so many events.
    #[track_caller]
    pub(crate) fn run_all_once(&self, most_events: usize) -> Vec<Run> {
        self.run_under(|_| vec![Schedule::default()], most_events)
    }

    /// Runs the scenario, and gives what came of it for each client in their order.
    ///
    /// # Panics
    ///
    /// If no server was named.
    #[track_caller]
    pub fn run_all(&self) -> Vec<Run> {
        if self.each.is_empty() {
            return self.run_together();
        }
        let alone = Self { each: Vec::new(), ..self.clone() };
        let runs = self.each.iter().flat_map(|one| match one {
            Alone::Known(client) => alone.clone().known_client(client.as_ref().clone()).run_together(),
            Alone::Recorded(conversation) => vec![alone.run_recorded(conversation)],
        });
        runs.collect()
    }
}

/// What reports call a conversation of a capture.
pub(super) fn flow_name(flow: usize) -> String {
    format!("flow {flow}")
}

/// A client that has to exist, for callers that report rather than panic.
pub fn find_client(spec: &str) -> Result<KnownClient, UnknownClient> {
    KnownClient::find(&spec.parse::<ClientSpec>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_is_what_happens_when_nobody_takes_any_time() {
        let server = "cmux-settings-to-tonic".parse().expect("a known server");
        let scenario = Scenario::new().client("grpc-go@1.33.3").named_server(server);
        let (all, once) = (scenario.run(), scenario.run_once());
        assert!(all.racy);
        assert_eq!((&once.ending, once.trace()), (&all.ending, all.trace()));
        assert!(once.may.is_empty() && !once.racy);
    }
}
