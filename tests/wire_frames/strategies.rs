//! Frames to test with.

use bytes::Bytes;
use h2::frame as theirs;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use muxbed::wire::frame::{Frame, Increment, Payload, Priority, RawFrame, Setting, StreamId};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// `:method: GET`, `accept-encoding: gzip, deflate`, `x: y`.
const BLOCK: &[u8] = b"\x82\x90\x00\x01x\x01y";

fn stream_id() -> impl Strategy<Value = StreamId> {
    prop_oneof![1_u32..9, 1_u32..1 << 31].prop_map(|number| StreamId::new(number).unwrap())
}

fn padding() -> impl Strategy<Value = Option<u8>> {
    option::of(any::<u8>())
}

fn octets(most: usize) -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..most).prop_map(Bytes::from)
}

fn priority(of: StreamId) -> impl Strategy<Value = Priority> {
    (any::<bool>(), 0_u32..1 << 31, any::<u8>())
        .prop_map(|(exclusive, dependency, weight)| {
            let dependency = StreamId::new(dependency).unwrap();
            Priority { exclusive, dependency, weight }
        })
        .prop_filter("a stream does not depend on itself", move |it| it.dependency != of)
}

fn setting() -> impl Strategy<Value = Setting> {
    let value = prop_oneof![0_u32..3, 16_383_u32..16_386, (1 << 24) - 1..(1_u32 << 24) + 1, any::<u32>()];
    (prop_oneof![0_u16..12, any::<u16>()], value)
        .prop_map(|(id, value)| Setting { id: id.into(), value })
        .prop_filter("allowed value", |setting| setting.is_allowed())
}

/// A header block in a HEADERS or PUSH_PROMISE frame and any number of CONTINUATIONs.
fn header_frames() -> impl Strategy<Value = Vec<Frame>> {
    let opening = stream_id().prop_flat_map(|stream| {
        let headers = (option::of(priority(stream)), padding(), any::<bool>()).prop_map(
            move |(priority, padding, end_stream)| Frame::Headers {
                stream,
                fragment: Bytes::new(),
                priority,
                padding,
                end_stream,
                end_headers: false,
            },
        );
        let promise = (stream_id(), padding()).prop_map(move |(promised, padding)| {
            let fragment = Bytes::new();
            Frame::PushPromise { stream, promised, fragment, padding, end_headers: false }
        });
        prop_oneof![headers, promise]
    });
    // From 1 on, as h2 refuses a PUSH_PROMISE without a single octet of header block.
    (opening, vec(1..=BLOCK.len(), 0..4)).prop_map(|(mut opening, mut cuts)| {
        cuts.sort_unstable();
        cuts.push(BLOCK.len());
        let stream = opening.stream();
        let last = cuts.len() - 1;
        if let Frame::Headers { fragment, end_headers, .. }
        | Frame::PushPromise { fragment, end_headers, .. } = &mut opening
        {
            *fragment = Bytes::from_static(&BLOCK[..cuts[0]]);
            *end_headers = last == 0;
        }
        let mut frames = vec![opening];
        for (index, ends) in cuts.windows(2).enumerate() {
            let fragment = Bytes::from_static(&BLOCK[ends[0]..ends[1]]);
            frames.push(Frame::Continuation { stream, fragment, end_headers: index + 1 == last });
        }
        frames
    })
}

