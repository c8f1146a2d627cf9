//! The target `handshake`: whatever script the bytes are, it has a text, its run ends, and ends the same way again.

use super::judge::{as_run, finding};
use crate::script::Script;

/// After so many events a run counts as one without end. The usual number is there to spare no honest scenario; it would
/// let a few bytes that dial again and again cost a second.
const MOST_EVENTS: usize = 4_000;

/// Runs the script that these bytes are (see [`Script::from_bytes`]) under the first schedule, twice. A script without a
/// server runs against the multiplexer; one with a client that the catalogue lacks only has to survive its text.
///
/// # Panics
///
/// If the script's text is not the same script; if anything panics in a run; if a run ends later than its calls have
/// patience, or without a call that ended; or if the second run ends otherwise than the first, or goes another way. The
/// message has the scenario and the line that repeats it.
pub fn handshake(bytes: &[u8]) {
    let script = as_run(Script::from_bytes(bytes));
    if let Some(wrong) = finding(&script, MOST_EVENTS) {
        panic!("{wrong}\n{script}\nTo repeat it:\n  {}", repeated_by(bytes));
    }
}

/// The line that runs the scenario again and shows what happens in it.
fn repeated_by(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("muxbed convert --hex {digits} | muxbed run --scenario -")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_repeats_a_finding_holds_all_of_its_bytes() {
        assert_eq!(repeated_by(&[0, 171, 16]), "muxbed convert --hex 00ab10 | muxbed run --scenario -");
    }
}
