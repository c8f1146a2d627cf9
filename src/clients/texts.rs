//! Filling in what a client's text depends on: the GOAWAY that came before, the status that was answered.
//!
//! Placeholders, by what they tell of:
//!
//! - the server's GOAWAY: `{goaway}` and `{goaway-number}` its code, `{debug}` its debug data, `{, debug}` these as grpc-go adds
//!   them to the code if there are any, `{goaway JAVA}` the gRPC status that grpc-java makes of the code;
//! - the reset of the stream: `{code}` and `{code-number}`, `{reset Status}` and `{reset STATUS}` the gRPC status that grpc-go
//!   makes of it, as Go and Java write it, `{code JAVA}` the one that grpc-java makes;
//! - a gRPC status: `{status}` its number, `{Status}` and `{STATUS}` its name as Go and Java write it, `{status CONNECT}` as
//!   connect-go does, `{status RUST}` how tonic describes it, `{message}` its message;
//! - an answer that is not gRPC's: `{http}` its HTTP status, `{http reason}` what net/http calls that, `{http Status}`,
//!   `{http STATUS}`, `{http status}` and `{http status-number}` the gRPC status that gRPC makes of it, as Go, Java and
//!   connect-go write it and as a number; `{content-type stated}` its content type in quotes; `{data}` what came of its body, on a
//!   line of its own as grpc-go adds it, `{first byte}` the first of that, as a number; and what clients say of such an answer:
//!   grpc-go `{content-type}`, `{; content-type}` behind something else, `{content-type before 1.40}`, and before 1.20 with the
//!   status `{refusal FailedPrecondition}` or `{refusal Internal}`, where a content type comes before an HTTP status; grpc-java
//!   `{refusal JAVA}`, or `{refusal JAVA, content-length last}` on a Netty that puts that field behind all others when it has
//!   checked it; tonic `{metadata RUST}`, its fields, also of an answer that is nothing but a status; connect-go
//!   `{envelope CONNECT}`, what it makes of the body as a message;
//! - what is no answer to a client that speaks HTTP/1: `{no head}`, quoted as Go does;
//! - the rest: `{alert}` is the TLS alert as crypto/tls names it, `{frame}` and `{frame-number}` the type of the server's first
//!   frame as golang.org/x/net names it, `{http1}` the status of an HTTP/1 answer, `{deadline ns}` and `{deadline s}` the time
//!   that a call has, the latter with nine decimals.

use std::time::Duration;

use crate::wire::{ErrorCode, FrameKind};

use super::answers::{GoAway, StreamAnswer};

mod go;

/// What a text can depend on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) goaway: Option<&'a GoAway>,
    pub(crate) answer: Option<&'a StreamAnswer>,
    pub(crate) first_frame: Option<FrameKind>,
    pub(crate) alert: Option<u8>,
    /// How long a call has.
    pub(crate) deadline: Duration,
    pub(crate) http1_status: Option<u16>,
    /// What a client that speaks HTTP/1 has read in place of a head.
    pub(crate) no_head: &'a [u8],
}

