//! The reasons to differ, each with a flight that shows it. `tests/corpus.rs` fails for one that no longer does.

use crate::mux::DEFAULT_LIMIT;
use crate::wire::PREFACE;

use super::{Difference, Request, Rival, Taken, begins_as_cmux_knows};

/// Every reason to differ.
pub const DIFFERENCES: [Difference; 11] = [
    Difference {
        reason: "cmux wants `application/grpc` and nothing behind it; gRPC allows `+proto` and `;` there",
        rival: Rival::Cmux,
        ours: Taken::Grpc,
        theirs: Taken::Http2,
        holds: |flight| {
            let request = Request::of(flight);
            let first = request.content_types().next();
            first.is_some_and(|first| first.starts_with(b"application/grpc") && first.len() > 16)
        },
        example: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\
            \0\0\x25\x01\x04\0\0\0\x01\0\x0ccontent-type\x16application/grpc+proto",
    },
    Difference {
        reason: "cmux asks the first content-type only; here any of them will do",
        rival: Rival::Cmux,
        ours: Taken::Grpc,
        theirs: Taken::Http2,
        holds: |flight| {
            let request = Request::of(flight);
            let first = request.content_types().next();
            request.content_types().count() > 1
                && first.is_some_and(|first| !first.starts_with(b"application/grpc"))
        },
        example: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\
            \0\0\x2f\x01\x04\0\0\0\x01\0\x0ccontent-type\x01x\0\x0ccontent-type\x10application/grpc",
    },
    Difference {
        reason: "cmux keeps to HPACK's initial table; here a client may begin with what the back end's SETTINGS allow it",
        rival: Rival::Cmux,
        ours: Taken::Grpc,
        theirs: Taken::Http2,
        holds: |flight| {
            let request = Request::of(flight);
            request.broken && request.enlarges_its_table
        },
        example: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\
            \0\0\x22\x01\x04\0\0\0\x01\x3f\xe2\x1f\0\x0ccontent-type\x10application/grpc",
    },
    Difference {
        reason: "cmux looks for a field in whatever frames come; here they have to keep to RFC 9113",
        rival: Rival::Cmux,
        ours: Taken::Http2,
        theirs: Taken::Grpc,
        holds: |flight| Request::of(flight).breach,
        example: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\
            \0\0\x1f\x01\x04\0\0\0\x01\0\x0ccontent-type\x10application/grpc",
    },
    Difference {
        reason: "cmux decides on a field before it has read what follows; here a block that breaks is no request",
        rival: Rival::Cmux,
        ours: Taken::Http2,
        theirs: Taken::Grpc,
        holds: |flight| {
            let request = Request::of(flight);
            !request.breach && request.complete && request.broken
        },
        example: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\
            \0\0\x20\x01\x04\0\0\0\x01\0\x0ccontent-type\x10application/grpc\x7f",
    },
    Difference {
        reason: "cmux asks its next matcher when a client leaves before its first request; here it was not decided",
        rival: Rival::Cmux,
        ours: Taken::Nothing,
        theirs: Taken::Http2,
        holds: |flight| flight.starts_with(&PREFACE),
        example: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    },
    Difference {
        reason: "cmux decides on the first field of that name; here the whole request has to be read, within a limit",
        rival: Rival::Cmux,
        ours: Taken::Nothing,
        theirs: Taken::Grpc,
        holds: |flight| {
            let request = Request::of(flight);
            !request.complete || flight.len() > DEFAULT_LIMIT
        },
        example: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\
            \0\0\x1f\x01\0\0\0\0\x01\0\x0ccontent-type\x10application/grpc",
    },
    Difference {
        reason: "cmux takes a method and a space for HTTP/1; here a request line has to follow",
        rival: Rival::Cmux,
        ours: Taken::Nothing,
        theirs: Taken::Http1,
        holds: begins_as_cmux_knows,
        example: b"GET what is this",
    },
    Difference {
        reason: "cmux knows eight methods, and no empty line before them; RFC 9110 lets anybody define more",
        rival: Rival::Cmux,
        ours: Taken::Http1,
        theirs: Taken::Nothing,
        holds: |flight| !begins_as_cmux_knows(flight),
        example: b"PATCH / HTTP/1.1\r\n",
    },
    Difference {
        reason: "auto is HTTP and takes for HTTP/1 what has no preface; what is none is closed here",
        rival: Rival::Auto,
        ours: Taken::Nothing,
        theirs: Taken::Http1,
        holds: |flight| !flight.starts_with(&PREFACE),
        example: b"SSH-2.0-OpenSSH_9.6\r\n",
    },
    Difference {
        reason: "auto decides on the preface; here the first request decides, and it has not come",
        rival: Rival::Auto,
        ours: Taken::Nothing,
        theirs: Taken::Http2,
        holds: |flight| flight.starts_with(&PREFACE),
        example: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    },
];
