//! Accounting for SETTINGS when a multiplexer has to speak before it knows the back end.
//!
//! Most gRPC clients send nothing but preface and SETTINGS until they have the server's SETTINGS. To see their first
//! request the multiplexer sends some of its own. What follows keeps both sides within RFC 9113:
//!
//! - to the client the server looks like one that sends SETTINGS twice. The first values are no looser than the
//!   protocol's initial ones, and MAX_CONCURRENT_STREAMS is stated, since its absence reads as no limit. The server's own
//!   then follow, with an explicit value for what the first stated and they leave out, and without NO_RFC7540_PRIORITIES,
//!   which may not change (RFC 9218, section 2.1);
//! - to the server the client looks like one that began before the server's SETTINGS came, which section 3.4 allows: the
//!   client's acknowledgement of the multiplexer's SETTINGS is taken out, so acknowledgements and SETTINGS match;
//! - the multiplexer acknowledges the client's SETTINGS, for clients that wait for that too, and takes the server's
//!   acknowledgements of them out.
//!
//! A client acknowledges SETTINGS in the order in which they came (section 6.5.3), and the multiplexer's came first: so
//! it is the client's first acknowledgement that goes.

use bytes::{Bytes, BytesMut};

use crate::wire::{Frame, FrameKind, RawFrame, Setting, SettingId, frame::flags};

use super::filter::{Fate, Judge};

/// What the multiplexer says: how many streams a client may open before the back end's own SETTINGS reach it. 100 is
/// the least that RFC 9113 recommends (section 6.5.2).
pub(crate) const EARLY_STREAMS: u32 = 100;

/// "No limit", said explicitly. 2^31-1 and not more, as grpc-java's servers say it.
const UNLIMITED: u32 = (1 << 31) - 1;

/// The SETTINGS that a multiplexer sends before it knows the back end, as bytes.
pub(crate) fn early_settings() -> Bytes {
    let stated = Setting { id: SettingId::MaxConcurrentStreams, value: EARLY_STREAMS };
    encoded(&Frame::Settings(vec![stated]))
}

/// Looks at what the client sends.
#[derive(Clone, Debug, Default)]
pub(crate) struct FromClient {
    /// SETTINGS of the multiplexer that the client has yet to acknowledge.
    pub(crate) unacknowledged: u32,
    /// Whether the multiplexer answers SETTINGS and PING, since nobody else is there to do it.
    pub(crate) answers: bool,
    /// What it answers.
    pub(crate) answer: BytesMut,
    /// How many of the client's SETTINGS it has acknowledged.
    pub(crate) acknowledged: u32,
}

impl Judge for FromClient {
    fn fate(&mut self, kind: FrameKind, frame_flags: u8, length: usize) -> Fate {
        let ack = frame_flags & flags::ACK != 0;
        match kind {
            FrameKind::Settings if ack && length == 0 && self.unacknowledged > 0 => {
                self.unacknowledged -= 1;
                Fate::Drop
            }
            FrameKind::Settings | FrameKind::Ping if self.answers && !ack => Fate::Hold,
            _ => Fate::Pass,
        }
    }

    fn held(&mut self, frame: RawFrame) -> Bytes {
        let as_it_was = |frame: &RawFrame| {
            let mut bytes = BytesMut::with_capacity(frame.encoded_length());
            frame.encode(&mut bytes);
            bytes.freeze()
        };
        match frame.parse() {
            Ok(Frame::Ping { ack: false, opaque }) if self.answers => {
                self.answer.extend_from_slice(&encoded(&Frame::Ping { ack: true, opaque }));
                Bytes::new()
            }
            Ok(Frame::Settings(_)) if self.answers => {
                self.answer.extend_from_slice(&encoded(&Frame::SettingsAck));
                self.acknowledged += 1;
                as_it_was(&frame)
            }
            _ => as_it_was(&frame),
        }
    }

    fn is_done(&self) -> bool {
        self.unacknowledged == 0 && !self.answers
    }
}

/// Looks at what the back end sends.
#[derive(Clone, Debug, Default)]
pub(crate) struct FromServer {
    /// Whether its first SETTINGS are still to come, behind those of the multiplexer.
    pub(crate) settings_to_come: bool,
    /// Acknowledgements of SETTINGS that the multiplexer has acknowledged already.
    pub(crate) surplus_acks: u32,
}

