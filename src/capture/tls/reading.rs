//! A flow's bytes into records, those opened, and what is in them in one order.
//!
//! What an end's record means depends on what the other end said: on the server's hello, above all. Captures can have the
//! two out of order (a segment captured late), so a record that can't be understood yet waits, and is given at its own
//! place in the end.

use std::collections::VecDeque;

use bytes::Bytes;

use super::conversation::{Negotiated, TlsConversation, TlsEvent, TlsWhat};
use super::keylog::{KeyLog, SecretName};
use super::state::{Agreed, Protection};
use super::stop::{StopReason, TlsStop};
use crate::capture::{Direction, Flow, What};
use crate::wire::tls::{
    Alert, ClientHello, ContentType, EncryptedExtensions, Handshake, HandshakeKind, HandshakeReader,
    ProtocolVersion, Record, RecordReader, ServerHello,
};

/// Reads a flow with the keys of a log.
pub(super) fn read(flow: &Flow<'_>, log: &KeyLog) -> TlsConversation {
    let mut reading = Reading::new(log);
    for (order, event) in flow.events.iter().enumerate() {
        let place = Place { order, time: event.time, packet: event.packet };
        reading.event(place, event.direction, &event.what);
    }
    reading.finish()
}

/// Where a record was complete: the index of the flow's event, and what that says.
#[derive(Clone, Copy, Debug)]
struct Place {
    order: usize,
    time: u64,
    packet: u64,
}

struct Reading<'a> {
    log: &'a KeyLog,
    agreed: Agreed,
    asked_for_another: bool,
    alpn: Option<Bytes>,
    client: End,
    server: End,
    events: Vec<(usize, TlsEvent)>,
    stops: Vec<TlsStop>,
}

/// One end's records.
struct End {
    records: RecordReader,
    messages: HandshakeReader,
    protection: Protection,
    stopped: bool,
    /// Those that can't be understood yet, with their places and offsets.
    waiting: VecDeque<(Place, u64, Record)>,
    last: Option<Place>,
}

/// What became of a record.
enum Taken {
    Understood,
    /// It has to wait for the other end's hello.
    Early(Record),
}

impl End {
    fn new() -> Self {
        Self {
            records: RecordReader::new(RecordReader::PROTECTED),
            messages: HandshakeReader::default(),
            protection: Protection::None,
            stopped: false,
            waiting: VecDeque::new(),
            last: None,
        }
    }
}

impl<'a> Reading<'a> {
    fn new(log: &'a KeyLog) -> Self {
        Self {
            log,
            agreed: Agreed::default(),
            asked_for_another: false,
            alpn: None,
            client: End::new(),
            server: End::new(),
            events: Vec::new(),
            stops: Vec::new(),
        }
    }

    fn end(&mut self, direction: Direction) -> &mut End {
        match direction {
            Direction::ToServer => &mut self.client,
            Direction::ToClient => &mut self.server,
        }
    }

    fn event(&mut self, place: Place, direction: Direction, what: &What<'_>) {
        match *what {
            What::Opened => {}
            What::Data { ref bytes, .. } => self.bytes(place, direction, bytes),
            What::MissingStart => {
                // Which end the first packet was of says nothing about the other's beginning.
                self.stop(place, Direction::ToServer, 0, StopReason::MissingStart);
                self.stop(place, Direction::ToClient, 0, StopReason::MissingStart);
            }
            What::Gap { offset, length } | What::Truncated { offset, missing: length } => {
                self.stop(place, direction, offset, StopReason::BytesMissing { length });
            }
            What::End => self.give(place, direction, TlsWhat::End),
            What::Reset => self.give(place, direction, TlsWhat::Reset),
        }
    }

    fn bytes(&mut self, place: Place, direction: Direction, bytes: &[u8]) {
        let end = self.end(direction);
        if end.stopped {
            return;
        }
        end.last = Some(place);
        end.records.push(bytes);
        loop {
            let end = self.end(direction);
            let offset = end.records.offset();
            match end.records.next_record() {
                Ok(Some(record)) => end.waiting.push_back((place, offset, record)),
                Ok(None) => break,
                Err(error) => {
                    // What came before it is still to be understood.
                    self.catch_up();
                    self.stop(place, direction, offset, StopReason::NotTls(error));
                    return;
                }
            }
        }
        self.catch_up();
    }

