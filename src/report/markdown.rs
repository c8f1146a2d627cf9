//! Markdown, for the comment on a pull request that bumps a client.

use std::fmt::Write;

use crate::bed::Run;
use crate::upgrade::{Change, Kind};

use super::{cell, time};

/// A table with a line for each client and a column for each server. `runs` are in the order of the lines.
pub fn markdown_matrix(clients: &[String], servers: &[String], runs: &[Run]) -> String {
    let mut text = format!("| |{}\n|---|{}\n", row(servers.iter()), row(servers.iter().map(|_| "---")));
    for (line, client) in clients.iter().enumerate() {
        let cells = runs[line * servers.len()..][..servers.len()].iter().map(cell);
        let _ = writeln!(text, "| {client} |{}", row(cells));
    }
    text
}

/// What an upgrade changes: a heading for each kind of change, and a line for each server.
pub fn markdown_upgrade(title: &str, changes: &[Change]) -> String {
    let mut text = format!("### {title}\n");
    for (kind, heading) in [
        (Kind::Breaks, "Stops working"),
        (Kind::Mends, "Starts working"),
        (Kind::Differs, "Fails or succeeds otherwise than before"),
    ] {
        let of_kind: Vec<&Change> = changes.iter().filter(|change| change.kind == kind).collect();
        if of_kind.is_empty() {
            continue;
        }
        let _ =
            write!(text, "\n**{heading}**\n\n| server | before | after | what helps |\n|---|---|---|---|\n");
        for change in &of_kind {
            let helps = change.remedy.join(", ");
            let line = [change.server.clone(), results(&change.from), results(&change.to), helps];
            let _ = writeln!(text, "|{}", row(line.iter()));
        }
        let mut reasons: Vec<&str> = of_kind.iter().filter_map(|change| change.why.as_deref()).collect();
        reasons.dedup();
        for why in reasons {
            let _ = write!(text, "\nWhy: {why}\n");
        }
    }
    let same = changes.iter().filter(|change| change.kind == Kind::None).count();
    let _ = write!(text, "\nNothing changes with {same} of {} servers.\n", changes.len());
    text
}

fn row(cells: impl Iterator<Item = impl AsRef<str>>) -> String {
    // A bar would end the cell, and a line end the table.
    let cells = cells.map(|cell| format!(" {} |", cell.as_ref().replace('|', "\\|").replace('\n', "<br>")));
    cells.collect()
}

/// Every possible result with its text.
fn results(run: &Run) -> String {
    let results = run.endings().map(|ending| {
        let says = ending.says().map(|text| format!(": `{text}`")).unwrap_or_default();
        format!("{} at {}{says}", ending.outcome, time(ending.at()))
    });
    results.collect::<Vec<_>>().join("<br>or ")
}
