//! Takes single frames out of a stream that is otherwise passed on as it is.
//!
//! Both directions of a connection on which a multiplexer has spoken need it: the client acknowledges SETTINGS that the
//! back end never sent, and the back end acknowledges SETTINGS that the multiplexer has acknowledged already. So does a
//! replay, whose client answers what the new server sends and not what the recorded one did. A frame that is passed on is
//! passed as it comes, without waiting for its end; only one that may be changed is held until it is complete.

use bytes::{Bytes, BytesMut};

use super::frame::HEADER_LENGTH;
use super::{FrameKind, RawFrame};
use crate::planted::{Fault, is_planted};

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Pass,
    Drop,
    /// It is held until it is complete, and then asked about again.
    Hold,
    /// It waits with all that follows it, until the filter is told to go on.
    Wait,
}

/// Decides on frames.
pub(crate) trait Judge {
    /// What becomes of a frame, from its header alone.
    fn fate(&mut self, kind: FrameKind, flags: u8, length: usize) -> Fate;

    /// What is passed on in the place of a frame that was held.
    fn held(&mut self, frame: RawFrame) -> Bytes;

    /// Whether every frame that comes from now on passes.
    fn is_done(&self) -> bool;
}

/// One direction of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Filter<J> {
    pub(crate) judge: J,
    state: State,
    /// A frame to be passed on where the one that is passing ends.
    inserted: Bytes,
    /// What waits, from the beginning of a frame.
    waiting: BytesMut,
}

#[derive(Clone, Debug)]
enum State {
    /// The header of the next frame, as far as it has come.
    Header(BytesMut),
    Passing(usize),
    Dropping(usize),
    Holding(BytesMut, usize),
}

impl<J: Judge> Filter<J> {
    /// A filter whose first `preface` bytes are no frame and pass.
    pub(crate) fn new(judge: J, preface: usize) -> Self {
        let state = if preface > 0 { State::Passing(preface) } else { State::Header(BytesMut::new()) };
        Self { judge, state, inserted: Bytes::new(), waiting: BytesMut::new() }
    }

    /// Whether bytes need no longer be pushed through it.
    pub(crate) fn is_transparent(&self) -> bool {
        self.judge.is_done()
            && self.inserted.is_empty()
            && self.waiting.is_empty()
            && match &self.state {
                State::Header(start) => start.is_empty(),
                State::Passing(_) => true,
                State::Dropping(_) | State::Holding(..) => false,
            }
    }

    /// Whether a frame waits, and nothing more should be pushed.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Goes on with what waits, if its judge no longer wants it to.
    pub(crate) fn go_on(&mut self, out: &mut BytesMut) {
        let waiting = self.waiting.split();
        self.push(&waiting, out);
    }

    /// What is kept back, which has to be passed on if nothing more is to be taken out.
    pub(crate) fn release(&mut self, out: &mut BytesMut) {
        match std::mem::replace(&mut self.state, State::Header(BytesMut::new())) {
            State::Header(start) => out.extend_from_slice(&start),
            State::Holding(held, left) => {
                out.extend_from_slice(&held);
                self.state = State::Passing(left);
            }
            other => self.state = other,
        }
        out.unsplit(self.waiting.split());
    }

    /// Adds a frame of the filter's own, between two of the others.
    pub(crate) fn insert(&mut self, frame: Bytes, out: &mut BytesMut) {
        match self.state {
            State::Passing(_) => self.inserted = frame,
            State::Header(_) | State::Dropping(_) | State::Holding(..) => out.extend_from_slice(&frame),
        }
    }

    /// Passes bytes on to `out`.
    pub(crate) fn push(&mut self, mut bytes: &[u8], out: &mut BytesMut) {
        while !bytes.is_empty() {
            if self.is_waiting() {
                self.waiting.extend_from_slice(bytes);
                return;
            }
            match &mut self.state {
                State::Passing(left) => {
                    let length = take(left, &mut bytes, |part| out.extend_from_slice(part));
                    self.boundary(length, out);
                }
                State::Dropping(left) => {
                    let length = take(left, &mut bytes, |_| {});
                    self.boundary(length, out);
                }
                State::Holding(held, left) => {
                    if take(left, &mut bytes, |part| held.extend_from_slice(part)) == 0 {
                        let mut whole = std::mem::take(held).freeze();
                        if let Some(frame) = RawFrame::decode(&mut whole) {
                            out.extend_from_slice(&self.judge.held(frame));
                        }
                        self.boundary(0, out);
                    }
                }
                State::Header(start) => {
                    if is_planted(Fault::ByteLostAtACut) && !start.is_empty() {
                        bytes = &bytes[1..];
                    }
                    let missing = HEADER_LENGTH - start.len();
                    let part = bytes.len().min(missing);
                    start.extend_from_slice(&bytes[..part]);
                    bytes = &bytes[part..];
                    if start.len() == HEADER_LENGTH {
                        self.enter(out);
                    }
                }
            }
        }
    }

    fn enter(&mut self, out: &mut BytesMut) {
        let State::Header(header) = &mut self.state else { return };
        let header = std::mem::take(header);
        let length = usize::from(header[0]) << 16 | usize::from(header[1]) << 8 | usize::from(header[2]);
        self.state = match self.judge.fate(FrameKind::from(header[3]), header[4], length) {
            Fate::Pass => {
                out.extend_from_slice(&header);
                State::Passing(length)
            }
            Fate::Drop => State::Dropping(length),
            Fate::Wait => {
                self.waiting = header;
                return;
            }
            Fate::Hold if length == 0 => {
                if let Some(frame) = RawFrame::decode(&mut header.freeze()) {
                    out.extend_from_slice(&self.judge.held(frame));
                }
                State::Passing(0)
            }
            Fate::Hold => State::Holding(header, length),
        };
        if let State::Passing(0) | State::Dropping(0) = self.state {
            self.boundary(0, out);
        }
    }

    fn boundary(&mut self, left: usize, out: &mut BytesMut) {
        if left == 0 {
            out.extend_from_slice(&std::mem::take(&mut self.inserted));
            self.state = State::Header(BytesMut::new());
        }
    }
}

/// Takes at most `left` of `bytes`, and returns how many are then left.
fn take(left: &mut usize, bytes: &mut &[u8], mut with: impl FnMut(&[u8])) -> usize {
    let part = bytes.len().min(*left);
    with(&bytes[..part]);
    *bytes = &bytes[part..];
    *left -= part;
    *left
}
