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

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::wire::frame::{INITIAL_MAX_FRAME_SIZE, flags};
use crate::wire::{Frame, FrameKind, RawFrame, Setting, SettingId};

use crate::wire::filter::{Fate, Judge};

/// How many streams a client may open before the back end's own SETTINGS reach it. 100 is the least that RFC 9113
/// recommends (section 6.5.2).
const EARLY_STREAMS: u32 = 100;

/// "No limit", said explicitly. 2^31-1 and not more, as grpc-java's servers say it.
const UNLIMITED: u32 = (1 << 31) - 1;

/// The initial values of RFC 9113, section 6.5.2.
const INITIAL_HEADER_TABLE_SIZE: u32 = 4096;
const INITIAL_WINDOW_SIZE: u32 = 65_535;

/// The SETTINGS that a multiplexer sends to clients that wait for some, before it knows the back end.
///
/// Whatever the back end, they are no looser than HTTP/2's initial values, since a client may act on them before the back
/// end's own have reached it, and a back end need not take what it has not allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EarlySettings {
    stated: Arc<[Setting]>,
}

impl Default for EarlySettings {
    /// At most 100 streams, and nothing else: for any back end.
    fn default() -> Self {
        Self::of_back_end(&[])
    }
}

impl EarlySettings {
    /// What can be said early of a back end that is known to send `own`: its limits, as far as they are stricter than
    /// HTTP/2's initial values, and what may not change once it is stated. What is looser follows in its own SETTINGS.
    ///
    /// A back end that sends NO_RFC7540_PRIORITIES is served without looking for that in all it ever sends, if it is
    /// stated here.
    pub fn of_back_end(own: &[Setting]) -> Self {
        let streams = Setting { id: SettingId::MaxConcurrentStreams, value: EARLY_STREAMS };
        let mut stated = vec![streams];
        for &setting in own {
            let said_early = match setting.id {
                SettingId::MaxConcurrentStreams => {
                    stated.retain(|stated| stated.id != SettingId::MaxConcurrentStreams);
                    true
                }
                SettingId::HeaderTableSize => setting.value < INITIAL_HEADER_TABLE_SIZE,
                SettingId::InitialWindowSize => setting.value < INITIAL_WINDOW_SIZE,
                SettingId::MaxHeaderListSize | SettingId::NoRfc7540Priorities => true,
                _ => false,
            };
            if said_early {
                stated.push(setting);
            }
        }
        Self { stated: stated.into() }
    }

    /// They as a frame's bytes.
    pub(crate) fn encoded(&self) -> Bytes {
        encoded(&Frame::Settings(self.stated.to_vec()))
    }

    fn value(&self, id: SettingId) -> Option<u32> {
        self.stated.iter().rev().find(|stated| stated.id == id).map(|stated| stated.value)
    }
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
#[derive(Clone, Debug)]
pub(crate) struct FromServer {
    early: EarlySettings,
    /// Whether its first SETTINGS are still to come, behind those of the multiplexer.
    settings_to_come: bool,
    /// Whether it states something that the client has been told otherwise for good.
    contradicts: bool,
    /// Acknowledgements of SETTINGS that the multiplexer has acknowledged already.
    pub(crate) surplus_acks: u32,
}

impl FromServer {
    /// A back end whose client has got these SETTINGS already, and as many acknowledgements.
    pub(crate) fn behind(early: &EarlySettings, acknowledged: u32) -> Self {
        Self { early: early.clone(), settings_to_come: true, contradicts: false, surplus_acks: acknowledged }
    }
}

impl Judge for FromServer {
    fn fate(&mut self, kind: FrameKind, frame_flags: u8, length: usize) -> Fate {
        let ack = frame_flags & flags::ACK != 0;
        match kind {
            FrameKind::Settings if ack && self.surplus_acks > 0 => {
                self.surplus_acks -= 1;
                Fate::Drop
            }
            // One that is longer than any client takes is the client's to judge.
            FrameKind::Settings
                if !ack
                    && (self.settings_to_come || self.contradicts)
                    && length <= INITIAL_MAX_FRAME_SIZE as usize =>
            {
                Fate::Hold
            }
            _ => Fate::Pass,
        }
    }

