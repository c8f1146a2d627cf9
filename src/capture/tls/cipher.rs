//! Which suites can be opened: their AEAD and their hash.
//!
//! How a key was agreed on does not matter to what is logged of it, so suites that differ in nothing else are one.

use ring::{aead, hkdf, hmac};

use crate::wire::tls::{CipherSuite, ProtocolVersion};

/// How records of a suite are protected.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cipher {
    pub(super) aead: &'static aead::Algorithm,
    pub(super) hash: Hash,
    /// Whether in TLS 1.2 a record begins with half of its nonce (RFC 5288); else the nonce comes from the record's number.
    pub(super) explicit_nonce: bool,
}

/// The hash of a suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha384,
}

impl Hash {
    pub(super) fn length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }

    pub(super) fn hkdf(self) -> hkdf::Algorithm {
        match self {
            Self::Sha256 => hkdf::HKDF_SHA256,
            Self::Sha384 => hkdf::HKDF_SHA384,
        }
    }

    pub(super) fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha384 => hmac::HMAC_SHA384,
        }
    }
}

impl Cipher {
    /// The cipher of a suite in a version; nothing if it can't be opened, or does not belong to that version.
    pub(super) fn of(suite: CipherSuite, version: ProtocolVersion) -> Option<Self> {
        let aes_128 = Some((&aead::AES_128_GCM, Hash::Sha256));
        let aes_256 = Some((&aead::AES_256_GCM, Hash::Sha384));
        let chacha20 = Some((&aead::CHACHA20_POLY1305, Hash::Sha256));
        let (aead, hash) = match (version, suite) {
            (ProtocolVersion::Tls13, CipherSuite::Aes128Gcm) => aes_128,
            (ProtocolVersion::Tls13, CipherSuite::Aes256Gcm) => aes_256,
            (ProtocolVersion::Tls13, CipherSuite::ChaCha20) => chacha20,
            (
                ProtocolVersion::Tls12,
                CipherSuite::EcdheEcdsaAes128Gcm
                | CipherSuite::EcdheRsaAes128Gcm
                | CipherSuite::DheRsaAes128Gcm
                | CipherSuite::RsaAes128Gcm,
            ) => aes_128,
            (
                ProtocolVersion::Tls12,
                CipherSuite::EcdheEcdsaAes256Gcm
                | CipherSuite::EcdheRsaAes256Gcm
                | CipherSuite::DheRsaAes256Gcm
                | CipherSuite::RsaAes256Gcm,
            ) => aes_256,
            (
                ProtocolVersion::Tls12,
                CipherSuite::EcdheEcdsaChaCha20 | CipherSuite::EcdheRsaChaCha20 | CipherSuite::DheRsaChaCha20,
            ) => chacha20,
            _ => None,
        }?;
        let explicit_nonce = version == ProtocolVersion::Tls12 && aead != &aead::CHACHA20_POLY1305;
        Some(Self { aead, hash, explicit_nonce })
    }
}
