//! TLS that the multiplexer takes off, a PROXY header before it included: what the rules and the back end see, and how a handshake
//! that fails is counted.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use muxbed::mux::{
    Connection, Connections, Counters, Facts, Mux, ProxyHeaders, Rule, Rules, Streams, Transport, Value,
};
use muxbed::wire::proxy::{Addresses, Header, Version};
use muxbed::wire::tls::ProtocolVersion;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_stream::wrappers::UnboundedReceiverStream;

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const NAME: &str = "muxbed.test";

/// A multiplexer that runs behind TLS, and a client's configuration that trusts it.
struct Secured {
    door: mpsc::UnboundedSender<io::Result<DuplexStream>>,
    web: Connections<DuplexStream>,
    other: Connections<DuplexStream>,
    counters: Arc<Counters>,
    client: ClientConfig,
}

impl Secured {
    fn start(mux: impl FnOnce(Mux) -> Mux) -> Self {
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).expect("a certificate");
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("it is a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let server = server.with_safe_default_protocol_versions().expect("the provider has them");
        let mut server = server
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("they belong together");
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).expect("it can be trusted");
        let client = ClientConfig::builder_with_provider(provider);
        let client = client.with_safe_default_protocol_versions().expect("the provider has them");
        let mut client = client.with_root_certificates(roots).with_no_client_auth();
        client.alpn_protocols = vec![b"http/1.1".to_vec()];

        let rules = Rules::new().to("web", Rule::ServerName(Value::Equals(NAME.to_owned())));
        let mux = mux(Mux::new(rules).deadline(Duration::from_secs(5)).tls(Arc::new(server)));
        let (door, connections) = mpsc::unbounded_channel();
        let counters = Arc::new(Counters::default());
        let facts = |_: &DuplexStream| Facts {
            socket_peer: Some("192.0.2.9:9".parse().expect("it is an address")),
            ..Facts::default()
        };
        let listener = Streams::with_facts(UnboundedReceiverStream::new(connections), facts);
        let mut listening = mux.listen(listener).observer(Arc::clone(&counters));
        let (web, other) = (listening.route("web"), listening.route("other"));
        tokio::spawn(listening.run());
        Self { door, web, other, counters, client }
    }

    fn connect(&self) -> DuplexStream {
        let (near, far) = duplex(64 * 1024);
        self.door.send(Ok(far)).expect("it listens");
        near
    }

    async fn handshake(&self, stream: DuplexStream) -> TlsStream<DuplexStream> {
        let connector = TlsConnector::from(Arc::new(self.client.clone()));
        let name = ServerName::try_from(NAME).expect("it is a name");
        connector.connect(name, stream).await.expect("the handshake")
    }

    /// The next connection that is the name's.
    async fn accept(&mut self) -> Connection<Transport<DuplexStream>> {
        let accepted = timeout(Duration::from_secs(60), self.web.accept()).await;
        accepted.expect("it is decided").expect("it listens")
    }

    /// Sends these, which are no TLS, and reads to the end: no byte of them is answered but by an alert.
    async fn refused(&self, bytes: &[u8]) {
        let mut client = self.connect();
        client.write_all(bytes).await.expect("there is room");
        drop(client.read_to_end(&mut Vec::new()).await);
    }
}

fn addresses() -> Addresses {
    Addresses {
        source: "192.0.2.1:1".parse().expect("it is an address"),
        destination: "192.0.2.2:2".parse().expect("it is an address"),
    }
}

