//! Frames taken apart by type (RFC 9113 section 6).
//!
//! A [`Frame`] holds what the layout of its type can hold and no more: numbers of 31 bits are 31
//! bits wide, an acknowledgement of SETTINGS has no values. It does not promise that the frame is
//! allowed. DATA on stream 0 can be written down, because a script may want to see what a server
//! makes of it; only [`RawFrame::parse`](super::RawFrame::parse) refuses it.
//!
//! Left out are bits that a receiver has to ignore: undefined flags, reserved bits and the
//! contents of padding. Whoever needs those keeps the [`RawFrame`].

use bytes::{BufMut, Bytes};

use super::fields::{Increment, Priority, Setting};
use super::raw::{FrameHeader, Payload, PayloadTooLong, RawFrame, StreamId};
use super::registry::{ErrorCode, FrameKind};
use super::{HEADER_LENGTH, flags};

/// A frame by type. `padding` is the Pad Length field: `None` without the PADDED flag, and
/// otherwise the octets of zeros at the end of the payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Section 6.1.
    Data {
        /// The stream whose body this is.
        stream: StreamId,
        /// The octets, without padding.
        data: Bytes,
        /// Octets of padding.
        padding: Option<u8>,
        /// Whether the sender's half of the stream ends here.
        end_stream: bool,
    },
    /// Section 6.2.
    Headers {
        /// The stream that it opens, or whose response or trailers it carries.
        stream: StreamId,
        /// The beginning of a header block, or all of it.
        fragment: Bytes,
        /// RFC 7540's priority, if the PRIORITY flag is set.
        priority: Option<Priority>,
        /// Octets of padding.
        padding: Option<u8>,
        /// Whether the sender's half of the stream ends with this header block.
        end_stream: bool,
        /// Whether the header block ends here.
        end_headers: bool,
    },
    /// Section 6.3.
    Priority {
        /// The stream it is about, which need not be open.
        stream: StreamId,
        /// Its place among the others.
        priority: Priority,
    },
    /// Section 6.4.
    RstStream {
        /// The stream that ends.
        stream: StreamId,
        /// Why.
        code: ErrorCode,
    },
    /// Section 6.5, without the ACK flag: parameters in the order written; the same one may occur
    /// more than once, and the last counts.
    Settings(Vec<Setting>),
    /// Section 6.5, with the ACK flag.
    SettingsAck,
    /// Section 6.6.
    PushPromise {
        /// The client's stream to which the promise belongs.
        stream: StreamId,
        /// The stream that the server will open.
        promised: StreamId,
        /// The beginning of the promised request's header block, or all of it.
        fragment: Bytes,
        /// Octets of padding.
        padding: Option<u8>,
        /// Whether the header block ends here.
        end_headers: bool,
    },
    /// Section 6.7.
    Ping {
        /// Whether it answers a PING.
        ack: bool,
        /// What an answer has to repeat.
        opaque: [u8; 8],
    },
    /// Section 6.8.
    GoAway {
        /// The highest stream that the sender may have acted on.
        last_stream: StreamId,
        /// Why.
        code: ErrorCode,
        /// Text or anything else for whoever looks for the cause.
        debug: Bytes,
    },
    /// Section 6.9.
    WindowUpdate {
        /// The stream that may send more; stream 0 for the connection.
        stream: StreamId,
        /// How many octets more.
        increment: Increment,
    },
    /// Section 6.10.
    Continuation {
        /// The stream whose header block goes on.
        stream: StreamId,
        /// The next piece of the header block.
        fragment: Bytes,
        /// Whether the header block ends here.
        end_headers: bool,
    },
    /// A type outside RFC 9113, whole, since nothing is known of its layout.
    Unknown(RawFrame),
}

impl Frame {
    /// The type that the frame header carries.
    pub fn kind(&self) -> FrameKind {
        match self {
            Frame::Data { .. } => FrameKind::Data,
            Frame::Headers { .. } => FrameKind::Headers,
            Frame::Priority { .. } => FrameKind::Priority,
            Frame::RstStream { .. } => FrameKind::RstStream,
            Frame::Settings(_) | Frame::SettingsAck => FrameKind::Settings,
            Frame::PushPromise { .. } => FrameKind::PushPromise,
            Frame::Ping { .. } => FrameKind::Ping,
            Frame::GoAway { .. } => FrameKind::GoAway,
            Frame::WindowUpdate { .. } => FrameKind::WindowUpdate,
            Frame::Continuation { .. } => FrameKind::Continuation,
            Frame::Unknown(frame) => frame.kind,
        }
    }

