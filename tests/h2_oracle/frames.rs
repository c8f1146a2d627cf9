//! The fuzz target `frames`: our reader of frames beside h2's codec.
//!
//! Each frame alone must be refused by both or by none, but for what [`Difference`] lists; and all of them as one
//! connection must be read as the same, up to the first that one of us refuses. What h2 read and writes again, we read as the
//! same too.

use std::ops::ControlFlow;

use h2::frame::Frame as Theirs;
use h2::proto::Error as TheirError;
use muxbed::wire::frame::{
    Frame, FrameError, FrameKind, FrameReader, FrameTooLarge, INITIAL_MAX_FRAME_SIZE, Payload, RawFrame,
    Scope, SettingId, StreamId, flags,
};
use muxbed::wire::hpack::{Decoder, Field, HpackError, INITIAL_TABLE_SIZE};

use super::h2_oracle::{Oracle, makes_no_message};
use super::seen::{Ours, Seen, seen_by_h2};

/// The most octets that are looked at: h2 counts CONTINUATIONs, and this is less than it takes to reach its limit.
const LONGEST: usize = 8_192;

/// Takes the first octet for the size of pieces, and the rest for what follows a preface.
pub(crate) fn frames(octets: &[u8]) {
    let Some((&size, octets)) = octets.split_first() else { return };
    let octets = &octets[..octets.len().min(LONGEST)];
    let (frames, too_large) = in_pieces(octets, octets.len().max(1));
    let again = in_pieces(octets, size.max(1).into());
    assert_eq!((&again.0, &again.1), (&frames, &too_large), "it depends on the cuts");
    let mut written = Vec::new();
    for raw in &frames {
        raw.encode(&mut written);
        assert_same_refusal(raw);
        if let Ok(frame) = raw.parse() {
            let again = RawFrame::try_from(&frame).expect("it was that long");
            assert_eq!(again.parse(), Ok(frame));
        }
    }
    assert_eq!(written, octets[..written.len()], "a frame does not survive");
    let end = match octets[written.len()..] {
        _ if too_large.is_some() => End::Refused,
        // h2 refuses a frame that is too long by its third octet; we by its ninth, to say what it was.
        [high, middle, low, ..] if u32::from_be_bytes([0, high, middle, low]) > INITIAL_MAX_FRAME_SIZE => {
            End::Open
        }
        _ => End::All,
    };
    assert_same_connection(octets, &frames, end);
}