    fn held(&mut self, frame: RawFrame) -> Bytes {
        let first = std::mem::replace(&mut self.settings_to_come, false);
        let Ok(Frame::Settings(mut settings)) = frame.parse() else {
            // What breaks the protocol is the client's to judge.
            let mut bytes = BytesMut::with_capacity(frame.encoded_length());
            frame.encode(&mut bytes);
            return bytes.freeze();
        };
        let priorities = self.early.value(SettingId::NoRfc7540Priorities).unwrap_or(0);
        let may_stay =
            |setting: &Setting| setting.id != SettingId::NoRfc7540Priorities || setting.value == priorities;
        self.contradicts |= !settings.iter().all(may_stay);
        settings.retain(may_stay);
        if first {
            for stated in self.early.stated.iter() {
                let initial = match stated.id {
                    SettingId::MaxConcurrentStreams => UNLIMITED,
                    SettingId::HeaderTableSize => INITIAL_HEADER_TABLE_SIZE,
                    SettingId::InitialWindowSize => INITIAL_WINDOW_SIZE,
                    SettingId::MaxHeaderListSize => u32::MAX,
                    // It stays what it is.
                    _ => continue,
                };
                if !settings.iter().any(|setting| setting.id == stated.id) {
                    settings.push(Setting { id: stated.id, value: initial });
                }
            }
        }
        encoded(&Frame::Settings(settings))
    }

    fn is_done(&self) -> bool {
        !self.settings_to_come && !self.contradicts && self.surplus_acks == 0
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
    use crate::wire::filter::Filter;

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
        let empty: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
        let judge = FromServer::behind(&EarlySettings::default(), 1);
        let (out, judge) = through(&judge, &[empty, ACK, empty, ACK].concat());
        let unlimited: &[u8] = &[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0x7f, 0xff, 0xff, 0xff];
        assert_eq!(out, [unlimited, empty, ACK].concat());
        assert!(judge.is_done());
    }

    #[test]
    fn what_may_not_change_is_kept_from_the_client_for_good() {
        let priorities: &[u8] = &[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1];
        let judge = FromServer::behind(&EarlySettings::default(), 0);
        let (out, judge) = through(&judge, &[priorities, DATA, priorities].concat());
        let unlimited: &[u8] = &[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0x7f, 0xff, 0xff, 0xff];
        assert_eq!(out, [unlimited, DATA, SETTINGS].concat());
        assert!(!judge.is_done(), "it may state it again");
    }

    #[test]
    fn a_back_end_that_is_known_states_what_may_not_change_from_the_beginning() {
        let own = [
            Setting { id: SettingId::MaxConcurrentStreams, value: 250 },
            Setting { id: SettingId::InitialWindowSize, value: 1 << 20 },
            Setting { id: SettingId::MaxHeaderListSize, value: 8192 },
            Setting { id: SettingId::NoRfc7540Priorities, value: 1 },
        ];
        let early = EarlySettings::of_back_end(&own);
        let stated = [own[0], own[2], own[3]];
        assert_eq!(early.encoded(), encoded(&Frame::Settings(stated.to_vec())));
        let (out, judge) = through(&FromServer::behind(&early, 0), &encoded(&Frame::Settings(own.to_vec())));
        assert_eq!(out, encoded(&Frame::Settings(own.to_vec())));
        assert!(judge.is_done());
    }

    #[test]
    fn a_known_back_end_that_says_something_else_is_believed() {
        let own = [
            Setting { id: SettingId::HeaderTableSize, value: 0 },
            Setting { id: SettingId::InitialWindowSize, value: 100 },
            Setting { id: SettingId::MaxHeaderListSize, value: 8192 },
        ];
        let early = EarlySettings::of_back_end(&own);
        let (out, _) = through(&FromServer::behind(&early, 0), SETTINGS);
        let initial = [
            Setting { id: SettingId::MaxConcurrentStreams, value: UNLIMITED },
            Setting { id: SettingId::HeaderTableSize, value: 4096 },
            Setting { id: SettingId::InitialWindowSize, value: 65_535 },
            Setting { id: SettingId::MaxHeaderListSize, value: u32::MAX },
        ];
        assert_eq!(out, encoded(&Frame::Settings(initial.to_vec())));
    }
}