    /// Takes records in until both ends' first has to wait, or there is none.
    fn catch_up(&mut self) {
        let directions = [Direction::ToServer, Direction::ToClient];
        while directions.into_iter().any(|direction| self.next(direction)) {}
    }

    /// Takes in the next record of an end; false if there is none that can be.
    fn next(&mut self, direction: Direction) -> bool {
        let Some((place, offset, record)) = self.end(direction).waiting.pop_front() else { return false };
        match self.record(place, direction, record) {
            Ok(Taken::Understood) => true,
            Ok(Taken::Early(record)) => {
                self.end(direction).waiting.push_front((place, offset, record));
                false
            }
            Err(reason) => {
                self.stop(place, direction, offset, reason);
                true
            }
        }
    }

    fn record(&mut self, place: Place, direction: Direction, record: Record) -> Result<Taken, StopReason> {
        let from_client = direction == Direction::ToServer;
        let version = self.agreed.version();
        let unprotected = self.end(direction).protection.is_none();
        match record.kind {
            ContentType::Handshake | ContentType::Alert if unprotected => {
                if !from_client && self.agreed.client.is_none() && !self.client.stopped {
                    return Ok(Taken::Early(record));
                }
                return self.content(place, direction, record.kind, record.payload.freeze());
            }
            // Before it can protect anything, an end of TLS 1.3 that gives up says so in the clear.
            ContentType::Alert if version == Some(ProtocolVersion::Tls13) => {
                return self.content(place, direction, record.kind, record.payload.freeze());
            }
            ContentType::ChangeCipherSpec | ContentType::ApplicationData
                if unprotected && !self.agreed.is_settled() =>
            {
                let retry = version == Some(ProtocolVersion::Tls13);
                return match record.kind {
                    ContentType::ChangeCipherSpec if retry => Ok(Taken::Understood),
                    _ if from_client => Ok(Taken::Early(record)),
                    kind => Err(StopReason::RecordOutOfTurn(kind)),
                };
            }
            ContentType::ChangeCipherSpec => {
                if version != Some(ProtocolVersion::Tls13) {
                    if !unprotected {
                        return Err(StopReason::Renegotiation);
                    }
                    self.end(direction).protection = Protection::Due(SecretName::ClientRandom);
                }
                return Ok(Taken::Understood);
            }
            kind if unprotected => return Err(StopReason::RecordOutOfTurn(kind)),
            _ => {}
        }
        let end = match direction {
            Direction::ToServer => &mut self.client,
            Direction::ToClient => &mut self.server,
        };
        let (kind, content) = end.protection.open(direction, record, &self.agreed, self.log)?;
        self.content(place, direction, kind, content.freeze())
    }

    fn content(
        &mut self,
        place: Place,
        direction: Direction,
        kind: ContentType,
        content: Bytes,
    ) -> Result<Taken, StopReason> {
        match kind {
            ContentType::Handshake => {
                self.end(direction).messages.push(&content);
                while let Some(message) =
                    self.end(direction).messages.next_message().map_err(StopReason::NotTls)?
                {
                    self.give(place, direction, TlsWhat::Handshake(message.kind));
                    self.message(direction, &message)?;
                }
            }
            ContentType::Alert => {
                let alert = Alert::parse(&content).ok_or(StopReason::RecordOutOfTurn(kind))?;
                self.give(place, direction, TlsWhat::Alert(alert));
            }
            ContentType::ApplicationData if self.end(direction).protection.is_for_data() => {
                if !content.is_empty() {
                    self.give(place, direction, TlsWhat::Data(content));
                }
            }
            kind => return Err(StopReason::RecordOutOfTurn(kind)),
        }
        Ok(Taken::Understood)
    }