/// The text with its placeholders filled in.
pub(crate) fn fill_in(text: &str, facts: &Facts<'_>) -> String {
    if !text.contains('{') {
        return text.to_owned();
    }
    let mut text = text.to_owned();
    text = text.replace("{deadline ns}", &facts.deadline.as_nanos().to_string());
    let (whole, rest) = (facts.deadline.as_secs(), facts.deadline.subsec_nanos());
    text = text.replace("{deadline s}", &format!("{whole}.{rest:09}"));
    if let Some(goaway) = facts.goaway {
        text = text.replace("{goaway JAVA}", status_in_java(goaway.code));
        text = text.replace("{goaway}", &goaway.code.to_string());
        text = text.replace("{goaway-number}", &u32::from(goaway.code).to_string());
        let debug = String::from_utf8_lossy(&goaway.debug);
        text = text.replace("{debug}", &debug);
        let added = if debug.is_empty() { String::new() } else { format!(", debug data: {debug:?}") };
        text = text.replace("{, debug}", &added);
    }
    if let Some(answer) = facts.answer {
        let status = answer.grpc_status.unwrap_or(2);
        let name = STATUS_NAMES.get(status as usize).copied().unwrap_or("Unknown");
        text = text.replace("{status}", &status.to_string());
        text = text.replace("{Status}", name);
        text = text.replace("{STATUS}", &upper_case(name));
        let described = DESCRIPTIONS_IN_RUST.get(status as usize).copied().unwrap_or(DESCRIPTIONS_IN_RUST[2]);
        text = text.replace("{status RUST}", described);
        text = text.replace("{envelope CONNECT}", &envelope_in_connect(answer));
        let first = answer.body.as_ref().and_then(|body| body.first()).unwrap_or(&0);
        text = text.replace("{first byte}", &first.to_string());
        text = text.replace("{metadata RUST}", &metadata_in_rust(answer));
        text = text.replace("{status CONNECT}", &upper_case(name).to_ascii_lowercase());
        text = text.replace("{message}", &answer.grpc_message);
        let http = answer.http_status.unwrap_or(0);
        text = text.replace("{http}", &http.to_string());
        let known = u16::try_from(http).ok().and_then(|http| http::StatusCode::from_u16(http).ok());
        let reason = known.and_then(|known| known.canonical_reason()).unwrap_or_default();
        text = text.replace("{http reason}", reason);
        text = fill_in_refusal(&text, answer, http, reason);
        text = fill_in_refusal_in_java(&text, answer, http);
        text = text.replace("{http Status}", STATUS_NAMES[status_of_http(http)]);
        let code = upper_case(STATUS_NAMES[status_of_http(http)]).to_ascii_lowercase();
        text = text.replace("{http status}", &code);
        text = text.replace("{http status-number}", &status_of_http(http).to_string());
        let stated = answer.content_type.as_deref().unwrap_or_default();
        text = text.replace("{content-type stated}", &format!("{stated:?}"));
        text = text.replace("{http STATUS}", &upper_case(STATUS_NAMES[status_of_http(http)]));
        text = fill_in_content_type(&text, answer);
        let body = answer.body.as_ref().map(|body| String::from_utf8_lossy(body).into_owned());
        text = text.replace("{data}", &body.map_or(String::new(), |body| format!("\ndata: {body:?}")));
        if let Some(code) = answer.reset {
            text = text.replace("{code}", &code.to_string());
            text = text.replace("{code JAVA}", status_in_java(code));
            text = text.replace("{code-number}", &u32::from(code).to_string());
            text = text.replace("{reset Status}", STATUS_NAMES[status_of_reset(code)]);
            text = text.replace("{reset STATUS}", &upper_case(STATUS_NAMES[status_of_reset(code)]));
        }
    }
    if let Some(alert) = facts.alert {
        text = text.replace("{alert}", go::alert_name(alert));
    }
    if let Some(kind) = facts.first_frame {
        text = text.replace("{frame}", go::frame_name(kind));
        text = text.replace("{frame-number}", &u8::from(kind).to_string());
    }
    text = text.replace("{no head}", &go::quoted(facts.no_head));
    if let Some(status) = facts.http1_status {
        text = text.replace("{http1}", &status.to_string());
    }
    text
}

fn fill_in_refusal(text: &str, answer: &StreamAnswer, http: u32, reason: &str) -> String {
    let mut text = text.to_owned();
    for status in ["FailedPrecondition", "Internal"] {
        let refusal = match &answer.content_type {
            Some(stated) if !answer.is_grpc() => {
                format!("code = {status} desc = transport: received the unexpected content-type {stated:?}")
            }
            // No content type is no fault by itself, and no status either.
            _ if http == 200 => "code = Unknown desc = ".to_owned(),
            _ => format!("code = {} desc = {reason}", STATUS_NAMES[status_of_http(http)]),
        };
        text = text.replace(&format!("{{refusal {status}}}"), &refusal);
    }
    text
}

/// grpc-java (2c83ef06) `Http2ClientStreamTransportState`: validateInitialMetadata, then what each part of the answer adds.
fn fill_in_refusal_in_java(text: &str, answer: &StreamAnswer, http: u32) -> String {
    let mut text = text.to_owned();
    for (placeholder, content_length_is_last) in
        [("{refusal JAVA}", false), ("{refusal JAVA, content-length last}", true)]
    {
        if text.contains(placeholder) {
            text = text.replace(placeholder, &refusal_in_java(answer, http, content_length_is_last));
        }
    }
    text
}

