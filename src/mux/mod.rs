//! The multiplexer: one port, several servers, chosen for each connection by its first bytes.
//!
//! The classifier looks at one growing prefix with all its rules at once; none can block another, and where the bytes are
//! cut decides nothing. A client that waits for SETTINGS before it shows its request gets some, no looser than RFC 9113's initial
//! values, and the acknowledgement that they cause is taken out again, so the server sees as many as it sent SETTINGS.
//!
//! Inside it is sans-IO: bytes come in, bytes and a decision go out. Around that, [`Mux::listen`] looks at the connections of a
//! port and gives each to its route. [`coming_from_cmux`] says which of cmux's matchers is which rule here, and
//! [`per_request`] what to do about connections that carry gRPC and other HTTP mixed.
//!
//! # tonic and axum on one port
//!
//! tonic takes the [`Connections`] of its route as they are; [`serve_http`] does for axum, or any other tower service, what
//! `axum::serve` does for a listener.
//!
//! ```
//! use axum::{Router, routing::get};
//! use muxbed::mux::{Mux, Rule, Rules, serve_http};
//! use tonic::transport::Server;
//! # use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! # use tonic_health::{ServingStatus, pb::{HealthCheckRequest, health_client::HealthClient}};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let address = listener.local_addr()?;
//! let rules = Rules::new().to("grpc", Rule::Grpc).to("web", Rule::Http1);
//! let mut listening = Mux::new(rules).listen(listener);
//!
//! let (_reporter, health) = tonic_health::server::health_reporter();
//! let grpc = Server::builder().add_service(health).serve_with_incoming(listening.route("grpc"));
//! let web = serve_http(listening.route("web"), Router::new().route("/", get(async || "hello")));
//!
//! let handle = listening.handle(); // drains it at the end
//! let all = tokio::spawn(async { tokio::join!(listening.run(), grpc, web) });
//! #
//! # let channel = tonic::transport::Endpoint::from_shared(format!("http://{address}"))?.connect().await?;
//! # let checked = HealthClient::new(channel).check(HealthCheckRequest::default()).await?;
//! # assert_eq!(checked.into_inner().status() as i32, ServingStatus::Serving as i32);
//! # let mut browser = tokio::net::TcpStream::connect(address).await?;
//! # browser.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
//! # let mut page = String::new();
//! # browser.read_to_string(&mut page).await?;
//! # assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.ends_with("hello"), "{page}");
//! #
//! # handle.drain(std::time::Duration::from_secs(1));
//! # let (_ended, grpc, ()) = all.await?;
//! # grpc?;
//! # Ok(())
//! # }
//! ```
//!
//! # The same behind TLS
//!
//! With [`Mux::tls`] it takes TLS off first, and the rules look at what is inside. Whoever agrees on `h2` by ALPN may be a gRPC client
//! or a browser: what is HTTP/2 and not gRPC goes to axum here. What TLS agreed on is among the [`Facts`] that
//! each request has.
//!
//! ```
//! use std::sync::Arc;
//!
//! use axum::{Router, extract::Extension, routing::get};
//! use muxbed::mux::{Facts, Mux, Rule, Rules, serve_http};
//! use rustls::ServerConfig;
//! use rustls::pki_types::PrivatePkcs8KeyDer;
//! use tonic::transport::Server;
//! # use http_body_util::{BodyExt, Empty};
//! # use hyper_util::rt::{TokioExecutor, TokioIo};
//! # use rustls::{ClientConfig, RootCertStore};
//! # use tonic_health::{ServingStatus, pb::{HealthCheckRequest, health_client::HealthClient}};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let own = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
//! let certificate = own.cert.der().clone();
//! let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
//!
//! let provider = Arc::new(rustls::crypto::ring::default_provider());
//! let mut tls = ServerConfig::builder_with_provider(provider.clone())
//!     .with_safe_default_protocol_versions()?
//!     .with_no_client_auth()
//!     .with_single_cert(vec![certificate.clone()], key.into())?;
//! tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
//!
//! let rules = Rules::new().to("grpc", Rule::Grpc).to("web", Rule::Http2).to("web", Rule::Http1);
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let address = listener.local_addr()?;
//! let mut listening = Mux::new(rules).tls(Arc::new(tls)).listen(listener);
//!
//! let (_reporter, health) = tonic_health::server::health_reporter();
//! let grpc = Server::builder().add_service(health).serve_with_incoming(listening.route("grpc"));
//! let page = async |Extension(facts): Extension<Facts>| {
//!     let protocol = facts.tls.as_ref().and_then(|tls| tls.protocol.as_deref());
//!     format!("hello over {}", String::from_utf8_lossy(protocol.unwrap_or(b"no ALPN")))
//! };
//! let web = serve_http(listening.route("web"), Router::new().route("/", get(page)));
//! # let handle = listening.handle();
//! let all = tokio::spawn(async { tokio::join!(listening.run(), grpc, web) });
//! #
//! # let mut trusted = RootCertStore::empty();
//! # trusted.add(certificate)?;
//! # let client = ClientConfig::builder_with_provider(provider)
//! #     .with_safe_default_protocol_versions()?
//! #     .with_root_certificates(trusted)
//! #     .with_no_client_auth();
//! # let dial = async |protocol: &str| {
//! #     let mut client = client.clone();
//! #     client.alpn_protocols = vec![protocol.into()];
//! #     let stream = tokio::net::TcpStream::connect(address).await?;
//! #     let name = "localhost".try_into().expect("it is a name");
//! #     tokio_rustls::TlsConnector::from(Arc::new(client)).connect(name, stream).await.map(TokioIo::new)
//! # };
//! # let request = || http::Request::get("https://localhost/").header("host", "localhost");
//! #
//! # let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), dial("h2").await?).await?;
//! # tokio::spawn(connection);
//! # let service = tower::service_fn(move |request| sender.clone().send_request(request));
//! # let mut client = HealthClient::with_origin(service, "https://localhost".parse()?);
//! # let checked = client.check(HealthCheckRequest::default()).await?;
//! # assert_eq!(checked.into_inner().status() as i32, ServingStatus::Serving as i32);
//! # drop(client);
//! #
//! # let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), dial("h2").await?).await?;
//! # tokio::spawn(connection);
//! # let page = sender.send_request(request().body(Empty::<bytes::Bytes>::new())?).await?;
//! # assert_eq!(page.into_body().collect().await?.to_bytes(), "hello over h2");
//! # drop(sender);
//! #
//! # let (mut sender, connection) = hyper::client::conn::http1::handshake(dial("http/1.1").await?).await?;
//! # tokio::spawn(connection);
//! # let page = sender.send_request(request().body(Empty::<bytes::Bytes>::new())?).await?;
//! # assert_eq!(page.into_body().collect().await?.to_bytes(), "hello over http/1.1");
//! # drop(sender);
//! #
//! # handle.drain(std::time::Duration::from_secs(1));
//! # let (_ended, grpc, ()) = all.await?;
//! # grpc?;
//! # Ok(())
//! # }
//! ```

mod classifier;
#[doc = include_str!("../../docs/coming-from-cmux.md")]
pub mod coming_from_cmux {}
mod connection;
mod counters;
mod facts;
mod handle;
mod listener;
mod listening;
mod observer;
pub mod per_request;
mod reading;
mod replay;
mod routes;
mod rule;
mod serving;
mod settings;
mod sniff;
mod sniffer;
mod transport;

pub use classifier::{Classifier, DEFAULT_LIMIT, ProxyHeaders, Rejection, Route, Rules, Verdict};
pub use connection::Connection;
pub use counters::Counters;
pub use facts::{Facts, TlsFacts};
pub use handle::Handle;
pub use listener::{Listener, Next, Streams};
pub use listening::{Deliver, Ended, Listening, Undelivered};
pub use observer::{AfterFailure, Closed, Observer};
pub use replay::Replay;
pub use routes::{Connections, Overflow};
pub use rule::{Answer, Custom, Probe, Rule, Value};
pub use serving::{serve_http, serve_http_with};
pub use settings::EarlySettings;
pub use sniff::{Mux, Sniffed};
pub use transport::Transport;
