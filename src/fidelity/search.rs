//! How many schedules it takes to see what repeats of a recorded run showed.
//!
//! The fixed family was made to hold every result; this looks for the same results without knowing where they are. A result that
//! comes late is one that a test with luck alone would miss.

use std::collections::BTreeMap;

use super::{Predictable, Repeats, as_repeated, predictable, result_of};

/// What a search over schedules came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Searched {
    /// The client, in full.
    pub client: String,
    /// The server.
    pub server: String,
    /// Each result that was observed, and how many schedules it took to see it; nothing if it was not seen.
    pub results: BTreeMap<String, Option<u64>>,
    /// How many schedules were tried: no more than it took to see every result.
    pub tried: u64,
}

/// Runs what was repeated under schedules that a seed draws, at most so many, until every observed result was seen.
///
/// # Errors
///
/// If it can't be predicted; says why.
pub fn search(repeats: &Repeats, seed: u64, most: u64) -> Result<Searched, String> {
    let spec = repeats.spec().map_err(|error| error.to_string())?;
    let client = spec.to_string();
    let Predictable { scenario, .. } =
        predictable(Ok(spec), &repeats.server, as_repeated).map_err(|(_, reason)| reason)?;
    let mut results: BTreeMap<String, Option<u64>> =
        repeats.results.keys().map(|result| (result.clone(), None)).collect();
    let mut tried = 0;
    for run in scenario.one_after_another(seed).take(usize::try_from(most).unwrap_or(usize::MAX)) {
        tried += 1;
        if let Some(seen) = results.get_mut(&result_of(&run.ending)) {
            seen.get_or_insert(tried);
        }
        if results.values().all(Option::is_some) {
            break;
        }
    }
    Ok(Searched { client, server: repeats.server.clone(), results, tried })
}
