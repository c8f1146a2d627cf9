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
        if self.spoke {
            self.from_client.push(bytes, &mut self.filtered);
        }
        self.classifier.push(bytes);
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
            return HandOver { replay: self.read.freeze(), from_client: self.from_client, from_server };
        }
        self.from_client.judge.answers = false;
        self.from_client.release(&mut self.filtered);
        let from_server =
            FromServer { settings_to_come: true, surplus_acks: self.from_client.judge.acknowledged };
        HandOver {
            replay: self.filtered.freeze(),
            from_client: self.from_client,
            from_server: Filter::new(from_server, 0),
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
