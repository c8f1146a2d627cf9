//! `muxbed serve`: the multiplexer as a program, for services that are not written in Rust or not to be touched.
//!
//! A file says what is listened on, how connections are told apart and where they go; see [`Config`] for its form.

pub mod config;

pub use config::{Config, ConfigError};