    /// The stream that the frame header carries.
    pub fn stream(&self) -> StreamId {
        match self {
            Frame::Data { stream, .. }
            | Frame::Headers { stream, .. }
            | Frame::Priority { stream, .. }
            | Frame::RstStream { stream, .. }
            | Frame::PushPromise { stream, .. }
            | Frame::WindowUpdate { stream, .. }
            | Frame::Continuation { stream, .. } => *stream,
            Frame::Settings(_) | Frame::SettingsAck | Frame::Ping { .. } | Frame::GoAway { .. } => {
                StreamId::CONNECTION
            }
            Frame::Unknown(frame) => frame.stream,
        }
    }

    /// Writes header and payload.
    ///
    /// # Errors
    ///
    /// [`PayloadTooLong`], with nothing written, if the parts together exceed one frame.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), PayloadTooLong> {
        let length = self.payload_length();
        if length > Payload::MAX_LENGTH {
            return Err(PayloadTooLong { length });
        }
        let header = FrameHeader {
            length: length as u32,
            kind: self.kind(),
            flags: self.flags(),
            reserved: self.reserved(),
            stream: self.stream(),
        };
        out.reserve(HEADER_LENGTH + length);
        out.put_slice(&header.to_octets());
        let start = out.len();
        self.write_payload(out);
        debug_assert_eq!(out.len() - start, length);
        Ok(())
    }

    fn flags(&self) -> u8 {
        let bit = |set: bool, flag: u8| if set { flag } else { 0 };
        match self {
            Frame::Data { padding, end_stream, .. } => {
                bit(*end_stream, flags::END_STREAM) | bit(padding.is_some(), flags::PADDED)
            }
            Frame::Headers { priority, padding, end_stream, end_headers, .. } => {
                bit(*end_stream, flags::END_STREAM)
                    | bit(*end_headers, flags::END_HEADERS)
                    | bit(padding.is_some(), flags::PADDED)
                    | bit(priority.is_some(), flags::PRIORITY)
            }
            Frame::PushPromise { padding, end_headers, .. } => {
                bit(*end_headers, flags::END_HEADERS) | bit(padding.is_some(), flags::PADDED)
            }
            Frame::Continuation { end_headers, .. } => bit(*end_headers, flags::END_HEADERS),
            Frame::Ping { ack, .. } => bit(*ack, flags::ACK),
            Frame::SettingsAck => flags::ACK,
            Frame::Settings(_)
            | Frame::Priority { .. }
            | Frame::RstStream { .. }
            | Frame::GoAway { .. }
            | Frame::WindowUpdate { .. } => 0,
            Frame::Unknown(frame) => frame.flags,
        }
    }

    fn reserved(&self) -> bool {
        matches!(self, Frame::Unknown(RawFrame { reserved: true, .. }))
    }

    fn payload_length(&self) -> usize {
        let padded =
            |padding: Option<u8>, length| length + padding.map_or(0, |padding| 1 + usize::from(padding));
        match self {
            Frame::Data { data, padding, .. } => padded(*padding, data.len()),
            Frame::Headers { fragment, priority, padding, .. } => {
                padded(*padding, fragment.len() + priority.map_or(0, |_| Priority::LENGTH))
            }
            Frame::PushPromise { fragment, padding, .. } => padded(*padding, 4 + fragment.len()),
            Frame::Continuation { fragment, .. } => fragment.len(),
            Frame::Priority { .. } => Priority::LENGTH,
            Frame::RstStream { .. } | Frame::WindowUpdate { .. } => 4,
            Frame::Settings(values) => values.len() * Setting::LENGTH,
            Frame::SettingsAck => 0,
            Frame::Ping { opaque, .. } => opaque.len(),
            Frame::GoAway { debug, .. } => 8 + debug.len(),
            Frame::Unknown(frame) => frame.payload.len(),
        }
    }

    fn write_payload(&self, out: &mut Vec<u8>) {
        match self {
            Frame::Data { data, padding, .. } => write_padded(out, *padding, &[], data),
            Frame::Headers { fragment, priority, padding, .. } => match priority {
                Some(priority) => write_padded(out, *padding, &priority.to_octets(), fragment),
                None => write_padded(out, *padding, &[], fragment),
            },
            Frame::PushPromise { promised, fragment, padding, .. } => {
                write_padded(out, *padding, &promised.to_word(false).to_be_bytes(), fragment);
            }
            Frame::Continuation { fragment, .. } => out.put_slice(fragment),
            Frame::Priority { priority, .. } => out.put_slice(&priority.to_octets()),
            Frame::RstStream { code, .. } => out.put_u32((*code).into()),
            Frame::Settings(values) => values.iter().for_each(|setting| setting.write(out)),
            Frame::SettingsAck => {}
            Frame::Ping { opaque, .. } => out.put_slice(opaque),
            Frame::GoAway { last_stream, code, debug } => {
                out.put_u32(last_stream.to_word(false));
                out.put_u32((*code).into());
                out.put_slice(debug);
            }
            Frame::WindowUpdate { increment, .. } => out.put_u32((*increment).into()),
            Frame::Unknown(frame) => out.put_slice(&frame.payload),
        }
    }

    /// The payload by itself, without a copy where it is octets that the frame has.
    fn payload(&self) -> Bytes {
        match self {
            Frame::Data { data, padding: None, .. } => data.clone(),
            Frame::Headers { fragment, priority: None, padding: None, .. }
            | Frame::Continuation { fragment, .. } => fragment.clone(),
            Frame::Unknown(frame) => frame.payload.clone().into_bytes(),
            _ => {
                let mut out = Vec::with_capacity(self.payload_length());
                self.write_payload(&mut out);
                out.into()
            }
        }
    }
}

