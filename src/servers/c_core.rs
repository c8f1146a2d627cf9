//! C-core's server, as grpcio has it: what the recordings `*-to-c-core` were made against.
//!
//! Sources: grpc 1.85 `src/core/ext/transport/chttp2/transport/frame_settings.cc` and `chttp2_transport.cc`; first bytes,
//! answers and the end after a surplus acknowledgement as in the captures `*__direct-to-c-core.pcap` and
//! `*__cmux-settings-to-c-core.pcap`. Its PINGs carry random bytes, which are zeros here.

use crate::wire::hpack::{Huffman, Indexing, NameSource, Policy};
use crate::wire::{Increment, SettingId};

use super::grpc_go::message;
use super::traits::{Measuring, Opening, Request, Response, SurplusAck, Traits};

/// Whether the client may send, and the server asks for, metadata in binary as it is (C-core's own setting).
const ALLOW_TRUE_BINARY_METADATA: SettingId = SettingId::Unknown(0xfe03);

/// It closes the connection on an acknowledgement that it is not owed, without GOAWAY; calls that are not answered yet
/// read the reason as their status.
pub(super) static C_CORE: Traits = Traits {
    settings: &[
        (SettingId::InitialWindowSize, 4_194_304),
        (SettingId::MaxFrameSize, 4_194_304),
        (SettingId::MaxHeaderListSize, 16_384),
        (ALLOW_TRUE_BINARY_METADATA, 1),
    ],
    speaks_first: true,
    opening: Opening::Closes,
    window_on_greeting: Increment::new(4_128_769),
    window: None,
    measures: Some(Measuring::EachTime([0; 8])),
    surplus_ack: SurplusAck::Closes { answer: unexpected_ack },
    answers: answer,
    writes_in_parts: false,
    fields: Policy {
        indexed_when_known: true,
        indexing: Indexing::Incremental,
        name: NameSource::Spelled,
        name_huffman: Huffman::Never,
        value_huffman: Huffman::Never,
    },
};

fn unexpected_ack() -> Response {
    let said = "Failed parsing HTTP/2 (Received unexpected settings ack)";
    Response {
        headers: vec![
            (":status", "200".to_owned()),
            ("content-type", "application/grpc".to_owned()),
            ("grpc-status", "14".to_owned()),
            ("grpc-message", said.to_owned()),
        ],
        ..Response::default()
    }
}

fn answer(request: &Request) -> Response {
    if !request.content_type.starts_with(b"application/grpc") {
        // A call without gRPC's content type is cut off as malformed; the status is the nearest that this model can say.
        return Response {
            headers: vec![
                (":status", "200".to_owned()),
                ("content-type", "application/grpc".to_owned()),
                ("grpc-status", "2".to_owned()),
                ("grpc-message", String::new()),
            ],
            ..Response::default()
        };
    }
    Response {
        headers: vec![
            (":status", "200".to_owned()),
            ("content-type", "application/grpc".to_owned()),
            ("grpc-accept-encoding", "identity, deflate, gzip".to_owned()),
        ],
        body: Some(message(&request.path)),
        trailers: vec![("grpc-status", "0".to_owned()), ("grpc-message", String::new())],
    }
}
