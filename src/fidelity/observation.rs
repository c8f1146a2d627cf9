//! What real clients did against real servers, as `observed.json` and `races.json` hold it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clients::{ClientSpec, ClientSpecError};

/// One recorded run: one client against one server.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct Observation {
    /// The capture's file name; the file lies beside the list.
    pub capture: String,
    /// The client's family.
    pub client: String,
    /// Its version.
    pub version: String,
    /// The environment that it ran in, as far as the library reads it.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Its mode, where there is more than one.
    #[serde(default)]
    pub mode: Option<String>,
    /// The server's name.
    pub server: String,
    /// The port that the server listened on.
    pub port: u16,
    /// How many calls the client was asked to make.
    pub checks: u32,
    /// What became of each.
    pub rpcs: Vec<ObservedCall>,
    /// The TCP connections in their order.
    pub connections: Vec<ObservedConnection>,
}

/// What became of a call.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct ObservedCall {
    /// When it ended, in seconds from the start.
    pub at_s: f64,
    /// The library's own words, if it failed.
    pub error: Option<String>,
}

/// One TCP connection.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct ObservedConnection {
    /// How many requests the client sent on it.
    pub requests: u32,
    /// The first GOAWAY of either side.
    pub goaway: ObservedGoAway,
    /// Who ended it first, in words, if anybody did.
    pub end: Option<String>,
}

/// The first GOAWAY codes on a connection.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub struct ObservedGoAway {
    /// The server's, if it came before the client's own GOAWAY, end or reset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<u32>,
    /// The client's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<u32>,
}

/// What happened when one run was repeated.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct Repeats {
    /// The client's family.
    pub client: String,
    /// Its version.
    pub version: String,
    /// Its mode, where there is more than one.
    #[serde(default)]
    pub mode: Option<String>,
    /// The server's name.
    pub server: String,
    /// How often each result came: `ok, error` is a first call that succeeded and a second that failed.
    pub results: BTreeMap<String, u32>,
    /// How often each text came.
    pub errors: BTreeMap<String, u32>,
}

/// A file of either kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Recorded {
    /// Runs with a capture each.
    Observations(Vec<Observation>),
    /// Repeats.
    Repeats(Vec<Repeats>),
}

impl Recorded {
    /// Reads `observed.json` or `races.json`, or a list in the form of either.
    ///
    /// # Errors
    ///
    /// If it is neither, with the line and column.
    pub fn parse(text: &str) -> Result<Self, NotRecorded> {
        let is_repeats = text.contains("\"results\"") && !text.contains("\"rpcs\"");
        let read = if is_repeats {
            serde_json::from_str(text).map(Self::Repeats)
        } else {
            serde_json::from_str(text).map(Self::Observations)
        };
        read.map_err(|error| NotRecorded {
            line: error.line(),
            column: error.column(),
            message: error.to_string(),
        })
    }
}

/// A file that is no list of observations or repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotRecorded {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
}

impl fmt::Display for NotRecorded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "not a list of observations: {}", self.message)
    }
}

impl std::error::Error for NotRecorded {}

impl Observation {
    /// The client that was observed.
    pub fn spec(&self) -> Result<ClientSpec, ClientSpecError> {
        spec(&self.client, &self.version, self.mode.as_ref(), &self.env)
    }
}

impl Repeats {
    /// The client that was observed.
    pub fn spec(&self) -> Result<ClientSpec, ClientSpecError> {
        spec(&self.client, &self.version, self.mode.as_ref(), &BTreeMap::new())
    }
}

fn spec(
    name: &str,
    version: &str,
    mode: Option<&String>,
    environment: &BTreeMap<String, String>,
) -> Result<ClientSpec, ClientSpecError> {
    Ok(ClientSpec {
        name: name.to_owned(),
        version: version.parse()?,
        mode: mode.cloned(),
        environment: environment.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_neither_has_its_place() {
        let error = Recorded::parse("[\n{\"capture\": 5}]").expect_err("a number is no file name");
        assert_eq!(error.line, 2);
    }

    #[test]
    fn the_two_kinds_are_told_apart() {
        let repeats =
            r#"[{"client":"a","version":"1","mode":null,"server":"eof","results":{"ok":1},"errors":{}}]"#;
        assert!(matches!(Recorded::parse(repeats), Ok(Recorded::Repeats(list)) if list.len() == 1));
        assert!(matches!(Recorded::parse("[]"), Ok(Recorded::Observations(list)) if list.is_empty()));
    }
}
