//! The multiplexer: one port, several servers, chosen for each connection by its first bytes.
//!
//! The classifier looks at one growing prefix with all its rules at once; none can block another, and where the bytes are
//! cut decides nothing. A client that waits for SETTINGS before it shows its request gets some, no looser than RFC 9113's initial
//! values, and the acknowledgement that they cause is taken out again, so the server sees as many as it sent SETTINGS.
//!
//! Sans-IO: bytes and the time come in, bytes and a decision go out.

mod classifier;
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
