//! HTTP/2 frames against h2's codec: what we write it reads as the same frame, what it writes we
//! read as the same, and what it refuses we refuse, but for the differences listed in
//! [`Difference`].

#[path = "../h2_oracle/mod.rs"]
mod h2_oracle;
mod seen;
mod strategies;

use std::ops::ControlFlow;

use bytes::Bytes;
use h2::proto::Error as TheirError;
use muxbed::wire::frame::{
    Frame, FrameError, FrameKind, FrameReader, INITIAL_MAX_FRAME_SIZE, Payload, RawFrame, Scope, SettingId,
    StreamId, flags,
};
use muxbed::wire::hpack::{Decoder, Field, HpackError, INITIAL_TABLE_SIZE};
use proptest::collection::vec;
use proptest::prelude::*;

use h2_oracle::{Oracle, makes_no_message};
use seen::{Ours, Seen, seen_by_h2};
use strategies::{careless_frame, legal_frames, raw_frame, recipe};

proptest! {
    #[test]
    fn h2_reads_what_we_write(frames in vec(legal_frames(), 1..6)) {
        let mut written = Vec::new();
        let mut ours = Ours::new();
        let mut expected = Vec::new();
        for frame in frames.into_iter().flatten() {
            frame.encode(&mut written).unwrap();
            expected.extend(ours.see(frame));
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
            read.extend(ours.see(frame));
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
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn we_refuse_what_h2_refuses(raw in careless_frame()) {
        let ours = refused_by_us(&raw);
        let theirs = refused_by_h2(&raw);
        if ours.is_some() != theirs.is_some() {
            let difference = difference(&raw, ours.as_ref());
            prop_assert!(difference.is_some(), "ours: {ours:?}, theirs: {theirs:?}");
        }
        // Not a promise of stream 0: h2 does not see that and resets for what the block says.
        if let Some(Refusal::Frame(error)) = ours
            && let Some(TheirError::Reset(stream, ..)) = theirs
            && !matches!(error, FrameError::PromisesConnection { .. })
        {
            let stream = StreamId::new(stream.into()).unwrap();
            prop_assert_eq!(error.scope(), Scope::Stream(stream));
        }
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

/// Where one of us refuses a frame and the other does not.
#[derive(Debug, PartialEq)]
enum Difference {
    /// h2 refuses a PUSH_PROMISE whose header block is all in CONTINUATIONs. RFC 9113 section 6.6
    /// lets the fragment be empty.
    PromiseWithoutFragment,
    /// h2 refuses fields that make no HTTP message. Ours stops at their compression.
    NoMessage,
    /// h2 refuses an integer of six octets in a header block. 2^32-1 needs that many.
    LongInteger,
    /// We refuse the octets after a field with an empty name, in a fragment that others follow.
    /// h2 takes an empty name for the end of the fragment and looks at the rest later.
    EmptyNameEndsFragment,
    /// We refuse RST_STREAM on stream 0 and the promise of stream 0. h2's codec leaves these to
    /// the layer above it.
    AboveTheCodec,
    /// We refuse a value other than 0 and 1 for NO_RFC7540_PRIORITIES. h2 does not know RFC 9218.
    UnknownSetting,
}

fn difference(raw: &RawFrame, ours: Option<&Refusal>) -> Option<Difference> {
    let padded = usize::from(raw.flags & flags::PADDED != 0);
    match ours {
        None if raw.kind == FrameKind::PushPromise && raw.payload.len() == 4 + padded => {
            Some(Difference::PromiseWithoutFragment)
        }
        None if makes_no_message(&fields_of(raw).0) => Some(Difference::NoMessage),
        None => {
            // A prefix of ones and four octets that each say that another follows.
            let long = |run: &[u8]| run[0] & 0x0f == 0x0f && run[1..].iter().all(|&it| it >= 0x80);
            raw.payload.windows(5).any(long).then_some(Difference::LongInteger)
        }
        Some(Refusal::Block) => {
            let nameless = fields_of(raw).0.iter().any(|field| field.name.is_empty());
            nameless.then_some(Difference::EmptyNameEndsFragment)
        }
        Some(Refusal::Frame(FrameError::PromisesConnection { .. })) => Some(Difference::AboveTheCodec),
        Some(Refusal::Frame(FrameError::OnConnection { kind: FrameKind::RstStream })) => {
            Some(Difference::AboveTheCodec)
        }
        Some(Refusal::Frame(FrameError::InvalidSetting(setting))) => {
            let unknown = setting.id == SettingId::NoRfc7540Priorities;
            unknown.then_some(Difference::UnknownSetting)
        }
        Some(Refusal::Frame(_)) => None,
    }
}

/// What we have against a frame.
#[derive(Debug)]
enum Refusal {
    Frame(FrameError),
    Block,
}

fn refused_by_us(raw: &RawFrame) -> Option<Refusal> {
    match raw.parse() {
        Err(error) => Some(Refusal::Frame(error)),
        Ok(_) => fields_of(raw).1.map(|_| Refusal::Block),
    }
}

/// The fields in the frame's part of a header block, up to the first error. A part that others
/// follow may end anywhere.
fn fields_of(raw: &RawFrame) -> (Vec<Field>, Option<HpackError>) {
    let mut fields = Vec::new();
    let (Ok(Frame::Headers { fragment, end_headers, .. })
    | Ok(Frame::PushPromise { fragment, end_headers, .. })
    | Ok(Frame::Continuation { fragment, end_headers, .. })) = raw.parse()
    else {
        return (fields, None);
    };
    let mut decoder = Decoder::new(INITIAL_TABLE_SIZE);
    let decoded = decoder.decode_each(&fragment, 1 << 24, |field| {
        fields.push(field);
        ControlFlow::<()>::Continue(())
    });
    let error = decoded.err().filter(|error| end_headers || *error != HpackError::Truncated);
    (fields, error)
}

/// What h2 has against a frame. A CONTINUATION gets the HEADERS that it needs before it.
fn refused_by_h2(raw: &RawFrame) -> Option<TheirError> {
    let mut written = Vec::new();
    if raw.kind == FrameKind::Continuation && !raw.stream.is_connection() {
        let headers = RawFrame { kind: FrameKind::Headers, flags: 0, payload: Payload::EMPTY, ..raw.clone() };
        headers.encode(&mut written);
    }
    raw.encode(&mut written);
    Oracle::new().read(&written).into_iter().find_map(Result::err)
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
