//! HTTP/2: the preface, and the client's frames up to its first request.

use bytes::Bytes;

use super::{Answer, starts_with};
use crate::mux::settings::LARGEST_TABLE_SIZE;
use crate::wire::frame::{HEADER_LENGTH, INITIAL_MAX_FRAME_SIZE};
use crate::wire::hpack::{Decoder, INITIAL_TABLE_SIZE};
use crate::wire::{Frame, PREFACE, RawFrame, StreamId};

/// The most bytes of a header list that is read before the route is chosen (RFC 9113, section 6.5.2).
const HEADER_LIST_LIMIT: usize = 64 * 1024;

/// The most frames before the first request that have to be answered, SETTINGS and PING. Clients send one or two.
const MOST_ANSWERS: u32 = 100;

/// A connection's window to begin with, and the largest that there can be (RFC 9113, section 6.9).
const INITIAL_WINDOW: u64 = 65_535;
const LARGEST_WINDOW: u64 = (1 << 31) - 1;

/// What is known about HTTP/2.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::mux) enum Http2 {
    /// It may become the preface.
    #[default]
    Possible,
    /// It began with the preface.
    Preface(Opening),
    /// It is something else.
    No,
}

/// What follows the preface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::mux) struct Opening {
    /// Where the next frame begins.
    next: usize,
    /// SETTINGS of the client that are complete, acknowledgements not counted.
    pub(in crate::mux) settings: u32,
    pings: u32,
    /// By how much the client has widened the connection's window.
    widened: u64,
    /// The stream of the first request, and the fragments of its header block until the last one.
    block: Option<(StreamId, Vec<u8>)>,
    /// The fields of the first request.
    pub(in crate::mux) request: Option<Box<[(Bytes, Bytes)]>>,
    /// Why no request can be read.
    pub(in crate::mux) trouble: Option<Trouble>,
}

/// Why no request can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mux) enum Trouble {
    /// What followed the preface breaks the protocol.
    Broken,
    /// It widens the connection's window beyond what there can be (RFC 9113, section 6.9.1).
    WindowOverflow,
    /// Too much of it has to be answered.
    Flood,
}

impl Http2 {
    pub(super) fn advance(&mut self, bytes: &[u8]) {
        match self {
            Self::No => {}
            Self::Preface(opening) => opening.advance(bytes),
            Self::Possible => match starts_with(bytes, &PREFACE) {
                Answer::NeedMore => {}
                Answer::Reject => *self = Self::No,
                Answer::Match => {
                    *self = Self::Preface(Opening { next: PREFACE.len(), ..Opening::default() });
                    self.advance(bytes);
                }
            },
        }
    }
}

impl Opening {
    fn advance(&mut self, bytes: &[u8]) {
        while self.request.is_none() && self.trouble.is_none() {
            let rest = &bytes[self.next..];
            let Some(&[high, middle, low]) = rest.first_chunk() else { return };
            let length = u32::from_be_bytes([0, high, middle, low]);
            if rest.len() < HEADER_LENGTH {
                return;
            }
            // What a multiplexer has promised of itself is HTTP/2's initial frame size.
            if length > INITIAL_MAX_FRAME_SIZE {
                self.trouble = Some(Trouble::Broken);
                return;
            }
            let end = HEADER_LENGTH + length as usize;
            let Some(frame) = rest.get(..end) else { return };
            self.next += end;
            if let Err(trouble) = self.frame(frame) {
                self.trouble = Some(trouble);
            }
        }
    }

    fn frame(&mut self, octets: &[u8]) -> Result<(), Trouble> {
        let raw = RawFrame::decode(&mut Bytes::copy_from_slice(octets)).ok_or(Trouble::Broken)?;
        let frame = raw.parse().map_err(|_| Trouble::Broken)?;
        let end_headers = match frame {
            // Nothing comes between the parts of a header block, and all are on one stream (RFC 9113, sections 4.3 and 6.10).
            Frame::Continuation { stream, fragment, end_headers } => {
                let (begun, block) = self.block.as_mut().ok_or(Trouble::Broken)?;
                if *begun != stream {
                    return Err(Trouble::Broken);
                }
                block.extend_from_slice(&fragment);
                end_headers
            }
            _ if self.block.is_some() => return Err(Trouble::Broken),
            Frame::Settings(_) => {
                self.settings += 1;
                false
            }
            // The client's preface ends with SETTINGS (section 3.4).
            _ if self.settings == 0 => return Err(Trouble::Broken),
            Frame::Ping { ack: false, .. } => {
                self.pings += 1;
                false
            }
            Frame::WindowUpdate { stream: StreamId::CONNECTION, increment } => {
                self.widened += u64::from(u32::from(increment));
                if self.widened + INITIAL_WINDOW > LARGEST_WINDOW {
                    return Err(Trouble::WindowOverflow);
                }
                false
            }
            // On a stream that nobody has opened there can be none of these (section 5.1); nor can a client promise anything
            // (section 8.4).
            Frame::Data { .. }
            | Frame::RstStream { .. }
            | Frame::WindowUpdate { .. }
            | Frame::PushPromise { .. } => return Err(Trouble::Broken),
            Frame::Headers { fragment, end_headers: true, .. } => return self.request(&fragment),
            Frame::Headers { stream, fragment, end_headers, .. } => {
                self.block = Some((stream, fragment.to_vec()));
                end_headers
            }
            _ => false,
        };
        if end_headers && let Some((_, block)) = self.block.take() {
            return self.request(&block);
        }
        if self.settings + self.pings > MOST_ANSWERS { Err(Trouble::Flood) } else { Ok(()) }
    }

