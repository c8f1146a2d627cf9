//! The `muxbed` program.

fn main() {}
