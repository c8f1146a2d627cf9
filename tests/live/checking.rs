//! `muxbed check` against the real servers: what it says of a live one is what the bed says of its model.

use std::process::Command;

use muxbed::bed::{bed, find_client};
use muxbed::report::run_line;
use muxbed::servers::ServerName;
use serde_json::Value;

use crate::machine::Machine;
use crate::plan::Cell;
use crate::serving::Serving;

/// The incident's own server, and one that serves everybody.
const SERVERS: [&str; 3] = ["cmux-header", "cmux-settings", "direct"];

const CLIENTS: [&str; 6] = [
    "grpc-go@1.17.0",
    "grpc-go@1.18.0",
    "grpc-go@1.33.3",
    "grpc-go@1.83.1",
    "grpcio@1.32.0",
    "grpc-js@1.14.7",
];

/// How check and bed differ, one difference a line; `None` if there are no such servers here.
pub(crate) fn differences(machine: &Machine) -> Result<Option<Vec<String>>, String> {
    let cell = |server: &str| -> Result<Cell, String> {
        let server: ServerName = server.parse().map_err(|error| format!("{error}"))?;
        let client = CLIENTS[0].parse().map_err(|error| format!("{error}"))?;
        Ok(Cell { client, server, repeat: 0 })
    };
    let cells = SERVERS.into_iter().map(cell).collect::<Result<Vec<_>, _>>()?;
    let serving = Serving::start(machine, &cells)?;
    if !serving.lacking.is_empty() {
        return Ok(None);
    }
    let mut differences = Vec::new();
    for cell in &cells {
        let port = serving.port(cell).ok_or("a server has no port")?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_muxbed"));
        command.args(["check", &format!("127.0.0.1:{port}"), "--patience", "1s", "--format", "json"]);
        command.args(CLIENTS.iter().flat_map(|client| ["--client", client]));
        let output = command.output().map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let lines: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        for client in CLIENTS {
            let known = find_client(client).map_err(|error| error.to_string())?;
            let run = bed().known_client(known).named_server(cell.server).run();
            let expected: Value = serde_json::from_str(&run_line(&run)).map_err(|error| error.to_string())?;
            let found = lines.iter().find(|line| line["client"] == client).cloned().unwrap_or_default();
            let seen = |line: &Value| {
                let seconds = line["at_ms"].as_u64().map(|at| at / 1000);
                let error = line["calls"].as_array().and_then(|calls| calls.last()?["error"].as_str());
                format!("{} {} at {seconds:?} s: {error:?}", line["outcome"], line["waiting_for"])
            };
            if seen(&found) != seen(&expected) {
                let (found, expected) = (seen(&found), seen(&expected));
                differences.push(format!("{client} at {}: {found}, the bed says {expected}", cell.server));
            }
        }
    }
    Ok(Some(differences))
}
