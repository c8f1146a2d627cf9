//! How many cases a property is tried with: the number that it names, or fifty times as many where the environment says
//! `MUXBED_PROPERTIES=deep`.
//!
//! Here and nowhere else, so that no property can be left out of the deep profile. A factor and not a number, for what is dear
//! names fewer; and what may be rejected grows with it, or a property that is hard to meet would give up where it is
//! looked at longest. proptest's own `PROPTEST_CASES` still replaces the number of every property by one.
//!
//! Which cases they are is drawn anew each time. One that fails is printed, made smaller, with a line `cc ..` that repeats it: proptest has
//! written it to the file that it names, and tries it first from then on.

use proptest::test_runner::Config;

/// What `deep` multiplies by.
const DEEP: u32 = 50;

/// The configuration of a property that is usually tried so many times.
pub(crate) fn cases(usual: u32) -> Config {
    let factor = match std::env::var("MUXBED_PROPERTIES").as_deref() {
        Err(_) => 1,
        Ok("deep") => DEEP,
        Ok(other) => panic!("MUXBED_PROPERTIES is {other:?}: the one profile beside the usual is \"deep\""),
    };
    let usually = Config::default();
    Config {
        cases: usual * factor,
        max_local_rejects: usually.max_local_rejects * factor,
        max_global_rejects: usually.max_global_rejects * factor,
        ..usually
    }
}
