//! What this crate is fast enough for, beside what else one could use: one table, everything measured in one run.
//!
//! A harness of our own rather than criterion: what counts here are ratios between subjects, on machines that others
//! use too, so subjects take turns within each round (see [`measure`]) and a line shows the median of the rounds'
//! ratios. Criterion measures one subject after another, and prints no table.
//!
//! `cargo bench` measures everything, `cargo bench -- WORD..` the subjects that have one of the words in their names,
//! with those that they are compared with. `cargo bench -- --times N WORD..` runs each so often without measuring, for a
//! profiler to look on. Without `--bench`, as `cargo test --benches` calls it, every subject runs once: nothing here
//! can fail for being slow.

mod captures;
mod classifier;
mod handshakes;
mod measure;
mod multiplexer;
mod programs;
mod proxies;
mod tls;

use comfy_table::{CellAlignment, Table, presets};

use measure::{Measured, Unit};

const HEADINGS: [&str; 6] = ["what", "median", "middle half", "aim", "times as good", "as"];

fn main() {
    let mut words = Vec::new();
    let mut times = Some(1);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--bench" => times = None,
            programs::WAIT => return proxies::wait_for_what_is_said(),
            "--times" => {
                let count = arguments.next().and_then(|count| count.parse().ok());
                times = Some(count.expect("`--times` is followed by a number"));
                // Cargo puts its own `--bench` last.
                words.extend(arguments.by_ref().filter(|argument| argument != "--bench"));
            }
            word => words.push(word.to_owned()),
        }
    }

    let mut subjects = handshakes::subjects();
    subjects.extend(captures::subjects());
    subjects.extend(classifier::subjects());
    subjects.extend(multiplexer::subjects());
    subjects.extend(tls::subjects());
    let asked_for = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word));
    subjects.extend(proxies::subjects(asked_for));
    if let Some(times) = times {
        let asked_for = subjects.iter_mut().filter(|subject| asked_for(&subject.name));
        asked_for.for_each(|subject| subject.run(times));
        return;
    }
    let compared: Vec<&'static str> = subjects
        .iter()
        .filter(|subject| asked_for(&subject.name))
        .flat_map(|subject| subject.beside.iter().map(|beside| beside.name))
        .collect();
    subjects.retain(|subject| asked_for(&subject.name) || compared.contains(&subject.name.as_str()));
    print(&measure::in_turns(subjects));
}

/// Prints what was measured: a line for each comparison, and one for what is compared with nothing.
#[expect(clippy::print_stdout, reason = "the table is what a bench is run for")]
fn print(measured: &[Measured]) {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(HEADINGS);
    for column in [1, 2, 3, 4] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for subject in measured {
        let [fast, median, slow] = subject.quartiles();
        let (low, high) = if matches!(subject.unit, Unit::Time | Unit::Bytes | Unit::Allocations) {
            (fast, slow)
        } else {
            (slow, fast)
        };
        let own = [
            subject.name.clone(),
            shown(subject.unit, median),
            format!("{} to {}", shown(subject.unit, low), shown(subject.unit, high)),
            subject.aim.map(|aim| amount(subject.unit, aim)).unwrap_or_default(),
        ];
        let mut lines = subject.beside.iter().filter_map(|beside| {
            let other = measured.iter().find(|other| other.name == beside.name)?;
            let ratio = significant(subject.times_as_fast_as(other));
            let aim = beside.aim.map(|aim| format!(" (aim {})", significant(aim))).unwrap_or_default();
            Some([format!("{ratio}{aim}"), other.name.clone()])
        });
        let first = lines.next().unwrap_or_default();
        table.add_row(own.into_iter().chain(first));
        for line in lines {
            table.add_row(std::iter::repeat_n(String::new(), 4).chain(line));
        }
    }
    println!("\n{table}");
}

/// The speed of what takes so many seconds.
fn shown(unit: Unit, seconds: f64) -> String {
    amount(unit, unit.speed(seconds))
}

fn amount(unit: Unit, speed: f64) -> String {
    match unit {
        Unit::Often => format!("{}/s", significant(speed)),
        Unit::Megabytes(_) => format!("{} MB/s", significant(speed)),
        Unit::Allocations => format!("{speed:.0}"),
        Unit::Bytes => format!("{} B", significant(speed)),
        Unit::Time if speed >= 1.0 => format!("{} s", significant(speed)),
        Unit::Time if speed >= 1e-3 => format!("{} ms", significant(speed * 1e3)),
        Unit::Time if speed >= 1e-6 => format!("{} us", significant(speed * 1e6)),
        Unit::Time => format!("{} ns", significant(speed * 1e9)),
    }
}

/// Three significant digits, with commas between thousands.
fn significant(number: f64) -> String {
    let magnitude = number.abs().max(1e-9).log10().floor() as i32;
    if magnitude < 2 {
        let decimals = (2 - magnitude).clamp(0, 2) as usize;
        return format!("{number:.decimals$}");
    }
    let step = 10_f64.powi(magnitude - 2);
    let whole = ((number / step).round() * step) as u64;
    let digits = whole.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
