//! nghttp2 as Node's grpc-js server has it: what the recordings `*-to-nghttp2` were made against.
//!
//! Sources: nghttp2 `lib/nghttp2_session.c`, Node 20 `lib/internal/http2/core.js`, grpc-js 1.14 `server.ts`; first bytes,
//! answers and the end after a surplus acknowledgement as in the captures `*__direct-to-nghttp2.pcap` and
//! `*__cmux-settings-to-nghttp2.pcap`.

use std::time::Duration;

use crate::wire::ErrorCode;
use crate::wire::hpack::{NameSource, Policy, StaticEntry};

use super::grpc_go::message;
use super::traits::{Opening, Request, Response, SurplusAck, Traits};

/// It says GOAWAY on an acknowledgement that it is not owed ("SETTINGS: unexpected ACK"), with the code that Node gives
/// every error of its session, and closes at once.
pub(super) static NGHTTP2: Traits = Traits {
    settings: &[],
    speaks_first: true,
    opening: Opening::Closes,
    window_on_greeting: None,
    window: None,
    measures: None,
    surplus_ack: SurplusAck::GoAway { code: ErrorCode::InternalError, closes_after: Duration::ZERO },
    answers: answer,
    writes_in_parts: true,
    fields: Policy { name: NameSource::FromTable(StaticEntry::First), ..Policy::GO },
};

fn answer(request: &Request) -> Response {
    if !request.content_type.starts_with(b"application/grpc") {
        return Response { headers: vec![(":status", "415".to_owned())], ..Response::default() };
    }
    Response {
        headers: vec![
            (":status", "200".to_owned()),
            ("content-type", "application/grpc+proto".to_owned()),
            ("grpc-accept-encoding", "identity,deflate,gzip".to_owned()),
            ("grpc-encoding", "identity".to_owned()),
        ],
        body: Some(message(&request.path)),
        trailers: vec![("grpc-status", "0".to_owned()), ("grpc-message", "OK".to_owned())],
    }
}