impl Judge for FromServer {
    fn fate(&mut self, kind: FrameKind, frame_flags: u8, _length: usize) -> Fate {
        let ack = frame_flags & flags::ACK != 0;
        match kind {
            FrameKind::Settings if ack && self.surplus_acks > 0 => {
                self.surplus_acks -= 1;
                Fate::Drop
            }
            FrameKind::Settings if !ack && self.settings_to_come => Fate::Hold,
            _ => Fate::Pass,
        }
    }

    fn held(&mut self, frame: RawFrame) -> Bytes {
        self.settings_to_come = false;
        let Ok(Frame::Settings(mut settings)) = frame.parse() else {
            // What breaks the protocol is the client's to judge.
            let mut bytes = BytesMut::with_capacity(frame.encoded_length());
            frame.encode(&mut bytes);
            return bytes.freeze();
        };
        settings.retain(|setting| setting.id != SettingId::NoRfc7540Priorities);
        if !settings.iter().any(|setting| setting.id == SettingId::MaxConcurrentStreams) {
            settings.push(Setting { id: SettingId::MaxConcurrentStreams, value: UNLIMITED });
        }
        encoded(&Frame::Settings(settings))
    }

    fn is_done(&self) -> bool {
        !self.settings_to_come && self.surplus_acks == 0
    }
}

pub(crate) fn encoded(frame: &Frame) -> Bytes {
    let mut bytes = Vec::with_capacity(32);
    frame.encode(&mut bytes).expect("a multiplexer's own frames are short");
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mux::filter::Filter;

    const ACK: &[u8] = &[0, 0, 0, 4, 1, 0, 0, 0, 0];
    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    const PING: &[u8] = &[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    const DATA: &[u8] = &[0, 0, 3, 0, 1, 0, 0, 0, 1, 9, 9, 9];

    /// Pushes the bytes whole, and in every two pieces, and byte by byte: the result must be one.
    fn through<J: Judge + Clone>(judge: &J, bytes: &[u8]) -> (Vec<u8>, J) {
        let run = |pieces: &mut dyn Iterator<Item = &[u8]>| {
            let mut filter = Filter::new(judge.clone(), 0);
            let mut out = BytesMut::new();
            pieces.for_each(|piece| filter.push(piece, &mut out));
            filter.release(&mut out);
            (out.to_vec(), filter.judge)
        };
        let (whole, judge) = run(&mut std::iter::once(bytes));
        for cut in 0..=bytes.len() {
            assert_eq!(run(&mut [&bytes[..cut], &bytes[cut..]].into_iter()).0, whole);
        }
        assert_eq!(run(&mut bytes.chunks(1)).0, whole);
        (whole, judge)
    }

    #[test]
    fn exactly_the_acknowledgements_that_are_owed_are_taken_out() {
        let judge = FromClient { unacknowledged: 1, ..FromClient::default() };
        let (out, judge) = through(&judge, &[SETTINGS, ACK, DATA, ACK].concat());
        assert_eq!(out, [SETTINGS, DATA, ACK].concat());
        assert!(judge.is_done());
    }

    #[test]
    fn what_the_multiplexer_answers_it_does_not_pass_on() {
        let judge = FromClient { answers: true, ..FromClient::default() };
        let (out, judge) = through(&judge, &[SETTINGS, PING, DATA].concat());
        assert_eq!(out, [SETTINGS, DATA].concat());
        assert_eq!(judge.acknowledged, 1);
        let mut pong = PING.to_vec();
        pong[4] = 1;
        assert_eq!(judge.answer, [ACK, &pong].concat());
    }

    #[test]
    fn a_frame_cut_off_is_passed_on_as_far_as_it_came() {
        let judge = FromClient { answers: true, ..FromClient::default() };
        let (out, _) = through(&judge, &[DATA, &PING[..12]].concat());
        assert_eq!(out, [DATA, &PING[..12]].concat());
    }

    #[test]
    fn the_back_ends_settings_state_what_the_first_ones_stated() {
        let priorities: &[u8] = &[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1];
        let judge = FromServer { settings_to_come: true, surplus_acks: 1 };
        let (out, judge) = through(&judge, &[priorities, ACK, priorities, ACK].concat());
        let unlimited: &[u8] = &[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0x7f, 0xff, 0xff, 0xff];
        assert_eq!(out, [unlimited, priorities, ACK].concat());
        assert!(judge.is_done());
    }
}
