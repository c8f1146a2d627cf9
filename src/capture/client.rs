//! Which end of a conversation is the client, when the capture does not have its start.
//!
//! Protocols tell more reliably than ports: whoever first sends the HTTP/2 preface, a request line of HTTP/1 or a TLS
//! `ClientHello` is the client. Only the first bytes of each end are looked at, since later ones may quote anything.
//!
//! Left out: what only a server says (a status line, a `ServerHello`). A capture that has it and not the request
//! before it nearly always has the higher port right.

use std::net::SocketAddr;

use super::conversation::Side;
use super::flow::{ClientKnownBy, Direction, FlowEvent, What};

/// Tells the client, given which direction the events of the lower end have.
pub(super) fn tell_client(
    events: &[FlowEvent<'_>],
    low: Direction,
    ends: [SocketAddr; 2],
) -> (Side, ClientKnownBy) {
    let mut looked_at = Vec::new();
    for event in events {
        let What::Data { bytes, .. } = &event.what else {
            continue;
        };
        if looked_at.contains(&event.direction) {
            continue;
        }
        looked_at.push(event.direction);
        if let Some(by) = client_speaks(bytes) {
            let side = if event.direction == low { Side::Low } else { Side::High };
            return (side, by);
        }
        if looked_at.len() == 2 {
            break;
        }
    }
    let [low, high] = ends.map(|end| end.port());
    let side = if low > high { Side::Low } else { Side::High };
    (side, ClientKnownBy::HigherPort)
}

/// What only a client says first, if these bytes begin so.
fn client_speaks(bytes: &[u8]) -> Option<ClientKnownBy> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let common = bytes.len().min(PREFACE.len());
    // Four bytes at least: no method of HTTP/1 begins so.
    if common >= 4 && bytes[..common] == PREFACE[..common] {
        return Some(ClientKnownBy::Preface);
    }
    // A handshake record of TLS 1.x with a ClientHello as its first message (RFC 8446 sections 4 and 5.1).
    if let [0x16, 0x03, 0..=4, _, _, 0x01, ..] = bytes {
        return Some(ClientKnownBy::ClientHello);
    }
    request_line(bytes).then_some(ClientKnownBy::RequestLine)
}

/// The methods of RFC 9110 section 9 and RFC 5789.
fn request_line(bytes: &[u8]) -> bool {
    const METHODS: [&[u8]; 9] =
        [b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELETE ", b"CONNECT ", b"OPTIONS ", b"TRACE ", b"PATCH "];
    METHODS.iter().any(|method| bytes.starts_with(method))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    fn event(direction: Direction, bytes: &'static [u8]) -> FlowEvent<'static> {
        FlowEvent {
            time: 0,
            packet: 1,
            direction,
            what: What::Data { offset: 0, bytes: Cow::Borrowed(bytes) },
        }
    }

    #[test]
    fn the_client_is_told_by_what_it_says_first() {
        let ends = ["10.0.0.1:9000", "10.0.0.2:80"].map(|end| end.parse().unwrap());
        let low = Direction::ToClient;
        let cases: [(&[u8], ClientKnownBy); 4] = [
            (b"PRI * HTT", ClientKnownBy::Preface),
            (b"PATCH /x HTTP/1.1\r\n", ClientKnownBy::RequestLine),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", ClientKnownBy::ClientHello),
            (b"PRESENT", ClientKnownBy::HigherPort),
        ];
        for (bytes, by) in cases {
            let expected = if by == ClientKnownBy::HigherPort { Side::Low } else { Side::High };
            let events =
                [event(Direction::ToClient, b"\0\0\0\x04\0\0\0\0\0"), event(Direction::ToServer, bytes)];
            assert_eq!(tell_client(&events, low, ends), (expected, by));
        }
    }

    #[test]
    fn only_the_first_bytes_of_each_end_count() {
        let ends = ["10.0.0.1:80", "10.0.0.2:9000"].map(|end| end.parse().unwrap());
        let events = [
            event(Direction::ToServer, b"HTTP/1.1 200 OK\r\n\r\n"),
            event(Direction::ToServer, b"GET is a method"),
        ];
        let told = tell_client(&events, Direction::ToServer, ends);
        assert_eq!(told, (Side::High, ClientKnownBy::HigherPort));
    }
}
