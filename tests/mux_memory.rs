//! What a connection costs before it is decided: nothing is allocated for a decision on its first bytes, and one that says
//! nothing takes less than 1 KiB beside its socket.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use allocation_counter::measure;
use muxbed::mux::{Classifier, DEFAULT_LIMIT, Mux, Rule, Rules, Streams, Value, Verdict};
use muxbed::wire::PREFACE;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;

#[test]
fn a_decision_on_http1_or_the_preface_allocates_nothing() {
    let host = Value::Equals("a.example".to_owned());
    let cases: [(Rules, &[u8]); 3] = [
        (
            Rules::new().to("grpc", Rule::Grpc).to("it", Rule::Http1),
            b"GET /status HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        (Rules::new().to("tls", Rule::ServerName(host)).to("it", Rule::Http2), &PREFACE),
        (Rules::new().to("ssh", Rule::AnyBytes(vec!["SSH-".into()])).to("it", Rule::Any), b"\x01"),
    ];
    for (rules, bytes) in cases {
        let rules = Arc::new(rules);
        let allocated = measure(|| {
            let mut classifier = Classifier::new(Arc::clone(&rules), DEFAULT_LIMIT);
            assert!(matches!(classifier.push(bytes), Verdict::Match(route) if route.name() == "it"));
        });
        assert_eq!(allocated.count_total, 0, "{bytes:?}: {allocated:?}");
    }
}

/// How many clients say nothing.
const SILENT: i64 = 10_000;

#[test]
fn a_connection_that_says_nothing_takes_less_than_a_kibibyte() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let rules = Rules::new().to("grpc", Rule::Grpc).to("http", Rule::Http1);
    let (door, connections) = mpsc::unbounded_channel();
    let listening = Mux::new(rules).listen(Streams::new(UnboundedReceiverStream::new(connections)));
    let handle = listening.handle();
    let running = runtime.spawn(listening.run());
    let allocated = measure(|| {
        runtime.block_on(async {
            for _ in 0..SILENT {
                assert!(door.send(Ok(Silent)).is_ok());
            }
            while handle.pending() < SILENT as usize {
                tokio::task::yield_now().await;
            }
            // Each has been polled, and keeps what it needs while it waits.
            tokio::task::yield_now().await;
        });
    });
    let each = allocated.bytes_current / SILENT;
    assert!((1..1024).contains(&each), "{each} bytes each");
    drop((running, door));
}

/// A connection of no size on which nothing ever comes.
struct Silent;

impl AsyncRead for Silent {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Silent {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
