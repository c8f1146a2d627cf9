//! TLS: a handshake in the bed beside rustls alone in memory; our reader of hellos beside rustls' `Acceptor`; and the whole
//! matrix, of which a third is over TLS.
//!
//! Alone, rustls has ring's own X25519 and neither link nor runtime; in the bed it pays for those, for the exchange that is
//! the same each time, and for a transcript and a verdict.

use std::hint::black_box;
use std::io::Cursor;
use std::sync::Arc;

use muxbed::bed::bed;
use muxbed::clients::{ClientSpec, KnownClient, families};
use muxbed::script::Script;
use muxbed::upgrade::servers;
use muxbed::wire::tls::{HelloReader, Progress};
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use rustls::client::ClientConnection;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::server::{Acceptor, ServerConnection};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use super::measure::{Subject, Unit};

const ALONE: &str = "TLS 1.3 handshake, rustls alone in memory";
const ACCEPTOR: &str = "rustls' Acceptor, a ClientHello";

pub(crate) fn subjects() -> Vec<Subject> {
    let (client, server) = configurations();
    let hello = first_write(&client);
    let read = hello.clone();
    vec![
        Subject::once(ALONE, Unit::Often, move || handshake(&client, &server)),
        in_the_bed().beside(ALONE, None),
        Subject::once(ACCEPTOR, Unit::Time, move || {
            let mut acceptor = Acceptor::default();
            acceptor.read_tls(&mut Cursor::new(black_box(&hello))).expect("it is memory");
            let accepted = acceptor.accept().unwrap_or_else(|(error, _)| panic!("{error}"));
            assert!(accepted.expect("it is whole").client_hello().server_name().is_some());
        }),
        Subject::once("our reader, the same", Unit::Time, move || {
            let Ok(Progress::Complete(hello)) = HelloReader::new().push(black_box(&read)) else {
                panic!("it is a whole hello")
            };
            assert!(hello.server_name.is_some());
        })
        .beside(ACCEPTOR, Some(1.0)),
        whole_matrix(),
    ]
}

/// Both sides' configurations, with a certificate that the client trusts.
fn configurations() -> (Arc<ClientConfig>, Arc<ServerConfig>) {
    let key = KeyPair::generate_for(&PKCS_ED25519).expect("there is chance to draw from");
    let parameters = CertificateParams::new(vec!["muxbed.test".to_owned()]).expect("it is a name");
    let certificate = parameters.self_signed(&key).expect("a certificate of plain names can be signed");
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).expect("it is a certificate");
    let provider = Arc::new(ring::default_provider());
    let client = ClientConfig::builder_with_provider(Arc::clone(&provider));
    let client = client.with_safe_default_protocol_versions().expect("ring has suites of both versions");
    let mut client = client.with_root_certificates(roots).with_no_client_auth();
    let server = ServerConfig::builder_with_provider(provider);
    let server = server.with_safe_default_protocol_versions().expect("ring has suites of both versions");
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let mut server = server
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("the certificate is of this key");
    client.alpn_protocols = vec![b"h2".to_vec()];
    client.resumption = rustls::client::Resumption::disabled();
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    server.send_tls13_tickets = 0;
    (Arc::new(client), Arc::new(server))
}

fn connection(config: &Arc<ClientConfig>) -> ClientConnection {
    let name = ServerName::try_from("muxbed.test").expect("it is a name");
    ClientConnection::new(Arc::clone(config), name).expect("the configuration is complete")
}

fn first_write(config: &Arc<ClientConfig>) -> Vec<u8> {
    let mut hello = Vec::new();
    connection(config).write_tls(&mut hello).expect("it is memory");
    hello
}

fn handshake(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) {
    let mut client = connection(client);
    let mut server = ServerConnection::new(Arc::clone(server)).expect("the configuration is complete");
    let mut records = Vec::new();
    while client.is_handshaking() || server.is_handshaking() {
        while client.wants_write() {
            client.write_tls(&mut records).expect("it is memory");
        }
        server.read_tls(&mut Cursor::new(records.split_off(0))).expect("it is memory");
        server.process_new_packets().expect("the client is one");
        while server.wants_write() {
            server.write_tls(&mut records).expect("it is memory");
        }
        client.read_tls(&mut Cursor::new(records.split_off(0))).expect("it is memory");
        client.process_new_packets().expect("the server is one");
    }
    assert_eq!(client.alpn_protocol(), Some(&b"h2"[..]));
}

/// A client that shakes hands and leaves, under one schedule. The products of its keys are kept from the run before, as always but
/// for the first.
fn in_the_bed() -> Subject {
    let script = "client \"c\"\n  tls alpn=h2 sni=muxbed.test versions=1.3\n  close\nserver tls-mute\n";
    let script = Script::parse("bench", script).expect("it can be read");
    let scenario = bed().script(&script).expect("it has no client of the catalogue");
    assert!(scenario.run_once().outcome().is_served());
    Subject::once("one in the bed, over the link, with products that are kept", Unit::Often, move || {
        drop(black_box(scenario.run_once()));
    })
}

/// Every landmark version of every family in its default mode, against every set-up that tells clients apart, under every
/// schedule.
fn whole_matrix() -> Subject {
    let mut scenarios = Vec::new();
    for family in families() {
        for version in &family.landmarks {
            let spec = ClientSpec {
                name: family.name.clone(),
                version: version.clone(),
                mode: family.default_mode.clone(),
                ..ClientSpec::default()
            };
            let Ok(client) = KnownClient::find(&spec) else { continue };
            let with = |server| bed().known_client(client.clone()).named_server(server);
            scenarios.extend(servers().into_iter().map(with));
        }
    }
    let name = format!("the whole matrix: {} handshakes, all schedules", scenarios.len());
    let run = move || scenarios.iter().for_each(|scenario| drop(black_box(scenario.run())));
    Subject::once(&name, Unit::Time, run).aim(2.0)
}
