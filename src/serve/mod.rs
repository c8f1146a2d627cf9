//! `muxbed serve`: the multiplexer as a program, for services that are not written in Rust or not to be touched.
//!
//! A file says what is listened on, how connections are told apart and where they go; see [`config`] for its form.
//! [`Program`] runs it: it reloads the file on SIGHUP without dropping a connection, and drains on SIGTERM.

pub mod config;

mod asking;
mod identity;
mod metrics;
mod port;
mod program;
mod pump;
mod relay;

use std::fmt;
use std::io;
use std::path::Path;

pub use config::{Config, ConfigError};
pub use identity::{IdentityError, server_config};
pub use program::Program;

/// Why it can't be served.
#[derive(Debug)]
pub enum ServeError {
    /// The configuration can't be read.
    Unreadable(String, io::Error),
    /// The configuration can't be meant.
    Config(ConfigError),
    /// TLS can't be spoken.
    Identity(IdentityError),
    /// This address can't be listened on.
    Bind(String, io::Error),
    /// The system does not let it wait for signals.
    Signals(io::Error),
}

impl Config {
    /// Reads a configuration file, and takes the files that it names for files beside it.
    ///
    /// # Errors
    ///
    /// If it can't be read or meant, or TLS not be spoken with the files that it names.
    pub fn read(file: &Path) -> Result<Self, ServeError> {
        let name = file.display().to_string();
        let bytes = std::fs::read(file).map_err(|error| ServeError::Unreadable(name.clone(), error))?;
        let text = ConfigError::text_of(&name, bytes).map_err(ServeError::Config)?;
        let config = Self::parse(&name, &text).map_err(ServeError::Config)?.beside(file);
        // A file that can't be used is shown where the configuration names it.
        if let Some(Err(error)) = config.tls.as_ref().map(server_config) {
            return Err(ServeError::Config(ConfigError::of_tls(&name, &text, &error)));
        }
        Ok(config)
    }
}

impl fmt::Display for ServeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(file, error) => write!(formatter, "{file}: {error}"),
            Self::Config(error) => error.fmt(formatter),
            Self::Identity(error) => error.fmt(formatter),
            Self::Bind(address, error) => write!(formatter, "{address} can't be listened on: {error}"),
            Self::Signals(error) => write!(formatter, "signals can't be waited for: {error}"),
        }
    }
}

impl std::error::Error for ServeError {}