/// Legal frames that may follow each other: one, or a header block's.
pub(crate) fn legal_frames() -> impl Strategy<Value = Vec<Frame>> {
    let data = (stream_id(), octets(600), padding(), any::<bool>())
        .prop_map(|(stream, data, padding, end_stream)| Frame::Data { stream, data, padding, end_stream });
    let priority = stream_id().prop_flat_map(|stream| {
        priority(stream).prop_map(move |priority| Frame::Priority { stream, priority })
    });
    let reset =
        (stream_id(), any::<u32>()).prop_map(|(stream, code)| Frame::RstStream { stream, code: code.into() });
    let go_away = (0_u32..1 << 31, any::<u32>(), octets(40)).prop_map(|(last, code, debug)| {
        let last_stream = StreamId::new(last).unwrap();
        Frame::GoAway { last_stream, code: code.into(), debug }
    });
    let window = (0_u32..4, 1_u32..1 << 31).prop_map(|(stream, increment)| Frame::WindowUpdate {
        stream: StreamId::new(stream).unwrap(),
        increment: Increment::new(increment).unwrap(),
    });
    let ping = (any::<bool>(), any::<[u8; 8]>()).prop_map(|(ack, opaque)| Frame::Ping { ack, opaque });
    prop_oneof![
        prop_oneof![
            data,
            priority,
            reset,
            vec(setting(), 0..8).prop_map(Frame::Settings),
            Just(Frame::SettingsAck),
            ping,
            go_away,
            window,
        ]
        .prop_map(|frame| vec![frame]),
        header_frames(),
    ]
}

pub(crate) fn raw_frame() -> impl Strategy<Value = RawFrame> {
    (any::<u8>(), any::<u8>(), any::<bool>(), 0_u32..1 << 31, octets(64)).prop_map(
        |(kind, flags, reserved, stream, payload)| RawFrame {
            kind: kind.into(),
            flags,
            reserved,
            stream: StreamId::new(stream).unwrap(),
            payload: Payload::new(payload).unwrap(),
        },
    )
}

/// Frames of assigned types that are mostly broken, in the ways that matter: few streams, short
/// payloads, and for header blocks octets that are a field each, so that a wrong cut shows.
pub(crate) fn careless_frame() -> impl Strategy<Value = RawFrame> {
    let front = vec(prop_oneof![Just(0_u8), 0_u8..8, any::<u8>()], 0..9);
    let payload = (front, 0_usize..12, 0_usize..4).prop_map(|(mut payload, fields, padding)| {
        payload.resize(payload.len() + fields, 0x90);
        payload.resize(payload.len() + padding, 0);
        payload
    });
    let six_octets = (0_u8..12, any::<u8>(), any::<u32>(), 0_u32..4);
    let setting = six_octets.prop_map(|(id, random, wide, narrow)| {
        let value = if random < 128 { narrow } else { wide };
        [&[0, id], &value.to_be_bytes()[..]].concat()
    });
    let settings = vec(setting, 0..3).prop_map(|values| values.concat());
    let fixed = (0_usize..10).prop_map(|length| vec![0; length]);
    (0_u8..11, any::<u8>(), any::<bool>(), 0_u32..4, prop_oneof![payload, settings, fixed]).prop_map(
        |(kind, flags, reserved, stream, payload)| RawFrame {
            kind: kind.into(),
            flags,
            reserved,
            stream: StreamId::new(stream).unwrap(),
            payload: Payload::new(payload).unwrap(),
        },
    )
}

/// How to make a frame of h2's, which can't be cloned. h2 writes neither PRIORITY nor padding.
#[derive(Clone, Debug)]
pub(crate) enum Recipe {
    Data { stream: u32, data: Bytes, end_stream: bool },
    Headers { stream: u32, end_stream: bool, values: Vec<Vec<u8>> },
    PushPromise { stream: u32, promised: u32, values: Vec<Vec<u8>> },
    RstStream { stream: u32, code: u32 },
    Settings { table: Option<u32>, push: bool, streams: Option<u32>, window: u32, frame: u32 },
    SettingsAck,
    Ping { ack: bool, opaque: [u8; 8] },
    GoAway { last_stream: u32, code: u32, debug: Bytes },
    WindowUpdate { stream: u32, increment: u32 },
}

