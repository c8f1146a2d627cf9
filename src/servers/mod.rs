//! The servers.

mod accepted;
mod back_end;
mod cmux;
mod fronts;
mod grpc_go;
mod http1;
mod model;
mod muxed;
mod name;
mod tonic_health;

pub use accepted::Accepted;
pub(crate) use fronts::{Notes, ServerPace, Tempo, serve};
pub use name::{BackEnd, Front, Security, ServerName, ServerNameError};
