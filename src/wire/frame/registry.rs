//! The three number spaces of HTTP/2 that have names: frame types, error codes and settings.
//!
//! All three are open: RFC 9113 section 5.5 has a receiver ignore what it does not know, and
//! clients do send unassigned numbers to keep servers honest (GREASE). So each is an enum of the
//! assigned numbers with an `Unknown` beside them, and conversion from the number never fails.
//! Names are those of the IANA registries: HEADER_TABLE_SIZE, not SETTINGS_HEADER_TABLE_SIZE.

use std::fmt;

use crate::wire::registry::registry;

registry! {
    /// A frame's type (RFC 9113 section 6).
    FrameKind: u8, unknown "frame type",
    /// Octets of a request or response body.
    Data = 0x00 "DATA",
    /// Opens a stream; carries the beginning of a header block.
    Headers = 0x01 "HEADERS",
    /// A stream's dependency and weight; deprecated by RFC 9113 and still sent.
    Priority = 0x02 "PRIORITY",
    /// Ends a stream at once.
    RstStream = 0x03 "RST_STREAM",
    /// The sender's parameters, or the acknowledgement of the peer's.
    Settings = 0x04 "SETTINGS",
    /// Announces a stream that the server will open.
    PushPromise = 0x05 "PUSH_PROMISE",
    /// A round trip.
    Ping = 0x06 "PING",
    /// The sender takes no streams above a number, and why.
    GoAway = 0x07 "GOAWAY",
    /// Room for more DATA.
    WindowUpdate = 0x08 "WINDOW_UPDATE",
    /// The next piece of a header block.
    Continuation = 0x09 "CONTINUATION",
}

registry! {
    /// Why a stream or a connection ended (RFC 9113 section 7).
    ErrorCode: u32, unknown "error code",
    /// Not an error: a graceful end.
    NoError = 0x00 "NO_ERROR",
    /// Something no better code describes.
    ProtocolError = 0x01 "PROTOCOL_ERROR",
    /// The sender's own fault.
    InternalError = 0x02 "INTERNAL_ERROR",
    /// More DATA than the window allowed, or a window beyond 2^31-1.
    FlowControlError = 0x03 "FLOW_CONTROL_ERROR",
    /// SETTINGS were not acknowledged in time.
    SettingsTimeout = 0x04 "SETTINGS_TIMEOUT",
    /// A frame for a stream that is half-closed.
    StreamClosed = 0x05 "STREAM_CLOSED",
    /// A frame whose size is wrong for its type or beyond the limit.
    FrameSizeError = 0x06 "FRAME_SIZE_ERROR",
    /// The stream was not processed at all; it may be tried again.
    RefusedStream = 0x07 "REFUSED_STREAM",
    /// The stream is no longer wanted.
    Cancel = 0x08 "CANCEL",
    /// The header compression contexts of the two ends differ for good.
    CompressionError = 0x09 "COMPRESSION_ERROR",
    /// The connection behind a CONNECT broke.
    ConnectError = 0x0a "CONNECT_ERROR",
    /// The peer causes too much load.
    EnhanceYourCalm = 0x0b "ENHANCE_YOUR_CALM",
    /// The transport is not secure enough.
    InadequateSecurity = 0x0c "INADEQUATE_SECURITY",
    /// HTTP/1.1 is to be used instead.
    Http11Required = 0x0d "HTTP_1_1_REQUIRED",
}

registry! {
    /// A parameter of a SETTINGS frame (RFC 9113 section 6.5.2, RFC 8441 section 3, RFC 9218
    /// section 2.1). Initial values apply until the peer's SETTINGS say otherwise.
    SettingId: u16, unknown "setting",
    /// Octets the peer's header encoder may use for its dynamic table; initially 4,096.
    HeaderTableSize = 0x01 "HEADER_TABLE_SIZE",
    /// 0 or 1: whether the server may push; initially 1.
    EnablePush = 0x02 "ENABLE_PUSH",
    /// Streams the peer may have open at once; initially without limit.
    MaxConcurrentStreams = 0x03 "MAX_CONCURRENT_STREAMS",
    /// Octets of DATA the peer may send on a new stream, at most 2^31-1; initially 65,535.
    InitialWindowSize = 0x04 "INITIAL_WINDOW_SIZE",
    /// Octets of the largest payload accepted, 16,384 to 16,777,215; initially 16,384.
    MaxFrameSize = 0x05 "MAX_FRAME_SIZE",
    /// Octets of the largest header list accepted, 32 added for each field; initially without
    /// limit.
    MaxHeaderListSize = 0x06 "MAX_HEADER_LIST_SIZE",
    /// 0 or 1: whether extended CONNECT may be used; initially 0.
    EnableConnectProtocol = 0x08 "ENABLE_CONNECT_PROTOCOL",
    /// 0 or 1: whether the sender ignores RFC 7540's priorities; initially 0, and not to be
    /// changed after the first SETTINGS.
    NoRfc7540Priorities = 0x09 "NO_RFC7540_PRIORITIES",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_survives_the_round_trip() {
        for number in 0..=u8::MAX {
            assert_eq!(u8::from(FrameKind::from(number)), number);
        }
        for number in 0..=u16::MAX {
            assert_eq!(u16::from(SettingId::from(number)), number);
            assert_eq!(u32::from(ErrorCode::from(u32::from(number))), u32::from(number));
        }
    }

    #[test]
    fn assigned_numbers_are_exactly_the_registered_ones() {
        let assigned = |number: u8| !matches!(FrameKind::from(number), FrameKind::Unknown(_));
        assert!((0..=9).all(assigned) && !(10..=255).any(assigned));
        let assigned = |number: u32| !matches!(ErrorCode::from(number), ErrorCode::Unknown(_));
        assert!((0..=0xd).all(assigned) && !(0xe..=0xffff).any(assigned));
        let assigned = |number: u16| !matches!(SettingId::from(number), SettingId::Unknown(_));
        let settings: Vec<u16> = (0..=u16::MAX).filter(|&number| assigned(number)).collect();
        assert_eq!(settings, [1, 2, 3, 4, 5, 6, 8, 9]);
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for number in 0..=0xd {
            let code = ErrorCode::from(number);
            assert_eq!(ErrorCode::from_name(&code.to_string()), Some(code));
        }
        assert_eq!(ErrorCode::from(0xb).to_string(), "ENHANCE_YOUR_CALM");
        assert_eq!(FrameKind::from(7).to_string(), "GOAWAY");
        assert_eq!(SettingId::from(9).to_string(), "NO_RFC7540_PRIORITIES");
        assert_eq!(FrameKind::from(0xfa).to_string(), "frame type 0xfa");
        assert_eq!(FrameKind::from_name("frame type 0xfa"), None);
    }
}
