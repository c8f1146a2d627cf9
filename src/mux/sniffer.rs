//! One connection before its route is known, without socket, clock or task: what it is, what the back end will read of
//! it, and what has to be said to it meanwhile.

use std::sync::Arc;
use std::task::Waker;

use bytes::{Buf, Bytes, BytesMut};

use crate::wire::{ErrorCode, Frame, PREFACE, StreamId};

use super::classifier::{Decision, ProxyHeaders, Rules, Verdict};
use super::facts::TlsFacts;
use super::reading::Trouble;
use super::settings::{EarlySettings, FromClient, FromServer, encoded};
use crate::wire::filter::Filter;
use crate::wire::proxy::Header;

/// How a connection is looked at.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) rules: Arc<Rules>,
    /// The most bytes that are read for a decision.
    pub(crate) limit: usize,
    pub(crate) headers: ProxyHeaders,
    /// What is said to clients that wait for SETTINGS.
    pub(crate) early: EarlySettings,
}

/// A connection that is being sniffed. There may be thousands of them that say nothing: what only some need is kept apart.
#[derive(Clone, Debug)]
pub(crate) struct Sniffer {
    decision: Decision,
    /// Everything that was read, which is replayed as it is unless the multiplexer spoke.
    read: BytesMut,
    spoken: Option<Box<Spoken>>,
}

/// What is there once the multiplexer has spoken.
#[derive(Clone, Debug)]
struct Spoken {
    from_client: Filter<FromClient>,
    /// What the back end will read.
    filtered: BytesMut,
    /// What is being said to the client and has not been written.
    unwritten: BytesMut,
}

/// What a back end gets of a connection.
#[derive(Clone, Debug)]
pub(crate) struct HandOver {
    /// What it reads first.
    pub(crate) replay: Bytes,
    /// What the multiplexer said or owes, which is kept from both sides; if it has said nothing, there is nothing to keep.
    pub(crate) accounts: Option<Box<Accounts>>,
    /// What the connection's PROXY header says.
    pub(crate) header: Option<Box<Header>>,
}

/// What is left to be taken out of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Accounts {
    /// What is taken out of what the client sends.
    pub(crate) from_client: Filter<FromClient>,
    /// What is taken out of what the back end sends.
    pub(crate) from_server: Filter<FromServer>,
    /// What the client has yet to get, before anything else: at first, answers of the multiplexer.
    pub(crate) unwritten: BytesMut,
    /// Who waits for what the client sends.
    pub(crate) reader: Option<Waker>,
}

impl Policy {
    fn decision(&self, tls: Option<&Arc<TlsFacts>>) -> Decision {
        let rules = Arc::clone(&self.rules);
        match tls {
            None => Decision::new(rules, self.limit, self.headers),
            Some(tls) => Decision::behind_tls(rules, self.limit, Arc::clone(tls)),
        }
    }
}

impl Sniffer {
    /// One of a connection, or of what is inside the TLS of one, which has no PROXY header of its own.
    pub(crate) fn new(policy: &Policy, tls: Option<&Arc<TlsFacts>>) -> Self {
        Self { decision: policy.decision(tls), read: BytesMut::new(), spoken: None }
    }

    /// This one, if it needs no bytes.
    pub(crate) fn decided(self) -> Option<Self> {
        (*self.verdict() != Verdict::NeedMore).then_some(self)
    }

    pub(crate) fn verdict(&self) -> &Verdict {
        self.decision.verdict()
    }

    /// How many bytes have been read.
    pub(crate) fn length(&self) -> usize {
        self.read.len()
    }

    /// Whether a PROXY header has to come and has not.
    pub(crate) fn awaits_header(&self) -> bool {
        self.decision.awaits_header()
    }

