//! HTTP/2 frames against h2's codec: what we write it reads as the same frame, what it writes we
//! read as the same, and what it refuses we refuse, but for the differences listed in
//! `tests/h2_oracle/frames.rs`.

#[path = "../h2_oracle/mod.rs"]
mod h2_oracle;
#[path = "../properties/mod.rs"]
mod properties;
#[path = "../h2_oracle/frames.rs"]
mod refusals;
#[path = "../h2_oracle/seen.rs"]
mod seen;
mod strategies;

use bytes::Bytes;
use muxbed::wire::frame::{Frame, FrameReader, INITIAL_MAX_FRAME_SIZE, Payload, RawFrame, StreamId};
use proptest::collection::vec;
use proptest::prelude::*;

use h2_oracle::Oracle;
use properties::cases;
use refusals::{Difference, assert_same_refusal, difference, frames, refused_by_h2, refused_by_us};
use seen::{Ours, Seen, seen_by_h2};
use strategies::{careless_frame, legal_frames, raw_frame, recipe};

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn h2_reads_what_we_write(frames in vec(legal_frames(), 1..6)) {
        let mut written = Vec::new();
        let mut ours = Ours::new();
        let mut expected = Vec::new();
        for frame in frames.into_iter().flatten() {
            frame.encode(&mut written).unwrap();
            expected.extend(ours.see(frame).unwrap());
        }
        let read = Oracle::new().read(&written);
        let read: Vec<Seen> = read.into_iter().map(|frame| seen_by_h2(frame.unwrap())).collect();
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn we_read_what_h2_writes(
        recipes in vec(recipe(), 1..6),
        sizes in vec(1_usize..5_000, 1..8),
    ) {
        let mut oracle = Oracle::new();
        let mut written = Vec::new();
        let mut expected = Vec::new();
        for recipe in recipes {
            written.extend(oracle.write(recipe.frame()));
            expected.push(seen_by_h2(recipe.frame()));
        }
        let mut ours = Ours::new();
        let mut read = Vec::new();
        for raw in read_in_pieces(&written, &sizes) {
            let frame = raw.parse().unwrap();
            prop_assert_eq!(&RawFrame::try_from(&frame).unwrap(), &raw);
            read.extend(ours.see(frame).unwrap());
        }
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn a_legal_frame_survives_writing_and_reading(frames in legal_frames()) {
        for frame in frames {
            let raw = RawFrame::try_from(&frame).unwrap();
            prop_assert_eq!(raw.parse(), Ok(frame));
        }
    }

    #[test]
    fn any_frame_survives_any_cut(
        frames in vec(raw_frame(), 1..8),
        sizes in vec(1_usize..40, 1..8),
    ) {
        let mut written = Vec::new();
        frames.iter().for_each(|frame| frame.encode(&mut written));
        prop_assert_eq!(read_in_pieces(&written, &sizes), frames);
    }

    #[test]
    fn what_parses_means_the_same_written_again(raw in careless_frame()) {
        if let Ok(frame) = raw.parse() {
            let again = RawFrame::try_from(&frame).unwrap();
            prop_assert_eq!(again.parse(), Ok(frame));
        }
    }
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn we_refuse_what_h2_refuses(raw in careless_frame()) {
        assert_same_refusal(&raw);
    }

    #[test]
    fn a_connection_of_any_frames_is_read_as_h2_reads_it(
        size in 1_u8..90,
        sent in vec(careless_frame(), 1..6),
    ) {
        let mut written = vec![size];
        sent.iter().for_each(|frame| frame.encode(&mut written));
        frames(&written);
    }
}

#[test]
fn each_difference_exists() {
    let cases: [(u8, u8, u32, &[u8], Difference); 7] = [
        (5, 4, 1, b"\0\0\0\x02", Difference::PromiseWithoutFragment),
        (1, 4, 1, b"\x90\x82", Difference::NoMessage),
        (1, 0, 1, b"\0\x7f\x80\x80\x80\x80", Difference::LongInteger),
        (1, 0, 1, b"\0\0\0\x80", Difference::EmptyNameEndsFragment),
        (3, 0, 0, b"\0\0\0\0", Difference::AboveTheCodec),
        (5, 4, 1, b"\0\0\0\0\x90", Difference::AboveTheCodec),
        (4, 0, 0, b"\0\x09\0\0\0\x02", Difference::UnknownSetting),
    ];
    for (kind, flags, stream, payload, expected) in cases {
        let raw = RawFrame {
            kind: kind.into(),
            flags,
            reserved: false,
            stream: StreamId::new(stream).unwrap(),
            payload: Payload::new(Bytes::from_static(payload)).unwrap(),
        };
        let ours = refused_by_us(&raw);
        assert_ne!(ours.is_some(), refused_by_h2(&raw).is_some(), "{expected:?}");
        assert_eq!(difference(&raw, ours.as_ref()), Some(expected));
    }
}

#[test]
fn the_limit_on_frames_is_h2s() {
    for length in [0, 16_383, 16_384, 16_385, 70_000] {
        let frame = Frame::Data {
            stream: StreamId::new(1).unwrap(),
            data: vec![0; length].into(),
            padding: None,
            end_stream: false,
        };
        let mut written = Vec::new();
        frame.encode(&mut written).unwrap();
        let mut reader = FrameReader::new(INITIAL_MAX_FRAME_SIZE);
        reader.push(&written);
        let theirs = Oracle::new().read(&written);
        assert_eq!(reader.next_frame().is_err(), theirs[0].is_err(), "{length}");
    }
}

/// All frames in `octets`, which arrive in pieces of these sizes, by either way of pushing.
fn read_in_pieces(octets: &[u8], sizes: &[usize]) -> Vec<RawFrame> {
    let mut reader = FrameReader::new(u32::MAX);
    let mut frames = Vec::new();
    let mut rest = octets;
    for (index, &size) in sizes.iter().cycle().enumerate() {
        let (piece, later) = rest.split_at(size.min(rest.len()));
        if index % 3 == 0 {
            reader.push(piece);
        } else {
            reader.push_bytes(Bytes::copy_from_slice(piece));
        }
        while let Some(frame) = reader.next_frame().unwrap() {
            frames.push(frame);
        }
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    assert_eq!(reader.buffered(), 0);
    frames
}
