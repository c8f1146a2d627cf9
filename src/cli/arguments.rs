//! The arguments of the program.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::bed::TlsReplay;
use crate::quantity::quantity;

/// Tells whether a client will still shake hands with a server.
///
/// Without a command it prints the matrix of the landmark versions against the servers.
#[derive(Debug, Parser)]
#[command(name = "muxbed", version, args_conflicts_with_subcommands = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) run: RunOptions,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Runs clients against servers.
    Run(RunOptions),
    /// Predicts recorded runs and compares.
    Fidelity(FidelityOptions),
    /// Drives a server with the clients of a capture.
    Replay(ReplayOptions),
    /// Tells what changes for the users of a client between two versions.
    Upgrade(UpgradeOptions),
    /// Drives a live server with the catalogue's clients.
    Check(CheckOptions),
    /// Serves several back ends on one port, as a file says.
    Serve(ServeOptions),
    /// Tells which scenario fuzz bytes are, or makes fuzz bytes of a scenario.
    Convert(ConvertOptions),
    /// Makes a scenario as small as it gets while its outcome stays.
    Shrink(ShrinkOptions),
    /// Lists clients, servers or scenarios.
    List(ListOptions),
    /// Tells what a client or a server is, and why it behaves so.
    Explain(ExplainOptions),
}

#[derive(Debug, Default, Args)]
pub(super) struct RunOptions {
    /// A client, `NAME@VERSION[/MODE][+ENV=VALUE]..`, or all of a family's profiles in a range: `grpc-go@>=1.18`.
    #[arg(long = "client", value_name = "SPEC")]
    pub(super) clients: Vec<String>,
    /// A server, for example `cmux-header` or `mux-to-tonic`; `all` is every set-up that tells clients apart. For a scenario
    /// one, in the place of its own.
    #[arg(long = "server", value_name = "NAME")]
    pub(super) servers: Vec<String>,
    /// A scenario: a file, `-` for standard input, or the name of one that `muxbed list scenarios` shows.
    #[arg(long, value_name = "FILE-OR-ID", conflicts_with = "clients")]
    pub(super) scenario: Option<String>,
    /// Shows how each result comes about that can happen, not only the first.
    #[arg(long)]
    pub(super) every_result: bool,
    /// Adds a schedule drawn by this number to those that are always tried.
    #[arg(long, value_name = "NUMBER")]
    pub(super) seed: Option<u64>,
    /// Adds so many schedules, drawn by the seed: a search for orders of events in which something else comes of it.
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub(super) schedules: u64,
    /// How the result is written.
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: ReportFormat,
}

