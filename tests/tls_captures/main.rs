//! TLS conversations are opened: those of the recordings, and those that rustls holds with itself in memory.
//!
//! `session` makes a conversation of a rustls client and server with a key log, and writes it as a capture; what the two
//! said is then known to the byte. `suites` goes through what TLS can do, `stops` through what can't be opened and has to be
//! named, `recordings` through the recordings.

#[path = "../properties/mod.rs"]
mod properties;
mod recordings;
mod session;
mod stops;
mod suites;
