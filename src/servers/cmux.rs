//! cmux, bug for bug: matchers that are tried one after another, each of which blocks until it is sure.
//!
//! Modelled on soheilhy/cmux at its newest commit (v0.1.5 and later behave alike): `cmux.go` `serve`, `buffer.go`,
//! `matchers.go`, `patricia.go`. What matters is kept:
//!
//! - each matcher reads the same bytes from the beginning, first from the buffer and then from the socket, and later
//!   matchers wait until it has made up its mind;
//! - a read from the buffer is never topped up from the socket;
//! - a `SendSettings` matcher writes one empty SETTINGS for each of the client's SETTINGS that it reads, so two such
//!   matchers write two; it acknowledges nothing and answers no PING;
//! - the whole buffer is replayed to the back end, with the acknowledgement of those SETTINGS in it.
//!
//! Left out are its timeouts, which are off unless a program sets them, and its error handler.

use std::io;
use std::ops::ControlFlow;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::mux::Replay;
use crate::wire::hpack::{Decoder, HpackError};
use crate::wire::{Frame, FrameReader, PREFACE, RawFrame};

/// How `HTTP1Fast` reads: the longest method with a space after it.
const LONGEST_METHOD: usize = 8;

/// The most that is read at once: a run may have ten thousands of connections that wait for the rest of a frame.
const LONGEST_READ: usize = 4096;

/// What `HTTP1Fast` looks for.
pub(crate) const METHODS: [&[u8]; 8] =
    [b"OPTIONS", b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"TRACE", b"CONNECT"];

/// One of cmux's matchers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Matcher {
    /// `HTTP2HeaderField("content-type", VALUE)`, or with SETTINGS `HTTP2MatchHeaderFieldSendSettings`.
    ContentType { value: &'static str, sends_settings: bool },
    /// `HTTP2()`.
    Http2,
    /// `HTTP1Fast()`.
    Http1Fast,
}

/// What a matcher waits for, for reports.
pub(crate) type Noted<'a> = &'a mut (dyn FnMut(&str) + Send);

/// Tries the matchers in order. Gives the number of the one that matched and the connection from its beginning;
/// nothing if none did, which closes the connection.
pub(crate) async fn sniff<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    matchers: &[Matcher],
    noted: Noted<'_>,
) -> Option<(usize, Replay<S>)> {
    let mut sniffer = Sniffer { stream, buffer: BytesMut::new(), position: 0, waits: false };
    for (number, matcher) in matchers.iter().enumerate() {
        sniffer.position = 0;
        let matched = match *matcher {
            Matcher::ContentType { value, sends_settings } => {
                sniffer.content_type(value, sends_settings, noted).await
            }
            Matcher::Http2 => sniffer.preface().await,
            Matcher::Http1Fast => sniffer.http1_fast().await,
        };
        if matched.unwrap_or(false) {
            return Some((number, Replay::new(sniffer.buffer.freeze(), sniffer.stream)));
        }
    }
    None
}

/// cmux's `bufferedReader`.
struct Sniffer<S> {
    stream: S,
    buffer: BytesMut,
    position: usize,
    /// Whether it has said that it waits.
    waits: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sniffer<S> {
    /// At most `most` bytes: of the buffer if there are any, else of one read from the socket. None at its end.
    async fn read(&mut self, most: usize) -> io::Result<Bytes> {
        if self.position == self.buffer.len() {
            // Go makes room for the 16 MiB that a frame may claim. To read them in parts comes to the same.
            let mut bytes = vec![0; most.min(LONGEST_READ)];
            let length = self.stream.read(&mut bytes).await?;
            self.buffer.extend_from_slice(&bytes[..length]);
        }
        let end = self.buffer.len().min(self.position + most);
        let bytes = Bytes::copy_from_slice(&self.buffer[self.position..end]);
        self.position = end;
        Ok(bytes)
    }

    /// `hasHTTP2Preface`: ends at the first piece that differs.
    async fn preface(&mut self) -> io::Result<bool> {
        let mut read = 0;
        while read < PREFACE.len() {
            let bytes = self.read(PREFACE.len() - read).await?;
            if bytes.is_empty() || bytes != PREFACE[read..read + bytes.len()] {
                return Ok(false);
            }
            read += bytes.len();
        }
        Ok(true)
    }

    /// `PrefixMatcher`: wants all its bytes before it looks at any.
    async fn http1_fast(&mut self) -> io::Result<bool> {
        let mut head = Vec::new();
        while head.len() < LONGEST_METHOD {
            let bytes = self.read(LONGEST_METHOD - head.len()).await?;
            if bytes.is_empty() {
                break;
            }
            head.extend_from_slice(&bytes);
        }
        Ok(METHODS.iter().any(|method| head.strip_prefix(*method).is_some_and(|rest| rest.starts_with(b" "))))
    }

    /// `matchHTTP2Field`.
    async fn content_type(
        &mut self,
        value: &str,
        sends_settings: bool,
        noted: Noted<'_>,
    ) -> io::Result<bool> {
        if !self.preface().await? {
            return Ok(false);
        }
        let mut frames = FrameReader::new(u32::MAX);
        let mut block = BytesMut::new();
        loop {
            let Some(frame) = self.frame(&mut frames, noted).await? else {
                return Ok(false);
            };
            let (fragment, end_headers) = match frame.parse() {
                Ok(Frame::Settings(_)) => {
                    if sends_settings {
                        noted("writes an empty SETTINGS");
                        self.stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await?;
                    }
                    continue;
                }
                Ok(
                    Frame::Headers { fragment, end_headers, .. }
                    | Frame::Continuation { fragment, end_headers, .. },
                ) => (fragment, end_headers),
                Ok(_) => continue,
                Err(_) => return Ok(false),
            };
            block.extend_from_slice(&fragment);
            // The first field of that name decides, be the block complete or not.
            let found = Decoder::new(4096).decode_each(&block, usize::MAX, |field| {
                if field.name == "content-type" {
                    ControlFlow::Break(field.value == value)
                } else {
                    ControlFlow::Continue(())
                }
            });
            match found {
                Ok(ControlFlow::Break(matched)) => return Ok(matched),
                Ok(ControlFlow::Continue(())) if !end_headers => {}
                Err(HpackError::Truncated) if !end_headers => {}
                Ok(ControlFlow::Continue(())) | Err(_) => return Ok(false),
            }
        }
    }

    /// The next frame, read as Go's framer does: the head first, then the payload.
    async fn frame(&mut self, frames: &mut FrameReader, noted: Noted<'_>) -> io::Result<Option<RawFrame>> {
        loop {
            if let Ok(Some(frame)) = frames.next_frame() {
                return Ok(Some(frame));
            }
            if self.position == self.buffer.len()
                && frames.offset() > 0
                && !std::mem::replace(&mut self.waits, true)
            {
                noted("waits for HEADERS");
            }
            let bytes = self.read(frames.needed()).await?;
            if bytes.is_empty() {
                return Ok(None);
            }
            frames.push_bytes(bytes);
        }
    }
}