#[derive(Debug, Args)]
pub(super) struct FidelityOptions {
    /// A list of observations with its captures beside it, or of repeats.
    #[arg(value_name = "OBSERVED.json")]
    pub(super) recorded: PathBuf,
    /// For repeats: says how many schedules it takes to see each observed result, trying at most so many.
    #[arg(long, value_name = "COUNT")]
    pub(super) schedules: Option<u64>,
    /// What draws those schedules.
    #[arg(long, value_name = "NUMBER", default_value_t = 0, requires = "schedules")]
    pub(super) seed: u64,
    /// How the result is written.
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct ReplayOptions {
    /// Captures, pcap or pcapng.
    #[arg(required = true, value_name = "CAPTURE")]
    pub(super) captures: Vec<PathBuf>,
    /// The server to drive.
    #[arg(long, value_name = "NAME", default_value = "mux")]
    pub(super) server: String,
    /// The keys of TLS conversations, as `SSLKEYLOGFILE` names such a file, beside those that the captures bring.
    #[arg(long, value_name = "FILE")]
    pub(super) keylog: Option<PathBuf>,
    /// How TLS conversations come back.
    #[arg(long, value_enum, value_name = "HOW", default_value_t)]
    pub(super) tls: TlsOption,
    /// The client that it is, for conversations that go on past their last captured byte.
    #[arg(long = "as", value_name = "CLIENT")]
    pub(super) run_as: Option<String>,
    /// Only this conversation of each capture, with its ladder.
    #[arg(long, value_name = "NUMBER")]
    pub(super) flow: Option<usize>,
    /// How the result is written.
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct UpgradeOptions {
    /// The client: `NAME[/MODE]`.
    #[arg(value_name = "LIB")]
    pub(super) library: String,
    /// The version now.
    pub(super) from: String,
    /// The version then.
    pub(super) to: String,
    /// The servers to look at; all of them, if none is named.
    #[arg(long = "server", value_name = "NAME")]
    pub(super) servers: Vec<String>,
    /// How the result is written.
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: ReportFormat,
}

#[derive(Debug, Args)]
pub(super) struct CheckOptions {
    /// Where the server listens.
    #[arg(value_name = "HOST:PORT")]
    pub(super) address: String,
    /// Speaks TLS and calls the server by this name; by its host, if no name is given. Any certificate is taken.
    #[arg(long, value_name = "NAME", num_args = 0..=1)]
    pub(super) tls: Option<Option<String>>,
    /// A client, `NAME@VERSION[/MODE][+ENV=VALUE]..`, or all of a family's profiles in a range: `grpc-go@>=1.18`. Without
    /// it, the landmarks of gRPC's clients.
    #[arg(long = "client", value_name = "SPEC")]
    pub(super) clients: Vec<String>,
    /// How long the server may say nothing before it is taken to stay silent; what clients do then is known without waiting.
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration)]
    pub(super) patience: Duration,
    /// How the result is written.
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct ServeOptions {
    /// The configuration; its form is in the documentation of `muxbed::serve::config`.
    #[arg(long, value_name = "FILE")]
    pub(super) config: PathBuf,
    /// Only says whether the configuration can be used.
    #[arg(long)]
    pub(super) check: bool,
    /// How much is said on standard error: error, warn, info, debug, trace or off.
    #[arg(long, value_name = "LEVEL", default_value = "warn")]
    pub(super) log: String,
}

#[derive(Debug, Args)]
pub(super) struct ConvertOptions {
    /// What to convert, `-` for standard input. A file whose name ends in `.bed` is a scenario's text and becomes bytes; any
    /// other is bytes, as the fuzz target `handshake` takes them and leaves them behind, and becomes a text.
    #[arg(value_name = "FILE", required_unless_present = "hex")]
    pub(super) file: Option<String>,
    /// The bytes themselves, in hexadecimal, in place of a file.
    #[arg(long, value_name = "DIGITS", conflicts_with_all = ["file", "from"])]
    pub(super) hex: Option<String>,
    /// What the file is, whatever its name.
    #[arg(long, value_enum)]
    pub(super) from: Option<ScenarioForm>,
    /// Where the result goes, if not to standard output.
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct ShrinkOptions {
    /// A scenario's text, or the bytes of one, by the same rule as `muxbed convert`; or the name of a scenario that `muxbed
    /// list scenarios` shows.
    #[arg(value_name = "SCENARIO-OR-BYTES")]
    pub(super) scenario: String,
    /// What the file is, whatever its name.
    #[arg(long, value_enum)]
    pub(super) from: Option<ScenarioForm>,
    /// The most runs that are made to find it.
    #[arg(long, value_name = "NUMBER", default_value_t = 20_000)]
    pub(super) runs: usize,
    /// Where the result goes, if not to standard output.
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ScenarioForm {
    /// A scenario's text.
    Text,
    /// Fuzz bytes.
    Bytes,
}

/// `2s`, `500ms`.
fn duration(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, u64); 3] = [("ms", 1), ("s", 1_000), ("min", 60_000)];
    match quantity(text, &UNITS) {
        None => Err("write for example `2s`, `500ms` or `1min`".to_owned()),
        Some(0) => Err("it has to be more than nothing".to_owned()),
        Some(milliseconds) => Ok(Duration::from_millis(milliseconds)),
    }
}

#[derive(Debug, Args)]
pub(super) struct ListOptions {
    /// What to list.
    #[arg(value_enum)]
    pub(super) what: Listed,
    /// How the result is written.
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct ExplainOptions {
    /// A client, a family of clients, a server, or a scenario.
    #[arg(value_name = "ID")]
    pub(super) id: String,
    /// How the result is written.
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ReportFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
    /// JUnit's XML: a test case for each handshake.
    Junit,
    /// Markdown, for a comment on a pull request.
    Markdown,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum TlsOption {
    /// In a new TLS session with the captured SNI and ALPN.
    #[default]
    Rewrap,
    /// In the clear, whatever the server is.
    Plaintext,
    /// Only the ClientHello.
    Hello,
}

impl From<TlsOption> for TlsReplay {
    fn from(option: TlsOption) -> Self {
        match option {
            TlsOption::Rewrap => Self::Rewrap,
            TlsOption::Plaintext => Self::Plaintext,
            TlsOption::Hello => Self::Hello,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Listed {
    /// The profiles of every client, with what is particular to them.
    Clients,
    /// The servers by name.
    Servers,
    /// The scenarios that come with the program.
    Scenarios,
}
