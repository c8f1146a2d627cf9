//! Holds one frame against RFC 9113 section 6 and takes it apart.
//!
//! The checks are those that need no memory of earlier frames. Their order is the order of the
//! octets: the stream in the header, then the length, then the fields. A frame with two faults is
//! named by the first, so that the name does not depend on how the check is written.
//!
//! A receiver has to ignore undefined flags and reserved bits, and may ignore what the padding
//! contains; this one does, so such a frame parses but does not come back octet for octet.

use bytes::{Buf, Bytes};

use super::{
    Frame, FrameError, FrameKind, Increment, NeededLength, Priority, RawFrame, Setting, StreamId, flags,
};

impl RawFrame {
    /// Takes the frame apart, sharing its memory.
    ///
    /// # Errors
    ///
    /// The first of its faults, in the order of the octets. Frames of unknown type have none.
    pub fn parse(&self) -> Result<Frame, FrameError> {
        let mut payload = Bytes::clone(&self.payload);
        let stream = self.stream;
        match self.kind {
            FrameKind::Data => {
                self.on_stream()?;
                let padding = self.pad_length(&mut payload, 0)?;
                self.strip_padding(&mut payload, padding)?;
                Ok(Frame::Data { stream, data: payload, padding, end_stream: self.end_stream() })
            }
            FrameKind::Headers => {
                self.on_stream()?;
                let prioritised = self.has(flags::PRIORITY);
                let padding =
                    self.pad_length(&mut payload, if prioritised { Priority::LENGTH } else { 0 })?;
                let priority = prioritised.then(|| Priority::read(&mut payload));
                self.not_on_itself(priority)?;
                self.strip_padding(&mut payload, padding)?;
                Ok(Frame::Headers {
                    stream,
                    fragment: payload,
                    priority,
                    padding,
                    end_stream: self.end_stream(),
                    end_headers: self.has(flags::END_HEADERS),
                })
            }
            FrameKind::Priority => {
                self.on_stream()?;
                self.length(NeededLength::Exactly(Priority::LENGTH))?;
                let priority = Priority::read(&mut payload);
                self.not_on_itself(Some(priority))?;
                Ok(Frame::Priority { stream, priority })
            }
            FrameKind::RstStream => {
                self.on_stream()?;
                self.length(NeededLength::Exactly(4))?;
                Ok(Frame::RstStream { stream, code: payload.get_u32().into() })
            }
            FrameKind::Settings => {
                self.on_connection()?;
                if self.has(flags::ACK) {
                    if !payload.is_empty() {
                        return Err(FrameError::AckWithValues { length: payload.len() });
                    }
                    return Ok(Frame::SettingsAck);
                }
                self.length(NeededLength::MultipleOf(Setting::LENGTH))?;
                read_settings(payload).map(Frame::Settings)
            }
            FrameKind::PushPromise => {
                self.on_stream()?;
                let padding = self.pad_length(&mut payload, 4)?;
                let (_, promised) = StreamId::from_word(payload.get_u32());
                if promised.is_connection() {
                    return Err(FrameError::PromisesConnection { stream });
                }
                self.strip_padding(&mut payload, padding)?;
                let end_headers = self.has(flags::END_HEADERS);
                Ok(Frame::PushPromise { stream, promised, fragment: payload, padding, end_headers })
            }
            FrameKind::Ping => {
                self.on_connection()?;
                self.length(NeededLength::Exactly(8))?;
                let mut opaque = [0; 8];
                payload.copy_to_slice(&mut opaque);
                Ok(Frame::Ping { ack: self.has(flags::ACK), opaque })
            }
            FrameKind::GoAway => {
                self.on_connection()?;
                self.length(NeededLength::AtLeast(8))?;
                let (_, last_stream) = StreamId::from_word(payload.get_u32());
                let code = payload.get_u32().into();
                Ok(Frame::GoAway { last_stream, code, debug: payload })
            }
            FrameKind::WindowUpdate => {
                self.length(NeededLength::Exactly(4))?;
                let increment = Increment::from_word(payload.get_u32());
                if u32::from(increment) == 0 {
                    return Err(FrameError::ZeroIncrement { stream });
                }
                Ok(Frame::WindowUpdate { stream, increment })
            }
            FrameKind::Continuation => {
                self.on_stream()?;
                let end_headers = self.has(flags::END_HEADERS);
                Ok(Frame::Continuation { stream, fragment: payload, end_headers })
            }
            FrameKind::Unknown(_) => Ok(Frame::Unknown(self.clone())),
        }
    }

    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    fn end_stream(&self) -> bool {
        self.has(flags::END_STREAM)
    }

