//! The multiplexer: one port, several servers, chosen for each connection by its first bytes.

mod classifier;
mod connection;
mod filter;
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
