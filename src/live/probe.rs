//! Two questions to a live server: when it says its first SETTINGS and which, and what it makes of an acknowledgement too many.
//!
//! The first decides whether a client that waits for SETTINGS is ever served; the second whether a multiplexer that sends
//! SETTINGS of its own may stand before it. Both are ladders, and their answers are read off the transcript.

use std::time::Duration;

use bytes::Bytes;

use crate::bed::{Run, What};
use crate::net::Side;
use crate::wire::{Frame, FrameReader, Setting};

/// Waits before it says anything, says what a waiting client says, and acknowledges.
pub(super) const GREETING: &str = r#"
client "probe"
  no acks
  wait 200ms
  > preface, settings
  < settings within 20s else "no SETTINGS"
  > settings ack
  wait 50ms
  close
"#;

/// Makes a call as a client does that waits for nothing, and acknowledges once more than it was sent SETTINGS.
pub(super) const SURPLUS_ACK: &str = r#"
client "probe"
  > preface, settings, headers 1 grpc /grpc.health.v1.Health/Check, data 1 end 0000000000
  < end 1 within 20s else "no answer"
  wait 50ms
  > settings ack, ping 6d75786265642121
  < ping ack within 20s else "no answer to PING"
  close
"#;

/// What a server was found to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Its first SETTINGS, if it sends any to a client that sends no request.
    pub settings: Option<Greeting>,
    /// What it makes of one acknowledgement too many.
    pub surplus_ack: SurplusAck,
}

/// A server's first SETTINGS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// Their values, in order.
    pub values: Vec<Setting>,
    /// Whether they came before the client had said anything.
    pub unasked: bool,
    /// How long after the connection began.
    pub after: Duration,
}

/// What a server makes of an acknowledgement of SETTINGS that it never sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SurplusAck {
    /// It goes on.
    Ignored,
    /// It sends a GOAWAY with this code (RFC 9113, section 7).
    GoAway(u32),
    /// It ends the connection without a word.
    Closed,
    /// The connection had ended before: something in front of the server had sent SETTINGS of its own, and their
    /// acknowledgement was one too many already.
    DiedOfThoseThatWereDue(Option<u32>),
    /// It answered no call, so the question was not put.
    NotAsked,
}

impl Probe {
    pub(super) fn read(greeting: &Run, surplus: &Run) -> Self {
        Self { settings: first_settings(greeting), surplus_ack: surplus_ack(surplus) }
    }
}

fn events(run: &Run) -> impl Iterator<Item = (Duration, &What)> {
    let sealed = run
        .ending
        .transcript
        .events()
        .iter()
        .any(|event| matches!(event.what, What::Dialled { sealed: true, .. }));
    let all = run.ending.transcript.events().iter().filter(|event| event.connection == 0);
    all.filter(move |event| !(sealed && matches!(event.what, What::Segment { .. })))
        .map(|event| (event.at, &event.what))
}

/// The server's frames with what else ends a connection, in order.
fn first_settings(run: &Run) -> Option<Greeting> {
    let mut frames = FrameReader::new(u32::MAX);
    let mut unasked = true;
    for (at, what) in events(run) {
        match what {
            What::Segment { from: Side::Client, .. } | What::Inside { from: Side::Client, .. } => {
                unasked = false;
            }
            What::Segment { bytes, .. } | What::Inside { bytes, .. } => {
                if let Some(Frame::Settings(values)) = read(&mut frames, bytes).into_iter().next() {
                    return Some(Greeting { values, unasked, after: at });
                }
            }
            _ => {}
        }
    }
    None
}

fn surplus_ack(run: &Run) -> SurplusAck {
    let mut frames = FrameReader::new(u32::MAX);
    let (mut answered, mut asked) = (false, false);
    for (_, what) in events(run) {
        match what {
            What::Segment { from: Side::Client, bytes } | What::Inside { from: Side::Client, bytes } => {
                asked |= bytes.ends_with(b"muxbed!!");
            }
            What::Segment { bytes, .. } | What::Inside { bytes, .. } => {
                for frame in read(&mut frames, bytes) {
                    match frame {
                        Frame::Headers { .. } => answered = true,
                        Frame::Ping { ack: true, .. } => return SurplusAck::Ignored,
                        Frame::GoAway { code, .. } if asked => return SurplusAck::GoAway(code.into()),
                        Frame::GoAway { code, .. } => {
                            return SurplusAck::DiedOfThoseThatWereDue(Some(code.into()));
                        }
                        _ => {}
                    }
                }
            }
            What::End { from: Side::Server } | What::Reset { from: Side::Server } if asked => {
                return SurplusAck::Closed;
            }
            What::End { from: Side::Server } | What::Reset { from: Side::Server } if answered => {
                return SurplusAck::DiedOfThoseThatWereDue(None);
            }
            _ => {}
        }
    }
    SurplusAck::NotAsked
}

fn read(frames: &mut FrameReader, bytes: &Bytes) -> Vec<Frame> {
    frames.push_bytes(bytes.clone());
    std::iter::from_fn(|| frames.next_frame().ok().flatten()).filter_map(|frame| frame.parse().ok()).collect()
}
