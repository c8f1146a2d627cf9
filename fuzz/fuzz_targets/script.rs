//! See `muxbed::fuzzing::script`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| muxbed::fuzzing::script(bytes));
