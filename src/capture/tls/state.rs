//! What the two ends have agreed on so far, and with which keys each of them protects its next record.
//!
//! Keys are made when the first record needs them: a secret that is not logged is then missed at a place, and a handshake
//! that ends before it is no less readable for it.

use bytes::BytesMut;

use super::cipher::Cipher;
use super::keylog::{KeyLog, SecretName};
use super::opener::Opener;
use super::schedule::{master_keys, next_secret, traffic_keys};
use super::stop::StopReason;
use crate::capture::Direction;
use crate::wire::tls::{ClientHello, ContentType, ProtocolVersion, Record, ServerHello};

/// What both hellos come to.
#[derive(Clone, Debug, Default)]
pub(super) struct Agreed {
    pub(super) client: Option<ClientHello>,
    /// The server's last; it may ask for another ClientHello.
    pub(super) server: Option<ServerHello>,
}

impl Agreed {
    pub(super) fn version(&self) -> Option<ProtocolVersion> {
        self.server.as_ref().map(|server| server.version)
    }

    /// Whether the server has chosen, and not only asked for another ClientHello.
    pub(super) fn is_settled(&self) -> bool {
        self.server.as_ref().is_some_and(|server| !server.asks_for_another())
    }
}

/// How one direction's next record is protected.
#[derive(Clone, Debug, Default)]
pub(super) enum Protection {
    /// Not at all.
    #[default]
    None,
    /// With keys still to be made.
    Due(SecretName),
    /// With these.
    Keyed(Box<Keyed>),
}

/// Keys in use.
#[derive(Clone, Debug)]
pub(super) struct Keyed {
    name: SecretName,
    cipher: Cipher,
    /// What TLS 1.3 makes the next keys from.
    secret: Vec<u8>,
    opener: Opener,
}

impl Protection {
    /// Which secret the handshake of TLS 1.3 goes on with.
    pub(super) fn handshake(direction: Direction) -> Self {
        Self::Due(match direction {
            Direction::ToServer => SecretName::ClientHandshake,
            Direction::ToClient => SecretName::ServerHandshake,
        })
    }

    /// Which secret protects what follows the handshake of TLS 1.3.
    pub(super) fn traffic(direction: Direction) -> Self {
        Self::Due(match direction {
            Direction::ToServer => SecretName::ClientTraffic,
            Direction::ToClient => SecretName::ServerTraffic,
        })
    }

    pub(super) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Whether application data may be protected like this.
    pub(super) fn is_for_data(&self) -> bool {
        let name = match self {
            Self::None => return false,
            Self::Due(name) => *name,
            Self::Keyed(keyed) => keyed.name,
        };
        !matches!(name, SecretName::ClientHandshake | SecretName::ServerHandshake)
    }

    /// What a record holds.
    pub(super) fn open(
        &mut self,
        direction: Direction,
        record: Record,
        agreed: &Agreed,
        log: &KeyLog,
    ) -> Result<(ContentType, BytesMut), StopReason> {
        if let Self::Due(name) = *self {
            *self = Self::Keyed(Box::new(Keyed::new(name, direction, agreed, log)?));
        }
        match self {
            Self::Keyed(keyed) => keyed.opener.open(record).map_err(|_| StopReason::DoesNotOpen(keyed.name)),
            Self::None | Self::Due(_) => Ok((record.kind, record.payload)),
        }
    }

    /// Goes on with the next keys of TLS 1.3.
    pub(super) fn update(&mut self) -> Result<(), StopReason> {
        let Self::Keyed(keyed) = self else {
            return Err(StopReason::NoHello);
        };
        let failed = StopReason::DoesNotOpen(keyed.name);
        keyed.secret = next_secret(keyed.cipher.hash, &keyed.secret).ok_or(failed)?;
        let keys = traffic_keys(keyed.cipher, &keyed.secret).ok_or(failed)?;
        keyed.opener = Opener::new(keyed.cipher, ProtocolVersion::Tls13, &keys).ok_or(failed)?;
        Ok(())
    }
}

impl Keyed {
    fn new(
        name: SecretName,
        direction: Direction,
        agreed: &Agreed,
        log: &KeyLog,
    ) -> Result<Self, StopReason> {
        let (Some(client), Some(server)) = (&agreed.client, &agreed.server) else {
            return Err(StopReason::NoHello);
        };
        let version = server.version;
        if !matches!(version, ProtocolVersion::Tls12 | ProtocolVersion::Tls13) {
            return Err(StopReason::Version(version));
        }
        if server.compression != 0 {
            return Err(StopReason::Compressed(server.compression));
        }
        let suite = server.cipher_suite;
        let cipher = Cipher::of(suite, version).ok_or(StopReason::Suite(suite))?;
        let secret = log.secret(&client.random, name).ok_or(StopReason::NoSecret(name))?;
        let keys = match (name, direction) {
            (SecretName::ClientRandom, _) => {
                let [of_client, of_server] = master_keys(cipher, secret, &client.random, &server.random);
                Some(if direction == Direction::ToServer { of_client } else { of_server })
            }
            _ => traffic_keys(cipher, secret),
        };
        let opener = keys.and_then(|keys| Opener::new(cipher, version, &keys));
        let opener = opener.ok_or(StopReason::DoesNotOpen(name))?;
        Ok(Self { name, cipher, secret: secret.to_vec(), opener })
    }
}
