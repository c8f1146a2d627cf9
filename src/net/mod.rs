//! The simulated network: a link between two ends, with segments that arrive when and as they are told to.
//!
//! [`tokio::io::duplex`] merges writes, knows no reset and never loses anything, and those are just the things that
//! decide whether a handshake works. So the link is our own. It comes in two layers: [`Link`] is the model, which
//! knows neither socket nor clock and is told the time with every call; [`Stream`] is one end of it as
//! [`AsyncRead`](tokio::io::AsyncRead) + [`AsyncWrite`](tokio::io::AsyncWrite), on tokio's paused clock.
//!
//! Left out on purpose: congestion control, retransmission and datagrams. What a lossy network does to a TCP
//! connection reaches its ends as delay, as a stall or as a reset, and those are here.

mod cuts;
mod direction;
mod link;
mod listener;
mod network;
mod stream;

pub use cuts::{Cuts, Offsets};
pub use link::{Arrival, Closed, Ending, Link, Side};
pub(crate) use listener::listen_observed;
pub use listener::{Dialer, Incoming, listen};
pub use network::{Fault, Network, Path, Unread};
pub(crate) use stream::Observer;
pub use stream::{PeerAddress, Stream, pair};
