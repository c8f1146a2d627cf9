//! The beginning of a connection into a ClientHello, as its bytes come.
//!
//! A hello is complete with the record that has its last byte, because nothing else may stand in that record; until then
//! the reader says how many bytes have to come before it can say anything else. Nothing about the answer depends on where
//! the bytes were cut, but for how many bytes are asked for.

use super::client_hello::ClientHello;
use super::error::TlsError;
use super::handshake::{self, HandshakeReader};
use super::record::{self, RecordReader};
use super::registry::{ContentType, HandshakeKind};

/// Reads a ClientHello at the beginning of a connection.
#[derive(Clone, Debug)]
pub struct HelloReader {
    records: RecordReader,
    messages: HandshakeReader,
    settled: Option<Result<Box<ClientHello>, TlsError>>,
}

/// How far a hello has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// At least this many bytes have to come before it can be complete; never 0.
    NeedMore(usize),
    /// It is all there.
    Complete(Box<ClientHello>),
}

impl Default for HelloReader {
    fn default() -> Self {
        Self::new()
    }
}

impl HelloReader {
    /// A reader to which nothing has come.
    pub fn new() -> Self {
        Self {
            records: RecordReader::new(RecordReader::PLAINTEXT),
            messages: HandshakeReader::default(),
            settled: None,
        }
    }

    /// Takes in the next bytes. Once it is settled what they are, bytes that follow change nothing.
    ///
    /// # Errors
    ///
    /// If they are no ClientHello, whatever follows.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Progress, TlsError> {
        if self.settled.is_none() {
            self.records.push(bytes);
            self.settled = self.advance().transpose();
        }
        match &self.settled {
            Some(Ok(hello)) => Ok(Progress::Complete(hello.clone())),
            Some(Err(error)) => Err(*error),
            None => Ok(Progress::NeedMore(self.needed())),
        }
    }

    /// How many bytes from the beginning of the connection the hello takes, with its records' headers; while it is not
    /// complete, those of the records that are.
    pub fn length(&self) -> u64 {
        self.records.offset()
    }

    fn advance(&mut self) -> Result<Option<Box<ClientHello>>, TlsError> {
        loop {
            let record = self.records.next_record();
            // What a record claims to be and what its first message is can be told before the record is all there.
            if let (Ok(None), &[kind @ 20..=24, ref rest @ ..]) = (&record, self.records.begun()) {
                expect_handshake(kind.into())?;
                if let (None, Some(&first)) = (self.messages.kind(), rest.get(record::HEADER - 1)) {
                    expect_client_hello(first.into())?;
                }
            }
            let Some(record) = record? else { return Ok(None) };
            expect_handshake(record.kind)?;
            self.messages.push(&record.payload);
            if let Some(kind) = self.messages.kind() {
                expect_client_hello(kind)?;
            }
            if let Some(message) = self.messages.next_message()? {
                return match self.messages.waiting() {
                    0 => ClientHello::parse(&message.body).map(|hello| Some(Box::new(hello))),
                    bytes => Err(TlsError::AfterHello { bytes: bytes as u32 }),
                };
            }
        }
    }

    /// The least that can complete it: the rest of this record, and then as few records as the rest of the message fits
    /// in.
    fn needed(&self) -> usize {
        let in_record = self.records.needed();
        let begun = self.records.begun();
        let (message, known) = match self.messages.header() {
            Ok(Some((_, length))) => (handshake::HEADER + length, self.messages.waiting()),
            _ => (handshake::HEADER, self.messages.waiting()),
        };
        let missing = message.saturating_sub(known);
        let &[_, _, _, high, low, ..] = begun else {
            // No header yet: one more record, at least.
            return in_record + in_records(missing) - record::HEADER;
        };
        let this = usize::from(u16::from_be_bytes([high, low]));
        in_record + in_records(missing.saturating_sub(this))
    }
}

/// The bytes of as few records as have room for so much content.
fn in_records(content: usize) -> usize {
    content + content.div_ceil(RecordReader::PLAINTEXT.into()) * record::HEADER
}

fn expect_handshake(kind: ContentType) -> Result<(), TlsError> {
    if kind == ContentType::Handshake { Ok(()) } else { Err(TlsError::UnexpectedRecord(kind)) }
}

fn expect_client_hello(kind: HandshakeKind) -> Result<(), TlsError> {
    if kind == HandshakeKind::ClientHello { Ok(()) } else { Err(TlsError::NotAClientHello(kind)) }
}
