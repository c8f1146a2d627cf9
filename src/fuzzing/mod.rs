//! What the fuzz targets check. Each target is one function of bytes that panics if something is wrong, so that libFuzzer
//! (`fuzz/`) and the replay of the seeds in `corpus/` (`tests/corpus.rs`) run the same code.
//!
//! The targets `frames` and `hpack` are not here: they need h2's codec, which is for tests only (`tests/h2_oracle`).
//!
//! They are always compiled: it is little, needs nothing more, and with a feature for it every `cargo test` after a
//! `cargo build` would compile the crate anew.
//!
//! One of them is for others: [`explore`] looks at somebody else's server. What it is for stands in [`exploring_your_own_server`].

mod bounds;
mod capture;
mod case;
mod classify;
mod explore;
mod families;
mod handshake;
mod hello;
mod judge;
mod meeting;
mod mutate;
#[cfg(test)]
mod planted;
mod rivals;
mod script;
mod shrink;
mod talker;
mod tunnels;

pub use capture::{capture, check_capture};
pub use case::Case;
pub use classify::{classify, classify_often};
pub use explore::{Exploration, Explored, Finding, explore};
pub use families::{Family, script_of};
pub use handshake::{handshake, handshake_sampled};
pub use hello::hello;
pub use judge::{Judged, as_checked, as_run, judge};
pub use mutate::{mutate_case, mutate_script};
pub use rivals::{DIFFERENCES, Difference, Rival, Taken, rivals};
pub use script::script;
pub use shrink::{Shrunk, shrink};

#[doc = include_str!("../../docs/exploring-your-own-server.md")]
pub mod exploring_your_own_server {}
