//! See `tests/h2_oracle/frames.rs`.
#![no_main]

#[path = "../../tests/h2_oracle/frames.rs"]
mod frames;
#[path = "../../tests/h2_oracle/mod.rs"]
mod h2_oracle;
#[path = "../../tests/h2_oracle/seen.rs"]
mod seen;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| frames::frames(bytes));
