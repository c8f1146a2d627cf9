//! See `tests/h2_oracle/hpack.rs`.
#![no_main]

#[path = "../../tests/h2_oracle/mod.rs"]
mod h2_oracle;
#[path = "../../tests/h2_oracle/hpack.rs"]
mod hpack;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hpack::hpack(bytes));