    /// Reads on.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.read.extend_from_slice(bytes);
        self.decision.look(&self.read);
        if let Some(spoken) = &mut self.spoken {
            spoken.from_client.push(bytes, &mut spoken.filtered);
        }
    }

    /// Says what has to be said when nothing more is there to be read: SETTINGS if the client may be waiting for them, and
    /// then answers to what it sent. Gives how many bytes that adds to [`Self::unwritten`].
    pub(crate) fn speak(&mut self, early: &EarlySettings) -> usize {
        let begins = self.spoken.is_none() && self.decision.waits_for_a_request(&self.read);
        if begins {
            self.begin_to_speak();
        }
        let Some(spoken) = &mut self.spoken else { return 0 };
        let before = spoken.unwritten.len();
        if begins {
            spoken.unwritten.extend_from_slice(&early.encoded());
        }
        spoken.unwritten.unsplit(spoken.from_client.judge.answer.split());
        spoken.unwritten.len() - before
    }

    /// Whether anything has been said.
    pub(crate) fn has_spoken(&self) -> bool {
        self.spoken.is_some()
    }

    /// What has been said and not been written.
    pub(crate) fn unwritten(&self) -> &[u8] {
        self.spoken.as_ref().map_or(&[], |spoken| &spoken.unwritten)
    }

    /// So much of it has been written.
    pub(crate) fn written(&mut self, length: usize) {
        if let Some(spoken) = &mut self.spoken {
            spoken.unwritten.advance(length);
        }
    }

    /// What is written to an HTTP/2 client that no rule wants, before its connection is closed.
    pub(crate) fn refusal(&mut self, early: &EarlySettings) -> Option<Bytes> {
        let limit = self.decision.limit();
        let opening = self.decision.http2(&self.read)?;
        let (code, why) = match (&opening.request, opening.trouble) {
            (Some(fields), _) => {
                let content_type = fields.iter().find(|(name, _)| name == "content-type");
                let why = match content_type {
                    Some((_, stated)) => {
                        format!(
                            "the content-type of its first request is `{}`",
                            String::from_utf8_lossy(stated)
                        )
                    }
                    None => "its first request has no content-type".to_owned(),
                };
                (ErrorCode::Http11Required, why)
            }
            (None, Some(Trouble::Flood)) => {
                (ErrorCode::EnhanceYourCalm, "it wants too many answers before its first request".to_owned())
            }
            (None, Some(Trouble::Broken)) => {
                (ErrorCode::ProtocolError, "its first request could not be read".to_owned())
            }
            (None, Some(Trouble::WindowOverflow)) => {
                (ErrorCode::FlowControlError, "its window is larger than there can be".to_owned())
            }
            (None, None) if self.read.len() >= limit => {
                (ErrorCode::EnhanceYourCalm, "its first request does not come to an end".to_owned())
            }
            (None, None) => (ErrorCode::Http11Required, "its first request did not come in time".to_owned()),
        };
        // The rest of a frame that has been begun comes first.
        let mut out = BytesMut::from(self.unwritten());
        if self.spoken.is_none() {
            out.extend_from_slice(&early.encoded());
        }
        let debug = Bytes::from(format!("no route for this HTTP/2 connection: {why}"));
        out.extend_from_slice(&encoded(&Frame::GoAway { last_stream: StreamId::CONNECTION, code, debug }));
        Some(out.freeze())
    }

    /// Hands over what was read and what is still owed.
    pub(crate) fn hand_over(mut self, early: &EarlySettings) -> HandOver {
        let begin = self.decision.begin();
        let header = self.decision.proxy_header().map(|(header, _)| Box::new(header.clone()));
        let Some(spoken) = self.spoken else {
            return HandOver { replay: self.read.split_off(begin).freeze(), accounts: None, header };
        };
        let Spoken { mut from_client, mut filtered, mut unwritten } = *spoken;
        from_client.judge.hand_over();
        from_client.judge.join(&mut filtered, PREFACE.len());
        unwritten.unsplit(from_client.judge.answer.split());
        let from_server = FromServer::behind(early, from_client.judge.acknowledged);
        let from_server = Filter::new(from_server, 0);
        let accounts = Some(Box::new(Accounts { from_client, from_server, unwritten, reader: None }));
        HandOver { replay: filtered.freeze(), accounts, header }
    }

    fn begin_to_speak(&mut self) {
        let mut from_client = Filter::new(FromClient::answered(), PREFACE.len());
        let mut filtered = BytesMut::new();
        from_client.push(&self.read[self.decision.begin()..], &mut filtered);
        self.spoken = Some(Box::new(Spoken { from_client, filtered, unwritten: BytesMut::new() }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mux::Rule;
    use crate::wire::Setting;

    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    const ACK: &[u8] = &[0, 0, 0, 4, 1, 0, 0, 0, 0];
    const PING: &[u8] = &[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    const DATA: &[u8] = &[0, 0, 5, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0];
    /// HEADERS on stream 1 with `content-type: application/grpc`, as a literal without indexing.
    const HEADERS: &[u8] = b"\0\0\x1f\x01\x04\0\0\0\x01\0\x0ccontent-type\x10application/grpc";

    /// Pushes `early`, lets the sniffer speak, and pushes `late` in the pieces given, across the hand-over; returns what the
    /// back end reads, what the client is still owed, and how many of the back end's acknowledgements are taken out.
    fn delivered(early: &[u8], late: &[&[u8]]) -> (Vec<u8>, Vec<u8>, u32) {
        let rules = Arc::new(Rules::new().to("grpc", Rule::Grpc));
        let (headers, early_settings) = (ProxyHeaders::Unexpected, EarlySettings::default());
        let policy = Policy { rules, limit: 16 * 1024, headers, early: early_settings.clone() };
        let mut sniffer = Sniffer::new(&policy, None);
        sniffer.push(early);
        let said = sniffer.speak(&early_settings);
        assert!(said > 0);
        sniffer.written(said);
        let mut late = late.iter();
        while *sniffer.verdict() == Verdict::NeedMore {
            sniffer.push(late.next().expect("it is decided before everything is read"));
        }
        let HandOver { replay, accounts, .. } = sniffer.hand_over(&early_settings);
        let Accounts { mut from_client, from_server, unwritten, .. } = *accounts.expect("it has spoken");
        let mut delivered = BytesMut::from(&replay[..]);
        late.for_each(|piece| from_client.push(piece, &mut delivered));
        let waits = delivered.len();
        // The back end has acknowledged what was acknowledged before.
        from_client.judge.is_ahead = false;
        from_client.go_on(&mut delivered);
        assert!(delivered.len() == waits || delivered[waits..].starts_with(SETTINGS), "only SETTINGS wait");
        assert!(from_client.is_transparent());
        (delivered.to_vec(), unwritten.to_vec(), from_server.judge.surplus_acks)
    }

    #[test]
    fn what_is_owed_is_taken_out_wherever_the_hand_over_falls() {
        let early = [&PREFACE, SETTINGS].concat();
        for (late, expected) in [
            ([ACK, HEADERS, DATA].concat(), [&PREFACE, SETTINGS, HEADERS, DATA].concat()),
            ([HEADERS, ACK, DATA].concat(), [&PREFACE, SETTINGS, HEADERS, DATA].concat()),
            ([HEADERS, DATA, ACK].concat(), [&PREFACE, SETTINGS, HEADERS, DATA].concat()),
            ([HEADERS, SETTINGS, ACK].concat(), [&PREFACE, SETTINGS, HEADERS, SETTINGS].concat()),
            ([HEADERS, ACK, PING, ACK].concat(), [&PREFACE, SETTINGS, HEADERS, PING, ACK].concat()),
        ] {
            for cut in 0..=late.len() {
                let (bytes, owed, acknowledged) = delivered(&early, &[&late[..cut], &late[cut..]]);
                assert_eq!((bytes, owed, acknowledged), (expected.clone(), Vec::new(), 1), "cut at {cut}");
            }
            let bytes: Vec<&[u8]> = late.chunks(1).collect();
            assert_eq!(delivered(&early, &bytes), (expected, Vec::new(), 1));
        }
    }

    #[test]
    fn what_was_not_answered_before_the_hand_over_is_answered_after_it() {
        let early = [&PREFACE, SETTINGS].concat();
        let (bytes, owed, acknowledged) = delivered(&early, &[PING, SETTINGS, ACK, HEADERS]);
        assert_eq!(bytes, [&PREFACE, SETTINGS, HEADERS].concat());
        let mut pong = PING.to_vec();
        pong[4] = 1;
        assert_eq!(owed, [&pong, ACK].concat());
        assert_eq!(acknowledged, 1);
    }

    /// SETTINGS with these, by identifier.
    fn settings(stated: &[(u16, u32)]) -> Vec<u8> {
        let stated = stated.iter().map(|&(id, value)| Setting { id: id.into(), value }).collect();
        encoded(&Frame::Settings(stated)).to_vec()
    }

    #[test]
    fn settings_that_are_acknowledged_before_the_hand_over_are_one_frame_to_the_back_end() {
        let window = [0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 9];
        let early = [&PREFACE, &settings(&[(4, 7), (2, 0)])[..], &window].concat();
        let late = [&settings(&[(1, 0)])[..], ACK, &settings(&[(4, 9), (5, 20_000)])].concat();
        let joined = settings(&[(2, 0), (1, 0), (4, 9), (5, 20_000)]);
        let expected = [&PREFACE, &joined[..], &window, HEADERS].concat();
        for cut in 0..late.len() {
            let (bytes, owed, acknowledged) = delivered(&early, &[&late[..cut], &late[cut..], HEADERS]);
            assert_eq!((bytes, owed, acknowledged), (expected.clone(), [ACK, ACK].concat(), 1));
        }
    }

    #[test]
    fn settings_whose_order_a_back_end_could_notice_stay_frames_of_their_own_and_so_do_those_behind_them() {
        let many: Vec<(u16, u32)> = (0..100).map(|id| (0x100 + id, 1)).collect();
        let cases = [
            [vec![(1, 0)], vec![(1, 4096)]],
            [vec![(4, 1), (4, 2)], vec![(5, 20_000)]],
            [vec![], vec![(4, 1), (4, 2)]],
            [vec![(4, 1)], many],
        ];
        for [first, second] in cases {
            let early = [&PREFACE, &settings(&first)[..]].concat();
            let late = [settings(&second), settings(&[(3, 1)])].concat();
            let (bytes, _, acknowledged) = delivered(&early, &[&late, ACK, HEADERS]);
            assert_eq!(
                (bytes, acknowledged),
                ([&early, &late, HEADERS].concat(), 3),
                "{first:?}, {second:?}"
            );
        }
    }

    #[test]
    fn a_hundred_settings_are_still_one_frame() {
        let many: Vec<(u16, u32)> = (0..99).map(|id| (0x100 + id, 1)).collect();
        let early = [&PREFACE, &settings(&[(4, 1)])[..]].concat();
        let (bytes, _, acknowledged) = delivered(&early, &[&settings(&many), ACK, HEADERS]);
        let joined = settings(&[&[(4, 1)], &many[..]].concat());
        assert_eq!((bytes, acknowledged), ([&PREFACE, &joined[..], HEADERS].concat(), 1));
    }
}
