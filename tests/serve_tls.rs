//! `muxbed serve` taking TLS off on real sockets: rules on what the handshake says and on what is said inside, and what back
//! ends are told of it.
#![cfg(unix)]

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use muxbed::capture::KeyLog;
use muxbed::wire::proxy::{Header, Progress};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const EMPTY_SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
const SETTINGS_ACK: &[u8] = &[0, 0, 0, 4, 1, 0, 0, 0, 0];
const HEADERS: &[u8] = b"\0\0\x1f\x01\x04\0\0\0\x01\0\x0ccontent-type\x10application/grpc";
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// The rules are tried in this order: a gRPC header inside TLS, the name that was called, and the protocol agreed on.
const RULES: &str = "[[rules]]\nwhen = \"grpc\"\nto = \"grpc\"\n\
                     [[rules]]\nwhen = { sni = { equals = \"named.test\" } }\nto = \"named\"\n\
                     [[rules]]\nwhen = { alpn = \"http/1.1\" }\nto = \"http\"\n";

/// A running program, and where it listens.
struct Serve {
    child: Child,
    addresses: Vec<String>,
    trusted: RootCertStore,
}

impl Serve {
    async fn start(name: &str, config: &str, lines: usize) -> Self {
        let names = ["muxbed.test".to_owned(), "named.test".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let [certificate, key] = ["certificate", "key"].map(|part| format!("{name}-{part}.pem"));
        fs::write(folder().join(&certificate), made.cert.pem()).unwrap();
        fs::write(folder().join(&key), made.signing_key.serialize_pem()).unwrap();
        let file = folder().join(format!("{name}.toml"));
        let tls = format!(
            "tls = {{ certificate = \"{certificate}\", key = \"{key}\", alpn = [\"h2\", \"http/1.1\"] }}\n"
        );
        fs::write(&file, format!("listen = \"127.0.0.1:0\"\n{tls}{config}")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_muxbed"));
        command.args(["serve", "--config"]).arg(&file).stdout(Stdio::piped()).kill_on_drop(true);
        command.env("SSLKEYLOGFILE", folder().join(format!("{name}-keys.log")));
        let mut child = command.spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut addresses = Vec::new();
        for _ in 0..lines {
            let line = soon(said.next_line()).await.unwrap().expect("a line");
            addresses.push(line.rsplit(' ').next().unwrap().to_owned());
        }
        let mut trusted = RootCertStore::empty();
        trusted.add(CertificateDer::from_pem_slice(made.cert.pem().as_bytes()).unwrap()).unwrap();
        Self { child, addresses, trusted }
    }

    async fn client(&self, name: &'static str, protocols: &[&str]) -> TlsStream<TcpStream> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.trusted.clone())
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let stream = TcpStream::connect(&self.addresses[0]).await.unwrap();
        let name = ServerName::try_from(name).unwrap();
        soon(TlsConnector::from(Arc::new(config)).connect(name, stream)).await.unwrap()
    }

    async fn ends_when_told(mut self) {
        let id = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
        assert_eq!(soon(self.child.wait()).await.unwrap().code(), Some(0));
    }
}

/// Long enough for a machine that is busy with something else.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(60), future).await.expect("it happens soon")
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

/// What comes before the other end closes.
async fn rest(mut stream: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut bytes = Vec::new();
    drop(soon(stream.read_to_end(&mut bytes)).await);
    bytes
}

async fn exactly(stream: &mut (impl AsyncRead + Unpin), length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    soon(stream.read_exact(&mut bytes)).await.unwrap();
    bytes
}

/// The PROXY header of a connection, and of what follows it as many bytes as `expected` has.
async fn announced(stream: &mut TcpStream, expected: &[u8]) -> Header {
    let mut read = Vec::new();
    loop {
        if let Progress::Complete { header, length } = Header::read(&read)
            && read.len() >= length + expected.len()
        {
            assert_eq!(&read[length..], expected);
            return *header;
        }
        assert!(soon(stream.read_buf(&mut read)).await.unwrap() > 0, "it ended after {read:?}");
    }
}

#[tokio::test]
async fn rules_look_at_the_handshake_and_inside_and_back_ends_are_told_what_it_agreed_on() {
    let mut back_ends = Vec::new();
    let mut routes = String::from("[routes]\n");
    for route in ["grpc", "named", "http"] {
        let back_end = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = back_end.local_addr().unwrap();
        routes += &format!("{route} = {{ to = \"tcp:{address}\", proxy-header = \"v2\" }}\n");
        back_ends.push(back_end);
    }
    let serve = Serve::start("tls-routes", &format!("{routes}{RULES}"), 1).await;

    // A gRPC client that waits: SETTINGS come through TLS before it has said what it wants.
    let mut client = serve.client("muxbed.test", &["h2"]).await;
    assert_eq!(client.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    client.write_all(&[PREFACE, EMPTY_SETTINGS].concat()).await.unwrap();
    client.flush().await.unwrap();
    assert_eq!(exactly(&mut client, 9).await[3..5], [4, 0], "SETTINGS");
    client.write_all(&[SETTINGS_ACK, HEADERS].concat()).await.unwrap();
    client.flush().await.unwrap();
    let (mut accepted, _) = soon(back_ends[0].accept()).await.unwrap();
    let header = announced(&mut accepted, &[PREFACE, EMPTY_SETTINGS, HEADERS].concat()).await;
    assert_eq!(header.addresses.unwrap().source, client.get_ref().0.local_addr().unwrap());
    assert_eq!(header.addresses.unwrap().destination.to_string(), serve.addresses[0]);
    assert_eq!(header.extension(Header::ALPN).map(|name| &name[..]), Some(&b"h2"[..]));
    assert_eq!(header.extension(Header::AUTHORITY).map(|name| &name[..]), Some(&b"muxbed.test"[..]));
    drop((client, accepted));

    // By the name that it called; by what it agreed to speak.
    for (name, number) in [("named.test", 1), ("muxbed.test", 2)] {
        let mut client = serve.client(name, &["http/1.1"]).await;
        client.write_all(GET).await.unwrap();
        client.flush().await.unwrap();
        let (mut accepted, _) = soon(back_ends[number].accept()).await.unwrap();
        let header = announced(&mut accepted, GET).await;
        assert_eq!(header.extension(Header::ALPN).map(|name| &name[..]), Some(&b"http/1.1"[..]));
        assert_eq!(header.extension(Header::AUTHORITY).map(|found| &found[..]), Some(name.as_bytes()));
        accepted.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        drop(accepted);
        assert_eq!(rest(client).await, b"HTTP/1.1 204 No Content\r\n\r\n");
    }

    // A client that agrees on nothing, calls nobody in particular and says what no rule takes.
    let mut client = serve.client("muxbed.test", &[]).await;
    assert_eq!(client.get_ref().1.alpn_protocol(), None);
    client.write_all(GET).await.unwrap();
    client.flush().await.unwrap();
    assert_eq!(rest(client).await, b"");
    serve.ends_when_told().await;
}

#[tokio::test]
async fn the_secrets_of_sessions_go_to_the_key_log_that_the_environment_names() {
    let keys = folder().join("tls-logged-keys.log");
    drop(fs::remove_file(&keys));
    let routes = "[routes]\ngrpc = \"unix:/nowhere\"\n[[rules]]\nwhen = \"grpc\"\nto = \"grpc\"\n";
    let serve = Serve::start("tls-logged", routes, 1).await;
    drop(serve.client("muxbed.test", &["h2"]).await);
    serve.ends_when_told().await;
    let log = KeyLog::parse(&fs::read(&keys).unwrap()).unwrap();
    assert_eq!(log.len(), 4, "two secrets of the handshake and two of the session");
}

#[tokio::test]
async fn a_client_that_says_nothing_in_the_handshake_or_no_tls_is_closed_and_counted() {
    let config = "metrics = \"127.0.0.1:0\"\nsniff = { deadline = \"300ms\" }\n\
                  routes = { http = \"tcp:127.0.0.1:1\" }\n[[rules]]\nwhen = \"http1\"\nto = \"http\"\n";
    let serve = Serve::start("tls-silent", config, 2).await;

    let silent = TcpStream::connect(&serve.addresses[0]).await.unwrap();
    assert_eq!(rest(silent).await, b"");
    let mut begins = TcpStream::connect(&serve.addresses[0]).await.unwrap();
    begins.write_all(&[22, 3, 1]).await.unwrap();
    assert_eq!(rest(begins).await, b"");
    // The deadline is for the handshake and what follows it together.
    assert_eq!(rest(serve.client("muxbed.test", &["h2"]).await).await, b"");
    let mut clear = TcpStream::connect(&serve.addresses[0]).await.unwrap();
    clear.write_all(GET).await.unwrap();
    drop(rest(clear).await);

    let mut asks = TcpStream::connect(&serve.addresses[1]).await.unwrap();
    asks.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let says = String::from_utf8(rest(asks).await).unwrap();
    for line in ["muxbed_closed_total{reason=\"deadline\"} 3", "muxbed_closed_total{reason=\"tls\"} 1"] {
        assert!(says.lines().any(|said| said == line), "`{line}` is not in: {says}");
    }
    serve.ends_when_told().await;
}

#[tokio::test]
async fn a_certificate_that_is_none_is_shown_where_it_is_named_and_exits_with_2() {
    fs::write(folder().join("tls-empty.pem"), "").unwrap();
    for (certificate, says) in
        [("nowhere.pem", "nowhere.pem: "), ("tls-empty.pem", "there is no certificate in it")]
    {
        let file = folder().join("tls-unusable.toml");
        let config = format!(
            "listen = \"127.0.0.1:0\"\ntls = {{ certificate = \"{certificate}\", key = \"nowhere-key.pem\" }}\n\
             routes = {{ a = \"tcp:127.0.0.1:1\" }}\nrules = []\n"
        );
        fs::write(&file, config).unwrap();
        for check in [&["--check"][..], &[]] {
            let mut muxbed = Command::new(env!("CARGO_BIN_EXE_muxbed"));
            let run = muxbed.arg("serve").args(check).arg("--config").arg(&file).output();
            let output = soon(run).await.unwrap();
            assert_eq!(output.status.code(), Some(2));
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(said.contains(says) && said.contains("tls-unusable.toml:2:23"), "{said}");
            assert!(output.stdout.is_empty());
        }
    }
}
