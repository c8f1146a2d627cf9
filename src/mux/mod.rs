//! The multiplexer: one port, several servers, chosen for each connection by its first bytes.
//!
//! The classifier looks at one growing prefix with all its rules at once; none can block another, and where the bytes are
//! cut decides nothing. A client that waits for SETTINGS before it shows its request gets some, no looser than RFC 9113's initial
//! values, and the acknowledgement that they cause is taken out again, so the server sees as many as it sent SETTINGS.
//!
//! Sans-IO: bytes and the time come in, bytes and a decision go out.

mod classifier;
mod connection;
mod reading;
mod replay;
mod rule;
mod settings;
mod sniff;
mod sniffer;

pub use classifier::{Classifier, DEFAULT_LIMIT, ProxyHeaders, Rejection, Route, Rules, Verdict};
pub use connection::Connection;
pub use replay::Replay;
pub use rule::{Answer, Custom, Probe, Rule, Value};
pub use settings::EarlySettings;
pub use sniff::{Closed, Mux, Observer, Sniffed};
