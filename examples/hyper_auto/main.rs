//! Somebody else's server, here hyper-util's `auto`, explored with every gRPC client of the catalogue.
//!
//! `cargo run --example hyper_auto [SEED [NUMBER]]` explores what the seed draws (7 if none is given), or looks at the
//! one meeting with that number. It ends with 1 if something is wrong.

#![expect(clippy::print_stdout, reason = "an example says what happens")]

mod server;

use std::process::ExitCode;

use muxbed::fuzzing::explore;

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|word| word.parse::<u64>().expect("SEED [NUMBER]"));
    let exploration = explore(server::hyper_auto).seed(numbers.next().unwrap_or(7));
    let explored = match numbers.next() {
        Some(number) => exploration.run_one(number).map(|_| 1),
        None => exploration.run(5_000).map(|explored| explored.runs),
    };
    match explored {
        Ok(runs) => {
            println!("nothing is wrong in {runs} meetings");
            ExitCode::SUCCESS
        }
        Err(finding) => {
            println!("{finding}");
            ExitCode::FAILURE
        }
    }
}
