//! TLS conversations of a capture, opened with the keys that were logged beside it.
//!
//! What a client does over TLS is what it does in the clear, one layer down: its application data, cut where its records
//! end. [`TlsConversation::read`] takes a [`Flow`](super::Flow) and a [`KeyLog`] and gives that, in one order for both
//! directions, with the hellos, handshake messages and alerts around it.
//!
//! | module | does |
//! |---|---|
//! | `keylog` | lines of an `SSLKEYLOGFILE`, from a file or from a capture's secrets blocks |
//! | `cipher`, `schedule`, `opener` | secrets into keys, and protected records into their content |
//! | `reading`, `state` | a flow into records, and those into [`TlsEvent`]s |
//! | `conversation` | what they come to |
//! | `stop` | why a direction could not be read to its end |
//!
//! TLS 1.3 and the AEAD suites of TLS 1.2 are opened, through ring. Whatever is not (other versions and suites, data sent
//! before the handshake is done, a second handshake, compressed records, missing or wrong keys, missing bytes) is
//! a [`TlsStop`] with its place, never silence: what comes before it is given, what comes after it in its direction is not.

mod cipher;
mod conversation;
mod keylog;
mod opener;
mod reading;
mod schedule;
mod state;
mod stop;

pub use conversation::{Negotiated, TlsConversation, TlsEvent, TlsWhat};
pub use keylog::{BadKeyLog, KeyLog, SecretName};
pub use stop::{StopReason, TlsStop};