fn refusal_in_java(answer: &StreamAnswer, http: u32, content_length_is_last: bool) -> String {
    let mut fields: Vec<_> = answer.fields.iter().collect();
    if content_length_is_last {
        fields.sort_by_key(|(name, _)| name == "content-length");
    }
    let fields: Vec<_> = fields.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let fields = format!("Metadata({})", fields.join(","));
    let mut lines = vec![format!("HTTP status code {http}")];
    if answer.is_grpc() {
        lines.push("missing GRPC status, inferred error from HTTP status code".to_owned());
    } else {
        let stated = answer.content_type.as_deref().unwrap_or("null");
        lines.push(format!("invalid content-type: {stated}"));
        match &answer.body {
            None => lines.push(format!("trailers: {fields}")),
            Some(body) => {
                lines.push(format!("headers: {fields}"));
                lines.push("DATA-----------------------------".to_owned());
                lines.push(String::from_utf8_lossy(body).into_owned());
            }
        }
    }
    lines.join("\n")
}

/// connect-go v1.11.1 `envelope.go` Read: five bytes, the last four of them a length.
fn envelope_in_connect(answer: &StreamAnswer) -> String {
    match answer.body.as_deref().unwrap_or_default() {
        [_, a, b, c, d, message @ ..] => {
            let promised = u32::from_be_bytes([*a, *b, *c, *d]);
            format!("promised {promised} bytes in enveloped message, got {} bytes", message.len())
        }
        _ => "incomplete envelope: unexpected EOF".to_owned(),
    }
}

/// tonic v0.13.1 `status.rs` from_header_map: all fields but those of the status itself; as `http::HeaderMap` is shown.
fn metadata_in_rust(answer: &StreamAnswer) -> String {
    let of_status = ["grpc-status", "grpc-message", "grpc-status-details-bin"];
    let shown = |name: &str| !name.starts_with(':') && !of_status.contains(&name);
    let fields = answer.fields.iter().filter(|(name, _)| shown(name));
    let fields: Vec<_> = fields.map(|(name, value)| format!("{name:?}: {value:?}")).collect();
    format!("{{{}}}", fields.join(", "))
}

fn fill_in_content_type(text: &str, answer: &StreamAnswer) -> String {
    let (before_1_40, since) = match &answer.content_type {
        None => (
            "transport: missing content-type field".to_owned(),
            "malformed header: missing HTTP content-type".to_owned(),
        ),
        Some(_) if answer.is_grpc() => (String::new(), String::new()),
        Some(stated) => (
            format!("transport: received the unexpected content-type {stated:?}"),
            format!("transport: received unexpected content-type {stated:?}"),
        ),
    };
    let added = if since.is_empty() { String::new() } else { format!("; {since}") };
    let text = text.replace("{content-type before 1.40}", &before_1_40);
    text.replace("{content-type}", &since).replace("{; content-type}", &added)
}

/// gRPC's status codes in order (google.golang.org/grpc/codes).
const STATUS_NAMES: [&str; 17] = [
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
];

/// tonic's descriptions of them (`Code::description`).
const DESCRIPTIONS_IN_RUST: [&str; 17] = [
    "The operation completed successfully",
    "The operation was cancelled",
    "Unknown error",
    "Client specified an invalid argument",
    "Deadline expired before operation could complete",
    "Some requested entity was not found",
    "Some entity that we attempted to create already exists",
    "The caller does not have permission to execute the specified operation",
    "Some resource has been exhausted",
    "The system is not in a state required for the operation's execution",
    "The operation was aborted",
    "Operation was attempted past the valid range",
    "Operation is not implemented or not supported",
    "Internal error",
    "The service is currently unavailable",
    "Unrecoverable data loss or corruption",
    "The request does not have valid authentication credentials",
];

/// The gRPC status of a stream that was reset with `code` (grpc-go `internal/transport/http_util.go`, http2ErrConvTab).
fn status_of_reset(code: ErrorCode) -> usize {
    match code {
        ErrorCode::FlowControlError | ErrorCode::EnhanceYourCalm => 8,
        ErrorCode::RefusedStream => 14,
        ErrorCode::Cancel => 1,
        ErrorCode::InadequateSecurity => 7,
        ErrorCode::Unknown(_) => 2,
        _ => 13,
    }
}

/// The gRPC status of an answer that has none, from its HTTP status (gRPC's "HTTP to gRPC Status Code Mapping").
fn status_of_http(status: u32) -> usize {
    match status {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502..=504 => 14,
        _ => 2,
    }
}

