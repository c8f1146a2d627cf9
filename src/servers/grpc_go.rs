//! grpc-go's server, and the same handlers behind golang.org/x/net's h2c: what the recordings were made against.
//!
//! Sources: grpc-go 1.83.1 `internal/transport/http2_server.go`, golang.org/x/net 0.55 `http2/server.go` and
//! `http2/h2c`; first bytes as in the captures `grpc-go-*__direct.pcap` and `grpc-go-*__cmux-settings-to-h2c.pcap`.

use std::time::Duration;

use bytes::Bytes;

use crate::wire::hpack::Policy;
use crate::wire::{ErrorCode, Increment, SettingId};

use super::traits::{Measuring, Opening, Request, Response, SurplusAck, Traits};

/// grpc-go's own transport. It never counts acknowledgements.
pub(super) static GRPC_GO: Traits = Traits {
    settings: &[(SettingId::MaxFrameSize, 16_384)],
    speaks_first: true,
    opening: Opening::Closes,
    window_on_greeting: None,
    window: None,
    measures: Some(Measuring::EachTime([2, 4, 16, 16, 9, 14, 7, 7])),
    surplus_ack: SurplusAck::Ignored,
    answers: answer,
    writes_in_parts: false,
    fields: Policy::GO,
};

/// x/net's h2c handler with grpc-go's `ServeHTTP`. On an acknowledgement that answers nothing ("ack_mystery") it says
/// GOAWAY and closes the connection a second later (`goAwayTimeout`).
pub(super) static H2C: Traits = Traits {
    settings: &[
        (SettingId::MaxFrameSize, 1_048_576),
        (SettingId::MaxConcurrentStreams, 250),
        (SettingId::MaxHeaderListSize, 1_048_896),
        (SettingId::HeaderTableSize, 4_096),
        (SettingId::InitialWindowSize, 1_048_576),
        (SettingId::NoRfc7540Priorities, 1),
    ],
    speaks_first: false,
    opening: Opening::Http1 { answers: refuse_in_http1 },
    window_on_greeting: None,
    window: Increment::new(983_041),
    measures: None,
    surplus_ack: SurplusAck::GoAway { code: ErrorCode::ProtocolError, closes_after: Duration::from_secs(1) },
    answers: answer_over_http,
    writes_in_parts: true,
    fields: Policy::GO,
};

/// A health check's `SERVING`, or an empty message to any other call: the bed is about handshakes, not about methods.
pub(super) fn message(path: &[u8]) -> Bytes {
    let serving: &[u8] = &[0, 0, 0, 0, 2, 8, 1];
    let empty: &[u8] = &[0, 0, 0, 0, 0];
    Bytes::from_static(if path == b"/grpc.health.v1.Health/Check" { serving } else { empty })
}

fn answer(request: &Request) -> Response {
    let content_type = ("content-type", "application/grpc".to_owned());
    if !request.content_type.starts_with(b"application/grpc") {
        let stated = String::from_utf8_lossy(&request.content_type);
        let message = format!("invalid gRPC request content-type {stated:?}");
        let status = (":status", "415".to_owned());
        let headers = vec![status, content_type, ("grpc-status", "3".to_owned()), ("grpc-message", message)];
        return Response { headers, ..Response::default() };
    }
    Response {
        headers: vec![(":status", "200".to_owned()), content_type],
        body: Some(message(&request.path)),
        trailers: vec![("grpc-status", "0".to_owned()), ("grpc-message", String::new())],
    }
}

/// What `http.Error` makes of a call that `NewServerHandlerTransport` refuses (`internal/transport/handler_server.go`).
fn refusal_over_http(request: &Request) -> Option<(u16, &'static str, String)> {
    let stated = String::from_utf8_lossy(&request.content_type);
    let method = String::from_utf8_lossy(&request.method);
    if method != "POST" {
        Some((405, "Method Not Allowed", format!("invalid gRPC request method {method:?}\n")))
    } else if !request.content_type.starts_with(b"application/grpc") {
        Some((415, "Unsupported Media Type", format!("invalid gRPC request content-type {stated:?}\n")))
    } else {
        None
    }
}

fn refuse_in_http1(request: &Request) -> String {
    let refusal = refusal_over_http(request);
    let (status, reason, message) =
        refusal.unwrap_or((505, "HTTP Version Not Supported", "gRPC requires HTTP/2\n".to_owned()));
    let length = message.len();
    format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\r\n{message}"
    )
}

fn answer_over_http(request: &Request) -> Response {
    if let Some((status, _, message)) = refusal_over_http(request) {
        let content_type = ("content-type", "text/plain; charset=utf-8".to_owned());
        let headers = vec![(":status", status.to_string()), content_type];
        return Response { headers, body: Some(message.into()), trailers: Vec::new() };
    }
    let content_type = ("content-type", "application/grpc".to_owned());
    let mut headers = vec![(":status", "200".to_owned()), content_type];
    headers.extend(
        ["Grpc-Status", "Grpc-Message", "Grpc-Status-Details-Bin"].map(|name| ("trailer", name.to_owned())),
    );
    Response { headers, body: Some(message(&request.path)), trailers: vec![("grpc-status", "0".to_owned())] }
}
