//! What a run costs is what is said in it, and not what somebody claims to be about to say: a fuzzed client may come ten thousand
//! times.

use allocation_counter::measure;
use muxbed::bed::bed;
use muxbed::script::Script;

#[test]
fn a_frame_that_is_claimed_takes_no_memory_before_it_comes() {
    for server in ["cmux-header", "cmux-settings", "cmux-preface", "mux", "direct", "direct-to-tonic"] {
        let text = format!(
            "client \"claims\"\n  > preface\n  > hex ffffff000000000001\n  < headers 1 within 1s\nserver {server}\n"
        );
        let script = Script::parse("claims", &text).expect("it can be read");
        let scenario = bed().script(&script).expect("it names no client of the catalogue");
        let taken = measure(|| drop(scenario.run_once())).bytes_max;
        assert!(taken < 1 << 20, "{server}: {taken} bytes for a frame of 16 MiB of which nothing came");
    }
}
