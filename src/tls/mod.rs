//! TLS on the simulated network. Real listeners have theirs in `mux` and `serve`.
//!
//! A simulated client speaks through a [`ClientSession`], a machine that is given bytes and says what they mean; the servers
//! whose names begin with `tls-` stand behind [`accept`]. Both are rustls, real keys and all, and still a run is a function of
//! its scenario: random numbers are drawn from the run's own generator, the key exchange is X25519 with a key from there,
//! the certificate is Ed25519, which signs without chance, and the clock stands still.
//!
//! What a client says first (ALPN, SNI, versions) is data of its profile. Left out are certificates that are refused,
//! resumption, client certificates and early data; and a hello's other extensions are rustls' and not the client's own.

mod client;
mod identity;
mod provider;
mod server;

pub(crate) use client::{ClientSession, ClientStream, Opened, Trouble, connect};
pub(crate) use provider::begin_run;
pub(crate) use server::{Offer, accept};
