//! What a server chose: version, suite, and the protocol that is spoken over them (RFC 8446 sections 4.1.3 and 4.3.1).
//!
//! Up to TLS 1.2 all of it stands in the ServerHello; in TLS 1.3 the protocol is in EncryptedExtensions, which is the
//! same list in a protected message.

use bytes::Bytes;

use super::client_hello::{random, session_id};
use super::error::{HelloPart, TlsError};
use super::fields::{Fields, extension, extensions, protocol_names};
use super::registry::{CipherSuite, ProtocolVersion};

/// A ServerHello, or the request for another ClientHello, which has its form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerHello {
    /// The version.
    pub version: ProtocolVersion,
    /// Its random.
    pub random: [u8; 32],
    /// The session that is resumed or begun, or in TLS 1.3 the client's own.
    pub session_id: Bytes,
    /// The suite.
    pub cipher_suite: CipherSuite,
    /// How records are compressed: 0 is not at all.
    pub compression: u8,
    /// The protocol, as far as it is chosen here.
    pub alpn: Option<Bytes>,
}

impl ServerHello {
    /// Reads the body of a ServerHello message.
    ///
    /// # Errors
    ///
    /// If a part is missing, a length lies, or an extension is there twice.
    pub fn parse(body: &[u8]) -> Result<Self, TlsError> {
        let mut fields = Fields::new(body);
        let mut hello = Self {
            version: fields.number_16(HelloPart::Version)?.into(),
            random: random(&mut fields)?,
            session_id: session_id(&mut fields)?,
            cipher_suite: fields.number_16(HelloPart::CipherSuites)?.into(),
            compression: fields.number_8(HelloPart::Compression)?,
            alpn: None,
        };
        for (number, mut content) in extensions(fields)? {
            match number {
                extension::ALPN => hello.alpn = Some(chosen(content)?),
                extension::SUPPORTED_VERSIONS => {
                    hello.version = content.number_16(HelloPart::SupportedVersions)?.into();
                    content.finish(HelloPart::SupportedVersions)?;
                }
                _ => {}
            }
        }
        Ok(hello)
    }

    /// Whether it asks for another ClientHello (HelloRetryRequest), which its random says.
    pub fn asks_for_another(&self) -> bool {
        // SHA-256 of "HelloRetryRequest" (RFC 8446 section 4.1.3).
        const RETRY: [u8; 32] = [
            0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
            0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
        ];
        self.random == RETRY
    }
}

/// What else a server of TLS 1.3 chose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncryptedExtensions {
    /// The protocol; none if the server does not say.
    pub alpn: Option<Bytes>,
}

impl EncryptedExtensions {
    /// Reads the body of an EncryptedExtensions message.
    ///
    /// # Errors
    ///
    /// If a length lies, or an extension is there twice.
    pub fn parse(body: &[u8]) -> Result<Self, TlsError> {
        if body.is_empty() {
            return Err(TlsError::Truncated(HelloPart::Extensions));
        }
        let mut read = Self::default();
        for (number, content) in extensions(Fields::new(body))? {
            if number == extension::ALPN {
                read.alpn = Some(chosen(content)?);
            }
        }
        Ok(read)
    }
}

/// The one protocol of a server's ALPN.
fn chosen(content: Fields<'_>) -> Result<Bytes, TlsError> {
    match protocol_names(content)?[..] {
        [name] => Ok(Bytes::copy_from_slice(name)),
        _ => Err(TlsError::Malformed(HelloPart::Alpn)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ServerHello with one suite and these extensions.
    fn body(extensions: &[u8]) -> Vec<u8> {
        let length = (extensions.len() as u16).to_be_bytes();
        [&[3, 3][..], &[7; 32], &[0], &[0xc0, 0x2f, 0], &length, extensions].concat()
    }

    #[test]
    fn what_was_negotiated_is_read() {
        let old = ServerHello::parse(&body(&[0, 16, 0, 5, 0, 3, 2, b'h', b'2'])).unwrap();
        assert_eq!((old.version, old.alpn.as_deref()), (ProtocolVersion::Tls12, Some(&b"h2"[..])));
        assert_eq!(old.cipher_suite.to_string(), "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
        let new = ServerHello::parse(&body(&[0, 43, 0, 2, 3, 4])).unwrap();
        assert_eq!((new.version, new.asks_for_another()), (ProtocolVersion::Tls13, false));
        let without = ServerHello::parse(&body(&[])[..38]).unwrap();
        assert_eq!(without.version, ProtocolVersion::Tls12);
    }

    #[test]
    fn a_server_chooses_one_protocol() {
        let two = body(&[0, 16, 0, 8, 0, 6, 2, b'h', b'2', 2, b'h', b'3']);
        assert_eq!(ServerHello::parse(&two), Err(TlsError::Malformed(HelloPart::Alpn)));
        let encrypted = [0, 9, 0, 16, 0, 5, 0, 3, 2, b'h', b'2'];
        assert_eq!(EncryptedExtensions::parse(&encrypted).unwrap().alpn.as_deref(), Some(&b"h2"[..]));
        assert_eq!(EncryptedExtensions::parse(&[0, 0]), Ok(EncryptedExtensions::default()));
    }

    #[test]
    fn every_shorter_body_is_refused_or_has_no_extensions() {
        let whole = body(&[0, 16, 0, 5, 0, 3, 2, b'h', b'2']);
        for end in 0..whole.len() {
            assert_eq!(ServerHello::parse(&whole[..end]).is_ok(), end == 38, "{end}");
        }
    }
}