    fn on_stream(&self) -> Result<(), FrameError> {
        if self.stream.is_connection() {
            return Err(FrameError::OnConnection { kind: self.kind });
        }
        Ok(())
    }

    fn on_connection(&self) -> Result<(), FrameError> {
        if !self.stream.is_connection() {
            return Err(FrameError::OnStream { kind: self.kind, stream: self.stream });
        }
        Ok(())
    }

    fn length(&self, needed: NeededLength) -> Result<(), FrameError> {
        let length = self.payload.len();
        let fits = match needed {
            NeededLength::Exactly(needed) => length == needed,
            NeededLength::AtLeast(needed) => length >= needed,
            NeededLength::MultipleOf(entry) => length.is_multiple_of(entry),
        };
        if fits {
            return Ok(());
        }
        Err(FrameError::WrongLength { kind: self.kind, stream: self.stream, length, needed })
    }

    /// Reads the Pad Length field, if there is one, having seen to it that it and `fixed` more
    /// octets are there.
    fn pad_length(&self, payload: &mut Bytes, fixed: usize) -> Result<Option<u8>, FrameError> {
        let padded = self.has(flags::PADDED);
        self.length(NeededLength::AtLeast(fixed + usize::from(padded)))?;
        Ok(padded.then(|| payload.get_u8()))
    }

    fn strip_padding(&self, rest: &mut Bytes, padding: Option<u8>) -> Result<(), FrameError> {
        let padding = padding.unwrap_or(0);
        let room = rest.len();
        match room.checked_sub(padding.into()) {
            Some(length) => rest.truncate(length),
            None => {
                return Err(FrameError::PaddingTooLong { kind: self.kind, padding, room });
            }
        }
        Ok(())
    }

    fn not_on_itself(&self, priority: Option<Priority>) -> Result<(), FrameError> {
        match priority {
            Some(priority) if priority.dependency == self.stream => {
                Err(FrameError::DependsOnItself { stream: self.stream, priority })
            }
            _ => Ok(()),
        }
    }
}

