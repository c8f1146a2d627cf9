//! What the fuzz targets check. Each target is one function of bytes that panics if something is wrong, so that libFuzzer
//! (`fuzz/`) and the replay of the seeds in `corpus/` (`tests/corpus.rs`) run the same code.
//!
//! The targets `frames` and `hpack` are not here: they need h2's codec, which is for tests only (`tests/h2_oracle`).
//!
//! They are always compiled: it is little, needs nothing more, and with a feature for it every `cargo test` after a
//! `cargo build` would compile the crate anew.

mod bounds;
mod capture;
mod case;
mod classify;
mod handshake;
mod hello;
mod judge;
#[cfg(test)]
mod planted;
mod rivals;
mod script;
mod shrink;
mod talker;

pub use capture::{capture, check_capture};
pub use case::Case;
pub use classify::{classify, classify_often};
pub use handshake::handshake;
pub use hello::hello;
pub use judge::{Judged, as_run, judge};
pub use rivals::{DIFFERENCES, Difference, Rival, Taken, rivals};
pub use script::script;
pub use shrink::{Shrunk, shrink};
