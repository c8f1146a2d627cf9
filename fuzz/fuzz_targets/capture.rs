//! See `muxbed::fuzzing::capture`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| muxbed::fuzzing::capture(bytes));