fn read_settings(mut payload: Bytes) -> Result<Vec<Setting>, FrameError> {
    let mut values = Vec::with_capacity(payload.len() / Setting::LENGTH);
    while payload.has_remaining() {
        let setting = Setting::read(&mut payload);
        if !setting.is_allowed() {
            return Err(FrameError::InvalidSetting(setting));
        }
        values.push(setting);
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame::{ErrorCode, Payload, Scope};

    fn parse(kind: u8, flags: u8, stream: u32, payload: &'static [u8]) -> Result<Frame, FrameError> {
        RawFrame {
            kind: kind.into(),
            flags,
            reserved: false,
            stream: StreamId::new(stream).unwrap(),
            payload: Payload::new(payload).unwrap(),
        }
        .parse()
    }

    #[test]
    fn each_fault_has_its_name() {
        let cases: [(u8, u8, u32, &'static [u8], &str); 22] = [
            (0, 0, 0, b"x", "DATA on stream 0"),
            (0, 8, 1, b"", "DATA payload of 0 octets, needs at least 1"),
            (0, 8, 1, b"\x03ab", "DATA announces 3 octets of padding where 2 are left"),
            (1, 4, 0, b"\x82", "HEADERS on stream 0"),
            (1, 0x28, 1, b"\0\0\0\0\0", "HEADERS payload of 5 octets, needs at least 6"),
            (1, 0x28, 1, b"\x01\0\0\0\0\0", "HEADERS announces 1 octets of padding where 0 are left"),
            (1, 0x20, 5, b"\x80\0\0\x05\0", "stream 5 depends on itself"),
            (2, 0, 0, b"\0\0\0\x01\0", "PRIORITY on stream 0"),
            (2, 0, 3, b"\0\0\0\x01", "PRIORITY payload of 4 octets, needs 5"),
            (3, 0, 0, b"\0\0\0\x08", "RST_STREAM on stream 0"),
            (3, 0, 1, b"\0\0\0\x08\0", "RST_STREAM payload of 5 octets, needs 4"),
            (4, 0, 1, b"", "SETTINGS on stream 1, belongs on stream 0"),
            (4, 1, 0, b"\0\x02\0\0\0\0", "SETTINGS ACK with a payload of 6 octets"),
            (4, 0, 0, b"\0\x02\0\0\0", "SETTINGS payload of 5 octets, needs a multiple of 6"),
            (4, 0, 0, b"\0\x05\0\0\0\0", "MAX_FRAME_SIZE may not be 0"),
            (5, 4, 1, b"\0\0\0", "PUSH_PROMISE payload of 3 octets, needs at least 4"),
            (5, 4, 1, b"\x80\0\0\0", "PUSH_PROMISE on stream 1 promises stream 0"),
            (6, 0, 0, b"sevenfo", "PING payload of 7 octets, needs 8"),
            (7, 0, 0, b"sevenfo", "GOAWAY payload of 7 octets, needs at least 8"),
            (8, 0, 1, b"\0\0\x01", "WINDOW_UPDATE payload of 3 octets, needs 4"),
            (8, 0, 0, b"\x80\0\0\0", "WINDOW_UPDATE of 0 on stream 0"),
            (9, 0, 0, b"", "CONTINUATION on stream 0"),
        ];
        for (kind, flags, stream, payload, expected) in cases {
            assert_eq!(parse(kind, flags, stream, payload).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn faults_end_a_stream_or_the_connection() {
        let fault = |kind, stream, payload| {
            let error = parse(kind, 0, stream, payload).unwrap_err();
            (error.code(), error.scope())
        };
        let three = Scope::Stream(StreamId::new(3).unwrap());
        assert_eq!(fault(2, 3, b""), (ErrorCode::FrameSizeError, three));
        assert_eq!(fault(2, 3, b"\0\0\0\x03\0"), (ErrorCode::ProtocolError, three));
        assert_eq!(fault(8, 3, b"\0\0\0\0"), (ErrorCode::ProtocolError, three));
        let connection = Scope::Connection;
        assert_eq!(fault(8, 0, b"\0\0\0\0"), (ErrorCode::ProtocolError, connection));
        assert_eq!(fault(8, 3, b"\0"), (ErrorCode::FrameSizeError, connection));
        assert_eq!(fault(2, 0, b""), (ErrorCode::ProtocolError, connection));
        let window: &[u8] = b"\0\x04\x80\0\0\0";
        assert_eq!(fault(4, 0, window), (ErrorCode::FlowControlError, connection));
        assert_eq!(fault(4, 0, b"\0\x02\0\0\0\x02"), (ErrorCode::ProtocolError, connection));
    }

    #[test]
    fn what_a_receiver_ignores_is_ignored() {
        assert_eq!(parse(4, 0xfe, 0, b""), Ok(Frame::Settings(Vec::new())));
        let data = parse(0, 0x08, 1, b"\x02abcd").unwrap();
        let expected = Frame::Data {
            stream: StreamId::new(1).unwrap(),
            data: Bytes::from_static(b"ab"),
            padding: Some(2),
            end_stream: false,
        };
        assert_eq!(data, expected);
    }
}
