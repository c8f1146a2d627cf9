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
        let cells = runs[line * servers.len()..][..servers.len()].iter().map(cell);
        table.add_row(std::iter::once(client.clone()).chain(cells));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Center);
        column.set_padding((0, 1));
    }
    table.trim_fmt()
}

/// One outcome in a word or two.
pub fn cell(run: &Run) -> String {
    if run.racy && run.endings().any(|ending| ending.outcome.is_served()) && !run.works() {
        return "races".to_owned();
    }
    match &run.ending.outcome {
        Outcome::Stalled { .. } => format!("STALLED\n{}", time(run.ending.at())),
        other => other.word().to_owned(),
    }
}

/// A server's name on several lines, so that columns stay narrow.
fn heading(server: &str) -> String {
    server
        .replace("-to-", "\n-to-\n")
        .replace("cmux-", "cmux-\n")
        .replace("settings-twice", "settings\n-twice")
}