impl TryFrom<&Frame> for RawFrame {
    type Error = PayloadTooLong;

    fn try_from(frame: &Frame) -> Result<RawFrame, PayloadTooLong> {
        Ok(RawFrame {
            kind: frame.kind(),
            flags: frame.flags(),
            reserved: frame.reserved(),
            stream: frame.stream(),
            payload: Payload::new(frame.payload())?,
        })
    }
}

/// The Pad Length field stands first and the padding last, whatever the type has between them.
fn write_padded(out: &mut Vec<u8>, padding: Option<u8>, fields: &[u8], rest: &[u8]) {
    out.extend(padding);
    out.extend_from_slice(fields);
    out.extend_from_slice(rest);
    out.resize(out.len() + usize::from(padding.unwrap_or(0)), 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame::SettingId;

    fn stream(number: u32) -> StreamId {
        StreamId::new(number).unwrap()
    }

    #[test]
    fn headers_put_padding_around_priority_and_fragment() {
        let frame = Frame::Headers {
            stream: stream(3),
            fragment: Bytes::from_static(b"\x82"),
            priority: Some(Priority { exclusive: true, dependency: stream(1), weight: 15 }),
            padding: Some(2),
            end_stream: true,
            end_headers: true,
        };
        let mut out = Vec::new();
        frame.encode(&mut out).unwrap();
        assert_eq!(out, b"\0\0\x09\x01\x2d\0\0\0\x03\x02\x80\0\0\x01\x0f\x82\0\0");
    }

    #[test]
    fn settings_and_their_acknowledgement() {
        let values = vec![Setting { id: SettingId::MaxFrameSize, value: 16_384 }];
        let mut out = Vec::new();
        Frame::Settings(values).encode(&mut out).unwrap();
        Frame::SettingsAck.encode(&mut out).unwrap();
        assert_eq!(out, b"\0\0\x06\x04\0\0\0\0\0\0\x05\0\0\x40\0\0\0\0\x04\x01\0\0\0\0");
    }

    #[test]
    fn padding_can_push_a_frame_beyond_its_limit() {
        let data = Bytes::from(vec![0; Payload::MAX_LENGTH]);
        let data =
            |padding| Frame::Data { stream: stream(1), data: data.clone(), padding, end_stream: false };
        let mut out = Vec::new();
        assert_eq!(data(Some(0)).encode(&mut out), Err(PayloadTooLong { length: 1 << 24 }));
        assert!(out.is_empty());
        assert_eq!(data(None).encode(&mut out), Ok(()));
        assert_eq!(out.len(), HEADER_LENGTH + Payload::MAX_LENGTH);
    }

    #[test]
    fn an_unknown_frame_is_written_as_it_was() {
        let raw = RawFrame {
            kind: FrameKind::Unknown(0x10),
            flags: 0xff,
            reserved: true,
            stream: stream(5),
            payload: Payload::new("u=1").unwrap(),
        };
        assert_eq!(RawFrame::try_from(&Frame::Unknown(raw.clone())), Ok(raw));
    }

    #[test]
    fn octets_that_a_frame_has_are_not_copied() {
        let octets = Bytes::from_static(b"octets");
        let (stream, data) = (stream(1), octets.clone());
        let raw = RawFrame {
            kind: 0x7f.into(),
            flags: 0,
            reserved: true,
            stream,
            payload: Payload::new(data).unwrap(),
        };
        let frames = [
            Frame::Data { stream, data: octets.clone(), padding: None, end_stream: false },
            Frame::Continuation { stream, fragment: octets.clone(), end_headers: true },
            Frame::Unknown(raw),
        ];
        for frame in frames {
            let raw = RawFrame::try_from(&frame).unwrap();
            assert_eq!(raw.payload.as_ptr(), octets.as_ptr(), "{frame:?}");
        }
    }
}
