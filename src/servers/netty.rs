//! grpc-java's server on Netty, as a back end.
//!
//! Sources: grpc-java 1.85 `netty/NettyServerHandler`, Netty 4.2 `DefaultHttp2ConnectionDecoder` (an acknowledgement that
//! answers nothing is not looked at: `pollSentSettings` gives null); bytes as in the captures `*-to-netty.pcap`.

use bytes::Bytes;

use crate::wire::hpack::{Huffman, NameSource, Policy, StaticEntry};
use crate::wire::{Increment, SettingId};

use super::grpc_go;
use super::traits::{Measuring, Opening, Request, Response, SurplusAck, Traits};

/// It speaks as soon as the connection is there, and measures it with a PING of its own when a request comes.
pub(super) static NETTY: Traits = Traits {
    settings: &[
        (SettingId::MaxConcurrentStreams, 2_147_483_647),
        (SettingId::InitialWindowSize, 1_048_576),
        (SettingId::MaxHeaderListSize, 8_192),
    ],
    speaks_first: true,
    opening: Opening::Closes,
    window_on_greeting: Increment::new(983_041),
    window: None,
    measures: Some(Measuring::Once([0, 0, 0, 0, 0, 0, 0x04, 0xd2])),
    surplus_ack: SurplusAck::Ignored,
    answers: answer,
    writes_in_parts: false,
    fields: FIELDS,
};

/// Netty's encoder leaves the Huffman code to what is long.
const FIELDS: Policy = Policy {
    name: NameSource::FromTable(StaticEntry::First),
    name_huffman: Huffman::Never,
    value_huffman: Huffman::Never,
    ..Policy::GO
};

fn answer(request: &Request) -> Response {
    if !request.content_type.starts_with(b"application/grpc") {
        let message = if request.content_type.is_empty() {
            "Content-Type is missing from the request".to_owned()
        } else {
            let stated = String::from_utf8_lossy(&request.content_type);
            format!("Content-Type '{stated}' is not supported")
        };
        let headers = vec![
            (":status", "415".to_owned()),
            ("content-type", "text/plain; charset=utf-8".to_owned()),
            ("grpc-status", "13".to_owned()),
            ("grpc-message", message.clone()),
        ];
        return Response { headers, body: Some(Bytes::from(message)), trailers: Vec::new() };
    }
    let headers = [
        (":status", "200"),
        ("content-type", "application/grpc"),
        ("grpc-encoding", "identity"),
        ("grpc-accept-encoding", "gzip"),
    ];
    Response {
        headers: headers.map(|(name, value)| (name, value.to_owned())).to_vec(),
        body: Some(grpc_go::message(&request.path)),
        trailers: vec![("grpc-status", "0".to_owned())],
    }
}
