//! A TLS session in memory, as a capture.

use std::fmt::Write as _;
use std::io::{Cursor, Read as _, Write as _};
use std::sync::{Arc, Mutex};

use muxbed::capture::writer::{Layout, Plan, write};
use muxbed::capture::{Direction, KeyLog, LinkType, TlsConversation, TlsWhat, read};
use rcgen::{CertificateParams, KeyPair};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{
    CipherSuite, ClientConfig, ClientConnection, DigitallySignedStruct, ServerConfig, ServerConnection,
    SignatureScheme, SupportedCipherSuite,
};

/// What the two ends are told.
pub(crate) struct Ends {
    pub(crate) client: ClientConfig,
    pub(crate) server: ServerConfig,
    log: Arc<Lines>,
}

/// A session that goes on.
pub(crate) struct Session {
    pub(crate) client: ClientConnection,
    pub(crate) server: ServerConnection,
    /// What was written, in order.
    pub(crate) written: Vec<(Direction, Vec<u8>)>,
    /// What the two have read, in order.
    pub(crate) said: Vec<(Direction, Vec<u8>)>,
    log: Arc<Lines>,
}

/// Lines of a key log.
#[derive(Debug, Default)]
struct Lines(Mutex<String>);

impl rustls::KeyLog for Lines {
    fn log(&self, label: &str, random: &[u8], secret: &[u8]) {
        let hex = |bytes: &[u8]| {
            bytes.iter().fold(String::new(), |mut text, byte| {
                write!(text, "{byte:02x}").expect("it is memory");
                text
            })
        };
        let line = format!("{label} {} {}\n", hex(random), hex(secret));
        self.0.lock().expect("nobody panics").push_str(&line);
    }
}

impl Ends {
    /// Two ends that have one suite.
    pub(crate) fn of(suite: SupportedCipherSuite) -> Self {
        Self::with(CryptoProvider { cipher_suites: vec![suite], ..ring::default_provider() })
    }

    pub(crate) fn with(provider: CryptoProvider) -> Self {
        let rsa = provider.cipher_suites.iter().any(|suite| {
            matches!(
                suite.suite(),
                CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
                    | CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
                    | CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
            )
        });
        let key = if rsa { rsa_key() } else { KeyPair::generate().unwrap() };
        let certificate =
            CertificateParams::new(["muxbed.test".to_owned()]).unwrap().self_signed(&key).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(provider);
        let versions = rustls::ALL_VERSIONS;
        let usable: Vec<_> = versions
            .iter()
            .copied()
            .filter(|version| provider.cipher_suites.iter().any(|suite| suite.version() == *version))
            .collect();
        let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&usable)
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate))
            .with_no_client_auth();
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&usable)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let log = Arc::new(Lines::default());
        client.key_log = Arc::clone(&log) as _;
        client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        server.alpn_protocols = vec![b"h2".to_vec()];
        Self { client, server, log }
    }

    pub(crate) fn connect(&self) -> Session {
        let name = ServerName::try_from("muxbed.test").unwrap();
        Session {
            client: ClientConnection::new(Arc::new(self.client.clone()), name).unwrap(),
            server: ServerConnection::new(Arc::new(self.server.clone())).unwrap(),
            written: Vec::new(),
            said: Vec::new(),
            log: Arc::clone(&self.log),
        }
    }
}

