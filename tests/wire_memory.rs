//! What reading a header block costs: its strings stand in few pieces of memory, and a usual table is made room for once.

use allocation_counter::measure;
use muxbed::wire::hpack::{Decoder, INITIAL_TABLE_SIZE};

/// Eight fields with names and values of their own, which all go into the table.
fn block() -> Vec<u8> {
    (b'a'..=b'h').flat_map(|letter| [0x40, 2, letter, letter, 3, letter, letter, letter]).collect()
}

#[test]
fn a_block_of_short_strings_takes_no_more_memory_for_eight_fields_than_for_one() {
    let allocations = |block: &[u8]| {
        let mut decoder = Decoder::new(INITIAL_TABLE_SIZE);
        measure(|| drop(decoder.decode(block, 16_384).expect("it is a block"))).count_total
    };
    let (one, eight) = (allocations(&block()[..8]), allocations(&block()));
    assert!(eight <= one, "{eight}, and {one} for one field");
}
