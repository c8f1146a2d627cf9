//! The target `rivals`: our classifier beside cmux's matchers and hyper-util's `server::conn::auto`, on the same flights.
//!
//! All three are asked for gRPC, then HTTP/2, then HTTP/1, as far as they know the difference. Where they differ, one of
//! [`DIFFERENCES`] says why, or it is a finding. A flight ends here: what a client that waits gets of each is the
//! business of whole handshakes.

mod differences;

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::Empty;
use hyper::Response;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::mux::{Classifier, DEFAULT_LIMIT, Rule, Rules, Verdict};
use crate::net::Offsets;
use crate::script::bytes::{ByteForm, Reader};
use crate::servers::cmux::{self, Matcher};
use crate::wire::frame::INITIAL_MAX_FRAME_SIZE;
use crate::wire::hpack::{Decoder, Field, HpackError, INITIAL_TABLE_SIZE};
use crate::wire::{Frame, FrameKind, PREFACE, RawFrame};

pub use differences::DIFFERENCES;

/// Takes cuts and then a flight.
///
/// # Panics
///
/// If two of the three differ and nothing in the list says why.
pub fn rivals(bytes: &[u8]) {
    let mut input = Reader::new(bytes);
    let cuts: Offsets = ByteForm::read(&mut input);
    let stream = Bytes::copy_from_slice(input.take(u64::MAX));
    let flight = || Flight { cuts: cuts.clone(), ..Flight::uncut(&stream) };
    let ours = Taken::by_us(&stream);
    for rival in [Rival::Cmux, Rival::Auto] {
        let theirs = rival.takes(flight());
        assert!(
            same(rival, ours, theirs) || explained(rival, ours, theirs, &stream).is_some(),
            "{ours:?} is {theirs:?} to {rival:?}: {}",
            stream.escape_ascii()
        );
    }
}

/// What a connection is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// gRPC over HTTP/2.
    Grpc,
    /// Other HTTP/2, or any for those who don't look further.
    Http2,
    /// HTTP/1.
    Http1,
    /// Nothing, or nothing yet.
    Nothing,
}

/// Those beside us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rival {
    /// The model of cmux.
    Cmux,
    /// hyper-util itself.
    Auto,
}

/// A reason to differ.
#[derive(Clone, Copy, Debug)]
pub struct Difference {
    /// What is different, and why that is right.
    pub reason: &'static str,
    /// From whom.
    pub rival: Rival,
    /// What it is taken for here.
    pub ours: Taken,
    /// And there.
    pub theirs: Taken,
    /// What has to be so of the flight.
    holds: fn(&Bytes) -> bool,
    /// A flight that shows it.
    pub example: &'static [u8],
}

impl Difference {
    /// Whether its example still differs, and for this reason.
    pub fn still_holds(&self) -> bool {
        let stream = Bytes::from_static(self.example);
        let taken = (Taken::by_us(&stream), self.rival.takes(Flight::uncut(&stream)));
        taken == (self.ours, self.theirs) && (self.holds)(&stream)
    }
}

/// Whether two say the same, as far as both know it.
fn same(rival: Rival, ours: Taken, theirs: Taken) -> bool {
    ours == theirs || (rival == Rival::Auto && ours == Taken::Grpc && theirs == Taken::Http2)
}

fn explained(rival: Rival, ours: Taken, theirs: Taken, stream: &Bytes) -> Option<&'static Difference> {
    DIFFERENCES.iter().find(|difference| {
        (difference.rival, difference.ours, difference.theirs) == (rival, ours, theirs)
            && (difference.holds)(stream)
    })
}

fn begins_as_cmux_knows(stream: &Bytes) -> bool {
    let mut rests = cmux::METHODS.iter().filter_map(|method| stream.strip_prefix(*method));
    rests.any(|rest| rest.first() == Some(&b' '))
}

/// The first request of a flight over HTTP/2, as whoever takes frames as they come sees it.
#[derive(Debug, Default)]
struct Request {
    fields: Vec<Field>,
    /// Whether its header block has an end.
    complete: bool,
    /// Whether its header block can't be read to its end.
    broken: bool,
    /// Whether it begins with a table larger than HPACK's initial one.
    enlarges_its_table: bool,
    /// Whether what comes up to its end breaks RFC 9113.
    breach: bool,
}

