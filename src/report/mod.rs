//! Reports: what happened, as text for people and as JSON for programs. Events in, text out; nothing here decides
//! anything.

mod json;
mod ladder;
mod matrix;

pub use json::{Observed, fidelity_line, fidelity_summary, replay_line, run_line, upgrade_line};
pub use ladder::{every_ladder, ladder, time};
pub use matrix::{cell, matrix};

impl std::fmt::Display for crate::bed::Run {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&ladder(self))
    }
}
