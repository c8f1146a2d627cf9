//! Any bytes, any cuts: see `muxbed::fuzzing::classify_often`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| muxbed::fuzzing::classify_often(bytes));

libfuzzer_sys::fuzz_mutator!(|bytes: &mut [u8], size: usize, most: usize, seed: u32| {
    match muxbed::fuzzing::mutate_case(&bytes[..size], most, seed) {
        Some(edited) => {
            bytes[..edited.len()].copy_from_slice(&edited);
            edited.len()
        }
        None => libfuzzer_sys::fuzzer_mutate(bytes, size, most),
    }
});
