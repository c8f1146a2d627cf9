//! What a client offers (RFC 8446 section 4.1.2): whom it calls, in which protocols, and in which versions of TLS.
//!
//! Only what routing, replaying and comparing need is kept. A server's policy is not applied: a hello without a suite that
//! anybody takes is a hello.

use bytes::Bytes;

use super::error::{HelloPart, TlsError};
use super::fields::{Fields, extension, extensions, numbers_16, protocol_names};
use super::registry::{CipherSuite, ProtocolVersion};

/// A ClientHello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientHello {
    /// The version that servers before TLS 1.3 go by.
    pub legacy_version: ProtocolVersion,
    /// Its random; also the name of the session in a key log.
    pub random: [u8; 32],
    /// The session that it would resume, or what makes TLS 1.3 look like that; at most 32 bytes.
    pub session_id: Bytes,
    /// The suites, in order of preference.
    pub cipher_suites: Vec<CipherSuite>,
    /// Whom it calls (SNI), as it is written there; RFC 6066 allows no addresses, yet some send them.
    pub server_name: Option<String>,
    /// The protocols that it offers to speak (ALPN), in order of preference; empty if it does not say.
    pub alpn: Vec<Bytes>,
    /// What its `supported_versions` has, in order of preference.
    pub supported_versions: Option<Vec<ProtocolVersion>>,
    /// Whether it sends data before the handshake is done (0-RTT).
    pub early_data: bool,
    /// The numbers of all its extensions, in their order.
    pub extensions: Vec<u16>,
}

impl ClientHello {
    /// Reads the body of a ClientHello message.
    ///
    /// # Errors
    ///
    /// If a part is missing, a length lies, or an extension is there twice.
    pub fn parse(body: &[u8]) -> Result<Self, TlsError> {
        let mut fields = Fields::new(body);
        let legacy_version = fields.number_16(HelloPart::Version)?.into();
        let random = random(&mut fields)?;
        let session_id = session_id(&mut fields)?;
        let suites = numbers_16(fields.vector_16(HelloPart::CipherSuites)?, HelloPart::CipherSuites)?;
        if fields.vector_8(HelloPart::Compression)?.is_empty() {
            return Err(TlsError::Malformed(HelloPart::Compression));
        }
        let mut hello = Self {
            legacy_version,
            random,
            session_id,
            cipher_suites: suites.into_iter().map(CipherSuite::from).collect(),
            server_name: None,
            alpn: Vec::new(),
            supported_versions: None,
            early_data: false,
            extensions: Vec::new(),
        };
        for (number, content) in extensions(fields)? {
            hello.extensions.push(number);
            match number {
                extension::SERVER_NAME => hello.server_name = server_name(content)?,
                extension::ALPN => {
                    hello.alpn = protocol_names(content)?.into_iter().map(Bytes::copy_from_slice).collect();
                }
                extension::SUPPORTED_VERSIONS => hello.supported_versions = Some(versions(content)?),
                extension::EARLY_DATA => {
                    content.finish(HelloPart::EarlyData)?;
                    hello.early_data = true;
                }
                _ => {}
            }
        }
        Ok(hello)
    }

    /// The versions that it offers, without those that only test the server: `supported_versions`, or else what
    /// `legacy_version` says, which offers every older one too.
    pub fn versions(&self) -> Vec<ProtocolVersion> {
        match &self.supported_versions {
            Some(versions) => versions.iter().copied().filter(|version| !version.is_grease()).collect(),
            None => vec![self.legacy_version],
        }
    }
}

pub(super) fn random(fields: &mut Fields<'_>) -> Result<[u8; 32], TlsError> {
    let mut random = [0; 32];
    random.copy_from_slice(fields.take(32, HelloPart::Random)?);
    Ok(random)
}

pub(super) fn session_id(fields: &mut Fields<'_>) -> Result<Bytes, TlsError> {
    let id = fields.vector_8(HelloPart::SessionId)?;
    if id.len() > 32 {
        return Err(TlsError::Malformed(HelloPart::SessionId));
    }
    Ok(Bytes::copy_from_slice(id))
}

/// The name of type `host_name`, of which there may be one (RFC 6066 section 3).
fn server_name(mut content: Fields<'_>) -> Result<Option<String>, TlsError> {
    let part = HelloPart::ServerName;
    let mut list = Fields::new(content.vector_16(part)?);
    content.finish(part)?;
    if list.is_empty() {
        return Err(TlsError::Malformed(part));
    }
    let mut found = None;
    while !list.is_empty() {
        // Names of other types were never defined, so nobody knows where one of them ends.
        if list.number_8(part)? != 0 {
            break;
        }
        let name = list.vector_16(part)?;
        let readable = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
        match std::str::from_utf8(name) {
            Ok(name) if readable && found.is_none() => found = Some(name.to_owned()),
            _ => return Err(TlsError::Malformed(part)),
        }
    }
    Ok(found)
}

fn versions(mut content: Fields<'_>) -> Result<Vec<ProtocolVersion>, TlsError> {
    let part = HelloPart::SupportedVersions;
    let list = numbers_16(content.vector_8(part)?, part)?;
    content.finish(part)?;
    Ok(list.into_iter().map(ProtocolVersion::from).collect())
}