fn in_pieces(octets: &[u8], size: usize) -> (Vec<RawFrame>, Option<FrameTooLarge>) {
    let mut reader = FrameReader::new(INITIAL_MAX_FRAME_SIZE);
    let mut frames = Vec::new();
    for piece in octets.chunks(size) {
        reader.push(piece);
        loop {
            match reader.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}

/// How our reading of a connection ends.
#[derive(Debug, PartialEq)]
enum End {
    /// With the octets.
    All,
    /// With what h2 refuses as well.
    Refused,
    /// With what only one of us refuses, or what takes more than a frame to judge.
    Open,
}

fn assert_same_connection(octets: &[u8], frames: &[RawFrame], end: End) {
    let (expected, end) = as_we_see(frames, end);
    let mut oracle = Oracle::new();
    let mut seen = Vec::new();
    let mut refused = false;
    for read in oracle.read(octets) {
        match read {
            Ok(frame) => {
                let ours = again_by_h2(&frame);
                let theirs = seen_by_h2(frame);
                if let Some(ours) = ours {
                    assert_eq!(ours, theirs, "written by h2 it is read as something else");
                }
                seen.push(theirs);
            }
            Err(_) => refused = true,
        }
    }
    match end {
        End::All => assert_eq!((seen, refused), (expected, false), "{frames:?}"),
        End::Refused => assert_eq!((seen, refused), (expected, true), "{frames:?}"),
        End::Open => {
            assert!(seen.starts_with(&expected), "{seen:?} is seen by us as {expected:?}: {frames:?}");
        }
    }
}

/// What we see of the frames, and how that ends, given how it ends behind the last of them.
fn as_we_see(frames: &[RawFrame], end: End) -> (Vec<Seen>, End) {
    let mut ours = Ours::new();
    let mut seen = Vec::new();
    let mut stream = StreamId::CONNECTION;
    for raw in frames {
        let continues = raw.kind == FrameKind::Continuation;
        if continues != ours.is_in_a_block() || (continues && raw.stream != stream) {
            return (seen, End::Open);
        }
        stream = raw.stream;
        let frame = match raw.parse() {
            Ok(frame) => frame,
            Err(error) => {
                let refusal = Refusal::Frame(error);
                let open = difference(raw, Some(&refusal)).is_some();
                return (seen, if open { End::Open } else { End::Refused });
            }
        };
        // A block is judged as a whole, with the table that those before it left.
        let alone = difference(raw, None).filter(|found| *found == Difference::PromiseWithoutFragment);
        match ours.see(frame) {
            _ if alone.is_some() => return (seen, End::Open),
            // h2 looks at each part as it comes, and may know already.
            Err(_) => return (seen, End::Open),
            Ok(Some(_)) if ours.is_only_for_us() => return (seen, End::Open),
            Ok(frame) => seen.extend(frame),
        }
    }
    // What has begun may be refused before it is all there.
    (seen, if ours.is_in_a_block() { End::Open } else { end })
}

/// What we read of h2's writing of a frame, if it writes it as it is: not what has flags of padding that it leaves out.
fn again_by_h2(frame: &Theirs) -> Option<Seen> {
    let copy = match frame {
        Theirs::Ping(ping) if ping.is_ack() => h2::frame::Ping::pong(*ping.payload()).into(),
        Theirs::Ping(ping) => h2::frame::Ping::new(*ping.payload()).into(),
        // One on stream 0 is nothing that we read.
        Theirs::Reset(reset) if reset.stream_id() == 0 => return None,
        Theirs::Reset(reset) => Theirs::Reset(h2::frame::Reset::new(reset.stream_id(), reset.reason())),
        Theirs::WindowUpdate(update) => {
            Theirs::WindowUpdate(h2::frame::WindowUpdate::new(update.stream_id(), update.size_increment()))
        }
        Theirs::Settings(settings) => Theirs::Settings(settings.clone()),
        _ => return None,
    };
    let written = Oracle::new().write(copy);
    let (frames, _) = in_pieces(&written, written.len());
    let [raw] = frames.as_slice() else { panic!("h2 writes it as {written:?}") };
    let frame = raw.parse().expect("h2 writes what can be read");
    Ours::new().see(frame).ok().flatten()
}

/// Holds what both have against a frame against each other.
pub(crate) fn assert_same_refusal(raw: &RawFrame) {
    let ours = refused_by_us(raw);
    let theirs = refused_by_h2(raw);
    if ours.is_some() != theirs.is_some() {
        let difference = difference(raw, ours.as_ref());
        assert!(difference.is_some(), "ours: {ours:?}, theirs: {theirs:?}: {raw:?}");
    }
    // Not a promise of stream 0: h2 does not see that and resets for what the block says.
    if let Some(Refusal::Frame(error)) = ours
        && let Some(TheirError::Reset(stream, ..)) = theirs
        && !matches!(error, FrameError::PromisesConnection { .. })
    {
        let stream = StreamId::new(stream.into()).expect("it came over the wire");
        assert_eq!(error.scope(), Scope::Stream(stream));
    }
}

/// Where one of us refuses a frame and the other does not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Difference {
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

pub(crate) fn difference(raw: &RawFrame, ours: Option<&Refusal>) -> Option<Difference> {
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
pub(crate) enum Refusal {
    Frame(FrameError),
    Block,
}

pub(crate) fn refused_by_us(raw: &RawFrame) -> Option<Refusal> {
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
pub(crate) fn refused_by_h2(raw: &RawFrame) -> Option<TheirError> {
    let mut written = Vec::new();
    if raw.kind == FrameKind::Continuation && !raw.stream.is_connection() {
        let headers = RawFrame { kind: FrameKind::Headers, flags: 0, payload: Payload::EMPTY, ..raw.clone() };
        headers.encode(&mut written);
    }
    raw.encode(&mut written);
    Oracle::new().read(&written).into_iter().find_map(Result::err)
}
