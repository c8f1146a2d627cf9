//! What is known of a connection from its first bytes. All rules look at this one reading, which only ever grows.

use bytes::{Bytes, BytesMut};

use crate::wire::hpack::Decoder;
use crate::wire::{Frame, FrameReader, PREFACE};

use super::rule::Answer;

/// The most bytes of a header list that is read before the route is chosen.
const HEADER_LIST_LIMIT: usize = 64 * 1024;

/// The first bytes of a connection and what they are.
#[derive(Clone, Debug)]
pub(crate) struct Prefix {
    bytes: BytesMut,
    http1: Http1,
    http2: Http2,
    frames: FrameReader,
    block: Option<BytesMut>,
}

/// What is known about HTTP/1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Http1 {
    /// It may become a request line.
    Possible,
    /// It has a request line; the method is so many bytes long.
    RequestLine { method: usize },
    /// It is none.
    No,
}

/// What is known about HTTP/2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Http2 {
    /// It may become the preface.
    Possible,
    /// It began with the preface.
    Preface {
        /// SETTINGS of the client that are complete, acknowledgements not counted.
        settings: u32,
        /// The fields of the first request.
        request: Option<Vec<(Bytes, Bytes)>>,
        /// Whether what followed breaks the protocol, so that no request can be read.
        broken: bool,
    },
    /// It is something else.
    No,
}

impl Prefix {
    pub(crate) fn new() -> Self {
        Self {
            bytes: BytesMut::new(),
            http1: Http1::Possible,
            http2: Http2::Possible,
            // What a mux has promised of itself is HTTP/2's initial frame size.
            frames: FrameReader::new(crate::wire::frame::INITIAL_MAX_FRAME_SIZE),
            block: None,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn http1(&self) -> &Http1 {
        &self.http1
    }

    pub(crate) fn http2(&self) -> &Http2 {
        &self.http2
    }

    pub(crate) fn starts_with(&self, expected: &[u8]) -> Answer {
        let length = self.bytes.len().min(expected.len());
        if self.bytes[..length] != expected[..length] {
            Answer::Reject
        } else if length == expected.len() {
            Answer::Match
        } else {
            Answer::NeedMore
        }
    }

    /// Reads on.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let before = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        if self.http1 == Http1::Possible {
            self.http1 = request_line(&self.bytes);
        }
        if self.http2 == Http2::Possible {
            self.http2 = match self.starts_with(&PREFACE) {
                Answer::Match => Http2::Preface { settings: 0, request: None, broken: false },
                Answer::Reject => Http2::No,
                Answer::NeedMore => Http2::Possible,
            };
        }
        if let Http2::Preface { .. } = self.http2 {
            let new = self.bytes.len().min(before.max(PREFACE.len()));
            self.frames.push(&self.bytes[new..]);
            self.read_frames();
        }
    }

    fn read_frames(&mut self) {
        let Http2::Preface { settings, request, broken } = &mut self.http2 else { return };
        while request.is_none() && !*broken {
            let frame = match self.frames.next_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => return,
                Err(_) => {
                    *broken = true;
                    return;
                }
            };
            let end_headers = match frame.parse() {
                Ok(Frame::Settings(_)) => {
                    *settings += 1;
                    false
                }
                // The client's preface ends with SETTINGS (RFC 9113, section 3.4).
                _ if *settings == 0 => {
                    *broken = true;
                    return;
                }
                Ok(Frame::Headers { fragment, end_headers, .. }) => {
                    self.block = Some(BytesMut::from(fragment.as_ref()));
                    end_headers
                }
                Ok(Frame::Continuation { fragment, end_headers, .. }) => match &mut self.block {
                    Some(block) => {
                        block.extend_from_slice(&fragment);
                        end_headers
                    }
                    None => {
                        *broken = true;
                        false
                    }
                },
                Ok(_) => false,
                Err(_) => {
                    *broken = true;
                    false
                }
            };
            if let Some(block) = self.block.take_if(|_| end_headers) {
                match Decoder::new(4096).decode(&block, HEADER_LIST_LIMIT) {
                    Ok(block) => {
                        let fields = block.fields.into_iter().map(|field| (field.name, field.value));
                        *request = Some(fields.collect());
                    }
                    Err(_) => *broken = true,
                }
            }
        }
    }
}

/// RFC 9112, section 3: `method SP request-target SP HTTP-version`, and no more of the target than that it has no white
/// space. One empty line before it is let pass (section 2.2). A bare line feed ends the line, as everywhere.
fn request_line(bytes: &[u8]) -> Http1 {
    let skipped = if bytes.starts_with(b"\r\n") {
        2
    } else if b"\r\n".starts_with(bytes) {
        return Http1::Possible;
    } else {
        0
    };
    let line = &bytes[skipped..];
    let method = line.iter().take_while(|byte| is_token(**byte)).count();
    let Some(rest) = line[method..].strip_prefix(b" ") else {
        return if method == line.len() { Http1::Possible } else { Http1::No };
    };
    if method == 0 {
        return Http1::No;
    }
    let target = rest.iter().take_while(|byte| byte.is_ascii_graphic() || **byte >= 0x80).count();
    let Some(version) = rest[target..].strip_prefix(b" ") else {
        return if target == rest.len() { Http1::Possible } else { Http1::No };
    };
    for (index, expected) in b"HTTP/1.".iter().enumerate() {
        match version.get(index) {
            None => return Http1::Possible,
            Some(byte) if byte != expected => return Http1::No,
            Some(_) => {}
        }
    }
    match &version[7..] {
        [] | [b'0' | b'1'] | [b'0' | b'1', b'\r'] => Http1::Possible,
        [b'0' | b'1', b'\n', ..] | [b'0' | b'1', b'\r', b'\n', ..] if target > 0 => {
            Http1::RequestLine { method }
        }
        _ => Http1::No,
    }
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(bytes: &[u8]) -> Http1 {
        request_line(bytes)
    }

    #[test]
    fn a_short_request_is_decided_without_waiting_for_more() {
        assert_eq!(line(b"GET / HTTP/1.0\r\n"), Http1::RequestLine { method: 3 });
        assert_eq!(line(b"PATCH /x HTTP/1.1\r\n"), Http1::RequestLine { method: 5 });
        assert_eq!(line(b"\r\nget /x HTTP/1.1\n"), Http1::RequestLine { method: 3 });
        assert_eq!(line(b"OPTIONS * HTTP/1.1\r\n"), Http1::RequestLine { method: 7 });
    }

    #[test]
    fn what_can_not_become_a_request_is_no_at_its_first_wrong_byte() {
        assert_eq!(line(b"GET / HTTP/2"), Http1::No);
        assert_eq!(line(b"PRI * HTTP/2"), Http1::No);
        assert_eq!(line(b"GET /\r"), Http1::No);
        assert_eq!(line(b"\x16\x03\x01"), Http1::No);
        assert_eq!(line(b" GET"), Http1::No);
        assert_eq!(line(b"GET  HTTP/1.1\r\n"), Http1::No);
    }

    #[test]
    fn the_beginning_of_one_stays_possible() {
        let whole = b"\r\nGET /a HTTP/1.1\r\n";
        for length in 0..whole.len() {
            assert_eq!(line(&whole[..length]), Http1::Possible, "{length}");
        }
    }
}
