//! Runs drivers, many at once, and reads what they report.
//!
//! Most of the time clients wait, which costs nothing; what costs is starting them. So few start at a time, and a client
//! that still runs after a second and a half makes room for the next.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::time::Duration;

use muxbed::clients::ClientSpec;
use muxbed::fidelity::ObservedCall;
use muxbed::servers::Security;
use serde::Deserialize;

use crate::plan::Cell;
use crate::serving::Serving;

/// What a client was asked to do in each run.
pub(crate) const CHECKS: u32 = 2;

/// How many clients start at the same time.
const STARTING: usize = 5;

/// How long a client is held to be starting.
const START: Duration = Duration::from_millis(1500);

/// The longest that a client may take: two calls with a deadline of 25 s each, and slack for a machine under load.
const PATIENCE: Duration = Duration::from_secs(90);

/// What a driver reports, as the contract in README.md says.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Reported {
    pub(crate) rpcs: Vec<ObservedCall>,
    #[serde(default)]
    pub(crate) output: Vec<String>,
}

impl Reported {
    /// Whether every call was answered.
    pub(crate) fn is_answered(&self) -> bool {
        self.rpcs.iter().all(|call| call.error.is_none()) && !self.rpcs.is_empty()
    }
}

/// A run that is over.
pub(crate) struct Finished {
    pub(crate) cell: Cell,
    pub(crate) port: u16,
    pub(crate) wall: Duration,
    pub(crate) reported: Result<Reported, String>,
}

impl Finished {
    /// Whether the driver did its part, whatever became of the calls; through `mux` every call has to succeed.
    pub(crate) fn is_in_order(&self) -> bool {
        let Ok(reported) = &self.reported else { return false };
        reported.is_answered() || self.cell.server.front != muxbed::servers::Front::Mux
    }
}

/// Runs every cell. `at_once` is how many clients may wait at the same time.
#[expect(clippy::disallowed_methods, reason = "real clients run beside each other in real time")]
pub(crate) fn drive(
    cells: &[Cell],
    drivers: &BTreeMap<ClientSpec, PathBuf>,
    serving: &Serving,
    at_once: usize,
) -> Vec<Finished> {
    let (starting, started) = permits(STARTING);
    let (running, ended) = permits(at_once.max(STARTING));
    let (send, finished) = channel();
    for cell in cells {
        let (Some(driver), Some(port)) = (drivers.get(&cell.client), serving.port(cell)) else { continue };
        let (Ok(()), Ok(())) = (ended.recv(), started.recv()) else { break };
        let certificate = serving.certificate(cell.server);
        let is_tls = cell.server.security != Security::Cleartext;
        let command = command(&cell.client, driver, port, is_tls.then_some(certificate));
        let (starting, running, send, cell) = (starting.clone(), running.clone(), send.clone(), cell.clone());
        std::thread::spawn(move || {
            let (reported, wall) = run(command, &starting);
            let reported = reported.map(|reported| without_addresses(reported, port));
            drop(send.send(Finished { cell, port, wall, reported }));
            let _ = running.send(());
        });
    }
    drop(send);
    let mut finished: Vec<Finished> = finished.into_iter().collect();
    finished.sort_by(|one, other| one.cell.cmp(&other.cell));
    finished
}

fn permits(count: usize) -> (SyncSender<()>, Receiver<()>) {
    let (give, take) = sync_channel(count);
    for _ in 0..count {
        give.send(()).expect("as many fit as were made room for");
    }
    (give, take)
}

/// Runs one client at a port in cleartext.
pub(crate) fn ask(driver: &Path, client: &ClientSpec, port: u16) -> Result<Reported, String> {
    let (starting, _started) = sync_channel(1);
    let (reported, _) = run(command(client, driver, port, None), &starting);
    reported.map(|reported| without_addresses(reported, port))
}

fn command(client: &ClientSpec, driver: &Path, port: u16, certificate: Option<&Path>) -> Command {
    let mut command = Command::new(driver);
    command.args(["--address", &format!("127.0.0.1:{port}"), "--checks", &CHECKS.to_string()]);
    if let Some(certificate) = certificate {
        command.arg("--tls").arg(certificate);
    }
    if let Some(mode) = &client.mode {
        command.args(["--mode", mode]);
    }
    // An inherited setting would be an unnamed part of the client.
    command.env_remove("GRPC_GO_REQUIRE_HANDSHAKE").env_remove("GRPC_ENFORCE_ALPN_ENABLED");
    command.envs(&client.environment);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

#[expect(clippy::disallowed_types, reason = "how long a real client took")]
fn run(mut command: Command, starting: &SyncSender<()>) -> (Result<Reported, String>, Duration) {
    let start = std::time::Instant::now();
    let spawned = command.spawn();
    let reported = match spawned {
        Err(error) => {
            let _ = starting.send(());
            Err(error.to_string())
        }
        Ok(mut child) => {
            let quick = ends_within(&mut child, START);
            let _ = starting.send(());
            if quick || ends_within(&mut child, PATIENCE) {
                report(child)
            } else {
                drop(child.kill());
                drop(child.wait());
                Err(format!("was still running after {} s", PATIENCE.as_secs()))
            }
        }
    };
    (reported, start.elapsed())
}

#[expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "waits for a real process")]
fn ends_within(child: &mut Child, limit: Duration) -> bool {
    let start = std::time::Instant::now();
    while start.elapsed() < limit {
        if !matches!(child.try_wait(), Ok(None)) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

fn report(mut child: Child) -> Result<Reported, String> {
    let mut text = String::new();
    if let Some(output) = &mut child.stdout {
        output.read_to_string(&mut text).map_err(|error| error.to_string())?;
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    let line = text.lines().rev().find(|line| line.starts_with('{'));
    let line = line.ok_or_else(|| format!("reported nothing ({status})"))?;
    serde_json::from_str(line).map_err(|error| format!("reported what can't be read: {error}"))
}

/// Puts CLIENT and SERVER where addresses are.
fn without_addresses(mut reported: Reported, port: u16) -> Reported {
    for call in &mut reported.rpcs {
        call.error = call.error.take().map(|text| named(&text, port));
    }
    for line in &mut reported.output {
        *line = named(line, port);
    }
    reported
}

fn named(text: &str, port: u16) -> String {
    const HOST: &str = "127.0.0.1:";
    let mut named = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(HOST) {
        named.push_str(&rest[..at]);
        let digits = rest[at + HOST.len()..].bytes().take_while(u8::is_ascii_digit).count();
        let end = at + HOST.len() + digits;
        let is_server = rest[at + HOST.len()..end] == port.to_string();
        named.push_str(if is_server { "SERVER" } else { "CLIENT" });
        rest = &rest[end..];
    }
    named + rest
}
