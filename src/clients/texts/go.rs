//! What Go's libraries call things.

use std::fmt::Write;

use crate::wire::FrameKind;

/// The bytes as `%q` shows them (Go 1.27 `strconv` Quote), but for characters beyond ASCII, whose bytes are all shown as
/// numbers.
pub(super) fn quoted(bytes: &[u8]) -> String {
    let mut quoted = String::with_capacity(bytes.len() + 2);
    quoted.push('"');
    for byte in bytes {
        match byte {
            b'"' | b'\\' => quoted.extend(['\\', char::from(*byte)]),
            0x07 => quoted.push_str("\\a"),
            0x08 => quoted.push_str("\\b"),
            0x0c => quoted.push_str("\\f"),
            b'\n' => quoted.push_str("\\n"),
            b'\r' => quoted.push_str("\\r"),
            b'\t' => quoted.push_str("\\t"),
            0x0b => quoted.push_str("\\v"),
            b' '..=b'~' => quoted.push(char::from(*byte)),
            other => write!(quoted, "\\x{other:02x}").expect("it is memory"),
        }
    }
    quoted.push('"');
    quoted
}

/// The alerts that a handshake can end with (Go 1.27 `crypto/tls/alert.go`).
pub(super) fn alert_name(alert: u8) -> &'static str {
    match alert {
        10 => "unexpected message",
        20 => "bad record MAC",
        22 => "record overflow",
        40 => "handshake failure",
        42 => "bad certificate",
        43 => "unsupported certificate",
        46 => "unknown certificate",
        47 => "illegal parameter",
        48 => "unknown certificate authority",
        50 => "error decoding message",
        51 => "error decrypting message",
        70 => "protocol version not supported",
        71 => "insufficient security level",
        80 => "internal error",
        109 => "missing extension",
        110 => "unsupported extension",
        112 => "unrecognized name",
        116 => "certificate required",
        120 => "no application protocol",
        _ => "alert",
    }
}

/// The types of golang.org/x/net/http2's frames.
pub(super) fn frame_name(kind: FrameKind) -> &'static str {
    match kind {
        FrameKind::Data => "DataFrame",
        FrameKind::Headers => "MetaHeadersFrame",
        FrameKind::Priority => "PriorityFrame",
        FrameKind::RstStream => "RSTStreamFrame",
        FrameKind::Settings => "SettingsFrame",
        FrameKind::PushPromise => "PushPromiseFrame",
        FrameKind::Ping => "PingFrame",
        FrameKind::GoAway => "GoAwayFrame",
        FrameKind::WindowUpdate => "WindowUpdateFrame",
        FrameKind::Continuation => "ContinuationFrame",
        FrameKind::Unknown(_) => "UnknownFrame",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_quoted_as_go_does() {
        assert_eq!(quoted(b"\x00\x00\x04\x08 \"@\\\x07\xfe\n"), r#""\x00\x00\x04\b \"@\\\a\xfe\n""#);
    }
}
