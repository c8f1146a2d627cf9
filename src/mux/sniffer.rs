//! One connection before its route is known, without socket, clock or task: what it is, what the back end will read of
//! it, and what has to be said to it meanwhile.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::wire::{ErrorCode, Frame, PREFACE, StreamId};

use super::classifier::{Classifier, Rules, Verdict};
use super::settings::{FromClient, FromServer, early_settings, encoded};
use crate::wire::filter::Filter;

/// A connection that is being sniffed.
#[derive(Clone, Debug)]
pub(crate) struct Sniffer {
    classifier: Classifier,
    /// Everything that was read, which is replayed as it is unless the multiplexer spoke.
    read: BytesMut,
    spoke: bool,
    from_client: Filter<FromClient>,
    /// What the back end will read, once the multiplexer has spoken.
    filtered: BytesMut,
}

/// What a back end gets of a connection.
#[derive(Clone, Debug)]
pub(crate) struct HandOver {
    /// What it reads first.
    pub(crate) replay: Bytes,
    /// What is taken out of what the client sends later.
    pub(crate) from_client: Filter<FromClient>,
    /// What is taken out of what it sends itself.
    pub(crate) from_server: Filter<FromServer>,
    /// Answers that the client has yet to get, before anything that the back end sends.
    pub(crate) owed: BytesMut,
}

impl Sniffer {
    pub(crate) fn new(rules: Arc<Rules>, limit: usize) -> Self {
        Self {
            classifier: Classifier::new(rules, limit),
            read: BytesMut::new(),
            spoke: false,
            from_client: Filter::new(FromClient::default(), PREFACE.len()),
            filtered: BytesMut::new(),
        }
    }

    pub(crate) fn verdict(&self) -> &Verdict {
        self.classifier.verdict()
    }

    /// How many bytes have been read.
    pub(crate) fn length(&self) -> usize {
        self.read.len()
    }

    /// Reads on.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.read.extend_from_slice(bytes);
        let decided = *self.classifier.push(bytes) != Verdict::NeedMore;
        if self.spoke {
            // What comes with the bytes that decide is the back end's to answer.
            self.from_client.judge.answers &= !decided;
            self.from_client.push(bytes, &mut self.filtered);
        }
    }

    /// What has to be written now, when nothing more is there to be read: SETTINGS if the client may be waiting for them,
    /// and then answers to what it sent.
    pub(crate) fn speak(&mut self) -> Option<Bytes> {
        let mut out = BytesMut::new();
        if !self.spoke && self.classifier.waits_for_a_request() {
            out.extend_from_slice(&self.begin_to_speak());
        }
        if self.spoke {
            out.extend_from_slice(&self.from_client.judge.answer.split());
        }
        (!out.is_empty()).then(|| out.freeze())
    }

    /// What is written to an HTTP/2 client that no rule wants, before its connection is closed.
    pub(crate) fn refusal(&mut self) -> Option<Bytes> {
        if !self.classifier.is_http2() {
            return None;
        }
        let mut out = BytesMut::new();
        if !self.spoke {
            out.extend_from_slice(&self.begin_to_speak());
        }
        let why = match self.classifier.content_type() {
            Some(b"") => "its first request has no content-type".to_owned(),
            Some(stated) => {
                format!("the content-type of its first request is `{}`", String::from_utf8_lossy(stated))
            }
            None => "its first request could not be read".to_owned(),
        };
        let debug = Bytes::from(format!("no route for this HTTP/2 connection: {why}"));
        let code = ErrorCode::Http11Required;
        out.extend_from_slice(&encoded(&Frame::GoAway { last_stream: StreamId::CONNECTION, code, debug }));
        Some(out.freeze())
    }

    /// Hands over what was read and what is still owed.
    pub(crate) fn hand_over(mut self) -> HandOver {
        if !self.spoke {
            let from_server = Filter::new(FromServer::default(), 0);
            let (replay, from_client) = (self.read.freeze(), self.from_client);
            return HandOver { replay, from_client, from_server, owed: BytesMut::new() };
        }
        self.from_client.judge.answers = false;
        let owed = self.from_client.judge.answer.split();
        let from_server =
            FromServer { settings_to_come: true, surplus_acks: self.from_client.judge.acknowledged };
        HandOver {
            replay: self.filtered.freeze(),
            from_client: self.from_client,
            from_server: Filter::new(from_server, 0),
            owed,
        }
    }

    fn begin_to_speak(&mut self) -> Bytes {
        self.spoke = true;
        self.from_client.judge = FromClient { unacknowledged: 1, answers: true, ..FromClient::default() };
        let read = self.read.clone();
        self.from_client.push(&read, &mut self.filtered);
        early_settings()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mux::Rule;

    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    const ACK: &[u8] = &[0, 0, 0, 4, 1, 0, 0, 0, 0];
    const PING: &[u8] = &[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    const DATA: &[u8] = &[0, 0, 5, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0];
    /// HEADERS on stream 1 with `content-type: application/grpc`, as a literal without indexing.
    const HEADERS: &[u8] = b"\0\0\x1f\x01\x04\0\0\0\x01\0\x0ccontent-type\x10application/grpc";

    /// Pushes `early`, lets the sniffer speak, and pushes `late` in the pieces given, across the hand-over; returns what the
    /// back end reads, what the client is still owed, and how many of the back end's acknowledgements are taken out.
    fn delivered(early: &[u8], late: &[&[u8]]) -> (Vec<u8>, Vec<u8>, u32) {
        let rules = Rules::new().to("grpc", Rule::Grpc);
        let mut sniffer = Sniffer::new(Arc::new(rules), 16 * 1024);
        sniffer.push(early);
        assert!(sniffer.speak().is_some());
        let mut late = late.iter();
        while *sniffer.verdict() == Verdict::NeedMore {
            sniffer.push(late.next().expect("it is decided before everything is read"));
        }
        let HandOver { replay, mut from_client, from_server, owed } = sniffer.hand_over();
        let mut delivered = BytesMut::from(&replay[..]);
        late.for_each(|piece| from_client.push(piece, &mut delivered));
        assert!(from_client.is_transparent());
        (delivered.to_vec(), owed.to_vec(), from_server.judge.surplus_acks)
    }

    #[test]
    fn what_is_owed_is_taken_out_wherever_the_hand_over_falls() {
        let early = [&PREFACE, SETTINGS].concat();
        for (late, expected) in [
            ([ACK, HEADERS, DATA].concat(), [&PREFACE, SETTINGS, HEADERS, DATA].concat()),
            ([HEADERS, ACK, DATA].concat(), [&PREFACE, SETTINGS, HEADERS, DATA].concat()),
            ([HEADERS, DATA, ACK].concat(), [&PREFACE, SETTINGS, HEADERS, DATA].concat()),
            // What comes behind the request is the back end's to answer.
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
        assert_eq!(bytes, [&PREFACE, SETTINGS, SETTINGS, HEADERS].concat());
        let mut pong = PING.to_vec();
        pong[4] = 1;
        assert_eq!(owed, [&pong, ACK].concat());
        assert_eq!(acknowledged, 2);
    }
}