impl Request {
    fn of(flight: &Bytes) -> Self {
        let mut request = Self::default();
        let mut rest = flight.slice(PREFACE.len().min(flight.len())..);
        let mut block = Vec::new();
        let mut in_block = None;
        let (mut settings, mut answers, mut window) = (false, 0, 65_535_u64);
        while let Some(raw) = RawFrame::decode(&mut rest) {
            request.breach |= raw.payload.len() > INITIAL_MAX_FRAME_SIZE as usize;
            let continues = (raw.kind == FrameKind::Continuation).then_some(raw.stream);
            request.breach |= in_block != continues;
            let Ok(frame) = raw.parse() else {
                request.breach = true;
                break;
            };
            request.breach |= !settings && !matches!(frame, Frame::Settings(_));
            let ends = match frame {
                Frame::Headers { fragment, end_headers, .. }
                | Frame::Continuation { fragment, end_headers, .. } => {
                    block.extend_from_slice(&fragment);
                    in_block = Some(raw.stream);
                    end_headers
                }
                Frame::Settings(_) => {
                    settings = true;
                    answers += 1;
                    false
                }
                Frame::Ping { ack: false, .. } => {
                    answers += 1;
                    false
                }
                Frame::WindowUpdate { stream, increment } => {
                    window += u64::from(u32::from(increment));
                    request.breach |= !stream.is_connection() || window >= 1 << 31;
                    false
                }
                Frame::Data { .. } | Frame::RstStream { .. } | Frame::PushPromise { .. } => {
                    request.breach = true;
                    false
                }
                _ => false,
            };
            // More than any client wants answered: a flood is refused here.
            request.breach |= answers > 100;
            if ends {
                request.complete = true;
                break;
            }
        }
        // A frame that is too long breaks it before it is there.
        if let Some(&[high, middle, low]) = rest.first_chunk() {
            request.breach |=
                !request.complete && u32::from_be_bytes([0, high, middle, low]) > INITIAL_MAX_FRAME_SIZE;
        }
        let decoded = Decoder::new(INITIAL_TABLE_SIZE).decode_each(&block, usize::MAX, |field| {
            request.fields.push(field);
            ControlFlow::<()>::Continue(())
        });
        request.broken = decoded.is_err();
        request.enlarges_its_table = matches!(decoded, Err(HpackError::SizeUpdateTooLarge { .. }));
        request
    }

    fn content_types(&self) -> impl Iterator<Item = &Bytes> {
        let named = self.fields.iter().filter(|field| field.name == "content-type");
        named.map(|field| &field.value)
    }
}

impl Taken {
    fn by_us(stream: &Bytes) -> Self {
        let rules = Rules::new().to("grpc", Rule::Grpc).to("http2", Rule::Http2).to("http1", Rule::Http1);
        let mut classifier = Classifier::new(Arc::new(rules), DEFAULT_LIMIT);
        match classifier.push(stream) {
            Verdict::Match(route) if route.name() == "grpc" => Self::Grpc,
            Verdict::Match(route) if route.name() == "http2" => Self::Http2,
            Verdict::Match(_) => Self::Http1,
            Verdict::Reject(_) | Verdict::NeedMore => Self::Nothing,
        }
    }
}

impl Rival {
    fn takes(self, flight: Flight) -> Taken {
        match self {
            Self::Cmux => by_cmux(flight),
            Self::Auto => by_auto(flight),
        }
    }
}

fn by_cmux(flight: Flight) -> Taken {
    let matchers = [
        Matcher::ContentType { value: "application/grpc", sends_settings: false },
        Matcher::Http2,
        Matcher::Http1Fast,
    ];
    let mut unheard = |_: &str| {};
    let sniffed = pin!(cmux::sniff(flight, &matchers, &mut unheard));
    let Poll::Ready(sniffed) = sniffed.poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("a flight never makes anybody wait");
    };
    match sniffed {
        Some((0, _)) => Taken::Grpc,
        Some((1, _)) => Taken::Http2,
        Some(_) => Taken::Http1,
        None => Taken::Nothing,
    }
}

/// What it takes a connection for shows in what it says first: over HTTP/2, SETTINGS.
fn by_auto(flight: Flight) -> Taken {
    let service = service_fn(async |_| Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())));
    let heard = Rc::clone(&flight.heard);
    let server = auto::Builder::new(Nowhere);
    let mut serving = pin!(server.serve_connection(TokioIo::new(flight), service));
    // The second look is for what was woken by the first.
    for _ in 0..2 {
        if serving.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
            break;
        }
    }
    let says_settings = heard.borrow().get(3) == Some(&FrameKind::Settings.into());
    if says_settings { Taken::Http2 } else { Taken::Http1 }
}

/// Runs nothing: what a server says first needs no task.
#[derive(Clone, Copy, Debug)]
struct Nowhere;

impl<F> Executor<F> for Nowhere {
    fn execute(&self, _: F) {}
}

/// A client that says its pieces and leaves.
#[derive(Debug)]
struct Flight {
    rest: Bytes,
    cuts: Offsets,
    read: u64,
    heard: Rc<RefCell<BytesMut>>,
}

impl Flight {
    fn uncut(stream: &Bytes) -> Self {
        Self { rest: stream.clone(), cuts: Offsets::default(), read: 0, heard: Rc::default() }
    }
}

impl AsyncRead for Flight {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let most = self.rest.len().min(buffer.remaining());
        let length = if most == 0 { 0 } else { self.cuts.first(self.read, most) };
        buffer.put_slice(&self.rest[..length]);
        self.rest.advance(length);
        self.read += length as u64;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Flight {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.heard.borrow_mut().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
