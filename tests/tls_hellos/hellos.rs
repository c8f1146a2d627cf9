//! Hellos to test with.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use muxbed::capture::{Direction, read};
use muxbed::wire::tls::{HelloReader, Progress};
use rustls::client::ClientConnection;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, version};

/// Hellos of rustls clients, each with what is particular to it.
pub(crate) fn made_by_rustls() -> Vec<(String, Vec<u8>)> {
    let both = [&version::TLS12, &version::TLS13];
    let long: Vec<Vec<u8>> = (0..100).map(|number| vec![b'a' + number % 26; 250]).collect();
    let mut hellos = small();
    hellos.push(("alpn of two records".to_owned(), hello(&both, &long, "muxbed.test", None)));
    hellos.push(("in many records".to_owned(), hello(&both, &[b"h2".to_vec()], "muxbed.test", Some(32))));
    hellos
}

/// Those that are small.
pub(crate) fn small() -> Vec<(String, Vec<u8>)> {
    let lists = [vec![], vec![b"h2".to_vec()], vec![b"h2".to_vec(), b"http/1.1".to_vec(), vec![0, 255]]];
    let offers: [&[&'static SupportedProtocolVersion]; 3] =
        [&[&version::TLS12], &[&version::TLS13], &[&version::TLS12, &version::TLS13]];
    let mut hellos = Vec::new();
    for versions in offers {
        for alpn in &lists {
            for name in ["muxbed.test", "a.rather.long.name.of.Some.Host.example", "127.0.0.1"] {
                let what = format!("{versions:?} {alpn:?} {name}");
                hellos.push((what, hello(versions, alpn, name, None)));
            }
        }
    }
    hellos
}

fn hello(
    versions: &[&'static SupportedProtocolVersion],
    alpn: &[Vec<u8>],
    name: &str,
    record: Option<usize>,
) -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    let mut config = builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    config.alpn_protocols = alpn.to_vec();
    config.max_fragment_size = record;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut bytes = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut bytes).unwrap();
    }
    bytes
}

/// The ClientHello of every connection in the recordings.
pub(crate) fn recorded() -> Vec<(String, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    let mut names: Vec<_> = fs::read_dir(&directory)
        .unwrap()
        .map(|file| file.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".pcapng"))
        .collect();
    names.sort();
    let mut hellos = Vec::new();
    for name in names {
        let file = fs::read(directory.join(&name)).unwrap();
        for flow in read(&file).unwrap().flows {
            let mut reader = HelloReader::new();
            let mut bytes = Vec::new();
            for (_, segment) in flow.data(Direction::ToServer) {
                bytes.extend_from_slice(segment);
                if let Ok(Progress::Complete(_)) = reader.push(segment) {
                    break;
                }
            }
            bytes.truncate(reader.length() as usize);
            hellos.push((format!("{name} flow {}", flow.number), bytes));
        }
    }
    hellos
}