    fn request(&mut self, block: &[u8]) -> Result<(), Trouble> {
        // A table larger than the client was allowed is for the back end to judge.
        let mut decoder = Decoder::new(INITIAL_TABLE_SIZE);
        decoder.set_max_table_size(LARGEST_TABLE_SIZE);
        let block = decoder.decode(block, HEADER_LIST_LIMIT).map_err(|_| Trouble::Broken)?;
        self.request = Some(block.fields.into_iter().map(|field| (field.name, field.value)).collect());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    const PING: &[u8] = &[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    /// HEADERS on stream 1 without END_HEADERS, `:method: GET`.
    const HEADERS: &[u8] = &[0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82];
    /// The end of that block, `:path: /`.
    const CONTINUATION: &[u8] = &[0, 0, 1, 9, 4, 0, 0, 0, 1, 0x84];

    /// Reads it whole and octet by octet, which has to be the same.
    fn opening(frames: &[&[u8]]) -> Opening {
        let bytes = [&PREFACE[..], &frames.concat()].concat();
        let mut whole = Http2::default();
        whole.advance(&bytes);
        let mut growing = Http2::default();
        (0..=bytes.len()).for_each(|end| growing.advance(&bytes[..end]));
        assert_eq!(whole, growing);
        let Http2::Preface(opening) = whole else { panic!("{whole:?}") };
        opening
    }

    #[test]
    fn the_first_request_is_read_over_continuations() {
        let opening = opening(&[SETTINGS, PING, HEADERS, CONTINUATION, PING]);
        let request = opening.request.unwrap();
        assert_eq!(request[..], [(":method".into(), "GET".into()), (":path".into(), "/".into())]);
    }

    #[test]
    fn what_breaks_the_protocol_is_told() {
        const OTHER_STREAM: &[u8] = &[0, 0, 1, 9, 4, 0, 0, 0, 3, 0x84];
        for frames in [
            &[PING][..],
            &[SETTINGS, HEADERS, PING],
            &[SETTINGS, CONTINUATION],
            &[SETTINGS, HEADERS, OTHER_STREAM],
        ] {
            assert_eq!(opening(frames).trouble, Some(Trouble::Broken), "{frames:?}");
        }
        let idle: [&[u8]; 3] = [
            &[0, 0, 0, 0, 0, 0, 0, 0, 1],
            &[0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 8],
            &[0, 0, 4, 8, 0, 0, 0, 0, 1, 0, 0, 0, 1],
        ];
        for frame in idle {
            assert_eq!(opening(&[SETTINGS, frame]).trouble, Some(Trouble::Broken), "{frame:?}");
        }
        let widest: &[u8] = &[0, 0, 4, 8, 0, 0, 0, 0, 0, 0x7f, 0xff, 0, 0];
        assert_eq!(opening(&[SETTINGS, widest]).trouble, None);
        assert_eq!(opening(&[SETTINGS, widest, widest]).trouble, Some(Trouble::WindowOverflow));
        assert_eq!(opening(&[SETTINGS, &[0, 0x40, 1, 0, 0, 0, 0, 0, 1]]).trouble, Some(Trouble::Broken));
    }

    #[test]
    fn a_flood_of_what_has_to_be_answered_is_told_even_if_a_request_follows() {
        let most = [SETTINGS].into_iter().chain([PING; 99]);
        let few: Vec<&[u8]> = most.clone().chain([HEADERS, CONTINUATION]).collect();
        assert_eq!(opening(&few).trouble, None);
        let many: Vec<&[u8]> = most.chain([SETTINGS, HEADERS, CONTINUATION]).collect();
        assert_eq!((opening(&many).trouble, opening(&many).request), (Some(Trouble::Flood), None));
    }
}
