//! Opens protected records, one after another: each has a number, which goes into its nonce and in TLS 1.2 into what is
//! authenticated (RFC 8446 section 5.2, RFC 5246 section 6.2.3.3, RFC 5288, RFC 7905).
//!
//! A record is opened in place, so the only copy of it is the one that put its pieces together.

use bytes::{Buf, BytesMut};
use ring::aead::{Aad, LessSafeKey, Nonce, UnboundKey};

use super::cipher::Cipher;
use super::schedule::Keys;
use crate::wire::tls::{ContentType, ProtocolVersion, Record};

/// Opens the records of one direction under one key.
#[derive(Clone, Debug)]
pub(super) struct Opener {
    key: LessSafeKey,
    iv: [u8; 12],
    explicit_nonce: bool,
    version: ProtocolVersion,
    /// Of the next record.
    number: u64,
}

/// The record is not what was sealed with this key at this place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotAuthentic;

impl Opener {
    pub(super) fn new(cipher: Cipher, version: ProtocolVersion, keys: &Keys) -> Option<Self> {
        let key = LessSafeKey::new(UnboundKey::new(cipher.aead, &keys.key).ok()?);
        let mut iv = [0; 12];
        iv.get_mut(..keys.iv.len())?.copy_from_slice(&keys.iv);
        Some(Self { key, iv, explicit_nonce: cipher.explicit_nonce, version, number: 0 })
    }

    /// What the record really holds. The number counts on only if it opens.
    pub(super) fn open(&mut self, record: Record) -> Result<(ContentType, BytesMut), NotAuthentic> {
        let opened = match self.version {
            ProtocolVersion::Tls13 => self.open_13(record),
            _ => self.open_12(record),
        }?;
        self.number += 1;
        Ok(opened)
    }

    fn open_13(&self, record: Record) -> Result<(ContentType, BytesMut), NotAuthentic> {
        let Record { kind, version, mut payload } = record;
        let header = header(kind, version, payload.len());
        self.unseal(self.numbered_nonce(), &header, &mut payload)?;
        // Padding is zeros behind the content type, so the type is the last byte that is none.
        let end = payload.iter().rposition(|&byte| byte != 0).ok_or(NotAuthentic)?;
        let kind = payload[end].into();
        payload.truncate(end);
        Ok((kind, payload))
    }

    fn open_12(&self, record: Record) -> Result<(ContentType, BytesMut), NotAuthentic> {
        let Record { kind, version, mut payload } = record;
        let nonce = if self.explicit_nonce {
            let mut nonce = self.iv;
            nonce[4..].copy_from_slice(payload.get(..8).ok_or(NotAuthentic)?);
            payload.advance(8);
            nonce
        } else {
            self.numbered_nonce()
        };
        let length = payload.len().checked_sub(self.key.algorithm().tag_len()).ok_or(NotAuthentic)?;
        let mut authenticated = [0; 13];
        authenticated[..8].copy_from_slice(&self.number.to_be_bytes());
        authenticated[8..].copy_from_slice(&header(kind, version, length));
        self.unseal(nonce, &authenticated, &mut payload)?;
        Ok((kind, payload))
    }

    fn unseal(
        &self,
        nonce: [u8; 12],
        authenticated: &[u8],
        payload: &mut BytesMut,
    ) -> Result<(), NotAuthentic> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let opened = self.key.open_in_place(nonce, Aad::from(authenticated), payload);
        let length = opened.map_err(|_| NotAuthentic)?.len();
        payload.truncate(length);
        Ok(())
    }

    fn numbered_nonce(&self) -> [u8; 12] {
        let mut nonce = self.iv;
        for (byte, number) in nonce[4..].iter_mut().zip(self.number.to_be_bytes()) {
            *byte ^= number;
        }
        nonce
    }
}

/// A record's header, with this length.
fn header(kind: ContentType, version: ProtocolVersion, length: usize) -> [u8; 5] {
    let [major, minor] = u16::from(version).to_be_bytes();
    let [high, low] = (length as u16).to_be_bytes();
    [kind.into(), major, minor, high, low]
}
