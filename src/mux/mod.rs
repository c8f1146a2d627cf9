//! The multiplexer.

mod replay;

pub use replay::Replay;
