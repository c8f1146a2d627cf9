//! Reports: what happened, as text for people, as JSON for programs, as JUnit and Markdown for CI. Events in, text out; nothing here decides
//! anything.

mod json;
mod junit;
mod ladder;
mod markdown;
mod matrix;

pub use json::{
    Observed, fidelity_line, fidelity_summary, probe_line, replay_line, run_line, search_line,
    search_summary, upgrade_line,
};
pub use junit::{junit_of_expectations, junit_of_runs, junit_of_upgrade};
pub use ladder::{every_ladder, indented, ladder, time};
pub use markdown::{markdown_matrix, markdown_upgrade};
pub use matrix::{cell, matrix};

impl std::fmt::Display for crate::bed::Run {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&ladder(self))
    }
}
