//! See `muxbed::fuzzing::rivals`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| muxbed::fuzzing::rivals(bytes));
