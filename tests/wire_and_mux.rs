//! What is quick of the tests of `src/wire` and `src/mux`, for mutation testing, which has them in one program with the crate's own:
//! each mutant is compiled and linked once and not ten times. `cargo test` leaves it out, for it runs each of these by itself. What
//! is not quick, the cuts of every recorded flight, is not here.

#![expect(
    clippy::duplicate_mod,
    reason = "each of these is a program of its own, and two have an oracle in common"
)]

mod mux_connection;
mod mux_memory;
mod mux_per_request;
#[path = "mux_rules.rs"]
mod mux_rules;
mod mux_settings;
mod mux_tls;
#[path = "wire_hpack.rs"]
mod wire_hpack;
mod wire_hpack_examples;
mod wire_memory;

#[path = "mux_lifecycle/main.rs"]
mod mux_lifecycle;
#[path = "tls_hellos/main.rs"]
mod tls_hellos;
#[path = "wire_frames/main.rs"]
mod wire_frames;
