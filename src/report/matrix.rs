//! The matrix of clients against servers.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};

use crate::bed::Run;
use crate::outcome::Outcome;

use super::ladder::time;

/// A table with a line for each client and a column for each server. `runs` are in the order of the lines.
pub fn matrix(clients: &[String], servers: &[String], runs: &[Run]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    let headings = servers.iter().map(|server| heading(server));
    table.set_header(std::iter::once(String::new()).chain(headings));
    for (line, client) in clients.iter().enumerate() {
        let cells = (0..servers.len()).map(|column| {
            let mark = if breaks_here(clients, servers, runs, line, column) { "*" } else { "" };
            format!("{}{mark}", cell(&runs[line * servers.len() + column]))
        });
        table.add_row(std::iter::once(client.clone()).chain(cells));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Center);
        column.set_padding((0, 1));
    }
    table.trim_fmt()
}

/// Whether this is the first line of its family in which the column no longer works.
fn breaks_here(clients: &[String], servers: &[String], runs: &[Run], line: usize, column: usize) -> bool {
    let works = |line: usize| runs[line * servers.len() + column].works();
    // Modes and environments are clients of their own.
    let family = |line: usize| {
        clients[line].split_once('@').map(|(name, rest)| (name, rest.split_once('/').map(|(_, mode)| mode)))
    };
    line > 0 && family(line - 1) == family(line) && works(line - 1) && !works(line)
}

/// One outcome in a word or two.
pub fn cell(run: &Run) -> String {
    if run.racy && run.endings().any(|ending| ending.outcome.is_served()) && !run.works() {
        return "races".to_owned();
    }
    match &run.ending.outcome {
        Outcome::Stalled { .. } => format!("STALLED {}", time(run.ending.at())),
        other => other.word().to_owned(),
    }
}

/// A server's name on several lines, so that columns stay narrow.
fn heading(server: &str) -> String {
    server
        .replace("tls-", "tls-\n")
        .replace("noalpn-", "noalpn-\n")
        .replace("-to-", "\n-to-\n")
        .replace("cmux-", "cmux-\n")
        .replace("settings-twice", "settings\n-twice")
}
