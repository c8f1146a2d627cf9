//! A multiplexer that is broken, and how an exploration catches it.
//!
//! `cargo run --example broken_multiplexer [SEED [NUMBER]]` explores what the seed draws (7 if none is given), or looks at the
//! one meeting with that number. It ends with 1 if nothing is caught.

#![expect(clippy::print_stdout, reason = "an example says what happens")]

mod multiplexer;

use std::process::ExitCode;

use muxbed::fuzzing::explore;

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|word| word.parse::<u64>().expect("SEED [NUMBER]"));
    let exploration = explore(multiplexer::one_read_and_decide).seed(numbers.next().unwrap_or(7));
    let explored = match numbers.next() {
        Some(number) => exploration.run_one(number).map(|_| 1),
        None => exploration.run(5_000).map(|explored| explored.runs),
    };
    match explored {
        Ok(runs) => {
            println!("nothing is wrong in {runs} meetings");
            ExitCode::FAILURE
        }
        Err(finding) => {
            println!("caught: {finding}");
            ExitCode::SUCCESS
        }
    }
}
