//! The multiplexer: one port, several servers, chosen for each connection by its first bytes.
//!
//! The classifier looks at one growing prefix with all its rules at once; none can block another, and where the bytes are
//! cut decides nothing. A client that waits for SETTINGS before it shows its request gets some, no looser than RFC 9113's initial
//! values, and the acknowledgement that they cause is taken out again, so the server sees as many as it sent SETTINGS.
//!
//! Sans-IO: bytes and the time come in, bytes and a decision go out. Left out for now are sockets, limits and rules other
//! than gRPC by header and HTTP/1.

mod classifier;
mod connection;
mod prefix;
mod replay;
mod rule;
mod settings;
mod sniff;
mod sniffer;

pub use classifier::{Classifier, DEFAULT_LIMIT, Rejection, Route, Rules, Verdict};
pub use connection::Connection;
pub use replay::Replay;
pub use rule::{Answer, Rule, Value};
pub use sniff::{Closed, Mux, Observer, Sniffed};
