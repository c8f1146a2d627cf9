#!/bin/bash -eu
# Builds every fuzz target into $OUT, each with its seeds beside it. ClusterFuzzLite runs this in its image; fuzz/README.md says how to
# run it without.
#
# Debug assertions stay on: an overflow is a finding. The sanitizer is the address one, the only one that there is for Rust.
cd "$SRC/muxbed"
cargo fuzz build -O --debug-assertions

for source in fuzz/fuzz_targets/*.rs; do
    target=$(basename "$source" .rs)
    cp "fuzz/target/x86_64-unknown-linux-gnu/release/$target" "$OUT/"
    rm -f "$OUT/${target}_seed_corpus.zip"
    zip -q -r -j "$OUT/${target}_seed_corpus.zip" "corpus/$target"
    # One input of handshake may be two seconds long under the sanitizer; none may be thirty.
    printf '[libfuzzer]\ntimeout = 30\n' > "$OUT/$target.options"
done
# Twice as fast for the many counters of this one: fuzz/README.md.
printf 'entropic = 0\n' >> "$OUT/handshake.options"
