//! The classifier: what it takes to know where a connection belongs, from its first bytes.
//!
//! The rules are those of the bed's `mux`. The first flights are the ones that the scripted clients send, up to the byte
//! that decides. Beside it stand the parsers that one would build a multiplexer on: h2's codec for frames and header
//! fields, httparse for a head; both only read, and leave the decision to whoever calls them.

use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use allocation_counter::measure;
use bytes::Bytes;
use futures_core::Stream;
use muxbed::bed::bed;
use muxbed::clients::Work;
use muxbed::mux::{Classifier, DEFAULT_LIMIT, Rule, Rules, Verdict};
use muxbed::wire::PREFACE;
use tokio::io::{join, sink};

use super::handshakes::ByteByByte;
use super::measure::{Subject, Unit};

const GRPC_H2: &str = "h2's codec, a gRPC first flight";
const GRPC_H2_BYTES: &str = "h2's codec, the same byte by byte";
const HTTPARSE: &str = "httparse, a GET of 78 bytes";
const HTTPARSE_BYTES: &str = "httparse, the same byte by byte";

const GET: &[u8] =
    b"GET /status HTTP/1.1\r\nHost: example.com\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n";

pub(crate) fn subjects() -> Vec<Subject> {
    let rules = Arc::new(Rules::new().to("grpc", Rule::Grpc).to("http", Rule::Http1));
    let grpc = grpc_flight(&rules);
    let over = |name: &str, flight: &[u8], piece: usize, route: &'static str| {
        Subject::once(name, Unit::Time, decision(&rules, flight, piece, route))
    };
    let preface_rules = Arc::new(Rules::new().to("http", Rule::Http1).to("http2", Rule::Http2));
    let preface = || decision(&preface_rules, &PREFACE, usize::MAX, "http2");
    let h2_flight = Bytes::copy_from_slice(&grpc[24..]);
    let h2_bytes = h2_flight.clone();
    vec![
        Subject::once(GRPC_H2, Unit::Time, move || {
            let codec = h2::Codec::<_, Bytes>::new(join(&h2_flight[..], sink()));
            assert!(headers(codec));
        }),
        over("the classifier, a gRPC first flight", &grpc, usize::MAX, "grpc")
            .aim(1e-6)
            .beside(GRPC_H2, None),
        Subject::once(GRPC_H2_BYTES, Unit::Time, move || {
            let codec = h2::Codec::<_, Bytes>::new(join(ByteByByte(&h2_bytes[..]), sink()));
            assert!(headers(codec));
        }),
        over("the classifier, a gRPC first flight byte by byte", &grpc, 1, "grpc")
            .beside(GRPC_H2_BYTES, None),
        Subject::once(HTTPARSE, Unit::Time, || assert!(head_is_complete(black_box(GET)))),
        over("the classifier, a GET", GET, usize::MAX, "http").aim(60e-9).beside(HTTPARSE, None),
        // Where that is all that a rule asks for.
        Subject::once("the classifier, the preface", Unit::Time, preface()).aim(60e-9),
        allocations("allocations for a GET", decision(&rules, GET, usize::MAX, "http")).aim(0.0),
        allocations("allocations for the preface", preface()).aim(0.0),
        allocations("allocations for a gRPC first flight", decision(&rules, &grpc, usize::MAX, "grpc")),
        Subject::once(HTTPARSE_BYTES, Unit::Time, || {
            let complete = (1..=GET.len()).position(|length| head_is_complete(black_box(&GET[..length])));
            assert_eq!(complete, Some(GET.len() - 1));
        }),
        over("the classifier, a GET byte by byte", GET, 1, "http").beside(HTTPARSE_BYTES, None),
    ]
}

/// Decides where a connection belongs that begins so, in pieces of this length.
fn decision(rules: &Arc<Rules>, flight: &[u8], piece: usize, route: &'static str) -> impl FnMut() + use<> {
    let (rules, flight) = (Arc::clone(rules), flight.to_owned());
    move || {
        let mut classifier = Classifier::new(Arc::clone(&rules), DEFAULT_LIMIT);
        for piece in flight.chunks(piece) {
            classifier.push(black_box(piece));
        }
        assert!(matches!(classifier.verdict(), Verdict::Match(matched) if matched.name() == route));
    }
}

/// How often it asks for memory. Counting costs every allocation of this process a nanosecond or two.
fn allocations(name: &str, work: impl FnOnce()) -> Subject {
    Subject::known(name, Unit::Allocations, measure(work).count_total as f64)
}

/// What grpc-go sends of its own accord, up to the byte that tells that it is gRPC.
fn grpc_flight(rules: &Arc<Rules>) -> Vec<u8> {
    let direct = "direct".parse().expect("a known server");
    let work = Work { calls: 1, ..Work::default() };
    let run = bed().client("grpc-go@1.8.0").named_server(direct).work(work).run_once();
    let sent = run.ending.flight.concat();
    let mut classifier = Classifier::new(Arc::clone(rules), DEFAULT_LIMIT);
    let decides = sent.iter().position(|byte| *classifier.push(&[*byte]) != Verdict::NeedMore);
    sent[..=decides.expect("it is gRPC")].to_vec()
}

/// Whether the codec comes to the HEADERS of a request.
fn headers(mut codec: impl Stream<Item = Result<h2::frame::Frame, h2::proto::Error>> + Unpin) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut codec).poll_next(&mut context) {
        if let h2::frame::Frame::Headers(_) = black_box(frame) {
            return true;
        }
    }
    false
}

fn head_is_complete(bytes: &[u8]) -> bool {
    let mut fields = [httparse::EMPTY_HEADER; 32];
    httparse::Request::new(&mut fields).parse(bytes).is_ok_and(|status| status.is_complete())
}