#[tokio::test(start_paused = true)]
async fn rules_see_what_the_handshake_agreed_on_and_the_back_end_reads_and_writes_what_is_inside() {
    let mut secured = Secured::start(|mux| mux);
    let mut client = secured.handshake(secured.connect()).await;
    client.write_all(GET).await.unwrap();
    let mut connection = secured.accept().await;
    let tls = connection.facts().tls.clone().expect("it was taken off");
    assert_eq!(tls.server_name.as_deref(), Some(NAME));
    assert_eq!(tls.protocol.as_deref(), Some(&b"http/1.1"[..]));
    assert_eq!(tls.version, Some(ProtocolVersion::Tls13));
    assert_eq!(connection.facts().peer(), Some("192.0.2.9:9".parse().unwrap()));
    let Transport::Tls(_) = connection.inner() else { panic!("{connection:?}") };
    let mut request = vec![0; GET.len()];
    connection.read_exact(&mut request).await.unwrap();
    assert_eq!(request, GET);
    // More than is under way at once, so that each has to wait for the other.
    let long = vec![7; 300_000];
    let (answered, heard) = tokio::join!(
        async {
            connection.write_all(&long).await?;
            connection.shutdown().await
        },
        async {
            let mut heard = Vec::new();
            client.read_to_end(&mut heard).await.map(|_| heard)
        },
    );
    answered.expect("it is written");
    assert_eq!(heard.expect("the end was announced").len(), long.len());
}

/// As for a client that lets the server speak first.
#[tokio::test(start_paused = true)]
async fn what_the_handshake_agreed_on_can_decide_before_anything_is_said_inside() {
    let mut secured = Secured::start(|mux| mux);
    let began = Instant::now();
    let mut client = secured.handshake(secured.connect()).await;
    let mut connection = secured.accept().await;
    connection.write_all(b"220 ready").await.unwrap();
    connection.flush().await.unwrap();
    let mut greeting = [0; 9];
    client.read_exact(&mut greeting).await.unwrap();
    assert_eq!((&greeting, began.elapsed()), (b"220 ready", Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_proxy_header_comes_before_the_handshake_in_as_many_pieces_as_it_may() {
    let header = Header::new(Some(addresses())).encode(Version::V2);
    for headers in [ProxyHeaders::Optional, ProxyHeaders::Required] {
        for piece in [1, header.len() - 1, header.len()] {
            let mut secured = Secured::start(|mux| mux.proxy_headers(headers));
            let mut stream = secured.connect();
            for bytes in header.chunks(piece) {
                stream.write_all(bytes).await.unwrap();
                tokio::task::yield_now().await;
            }
            let _client = secured.handshake(stream).await;
            let connection = secured.accept().await;
            assert_eq!(connection.facts().peer(), Some(addresses().source));
            assert_eq!(connection.facts().local(), Some(addresses().destination));
        }
    }
    let mut secured = Secured::start(|mux| mux.proxy_headers(ProxyHeaders::Optional));
    let _client = secured.handshake(secured.connect()).await;
    let connection = secured.accept().await;
    assert_eq!(connection.facts().proxy_header, None);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_handshake_is_counted_for_what_it_is() {
    let mut secured = Secured::start(|mux| mux.otherwise("other"));
    secured.refused(GET).await;
    assert_eq!(secured.counters.closed("tls"), 1);
    let mut client = secured.connect();
    client.write_all(&[22, 3, 1]).await.unwrap();
    client.shutdown().await.unwrap();
    drop(client.read_to_end(&mut Vec::new()).await);
    assert_eq!(secured.counters.closed("client_left"), 1);
    let began = Instant::now();
    secured.refused(&[22, 3, 1]).await;
    assert_eq!(began.elapsed(), Duration::from_secs(5));
    assert_eq!(secured.counters.closed("deadline"), 1);
    assert_eq!(secured.counters.accepted(), 3);

    let secured_by_header = Secured::start(|mux| mux.proxy_headers(ProxyHeaders::Required).limit(20));
    for (bytes, reason) in [
        (GET, "no_proxy_header"),
        (b"PROXY TCP5 1 2 3 4\r\n", "bad_proxy_header"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1", "too_long"),
    ] {
        secured_by_header.refused(bytes).await;
        assert_eq!(secured_by_header.counters.closed(reason), 1, "{reason}");
    }
    let mut client = secured_by_header.connect();
    client.write_all(b"PROXY").await.unwrap();
    client.shutdown().await.unwrap();
    drop(client.read_to_end(&mut Vec::new()).await);
    assert_eq!(secured_by_header.counters.closed("client_left"), 1);

    // Without a handshake there is nothing that another route could have.
    secured.other.close();
    assert!(secured.other.accept().await.is_none());
}