impl Session {
    /// Lets bytes and messages go to and fro until both are silent.
    pub(crate) fn settle(&mut self) {
        loop {
            let mut flight = Vec::new();
            while self.client.wants_write() {
                self.client.write_tls(&mut flight).unwrap();
            }
            let to_server = !flight.is_empty();
            if to_server {
                let mut rest = Cursor::new(&flight[..]);
                while self.server.read_tls(&mut rest).unwrap() > 0 {
                    if self.server.process_new_packets().is_err() {
                        break;
                    }
                    collect(Direction::ToServer, self.server.reader(), &mut self.said);
                }
                self.written.push((Direction::ToServer, flight));
            }
            let mut flight = Vec::new();
            while self.server.wants_write() {
                self.server.write_tls(&mut flight).unwrap();
            }
            let to_client = !flight.is_empty();
            if to_client {
                let mut rest = Cursor::new(&flight[..]);
                while self.client.read_tls(&mut rest).unwrap() > 0 {
                    if self.client.process_new_packets().is_err() {
                        break;
                    }
                    collect(Direction::ToClient, self.client.reader(), &mut self.said);
                }
                self.written.push((Direction::ToClient, flight));
            }
            if !to_server && !to_client {
                return;
            }
        }
    }

    /// One end says something, and it arrives.
    pub(crate) fn say(&mut self, direction: Direction, bytes: &[u8]) -> &mut Self {
        match direction {
            Direction::ToServer => self.client.writer().write_all(bytes).unwrap(),
            Direction::ToClient => self.server.writer().write_all(bytes).unwrap(),
        }
        self.settle();
        self
    }

    /// Both take their leave.
    pub(crate) fn close(&mut self) {
        self.client.send_close_notify();
        self.settle();
        self.server.send_close_notify();
        self.settle();
    }

    pub(crate) fn key_log(&self) -> String {
        self.log.0.lock().unwrap().clone()
    }

    /// The conversation packet by packet, in segments of this size.
    pub(crate) fn plan(&self, segment: usize) -> Plan {
        let mut plan = Plan::new("10.0.0.1:40000".parse().unwrap(), "10.0.0.2:443".parse().unwrap(), 1 << 60);
        plan.open();
        for (direction, bytes) in &self.written {
            plan.send(*direction, bytes, segment).acknowledge(direction.reverse());
        }
        plan.end(Direction::ToServer).end(Direction::ToClient);
        plan
    }

    /// What is read of it.
    pub(crate) fn read(&self, segment: usize) -> TlsConversation {
        read_plan(&self.plan(segment), &self.key_log())
    }

    /// All that one end said.
    pub(crate) fn all_said(&self, direction: Direction) -> Vec<u8> {
        self.said.iter().filter(|(by, _)| *by == direction).flat_map(|(_, bytes)| bytes.clone()).collect()
    }
}

/// What is read of a plan with a key log.
pub(crate) fn read_plan(plan: &Plan, log: &str) -> TlsConversation {
    let file = write(&Layout::new(LinkType::Ethernet), std::slice::from_ref(plan));
    let capture = read(&file).unwrap();
    TlsConversation::read(&capture.flows[0], &KeyLog::parse(log.as_bytes()).unwrap())
}

/// The events as words, data by its length.
pub(crate) fn ladder(conversation: &TlsConversation) -> Vec<String> {
    let line = |event: &muxbed::capture::TlsEvent| {
        let what = match &event.what {
            TlsWhat::Handshake(kind) => kind.to_string(),
            TlsWhat::Data(bytes) => format!("{} bytes", bytes.len()),
            TlsWhat::Alert(alert) => alert.to_string(),
            TlsWhat::End => "end".to_owned(),
            TlsWhat::Reset => "reset".to_owned(),
        };
        format!("{} {what}", event.direction)
    };
    conversation.events.iter().map(line).collect()
}

fn collect(direction: Direction, mut reader: rustls::Reader<'_>, said: &mut Vec<(Direction, Vec<u8>)>) {
    let mut bytes = Vec::new();
    // Nothing more for now is an error of this reader.
    drop(reader.read_to_end(&mut bytes));
    if !bytes.is_empty() {
        said.push((direction, bytes));
    }
}

/// A key that guards nothing, made once because ring can't make such keys.
fn rsa_key() -> KeyPair {
    let key = PrivatePkcs8KeyDer::from(&include_bytes!("rsa-key.der")[..]);
    KeyPair::try_from(&key).unwrap()
}

/// Who the server is does not matter here.
#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
