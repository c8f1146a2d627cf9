//! A scenario as the bed runs it, and the library's way of writing one.

use std::borrow::Cow;
use std::sync::Arc;

use tokio::time::Instant;

use crate::capture::RecordedClient;
use crate::clients::{ClientSpec, KnownClient, Plan, UnknownClient, Work};
use crate::net::{Incoming, Network};
use crate::script::{self, Behaviour, FieldList, Script};
use crate::servers::{self, ServerName};

use super::Run;
use super::outcome_of;
use super::run::{Setting, Start};
use super::schedule::Schedule;
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
    clients: Vec<Party>,
    server: Option<(String, Start)>,
    network: Network,
    authority: String,
    work: Work,
    seed: Option<u64>,
}

#[derive(Clone)]
struct Party {
    name: String,
    who: Who,
}

#[derive(Clone)]
enum Who {
    Known(Box<KnownClient>),
    /// A ladder, with the header lists that it refers to.
    Ladder(Box<Behaviour>, Vec<FieldList>),
}

impl Scenario {
    pub(super) fn new() -> Self {
        Self {
            clients: Vec::new(),
            server: None,
            network: Network::default(),
            authority: "127.0.0.1:50051".to_owned(),
            work: Work::default(),
            seed: None,
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

    /// A client that has been found in the catalogue.
    pub fn known_client(mut self, client: KnownClient) -> Self {
        let name = client.spec.to_string();
        self.clients.push(Party { name, who: Who::Known(Box::new(client)) });
        self
    }

    /// The clients, the network and the server of a script.
    ///
    /// # Errors
    ///
    /// If the catalogue lacks one of its clients.
    pub fn script(mut self, script: &Script) -> Result<Self, UnknownClient> {
        for client in &script.clients {
            let who = match &client.who {
                script::Who::Catalogued(spec) => Who::Known(Box::new(KnownClient::find(spec)?)),
                script::Who::Scripted(behaviour) => {
                    Who::Ladder(behaviour.clone(), script.field_lists.clone())
                }
            };
            self.clients.push(Party { name: client.name.clone(), who });
        }
        self.network = script.network.clone();
        Ok(match script.server {
            Some(server) => self.named_server(server),
            None => self,
        })
    }

    /// A client that was recorded.
    pub fn recorded_client(mut self, name: &str, client: &RecordedClient) -> Self {
        let who = Who::Ladder(Box::new(client.behaviour.clone()), Vec::new());
        self.clients.push(Party { name: name.to_owned(), who });
        self
    }

    /// The server: a closure that takes [`Incoming`], or anything else that is a [`Server`].
    pub fn server(mut self, server: impl Server) -> Self {
        let name = server.name();
        let start = move |incoming: Incoming, _: Schedule, _: Instant, _: Recorder| server.start(incoming);
        self.server = Some((name, Arc::new(start)));
        self
    }

    /// One of the servers that are known by name.
    pub fn named_server(mut self, name: ServerName) -> Self {
        let start = move |incoming: Incoming, schedule: Schedule, start: Instant, recorder: Recorder| {
            let tempo: servers::Tempo = Arc::new(move |connection| schedule.server_pace(connection));
            tokio::spawn(servers::serve(name, incoming, tempo, start, Arc::new(recorder)));
        };
        self.server = Some((name.to_string(), Arc::new(start)));
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

    /// Runs the scenario for its one client, under every schedule of the family.
    ///
    /// # Panics
    ///
    /// If no client or no server was named: a scenario without either has no outcome.
    #[track_caller]
    pub fn run(&self) -> Run {
        self.run_all().into_iter().next().expect("a scenario needs a client; name one with `.client(..)`")
    }

    /// Runs the scenario for its one client once, under the first schedule, in which nobody takes any time: what a fuzzer
    /// or a sweep over many scenarios wants, where [`Self::run`] looks for races too. Nothing stands in `may`.
    ///
    /// # Panics
    ///
    /// As [`Self::run`] does.
    #[track_caller]
    pub fn run_once(&self) -> Run {
        let runs = self.run_under(|_| vec![Schedule::default()]);
        runs.into_iter().next().expect("a scenario needs a client; name one with `.client(..)`")
    }

    /// Runs the scenario, and gives what came of it for each client in their order.
    ///
    /// # Panics
    ///
    /// If no server was named.
    #[track_caller]
    pub fn run_all(&self) -> Vec<Run> {
        self.run_under(|builds| Schedule::family(builds, self.seed))
    }

    /// Runs the scenario under the schedules that `family` has for a client of so many builds.
    #[track_caller]
    fn run_under(&self, family: impl FnOnce(usize) -> Vec<Schedule>) -> Vec<Run> {
        let (server, start) =
            self.server.as_ref().expect("a scenario needs a server; name one with `.server(..)`");
        let plans: Vec<Arc<Plan>> = self.clients.iter().map(|party| self.plan(party)).collect();
        let builds = plans.iter().map(|plan| plan.builds()).max().unwrap_or(1);
        let setting = Setting { clients: plans, network: self.network.clone(), start: Arc::clone(start) };
        let names: Vec<&str> = self.clients.iter().map(|party| party.name.as_str()).collect();
        outcome_of(&setting, &names, server, &family(builds))
    }

    fn plan(&self, party: &Party) -> Arc<Plan> {
        match &party.who {
            Who::Known(client) => client.plan(&self.authority, self.work),
            Who::Ladder(behaviour, lists) => {
                let behaviour = Cow::Owned(behaviour.as_ref().clone());
                let lists = Cow::Owned(lists.clone());
                Arc::new(Plan::new(behaviour, lists, "", &self.authority, self.work))
            }
        }
    }
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