    fn message(&mut self, direction: Direction, message: &Handshake) -> Result<(), StopReason> {
        let out_of_turn = StopReason::MessageOutOfTurn(message.kind);
        let new = self.agreed.version() == Some(ProtocolVersion::Tls13);
        let unprotected = self.end(direction).protection.is_none();
        match (message.kind, direction) {
            (HandshakeKind::HelloRequest, _) | (HandshakeKind::ClientHello, Direction::ToServer)
                if !unprotected && !new =>
            {
                return Err(StopReason::Renegotiation);
            }
            (HandshakeKind::ClientHello, Direction::ToServer) if unprotected => {
                let hello = ClientHello::parse(&message.body).map_err(StopReason::NotTls)?;
                let early_data = hello.early_data;
                self.agreed.client.get_or_insert(hello);
                if early_data {
                    return Err(StopReason::EarlyData);
                }
            }
            (HandshakeKind::ServerHello, Direction::ToClient) if unprotected => {
                if self.agreed.client.is_none() {
                    return Err(StopReason::NoHello);
                }
                let hello = ServerHello::parse(&message.body).map_err(StopReason::NotTls)?;
                self.asked_for_another |= hello.asks_for_another();
                self.alpn.clone_from(&hello.alpn);
                self.agreed.server = Some(hello);
                if self.agreed.is_settled() && self.agreed.version() == Some(ProtocolVersion::Tls13) {
                    self.aligned(direction, out_of_turn)?;
                    self.client.protection = Protection::handshake(Direction::ToServer);
                    self.server.protection = Protection::handshake(Direction::ToClient);
                }
            }
            (HandshakeKind::EncryptedExtensions, Direction::ToClient) if new => {
                let extensions = EncryptedExtensions::parse(&message.body).map_err(StopReason::NotTls)?;
                self.alpn = extensions.alpn;
            }
            (HandshakeKind::Finished, _) if new => {
                self.aligned(direction, out_of_turn)?;
                self.end(direction).protection = Protection::traffic(direction);
            }
            (HandshakeKind::KeyUpdate, _) if new && self.end(direction).protection.is_for_data() => {
                self.aligned(direction, out_of_turn)?;
                self.end(direction).protection.update()?;
            }
            (HandshakeKind::ClientHello | HandshakeKind::ServerHello | HandshakeKind::KeyUpdate, _) => {
                return Err(out_of_turn);
            }
            _ => {}
        }
        Ok(())
    }

    /// Keys change only between records, so nothing may follow a message that changes them in its record.
    fn aligned(&mut self, direction: Direction, otherwise: StopReason) -> Result<(), StopReason> {
        if self.end(direction).messages.waiting() == 0 { Ok(()) } else { Err(otherwise) }
    }

    fn give(&mut self, place: Place, direction: Direction, what: TlsWhat) {
        let event = TlsEvent { time: place.time, packet: place.packet, direction, what };
        self.events.push((place.order, event));
    }

    fn stop(&mut self, place: Place, direction: Direction, offset: u64, reason: StopReason) {
        let end = self.end(direction);
        if !std::mem::replace(&mut end.stopped, true) {
            end.waiting.clear();
            self.stops.push(TlsStop { direction, packet: place.packet, offset, reason });
        }
    }

    fn finish(mut self) -> TlsConversation {
        for direction in [Direction::ToServer, Direction::ToClient] {
            // With the other end stopped, what waited for it may be told.
            self.catch_up();
            if let Some((place, offset, _)) = self.end(direction).waiting.front() {
                let (place, offset) = (*place, *offset);
                self.stop(place, direction, offset, StopReason::NoHello);
            }
            let end = self.end(direction);
            let (bytes, offset) = (end.records.waiting() as u64, end.records.offset());
            if let (1.., Some(place)) = (bytes, end.last) {
                self.stop(place, direction, offset, StopReason::EndsInsideRecord { bytes });
            }
        }
        // Only what had to wait stands elsewhere than it was given.
        self.events.sort_by_key(|(order, _)| *order);
        let negotiated = self.agreed.server.map(|server| Negotiated {
            version: server.version,
            suite: server.cipher_suite,
            alpn: self.alpn,
            asked_for_another: self.asked_for_another,
        });
        TlsConversation {
            hello: self.agreed.client,
            negotiated,
            events: self.events.into_iter().map(|(_, event)| event).collect(),
            stops: self.stops,
        }
    }
}