/// The gRPC status that grpc-java makes of an HTTP/2 error code (`GrpcUtil.Http2Error`).
fn status_in_java(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::NoError | ErrorCode::RefusedStream => "UNAVAILABLE",
        ErrorCode::Cancel => "CANCELLED",
        ErrorCode::EnhanceYourCalm => "RESOURCE_EXHAUSTED",
        ErrorCode::InadequateSecurity => "PERMISSION_DENIED",
        ErrorCode::Http11Required | ErrorCode::Unknown(_) => "UNKNOWN",
        _ => "INTERNAL",
    }
}

/// `DeadlineExceeded` as `DEADLINE_EXCEEDED`.
fn upper_case(name: &str) -> String {
    let mut upper = String::with_capacity(name.len() + 2);
    for (index, character) in name.chars().enumerate() {
        if index > 0 && character.is_uppercase() && name != "OK" {
            upper.push('_');
        }
        upper.push(character.to_ascii_uppercase());
    }
    upper
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::StreamId;

    #[test]
    fn placeholders_are_filled_in_from_what_came() {
        let deadline = Duration::from_millis(2_500);
        let goaway = GoAway {
            last: StreamId::MAX,
            code: ErrorCode::ProtocolError,
            debug: bytes::Bytes::from_static(b"why"),
        };
        let answer =
            StreamAnswer { grpc_status: Some(4), grpc_message: "late".into(), ..StreamAnswer::default() };
        let facts = Facts {
            goaway: Some(&goaway),
            answer: Some(&answer),
            first_frame: Some(FrameKind::GoAway),
            alert: None,
            deadline,
            http1_status: None,
            no_head: b"",
        };
        assert_eq!(
            fill_in("{goaway} {debug} {Status} {STATUS} {status CONNECT} {status} {message} {frame}", &facts),
            "PROTOCOL_ERROR why DeadlineExceeded DEADLINE_EXCEEDED deadline_exceeded 4 late GoAwayFrame"
        );
        assert_eq!(
            fill_in("{goaway JAVA} {deadline ns}ns {deadline s}s", &facts),
            "INTERNAL 2500000000ns 2.500000000s"
        );
    }

    #[test]
    fn an_answer_that_is_not_grpcs_is_named_by_its_status_and_content_type() {
        let mut answer = StreamAnswer { http_status: Some(404), ..StreamAnswer::default() };
        let says = |answer: &StreamAnswer, text| {
            let facts = Facts {
                goaway: None,
                answer: Some(answer),
                first_frame: None,
                alert: None,
                deadline: Duration::ZERO,
                http1_status: None,
                no_head: b"",
            };
            fill_in(text, &facts)
        };
        let text = "{http Status}: {http} ({http reason}){; content-type}";
        assert_eq!(
            says(&answer, text),
            "Unimplemented: 404 (Not Found); malformed header: missing HTTP content-type"
        );
        answer.content_type = Some("text/html".into());
        assert_eq!(
            says(&answer, "{content-type}"),
            "transport: received unexpected content-type \"text/html\""
        );
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        answer.fields = vec![field(":status", "404"), field("content-length", "3"), field("date", "now")];
        answer.body = Some("no\n".into());
        let refusal = "HTTP status code 404\ninvalid content-type: text/html\n\
            headers: Metadata(:status=404,content-length=3,date=now)\nDATA-----------------------------\nno\n";
        assert_eq!(says(&answer, "{refusal JAVA}"), refusal);
        let last = refusal.replace("content-length=3,date=now", "date=now,content-length=3");
        assert_eq!(says(&answer, "{refusal JAVA, content-length last}"), last);
        assert_eq!(says(&answer, "{envelope CONNECT}"), "incomplete envelope: unexpected EOF");
        answer.body = Some("hello from".into());
        let envelope = "promised 1701604463 bytes in enveloped message, got 5 bytes";
        assert_eq!(says(&answer, "{envelope CONNECT} {first byte}"), format!("{envelope} 104"));
        assert_eq!(says(&answer, "{metadata RUST}"), r#"{"content-length": "3", "date": "now"}"#);
        answer.body = None;
        let refusal = "HTTP status code 404\ninvalid content-type: text/html\n\
            trailers: Metadata(:status=404,content-length=3,date=now)";
        assert_eq!(says(&answer, "{refusal JAVA}"), refusal);
        answer.content_type = Some("application/grpc+proto".into());
        let inferred = "HTTP status code 404\nmissing GRPC status, inferred error from HTTP status code";
        assert_eq!(says(&answer, "{refusal JAVA}"), inferred);
        assert_eq!(says(&answer, text), "Unimplemented: 404 (Not Found)");
    }
}
