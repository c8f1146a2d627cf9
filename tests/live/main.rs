//! Real clients against real servers on 127.0.0.1: `cargo test --test live -- --help`, and README.md beside this file.
//!
//! What `cargo test` runs is simulated and needs nothing; this needs what the clients and servers are written in, takes
//! minutes, and so runs only when it is asked for. What a machine lacks is skipped by name. With `--record` each run is
//! also kept as an observation with its capture, in the form of `captures/observed.json`, and compared with what the
//! bed predicts. What it leaves out is judging: who is served is for the reader of the table, `--core` apart.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a table for whoever asked for it")]

mod capturing;
mod checking;
mod conforming;
mod driving;
mod fronting;
mod machine;
mod observing;
mod plan;
mod serving;
mod table;

use std::fs;
use std::process::ExitCode;

use clap::Parser as _;
use muxbed::fidelity::{Recorded, compare, compare_repeats};

use capturing::Recorder;
use driving::{Finished, drive};
use machine::Machine;
use plan::{Options, Plan};
use serving::Serving;
use table::Table;

fn main() -> ExitCode {
    let options = Options::parse();
    match live(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("live: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether all went as it has to.
fn live(options: &Options) -> Result<bool, String> {
    let machine = Machine::new(&options.cache)?;
    if options.h2spec {
        return Ok(conforms(&machine, &plan::CONFORMING));
    }
    if options.fronts {
        return fronts(&machine);
    }
    let plan = Plan::of(options)?;
    let mut table = Table::default();

    let drivers = plan.clients().map(|client| (client, machine.driver(client))).collect::<Vec<_>>();
    let drivers = table.leave_out_what_lacks(drivers);
    let cells = plan.cells(|client| drivers.contains_key(client));
    let serving = Serving::start(&machine, &cells)?;
    for (server, why) in &serving.lacking {
        table.lacks(server, why);
    }
    let cells: Vec<_> = cells.into_iter().filter(|cell| serving.port(cell).is_some()).collect();

    let recorder = options.record.as_deref().map(Recorder::start).transpose()?;
    let finished = drive(&cells, &drivers, &serving, options.at_once);
    let captured = recorder.map(Recorder::stop).transpose()?;
    let keys = serving.keys();
    drop(serving);

    for one in &finished {
        table.result(one);
    }
    println!("{table}");
    if let (Some(folder), Some(captured)) = (&options.record, captured) {
        let observations = observing::observe(&finished, &captured, &keys, folder)?;
        observing::write_list(&folder.join("observed.json"), &observations)?;
        if options.repeat > 1 {
            observing::write_list(&folder.join("races.json"), &observing::repeats(&finished))?;
        }
        report(folder, options.repeat > 1)?;
    }
    let check_agrees = if plan.is_named() { check(&machine)? } else { true };
    let conforms = conforms(&machine, plan.conforming());
    let fronted = if plan.is_everything() { fronts(&machine)? } else { true };
    let in_order = finished.iter().all(Finished::is_in_order) && !table.has_failures();
    Ok(!finished.is_empty() && in_order && check_agrees && conforms && fronted)
}

/// Whether `muxbed check` says of the real servers what the bed says of their models.
fn check(machine: &Machine) -> Result<bool, String> {
    let Some(differences) = checking::differences(machine)? else {
        println!("skipped: muxbed check, for want of the servers above");
        return Ok(true);
    };
    match differences.len() {
        0 => println!("muxbed check says of the real servers what the bed says of their models"),
        count => println!("muxbed check says otherwise than the bed {count} times:"),
    }
    differences.iter().for_each(|difference| println!("  {difference}"));
    Ok(differences.is_empty())
}

/// Whether clients are answered through proxies in front of the multiplexer.
fn fronts(machine: &Machine) -> Result<bool, String> {
    let fronted = fronting::fronted(machine)?;
    print!("{fronted}");
    Ok(!fronted.failed)
}

/// Whether what h2spec says of servers is no worse behind the multiplexer.
fn conforms(machine: &Machine, servers: &[&str]) -> bool {
    if servers.is_empty() {
        return true;
    }
    let all = match conforming::conformance(machine, servers) {
        Ok(all) => all,
        Err(why) => {
            println!("skipped: h2spec: {why}");
            return !matches!(why, machine::Lacking::Failed(_));
        }
    };
    let mut conforms = true;
    for (server, one) in &all {
        let one = match one {
            Ok(one) => one,
            Err(why) => {
                println!("h2spec at {server}: skipped: {why}");
                continue;
            }
        };
        println!("h2spec at {server}: it passes {} of {} cases", one.direct, one.cases);
        for (way, spoiled) in &one.spoiled {
            println!("  behind muxbed serve, {way}: {} of these fail", spoiled.len());
            spoiled.iter().for_each(|case| println!("    {case}"));
            conforms &= spoiled.is_empty();
        }
    }
    conforms
}

/// Says what the bed would have predicted otherwise.
fn report(folder: &std::path::Path, repeated: bool) -> Result<(), String> {
    let read = |name: &str| {
        let text = fs::read_to_string(folder.join(name)).map_err(|error| error.to_string())?;
        Recorded::parse(&text).map_err(|error| error.to_string())
    };
    let mut compared = 0;
    let mut agree = 0;
    let mut differing = Vec::new();
    if let Recorded::Observations(observations) = read("observed.json")? {
        for observation in &observations {
            let capture = fs::read(folder.join(&observation.capture)).map_err(|error| error.to_string())?;
            let comparison = compare(observation, &capture);
            compared += 1;
            agree += usize::from(comparison.agrees());
            if !comparison.agrees() {
                differing.push((observation.capture.clone(), comparison));
            }
        }
    }
    if repeated && let Recorded::Repeats(all) = read("races.json")? {
        for repeats in &all {
            let comparison = compare_repeats(repeats);
            compared += 1;
            agree += usize::from(comparison.agrees());
            if !comparison.agrees() {
                differing.push((String::from("races.json"), comparison));
            }
        }
    }
    for (capture, comparison) in &differing {
        println!("{} against {} ({capture})", comparison.client, comparison.server);
        for difference in comparison.differs.iter().chain(&comparison.skipped) {
            println!("  {difference}");
        }
    }
    println!("{agree} of {compared} recordings agree with what the bed predicts");
    Ok(())
}
