//! h2spec (RFC 9113 and RFC 7541, case by case) through `muxbed serve`: what a server keeps to when it is asked directly, it
//! has to keep to behind the multiplexer.
//!
//! What fails directly too is the server's own matter. Some cases depend on time: one counts as passed directly if it
//! passes twice, and as failed through the multiplexer if it fails three times.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use muxbed::servers::ServerName;

use crate::machine::{Lacking, Machine};
use crate::plan::Cell;
use crate::serving::{Program, Serving};

/// How long it may take for one server. It takes ten seconds for x/net's, and has no deadline of its own.
const MOST_SECONDS: u32 = 240;

/// How connections get to the back end, and what has to be in the configuration for it.
const WAYS: [(&str, &str, &str); 2] = [
    ("by preface", "", "\"http2\""),
    ("by header", "early-settings = \"ask\"\n", "{ http2-header = \":path\", starts-with = \"/\" }"),
];

/// What h2spec says of a server behind the multiplexer.
pub(crate) struct Conformance {
    /// Cases, and how many of them the server itself passes.
    pub(crate) cases: usize,
    pub(crate) direct: usize,
    /// What it passes and the multiplexer spoils, by way.
    pub(crate) spoiled: BTreeMap<&'static str, BTreeSet<String>>,
}

/// Runs h2spec at these servers, which are named as they are without a multiplexer.
pub(crate) fn conformance(
    machine: &Machine,
    servers: &[&str],
) -> Result<Vec<(String, Result<Conformance, String>)>, Lacking> {
    let program = machine.program("h2spec")?;
    let cell = |server: &str| -> Result<Cell, String> {
        let server: ServerName = server.parse().map_err(|error| format!("{error}"))?;
        let client = "grpc-go@1.83.1".parse().map_err(|error| format!("{error}"))?;
        Ok(Cell { client, server, repeat: 0 })
    };
    let cells = servers.iter().map(|server| cell(server)).collect::<Result<Vec<_>, _>>();
    let cells = cells.map_err(Lacking::Failed)?;
    let serving = Serving::start(machine, &cells).map_err(Lacking::Failed)?;
    if let Some(why) = serving.lacking.values().next() {
        return Err(why.clone());
    }
    let report = machine.kept("h2spec.xml");
    let mut all = Vec::new();
    for cell in &cells {
        let port = serving.port(cell).ok_or_else(|| Lacking::Failed("a server has no port".to_owned()))?;
        all.push((cell.server.to_string(), of_one(&program, &report, machine, port)));
    }
    Ok(all)
}

fn of_one(program: &Path, report: &Path, machine: &Machine, port: u16) -> Result<Conformance, String> {
    let first = passed(program, report, port)?;
    let again = passed(program, report, port)?;
    let cases = first.len();
    let passes = |results: &BTreeMap<String, bool>, case: &str| results.get(case) == Some(&true);
    let direct: BTreeSet<String> =
        first.keys().filter(|case| passes(&first, case) && passes(&again, case)).cloned().collect();
    let mut spoiled = BTreeMap::new();
    for (way, early, when) in WAYS {
        let config = format!(
            "listen = \"127.0.0.1:0\"\n{early}[routes]\nback-end = \"tcp:127.0.0.1:{port}\"\n\
             [[rules]]\nwhen = {when}\nto = \"back-end\"\n"
        );
        let file = machine.kept("h2spec.toml");
        fs::write(&file, config).map_err(|error| format!("{}: {error}", file.display()))?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_muxbed"));
        command.args(["serve", "--config"]).arg(&file);
        let (mux, ports) = Program::start(command, 1)?;
        let mut failing = direct.clone();
        for _ in 0..3 {
            let results = passed(program, report, ports[0])?;
            failing.retain(|case| !passes(&results, case));
            if failing.is_empty() {
                break;
            }
        }
        drop(mux);
        spoiled.insert(way, failing);
    }
    Ok(Conformance { cases, direct: direct.len(), spoiled })
}

/// Which cases pass at this port.
#[expect(clippy::disallowed_methods, reason = "waits for a real process")]
fn passed(program: &Path, report: &Path, port: u16) -> Result<BTreeMap<String, bool>, String> {
    let mut command = Command::new(program);
    command.args(["--host", "127.0.0.1", "--port", &port.to_string(), "--timeout", "2", "--junit-report"]);
    command.arg(report).stdout(Stdio::null()).stderr(Stdio::null());
    drop(fs::remove_file(report));
    let mut asking = command.spawn().map_err(|error| format!("h2spec: {error}"))?;
    for _ in 0..MOST_SECONDS {
        if asking.try_wait().map_err(|error| error.to_string())?.is_some() {
            break;
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    // There are servers that it goes on talking to.
    drop(asking.kill());
    drop(asking.wait());
    if !report.exists() {
        return Err(format!("h2spec: it comes to no end within {MOST_SECONDS} s"));
    }
    let text = fs::read_to_string(report).map_err(|error| format!("h2spec: {error}"))?;
    let mut results = BTreeMap::new();
    for case in text.split("<testcase ").skip(1) {
        let (name, rest) = case.split_once(" time=").ok_or("h2spec: its report is not understood")?;
        let case = rest.split("</testcase>").next().unwrap_or_default();
        let passes = !["<failure", "<error", "<skipped"].iter().any(|bad| case.contains(bad));
        results.insert(name.to_owned(), passes);
    }
    if results.is_empty() {
        return Err("h2spec: it reports nothing".to_owned());
    }
    Ok(results)
}
