//! The servers by name: a front, which may be a multiplexer, and the back end behind it.
//!
//! Fronts are bug-compatible: cmux tries its matchers one after another, each blocking, writes a SETTINGS for each
//! SendSettings matcher that reads the client's, and replays acknowledgements that it caused itself. Back ends are models
//! (one machine, told apart by data: which SETTINGS, when, and what a surplus acknowledgement does), but for tonic, which is
//! tonic. `mux` is this crate's own multiplexer and no twin of it.
//!
//! Left out is what comes after a handshake: bodies, flow control, time limits longer than a client's.

mod accepted;
mod back_end;
mod c_core;
pub(crate) mod cmux;
mod fronts;
mod grpc_go;
mod http1;
mod model;
mod muxed;
mod name;
mod netty;
mod nghttp2;
mod tonic_health;
mod traits;

pub use accepted::Accepted;
pub(crate) use fronts::{Notes, ServerPace, Tempo, serve};
pub use name::{BackEnd, Front, Security, ServerName, ServerNameError};
