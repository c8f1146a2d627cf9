//! The client's side, as a machine without socket, clock or task.

use std::io::{self, Read, Write};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConnection, Resumption};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme, SupportedProtocolVersion};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::net::Stream;
use crate::script::{Hello, TlsVersion};

use super::identity::NAME;
use super::provider::{PROVIDER, RSA_ALONE, StoppedClock};

/// One session. Bytes from the server go into [`Self::received`]; what is to be sent comes out of [`Self::next_write`].
#[derive(Debug)]
pub(crate) struct ClientSession {
    connection: ClientConnection,
    was_handshaking: bool,
    is_closed: bool,
}

/// What the server's bytes gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    /// The handshake is over; the protocol is what the server chose by ALPN.
    Established { protocol: Option<String> },
    /// Application data.
    Data(Bytes),
    /// The server has said that it sends nothing more.
    End,
    /// The session is of no use any more.
    Broken(Trouble),
}

/// Why a session is of no use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The server sent an alert with this description (RFC 8446, section 6).
    Alert(u8),
    /// What the server says is not TLS.
    NotTls,
    /// The server broke TLS in another way.
    Protocol,
}

/// A connection inside TLS, for clients that are code.
pub(crate) type ClientStream = TlsStream<Stream>;

/// Shakes hands with a server, saying `hello`.
pub(crate) async fn connect(stream: Stream, hello: &Hello) -> io::Result<ClientStream> {
    let (config, name) = configured(hello);
    TlsConnector::from(config).connect(name, stream).await
}

impl ClientSession {
    pub(crate) fn new(hello: &Hello) -> Self {
        let (config, name) = configured(hello);
        let connection = ClientConnection::new(config, name).expect("the configuration is complete");
        Self { connection, was_handshaking: true, is_closed: false }
    }

    /// Application data to send. Before the handshake is over it waits for that.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.connection.writer().write_all(bytes).expect("a session's buffer has no limit");
    }

    /// Says that nothing more will be written, and gives the records that say so. Before the handshake is over there is
    /// nobody to tell.
    pub(crate) fn close(&mut self) -> Option<Bytes> {
        self.is_closed = true;
        if !self.was_handshaking {
            self.connection.send_close_notify();
        }
        self.next_write()
    }

    /// Whether [`Self::close`] was called.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// The records that are to be sent, as one write.
    pub(crate) fn next_write(&mut self) -> Option<Bytes> {
        let mut records = Vec::new();
        while self.connection.wants_write() {
            self.connection.write_tls(&mut records).expect("a vector takes everything");
        }
        (!records.is_empty()).then(|| records.into())
    }

    /// The server's bytes.
    pub(crate) fn received(&mut self, mut bytes: &[u8]) -> Vec<Opened> {
        let mut opened = Vec::new();
        while !bytes.is_empty() {
            // rustls takes as much as it has room for, and makes room by working through it.
            let taken = self.connection.read_tls(&mut bytes);
            if taken.is_err() {
                opened.push(Opened::Broken(Trouble::Protocol));
                return opened;
            }
            let state = match self.connection.process_new_packets() {
                Ok(state) => state,
                Err(error) => {
                    opened.push(Opened::Broken(trouble(&error)));
                    return opened;
                }
            };
            if self.was_handshaking && !self.connection.is_handshaking() {
                self.was_handshaking = false;
                let protocol = self.connection.alpn_protocol();
                let protocol = protocol.map(|name| String::from_utf8_lossy(name).into_owned());
                opened.push(Opened::Established { protocol });
            }
            let length = state.plaintext_bytes_to_read();
            if length > 0 {
                let mut data = vec![0; length];
                self.connection.reader().read_exact(&mut data).expect("so many bytes are there");
                opened.push(Opened::Data(data.into()));
            }
            if state.peer_has_closed() {
                opened.push(Opened::End);
                return opened;
            }
        }
        opened
    }
}

/// The configuration that makes rustls say `hello`, and the name that it asks for.
fn configured(hello: &Hello) -> (Arc<ClientConfig>, ServerName<'static>) {
    // Nobody here chooses an older one, and rustls knows none.
    let mut versions: Vec<&'static SupportedProtocolVersion> = Vec::new();
    versions.extend(hello.versions.contains(&TlsVersion::Tls13).then_some(&rustls::version::TLS13));
    if versions.is_empty() || hello.versions.contains(&TlsVersion::Tls12) {
        versions.push(&rustls::version::TLS12);
    }
    let provider = if hello.rsa_alone { Arc::clone(&RSA_ALONE) } else { Arc::clone(&PROVIDER) };
    let builder = ClientConfig::builder_with_details(provider, Arc::new(StoppedClock))
        .with_protocol_versions(&versions)
        .expect("there are suites for each version");
    let mut config =
        builder.dangerous().with_custom_certificate_verifier(TRUST.clone()).with_no_client_auth();
    let sayable = hello.alpn.iter().filter(|protocol| (1..=255).contains(&protocol.len()));
    config.alpn_protocols = sayable.map(|protocol| protocol.clone().into_bytes()).collect();
    config.resumption = Resumption::disabled();
    config.enable_sni = hello.sni.is_some();
    let name = hello.sni.clone().unwrap_or_else(|| NAME.to_owned());
    let name = ServerName::try_from(name).unwrap_or_else(|_| {
        config.enable_sni = false;
        ServerName::try_from(NAME).expect("it is a name")
    });
    (Arc::new(config), name)
}

fn trouble(error: &Error) -> Trouble {
    match error {
        Error::AlertReceived(description) => Trouble::Alert(u8::from(*description)),
        Error::InvalidMessage(_) => Trouble::NotTls,
        _ => Trouble::Protocol,
    }
}

static TRUST: LazyLock<Arc<Trusting>> = LazyLock::new(|| Arc::new(Trusting));

/// Takes every certificate: whether one is trusted is not what a handshake fails for here.
#[derive(Debug)]
struct Trusting;

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        PROVIDER.signature_verification_algorithms.supported_schemes()
    }
}
