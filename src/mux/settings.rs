//! Accounting for SETTINGS when a multiplexer has to speak before it knows the back end.
//!
//! Most gRPC clients send nothing but preface and SETTINGS until they have the server's SETTINGS. To see their first
//! request the multiplexer sends some of its own. What follows keeps both sides within RFC 9113:
//!
//! - to the client the server looks like one that sends SETTINGS twice. Of a back end that is not known, the first values
//!   are no looser than the protocol's initial ones, and MAX_CONCURRENT_STREAMS is stated, since its absence reads as no
//!   limit. The server's own then follow, with an explicit value for what the first stated and they leave out, and without
//!   NO_RFC7540_PRIORITIES, which may not change (RFC 9218, section 2.1);
//! - a server whose own say what the first said already has been spoken for: they are not passed on, and the client's
//!   acknowledgement of the first is that of the server's own;
//! - to the server the client looks like one that began before the server's SETTINGS came, which section 3.4 allows: the
//!   client's acknowledgement of the multiplexer's SETTINGS is otherwise taken out, so acknowledgements and SETTINGS match;
//! - the multiplexer acknowledges the client's SETTINGS, for clients that wait for that too, and takes the server's
//!   acknowledgement of them out. Those that it has acknowledged it passes on as one frame, since some servers, x/net's
//!   among them, acknowledge SETTINGS that come close together only once.
//!
//! A client acknowledges SETTINGS in the order in which they came (section 6.5.3), and the multiplexer's came first: so
//! it is the client's first acknowledgement that goes.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::wire::frame::{INITIAL_MAX_FRAME_SIZE, flags};
use crate::wire::{Frame, FrameKind, RawFrame, Setting, SettingId};

use crate::planted::{Fault, is_planted};
use crate::wire::filter::{Fate, Judge};

/// How many streams a client may open before the back end's own SETTINGS reach it. 100 is the least that RFC 9113
/// recommends (section 6.5.2).
const EARLY_STREAMS: u32 = 100;

/// "No limit", said explicitly. 2^31-1 and not more, as grpc-java's servers say it.
const UNLIMITED: u32 = (1 << 31) - 1;

/// The largest dynamic table that the multiplexer reads a first request with.
pub(super) const LARGEST_TABLE_SIZE: u32 = 64 * 1024;

/// The initial values of RFC 9113, section 6.5.2.
const INITIAL_HEADER_TABLE_SIZE: u32 = 4096;
const INITIAL_WINDOW_SIZE: u32 = 65_535;

/// The SETTINGS that a multiplexer sends to clients that wait for some, before it knows the back end.
///
/// A client acts on them before the back end's own have reached it, and a back end need not take what it has not allowed: so
/// of a back end that is not known they say nothing looser than HTTP/2's initial values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EarlySettings {
    stated: Arc<[Setting]>,
}

impl Default for EarlySettings {
    /// At most 100 streams, and nothing else: for any back end.
    fn default() -> Self {
        Self { stated: [Setting { id: SettingId::MaxConcurrentStreams, value: EARLY_STREAMS }].into() }
    }
}

impl EarlySettings {
    /// The own SETTINGS of a back end that is known to send these, which then does not have to repeat them: the client gets
    /// one SETTINGS frame, as it would from the back end itself. If it sends others after all, they follow.
    ///
    /// A HEADER_TABLE_SIZE above 64 KiB is left to the back end: the multiplexer reads with no larger table.
    pub fn of_back_end(own: &[Setting]) -> Self {
        let readable = |setting: &&Setting| {
            setting.id != SettingId::HeaderTableSize || setting.value <= LARGEST_TABLE_SIZE
        };
        Self { stated: own.iter().filter(readable).copied().collect() }
    }

    /// They as a frame's bytes.
    pub(crate) fn encoded(&self) -> Bytes {
        encoded(&Frame::Settings(self.stated.to_vec()))
    }

    fn value(&self, id: SettingId) -> Option<u32> {
        last(&self.stated, id)
    }

