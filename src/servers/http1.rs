//! A plain HTTP/1 server: Go's `http.Server` with an empty `http.ServeMux`, as far as a handshake sees it.
//!
//! Sources: Go 1.27 `net/http/server.go`. To HTTP/2's preface, which reads as a request `PRI *`, the `ServeMux` answers
//! 400 and the server closes; what the client wrote after those 24 bytes may then be unread, and the close a reset.
//! An empty `ServeMux` has nothing for any path and answers 404. Over TLS a client that chose `h2` gets HTTP/2, also from a server
//! that was not told of it (`shouldConfigureHTTP2ForServe`), and its 404 in that. Behind cmux a request for `/` is answered with 200, as in the
//! recordings, whose HTTP listener had a handler.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::wire::hpack::Policy;
use crate::wire::http1::{HeadLimits, Parsed, RequestHead};
use crate::wire::{ErrorCode, Increment, PREFACE, SettingId};

use super::traits::{Opening, Request, Response, SurplusAck, Traits};

const BAD_REQUEST: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 16\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nhello from http\n";

const NOT_FOUND: &[u8] = b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 19\r\n\r\n404 page not found\n";

/// The same server over TLS, for a client that chose `h2`: net/http's own copy of x/net's http2.
pub(super) static HTTP2: Traits = Traits {
    settings: &[
        (SettingId::MaxFrameSize, 1_048_576),
        (SettingId::MaxConcurrentStreams, 250),
        (SettingId::MaxHeaderListSize, 1_048_896),
        (SettingId::HeaderTableSize, 4_096),
        (SettingId::InitialWindowSize, 1_048_576),
        (SettingId::NoRfc7540Priorities, 1),
    ],
    speaks_first: true,
    opening: Opening::Closes,
    window_on_greeting: None,
    window: Increment::new(983_041),
    measures: None,
    surplus_ack: SurplusAck::GoAway { code: ErrorCode::ProtocolError, closes_after: Duration::from_secs(1) },
    answers: not_found,
    writes_in_parts: true,
    fields: Policy::GO,
};

fn not_found(_request: &Request) -> Response {
    let headers = vec![
        (":status", "404".to_owned()),
        ("content-type", "text/plain; charset=utf-8".to_owned()),
        ("x-content-type-options", "nosniff".to_owned()),
        ("content-length", "19".to_owned()),
        ("date", "Thu, 01 Jan 1970 00:00:00 GMT".to_owned()),
    ];
    Response { headers, body: Some(Bytes::from_static(b"404 page not found\n")), trailers: Vec::new() }
}

/// What the server has for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handler {
    /// Nothing: an empty `ServeMux`.
    Nothing,
    /// A page for every path.
    Page,
}

/// Answers requests until the client has had enough, or deserves a 400. `closing` passes between the last answer and
/// the close.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    handler: Handler,
    closing: Duration,
) {
    let page = match handler {
        Handler::Nothing => NOT_FOUND,
        Handler::Page => OK,
    };
    let mut buffer = BytesMut::with_capacity(4096);
    loop {
        let preface = buffer.starts_with(&PREFACE[..PREFACE.len() - 6]);
        let answer = match RequestHead::parse(&buffer, HeadLimits::default()) {
            _ if preface => Some(BAD_REQUEST),
            Parsed::Complete { length, .. } => {
                let _ = buffer.split_to(length);
                Some(page)
            }
            Parsed::Partial => None,
            Parsed::Invalid(_) if PREFACE.starts_with(&buffer) => None,
            Parsed::Invalid(_) => Some(BAD_REQUEST),
        };
        if let Some(answer) = answer {
            if stream.write_all(answer).await.is_err() {
                return;
            }
            if answer == BAD_REQUEST {
                break;
            }
        } else if !matches!(stream.read_buf(&mut buffer).await, Ok(1..)) {
            return;
        }
    }
    if !closing.is_zero() {
        tokio::time::sleep(closing).await;
    }
}
