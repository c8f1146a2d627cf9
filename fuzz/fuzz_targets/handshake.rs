//! Any script: see `muxbed::fuzzing::handshake`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| muxbed::fuzzing::handshake_sampled(bytes));