    /// Whether these come to the same.
    fn say_the_same_as(&self, own: &[Setting]) -> bool {
        let in_force = |settings: &[Setting], id| last(settings, id).or_else(|| initial(id));
        let mut stated = self.stated.iter().chain(own);
        stated.all(|setting| in_force(&self.stated, setting.id) == in_force(own, setting.id))
    }
}

/// The value that counts.
fn last(settings: &[Setting], id: SettingId) -> Option<u32> {
    settings.iter().rev().find(|setting| setting.id == id).map(|setting| setting.value)
}

/// What is in force before anything is stated, if that is a number (RFC 9113, section 6.5.2; RFC 8441; RFC 9218).
fn initial(id: SettingId) -> Option<u32> {
    match id {
        SettingId::HeaderTableSize => Some(INITIAL_HEADER_TABLE_SIZE),
        SettingId::InitialWindowSize => Some(INITIAL_WINDOW_SIZE),
        SettingId::MaxFrameSize => Some(INITIAL_MAX_FRAME_SIZE),
        SettingId::EnableConnectProtocol | SettingId::NoRfc7540Priorities => Some(0),
        _ => None,
    }
}

/// Looks at what the client sends.
#[derive(Clone, Debug, Default)]
pub(crate) struct FromClient {
    /// SETTINGS of the multiplexer that the client has yet to acknowledge.
    pub(crate) unacknowledged: u32,
    /// Whether the multiplexer answers SETTINGS and PING, since nobody else is there to do it.
    pub(crate) answers: bool,
    /// Whether the back end has yet to acknowledge SETTINGS that the multiplexer has acknowledged already. Those that follow
    /// wait for it: a server that acknowledges two at once would leave the client without an acknowledgement.
    pub(crate) is_ahead: bool,
    /// What it answers.
    pub(crate) answer: BytesMut,
    /// How many frames of SETTINGS go to the back end of those that it has acknowledged.
    pub(crate) acknowledged: u32,
    /// The first of them, with what those that followed changed.
    joined: Vec<Setting>,
    /// Whether one of them was passed on behind the first.
    is_split: bool,
    /// Whether any was left out since the first says it too.
    is_joined: bool,
}

impl FromClient {
    /// A client that is sent SETTINGS, and answered, by the multiplexer.
    pub(crate) fn answered() -> Self {
        Self { unacknowledged: 1, answers: true, ..Self::default() }
    }

    /// Leaves the answering to the back end.
    pub(crate) fn hand_over(&mut self) {
        if std::mem::take(&mut self.answers) {
            self.is_ahead = self.acknowledged > 0;
        }
    }

    /// Puts what the client has sent in several SETTINGS, and what is acknowledged already, in the place of the first of them,
    /// which is among the frames that begin at `begin`. Before the first request there is nothing that could tell.
    pub(crate) fn join(&mut self, filtered: &mut BytesMut, begin: usize) {
        if !std::mem::take(&mut self.is_joined) {
            return;
        }
        let mut rest = Bytes::copy_from_slice(&filtered[begin..]);
        loop {
            let place = filtered.len() - rest.len();
            let Some(frame) = RawFrame::decode(&mut rest) else { return };
            if matches!(frame.parse(), Ok(Frame::Settings(_))) {
                filtered.truncate(place);
                filtered.extend_from_slice(&encoded(&Frame::Settings(std::mem::take(&mut self.joined))));
                filtered.extend_from_slice(&rest);
                return;
            }
        }
    }

    /// Whether the back end can be told of these in the first SETTINGS that it gets. It can't if it would notice: of two values
    /// for the table its encoder has to announce the smaller (RFC 7541, section 4.2), and x/net's server takes neither a
    /// value twice in one frame nor more than a hundred of them (`Server.processSettings`).
    fn joins(&mut self, later: &[Setting]) -> bool {
        const MOST: usize = 100;
        let table = SettingId::HeaderTableSize;
        let two_tables = last(&self.joined, table).is_some() && last(later, table).is_some();
        let states_twice = |settings: &[Setting]| {
            settings.iter().enumerate().any(|(place, setting)| last(&settings[..place], setting.id).is_some())
        };
        let too_many = self.joined.len() + later.len() > MOST;
        if self.is_split || too_many || two_tables || states_twice(&self.joined) || states_twice(later) {
            return false;
        }
        for &setting in later {
            self.joined.retain(|earlier| earlier.id != setting.id);
            self.joined.push(setting);
        }
        true
    }
}

