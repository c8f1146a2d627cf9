//! What the fuzz targets check. Each target is one function of bytes that panics if something is wrong, so that libFuzzer
//! (`fuzz/`) and the replay of the seeds in `corpus/` (`tests/corpus.rs`) run the same code.
//!
//! They are always compiled: it is little, needs nothing more, and with a feature for it every `cargo test` after a
//! `cargo build` would compile the crate anew.
//!
//! One of them is for others: [`explore`] looks at somebody else's server. What it is for stands in [`exploring_your_own_server`].

mod case;
mod classify;
mod explore;
mod handshake;
mod judge;
mod meeting;
mod shrink;
mod talker;

pub use case::Case;
pub use classify::classify;
pub use explore::{Exploration, Explored, Finding, explore};
pub use handshake::handshake;
pub use judge::{Judged, as_run, judge};
pub use shrink::{Shrunk, shrink};

#[doc = include_str!("../../docs/exploring-your-own-server.md")]
pub mod exploring_your_own_server {}
