//! The target `handshake`: whatever script the bytes are, it has a text, its run ends, and ends the same way again.

use super::families::script_of;
use super::judge::{as_checked, finding};

/// After so many events a run counts as one without end. The usual number is there to spare no honest scenario; it would
/// let a few bytes that dial again and again cost a second.
const MOST_EVENTS: usize = 1_000;

/// Runs the script that these bytes are (see [`script_of`]) under the first schedule, twice. A script without a
/// server runs against the multiplexer; after the clients of a script that runs against it comes one that has to be served
/// (see [`as_checked`]). A script with a client that the catalogue lacks only has to survive its text.
///
/// # Panics
///
/// If the script's text is not the same script; if anything panics in a run; if a run ends later than its calls have
/// patience, or without a call that ended; if who comes afterwards is not served; or if the second run ends otherwise than the first, or goes another way. The
/// message has the scenario and the line that repeats it.
pub fn handshake(bytes: &[u8]) {
    check(bytes, true);
}

/// The same for campaigns: one input of eight, by its hash, has its text looked at and is run a second time.
///
/// # Panics
///
/// As [`handshake`].
pub fn handshake_sampled(bytes: &[u8]) {
    check(bytes, hash(bytes).is_multiple_of(8));
}

fn check(bytes: &[u8], twice: bool) {
    let script = as_checked(script_of(bytes));
    if let Some(wrong) = finding(&script, MOST_EVENTS, twice) {
        panic!("{wrong}\n{script}\nTo repeat it:\n  {}", repeated_by(&script.to_bytes()));
    }
}

/// FNV-1a, folded: the low bits of the product alone depend on the low bits of the input alone.
fn hash(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325, step);
    hash ^ hash >> 32
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
