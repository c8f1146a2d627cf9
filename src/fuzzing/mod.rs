//! What the fuzz targets check. Each target is one function of bytes that panics if something is wrong, so that libFuzzer
//! (`fuzz/`) and the replay of the seeds in `corpus/` (`tests/corpus.rs`) run the same code.
//!
//! They are always compiled: it is little, needs nothing more, and with a feature for it every `cargo test` after a
//! `cargo build` would compile the crate anew.

mod case;
mod classify;
mod families;
mod handshake;
mod judge;
mod shrink;
mod talker;

pub use case::Case;
pub use classify::classify;
pub use families::{Family, script_of};
pub use handshake::{handshake, handshake_sampled};
pub use judge::{Judged, as_checked, as_run, judge};
pub use shrink::{Shrunk, shrink};
