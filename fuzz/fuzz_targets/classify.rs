//! Any bytes, any cuts: see `muxbed::fuzzing::classify_often`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| muxbed::fuzzing::classify_often(bytes));
