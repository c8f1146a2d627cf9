//! A live server under test: the clients of the catalogue against an address, over real sockets.
//!
//! A client runs as it does in the bed, on a link of the bed, and a bridge carries what is on that link to a socket and back. So what
//! is tested is the same machine with the same verdict, and only the server is real. The clock goes as the wall's does until
//! the server has said nothing for as long as the caller is patient. From then on it is taken to stay silent, and the clock
//! jumps: what the client's user reads after 20 s is known after two.
//!
//! Left out: races. A run against a live server has one ending, the one that happened; [`bed`](mod@crate::bed) knows the others. And a
//! server that answers later than the caller is patient is called silent.

mod bridge;
mod probe;

use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::bed::{Recorder, Run, Schedule, run_live};
use crate::clients::{KnownClient, Plan, Work};
use crate::net::Incoming;
use crate::script::{Behaviour, Client, Hello, Script, Who};

pub use probe::{Greeting, Probe, SurplusAck};

/// A server at an address.
#[derive(Clone, Debug)]
pub struct LiveServer {
    address: SocketAddr,
    authority: String,
    /// What clients call it in their ClientHello, if they speak TLS to it.
    tls: Option<String>,
    patience: Duration,
}

impl LiveServer {
    /// The server at `address`, which clients call `authority`.
    pub fn new(address: SocketAddr, authority: &str) -> Self {
        let patience = Duration::from_secs(2);
        Self { address, authority: authority.to_owned(), tls: None, patience }
    }

    /// Clients speak TLS to it and call it `name`. They take any certificate: whether one is trusted is not what is tested.
    #[must_use]
    pub fn tls(mut self, name: &str) -> Self {
        self.tls = Some(name.to_owned());
        self
    }

    /// How long it may say nothing before it is taken to stay silent; 2 s, unless this says otherwise.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Whether it takes connections.
    ///
    /// # Errors
    ///
    /// What connecting fails with.
    pub fn reachable(&self) -> io::Result<()> {
        std::net::TcpStream::connect_timeout(&self.address, self.patience.max(Duration::from_secs(1)))
            .map(drop)
    }

    /// What becomes of a client that meets it.
    pub fn meet(&self, client: &KnownClient) -> Run {
        let name = client.spec.to_string();
        let work = Work::default();
        let plan = match &self.tls {
            None => client.plan(&self.authority, work),
            Some(server) => match client.plan_over_tls(&self.authority, work) {
                Some(plan) => plan.calling(server, &self.authority),
                None => return Run::over_unknown_tls(&name, &self.authority),
            },
        };
        self.run(name, plan)
    }

    /// What it says first, and what it makes of one acknowledgement of SETTINGS too many.
    pub fn probe(&self) -> Probe {
        Probe::read(&self.run_script(probe::GREETING), &self.run_script(probe::SURPLUS_ACK))
    }

    fn run_script(&self, text: &str) -> Run {
        let script = Script::parse("probe", text).expect("the script is our own");
        let Some(Client { who: Who::Scripted(behaviour), name }) = script.clients.into_iter().next() else {
            unreachable!("it has one client, which is written out")
        };
        let hello = self.tls.as_ref().map(|server| Hello {
            alpn: vec!["h2".to_owned(), "http/1.1".to_owned()],
            sni: Some(server.clone()),
            ..Hello::default()
        });
        let plan = Plan::new(
            Cow::<'static, Behaviour>::Owned(*behaviour),
            Cow::Owned(script.field_lists),
            "",
            &self.authority,
            Work::default(),
        );
        let plan = match (hello, &self.tls) {
            (Some(hello), Some(server)) => plan.over_tls(hello).calling(server, &self.authority),
            _ => plan,
        };
        self.run(name, plan)
    }

    fn run(&self, client: String, plan: Plan) -> Run {
        let (address, patience) = (self.address, self.patience);
        let start = move |incoming: Incoming, _: Schedule, _: Instant, recorder: Recorder| {
            tokio::spawn(bridge::carry(incoming, address, patience, recorder));
        };
        run_live(client, self.authority.clone(), plan, Arc::new(start))
    }
}
