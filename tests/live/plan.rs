//! Which clients meet which servers.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Parser;
use muxbed::clients::ClientSpec;
use muxbed::servers::ServerName;

/// Real clients against real servers on 127.0.0.1. Without --client and --server: everything that has a recipe.
#[derive(Debug, Parser)]
#[command(name = "live")]
pub(crate) struct Options {
    /// NAME@VERSION[/MODE][+ENV=VALUE].., several with commas; an environment's own commas can't be said
    #[arg(long, value_delimiter = ',')]
    client: Vec<ClientSpec>,
    /// A server's name as everywhere in this project, several with commas
    #[arg(long, value_delimiter = ',')]
    server: Vec<ServerName>,
    /// The named core that CI runs
    #[arg(long)]
    core: bool,
    /// Only what h2spec says of servers behind the multiplexer
    #[arg(long)]
    pub(crate) h2spec: bool,
    /// Only clients through HAProxy and nginx in front of servers
    #[arg(long)]
    pub(crate) fronts: bool,
    /// Writes observed.json with a capture of each run into this folder, and says what the bed predicts otherwise
    #[arg(long, value_name = "FOLDER")]
    pub(crate) record: Option<PathBuf>,
    /// How often each run is made; with --record also writes races.json
    #[arg(long, default_value_t = 1)]
    pub(crate) repeat: u32,
    /// How many clients wait at the same time
    #[arg(long, default_value_t = 48)]
    pub(crate) at_once: usize,
    /// Where what recipes build is kept
    #[arg(long, value_name = "FOLDER", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/target/live"))]
    pub(crate) cache: PathBuf,
}

/// One run of one client against one server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cell {
    pub(crate) client: ClientSpec,
    pub(crate) server: ServerName,
    /// Which of its repeats it is, from 0.
    pub(crate) repeat: u32,
}

/// What is to be run.
pub(crate) struct Plan {
    clients: BTreeSet<ClientSpec>,
    servers: Vec<ServerName>,
    repeat: u32,
    /// Whether nobody asked for something in particular.
    named: bool,
    core: bool,
}

const CORE_CLIENTS: [&str; 7] = [
    "grpc-go@1.17.0",
    "grpc-go@1.33.3",
    "grpc-go@1.83.1",
    "grpcio@1.85.1",
    "grpc-js@1.14.7",
    "grpc-java@1.85.1/netty",
    "curl@7.88.1/http1",
];

const CORE_SERVERS: [&str; 5] = ["direct", "cmux-header", "cmux-preface", "mux", "mux-to-h2c"];

const CLIENTS: [&str; 16] = [
    "grpc-go@1.8.0",
    "grpc-go@1.17.0",
    "grpc-go@1.18.0",
    "grpc-go@1.26.0",
    "grpc-go@1.33.3",
    "grpc-go@1.41.0",
    "grpc-go@1.58.3",
    "grpc-go@1.67.1",
    "grpc-go@1.72.2",
    "grpc-go@1.83.1",
    "grpcio@1.85.1",
    "grpc-js@1.14.7",
    "grpc-java@1.85.1/netty",
    "grpc-java@1.82.2/okhttp",
    "tonic@0.14.9",
    "curl@7.88.1/http1",
];

const SERVERS: [&str; 13] = [
    "mux",
    "tls-mux",
    "mux-to-h2c",
    "mux-to-tonic",
    "mux-to-nghttp2",
    "mux-to-netty",
    "mux-to-c-core",
    "cmux-header",
    "cmux-settings",
    "cmux-settings-to-h2c",
    "cmux-settings-to-tonic",
    "cmux-settings-to-nghttp2",
    "cmux-settings-to-c-core",
];

const CORE_CONFORMING: [&str; 1] = ["direct-to-h2c"];

pub(crate) const CONFORMING: [&str; 4] = ["direct", "direct-to-h2c", "direct-to-tonic", "direct-to-nghttp2"];

impl Plan {
    pub(crate) fn of(options: &Options) -> Result<Self, String> {
        let (clients, servers): (&[&str], &[&str]) =
            if options.core { (&CORE_CLIENTS, &CORE_SERVERS) } else { (&CLIENTS, &SERVERS) };
        let clients = if options.client.is_empty() {
            let named = clients.iter().map(|client| client.parse::<ClientSpec>());
            named.collect::<Result<_, _>>().map_err(|error| error.to_string())?
        } else {
            options.client.iter().cloned().collect()
        };
        let servers = if options.server.is_empty() {
            let named = servers.iter().map(|server| server.parse::<ServerName>());
            named.collect::<Result<_, _>>().map_err(|error| error.to_string())?
        } else {
            options.server.clone()
        };
        let named = options.client.is_empty() && options.server.is_empty();
        Ok(Self { clients, servers, repeat: options.repeat, named, core: options.core })
    }

    /// Whether it is the core or everything, and nothing that was picked out.
    pub(crate) fn is_named(&self) -> bool {
        self.named
    }

    /// Whether it is everything.
    pub(crate) fn is_everything(&self) -> bool {
        self.named && !self.core
    }

    /// The servers whose conformance is looked at behind the multiplexer.
    pub(crate) fn conforming(&self) -> &'static [&'static str] {
        match (self.named, self.core) {
            (false, _) => &[],
            (true, true) => &CORE_CONFORMING,
            (true, false) => &CONFORMING,
        }
    }

    pub(crate) fn clients(&self) -> impl Iterator<Item = &ClientSpec> {
        self.clients.iter()
    }

    /// The runs of the clients that are there. Those of one server lie apart, so that what waits starts early.
    pub(crate) fn cells(&self, is_there: impl Fn(&ClientSpec) -> bool) -> Vec<Cell> {
        let mut cells = Vec::new();
        for repeat in 0..self.repeat {
            for &server in &self.servers {
                for client in self.clients.iter().filter(|client| is_there(client)) {
                    cells.push(Cell { client: client.clone(), server, repeat });
                }
            }
        }
        cells
    }
}