impl Judge for FromClient {
    fn fate(&mut self, kind: FrameKind, frame_flags: u8, length: usize) -> Fate {
        let ack = frame_flags & flags::ACK != 0;
        if kind == FrameKind::Headers {
            // What comes behind the first request is the back end's to answer.
            self.hand_over();
        }
        match kind {
            FrameKind::Settings if ack && length == 0 && self.unacknowledged > 0 => {
                self.unacknowledged -= 1;
                Fate::Drop
            }
            FrameKind::Settings | FrameKind::Ping if self.answers && !ack => Fate::Hold,
            FrameKind::Settings if self.is_ahead && !ack => Fate::Wait,
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
            Ok(Frame::Settings(settings)) if self.answers => {
                self.answer.extend_from_slice(&encoded(&Frame::SettingsAck));
                if self.acknowledged == 0 {
                    self.joined = settings;
                } else if self.joins(&settings) {
                    self.is_joined = true;
                    return Bytes::new();
                } else {
                    // Those behind it would otherwise overtake it.
                    self.is_split = true;
                }
                self.acknowledged += 1;
                as_it_was(&frame)
            }
            _ => as_it_was(&frame),
        }
    }

    fn is_done(&self) -> bool {
        self.unacknowledged == 0 && !self.answers && !self.is_ahead
    }
}

/// Looks at what the back end sends.
#[derive(Clone, Debug)]
pub(crate) struct FromServer {
    early: EarlySettings,
    /// Whether its first SETTINGS are still to come, behind those of the multiplexer.
    pub(crate) settings_to_come: bool,
    /// Whether the multiplexer's said for it what they say, so that the client's acknowledgement is due to it.
    pub(crate) spoken_for: bool,
    /// Whether it states something that the client has been told otherwise for good.
    contradicts: bool,
    /// Acknowledgements of SETTINGS that the multiplexer has acknowledged already.
    pub(crate) surplus_acks: u32,
}

impl FromServer {
    /// A back end whose client has got these SETTINGS already, and as many acknowledgements.
    pub(crate) fn behind(early: &EarlySettings, acknowledged: u32) -> Self {
        Self {
            early: early.clone(),
            settings_to_come: true,
            spoken_for: false,
            contradicts: false,
            surplus_acks: acknowledged,
        }
    }
}

impl Judge for FromServer {
    fn fate(&mut self, kind: FrameKind, frame_flags: u8, length: usize) -> Fate {
        let ack = frame_flags & flags::ACK != 0;
        match kind {
            FrameKind::Settings if ack && self.surplus_acks > 0 && !is_planted(Fault::SurplusAck) => {
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
        if first && self.early.say_the_same_as(&settings) {
            self.spoken_for = true;
            return Bytes::new();
        }
        let priorities = self.early.value(SettingId::NoRfc7540Priorities).unwrap_or(0);
        let may_stay =
            |setting: &Setting| setting.id != SettingId::NoRfc7540Priorities || setting.value == priorities;
        self.contradicts |= !settings.iter().all(may_stay);
        settings.retain(may_stay);
        if first {
            for stated in self.early.stated.iter() {
                let reset = match stated.id {
                    SettingId::MaxConcurrentStreams => Some(UNLIMITED),
                    SettingId::MaxHeaderListSize => Some(u32::MAX),
                    // They stay what they are (RFC 9218, section 2.1; RFC 8441, section 3).
                    SettingId::NoRfc7540Priorities | SettingId::EnableConnectProtocol => None,
                    id => initial(id),
                };
                let Some(value) = reset else { continue };
                if !settings.iter().any(|setting| setting.id == stated.id) {
                    settings.push(Setting { id: stated.id, value });
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
mod tests;