impl Recipe {
    pub(crate) fn frame(&self) -> theirs::Frame<Bytes> {
        match self.clone() {
            Recipe::Data { stream, data, end_stream } => {
                let mut frame = theirs::Data::new(stream.into(), data);
                frame.set_end_stream(end_stream);
                frame.into()
            }
            Recipe::Headers { stream, end_stream, values } => {
                let pseudo = theirs::Pseudo { method: Some(Method::GET), ..Default::default() };
                let mut frame = theirs::Headers::new(stream.into(), pseudo, fields(&values));
                if end_stream {
                    frame.set_end_stream();
                }
                frame.into()
            }
            Recipe::PushPromise { stream, promised, values } => {
                let pseudo = theirs::Pseudo { method: Some(Method::GET), ..Default::default() };
                let (stream, promised) = (stream.into(), promised.into());
                theirs::PushPromise::new(stream, promised, pseudo, fields(&values)).into()
            }
            Recipe::RstStream { stream, code } => theirs::Reset::new(stream.into(), code.into()).into(),
            Recipe::Settings { table, push, streams, window, frame: largest } => {
                let mut frame = theirs::Settings::default();
                frame.set_header_table_size(table);
                frame.set_enable_push(push);
                frame.set_max_concurrent_streams(streams);
                frame.set_initial_window_size(Some(window));
                frame.set_max_frame_size(Some(largest));
                frame.into()
            }
            Recipe::SettingsAck => theirs::Settings::ack().into(),
            Recipe::Ping { ack: false, opaque } => theirs::Ping::new(opaque).into(),
            Recipe::Ping { ack: true, opaque } => theirs::Ping::pong(opaque).into(),
            Recipe::GoAway { last_stream, code, debug } => {
                theirs::GoAway::with_debug_data(last_stream.into(), code.into(), debug).into()
            }
            Recipe::WindowUpdate { stream, increment } => {
                theirs::WindowUpdate::new(stream.into(), increment).into()
            }
        }
    }
}

fn fields(values: &[Vec<u8>]) -> HeaderMap {
    let field = |(index, value): (usize, &Vec<u8>)| {
        let name = HeaderName::try_from(format!("x-{index}")).unwrap();
        (name, HeaderValue::from_bytes(value).unwrap())
    };
    values.iter().enumerate().map(field).collect()
}

pub(crate) fn recipe() -> impl Strategy<Value = Recipe> {
    let stream = || 1_u32..1 << 31;
    let settings = (
        option::of(any::<u32>()),
        any::<bool>(),
        option::of(any::<u32>()),
        0_u32..1 << 31,
        1_u32 << 14..1 << 24,
    );
    // Some header blocks are longer than a frame, and go on in CONTINUATIONs.
    let values = || vec(vec(b'a'..=b'z', 0..6_000), 0..8);
    prop_oneof![
        (stream(), octets(16_384), any::<bool>())
            .prop_map(|(stream, data, end_stream)| { Recipe::Data { stream, data, end_stream } }),
        (stream(), any::<bool>(), values())
            .prop_map(|(stream, end_stream, values)| { Recipe::Headers { stream, end_stream, values } }),
        (stream(), stream(), values()).prop_map(|(stream, promised, values)| Recipe::PushPromise {
            stream,
            promised,
            values
        }),
        (stream(), any::<u32>()).prop_map(|(stream, code)| Recipe::RstStream { stream, code }),
        settings.prop_map(|(table, push, streams, window, frame)| Recipe::Settings {
            table,
            push,
            streams,
            window,
            frame
        }),
        Just(Recipe::SettingsAck),
        (any::<bool>(), any::<[u8; 8]>()).prop_map(|(ack, opaque)| Recipe::Ping { ack, opaque }),
        (0_u32..1 << 31, any::<u32>(), octets(100))
            .prop_map(|(last_stream, code, debug)| { Recipe::GoAway { last_stream, code, debug } }),
        (0_u32..4, 1_u32..1 << 31).prop_map(|(stream, increment)| Recipe::WindowUpdate { stream, increment }),
    ]
}
