//! Key logs: the lines that programs write to the file that `SSLKEYLOGFILE` names (RFC 9850).
//!
//! A log holds the secrets of many sessions, each line one of them: what it is, the random of the ClientHello, and the
//! secret. What is of no use here (exporter secrets, those of QUIC, labels yet to come) is passed over; what is no such
//! line has its place, since a log that is taken for another file explains nothing.

use std::collections::BTreeMap;
use std::fmt;

use crate::capture::{Capture, SecretsKind};
use crate::hexadecimal::from_hexadecimal;

/// The secrets of sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyLog {
    secrets: BTreeMap<([u8; 32], SecretName), Vec<u8>>,
}

/// Which secret of a session, as a key log names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretName {
    /// The master secret, up to TLS 1.2.
    ClientRandom,
    /// Of the client's part of the handshake.
    ClientHandshake,
    /// Of the server's part of the handshake.
    ServerHandshake,
    /// Of what the client sends then, until its first KeyUpdate.
    ClientTraffic,
    /// Of what the server sends then, until its first KeyUpdate.
    ServerTraffic,
}

/// A line that is none of a key log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadKeyLog {
    /// Its number, from 1.
    pub line: usize,
    /// What it should have and does not.
    pub wants: &'static str,
}

impl KeyLog {
    /// Reads a key log. A last line without an end may be one that is still being written, and is passed over if it is
    /// not whole.
    ///
    /// # Errors
    ///
    /// With the first line that is none of a key log.
    pub fn parse(text: &[u8]) -> Result<Self, BadKeyLog> {
        let mut log = Self::default();
        match log.add(text) {
            Some(bad) => Err(bad),
            None => Ok(log),
        }
    }

    /// The key logs in a capture's secrets blocks. A block that is none adds nothing: the sessions that it was for then
    /// need keys.
    pub fn of(capture: &Capture<'_>) -> Self {
        let mut log = Self::default();
        for secrets in &capture.secrets {
            if secrets.kind == SecretsKind::TlsKeyLog {
                log.add(secrets.data);
            }
        }
        log
    }

    /// Takes in the secrets of another; of two for the same session and purpose, the other's counts.
    pub fn extend(&mut self, other: &Self) {
        self.secrets.extend(other.secrets.iter().map(|(key, secret)| (*key, secret.clone())));
    }

    /// How many secrets it holds.
    pub fn len(&self) -> usize {
        self.secrets.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }

    pub(super) fn secret(&self, random: &[u8; 32], name: SecretName) -> Option<&[u8]> {
        self.secrets.get(&(*random, name)).map(Vec::as_slice)
    }

    /// Takes in every line that can be read; gives the first that can't.
    fn add(&mut self, text: &[u8]) -> Option<BadKeyLog> {
        let mut first_bad = None;
        let lines = text.split_inclusive(|&byte| byte == b'\n');
        for (line, number) in lines.zip(1..) {
            let unfinished = !line.ends_with(b"\n");
            match entry(line.trim_ascii()) {
                Ok(None) => {}
                Ok(Some((random, name, secret))) => {
                    self.secrets.insert((random, name), secret);
                }
                Err(_) if unfinished && number > 1 => {}
                Err(wants) => {
                    first_bad.get_or_insert(BadKeyLog { line: number, wants });
                }
            }
        }
        first_bad
    }
}

type Entry = ([u8; 32], SecretName, Vec<u8>);

/// The secret on a line, if it is one of use.
fn entry(line: &[u8]) -> Result<Option<Entry>, &'static str> {
    if line.is_empty() || line.starts_with(b"#") {
        return Ok(None);
    }
    let mut words = line.split(|&byte| byte == b' ');
    let label = words.next().unwrap_or_default();
    let is_label = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
    if !label.iter().all(is_label) {
        return Err("a label in capitals");
    }
    let (Some(random), Some(secret), None) = (words.next(), words.next(), words.next()) else {
        return Err("a label, a random and a secret");
    };
    let (Some(random), Some(secret)) = (octets(random), octets(secret)) else {
        return Err("a random and a secret in hexadecimal");
    };
    let Some(name) = SecretName::from_label(label) else { return Ok(None) };
    let Ok(random) = <[u8; 32]>::try_from(random) else { return Err("a random of 32 bytes") };
    match (name, secret.len()) {
        (SecretName::ClientRandom, 48) => {}
        (SecretName::ClientRandom, _) => return Err("a master secret of 48 bytes"),
        (_, 32 | 48) => {}
        (_, _) => return Err("a secret of 32 or 48 bytes"),
    }
    Ok(Some((random, name, secret)))
}

fn octets(digits: &[u8]) -> Option<Vec<u8>> {
    let octets = std::str::from_utf8(digits).ok().and_then(|digits| from_hexadecimal(digits).ok())?;
    (!octets.is_empty()).then_some(octets)
}

impl SecretName {
    const ALL: [Self; 5] = [
        Self::ClientRandom,
        Self::ClientHandshake,
        Self::ServerHandshake,
        Self::ClientTraffic,
        Self::ServerTraffic,
    ];

    /// What a key log calls it.
    pub fn label(self) -> &'static str {
        match self {
            Self::ClientRandom => "CLIENT_RANDOM",
            Self::ClientHandshake => "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
            Self::ServerHandshake => "SERVER_HANDSHAKE_TRAFFIC_SECRET",
            Self::ClientTraffic => "CLIENT_TRAFFIC_SECRET_0",
            Self::ServerTraffic => "SERVER_TRAFFIC_SECRET_0",
        }
    }

    fn from_label(label: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.label().as_bytes() == label)
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.label())
    }
}

impl fmt::Display for BadKeyLog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {} is none of a key log, which has {}", self.line, self.wants)
    }
}

impl std::error::Error for BadKeyLog {}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(label: &str, random: u8, secret: usize) -> String {
        format!("{label} {} {}\n", format!("{random:02x}").repeat(32), "5A".repeat(secret))
    }

    #[test]
    fn secrets_are_found_by_session_and_name() {
        let text = [
            "# a comment\r\n".to_owned(),
            line("CLIENT_RANDOM", 1, 48),
            line("SERVER_TRAFFIC_SECRET_0", 2, 32).replace('\n', "\r\n"),
            line("EXPORTER_SECRET", 2, 32),
            line("SOMETHING_NEW", 2, 5),
            "\n".to_owned(),
        ];
        let log = KeyLog::parse(text.concat().as_bytes()).unwrap();
        assert_eq!(log.len(), 2);
        assert_eq!(log.secret(&[1; 32], SecretName::ClientRandom), Some(&[0x5a; 48][..]));
        assert_eq!(log.secret(&[2; 32], SecretName::ServerTraffic), Some(&[0x5a; 32][..]));
        assert_eq!(log.secret(&[1; 32], SecretName::ServerTraffic), None);
    }

    #[test]
    fn a_line_that_is_none_has_its_place() {
        let bad =
            |text: &str| KeyLog::parse(text.as_bytes()).map(|log| log.len()).map_err(|bad| bad.to_string());
        let says =
            |wants: &str, line: usize| Err(format!("line {line} is none of a key log, which has {wants}"));
        assert_eq!(bad("# Title\n\nSome words\n"), says("a label in capitals", 3));
        assert_eq!(bad("CLIENT_RANDOM\n"), says("a label, a random and a secret", 1));
        assert_eq!(bad("CLIENT_RANDOM 0x 12\n"), says("a random and a secret in hexadecimal", 1));
        assert_eq!(bad("CLIENT_RANDOM 00 12\n"), says("a random of 32 bytes", 1));
        assert_eq!(bad(&line("CLIENT_RANDOM", 1, 47)), says("a master secret of 48 bytes", 1));
        assert_eq!(bad(&line("CLIENT_TRAFFIC_SECRET_0", 1, 33)), says("a secret of 32 or 48 bytes", 1));
    }

    #[test]
    fn a_line_still_being_written_is_passed_over() {
        let whole = line("CLIENT_RANDOM", 1, 48) + &line("CLIENT_RANDOM", 2, 48);
        let log = KeyLog::parse(&whole.as_bytes()[..whole.len() - 7]).unwrap();
        assert_eq!(log.len(), 1);
        assert!(KeyLog::parse(b"CLIENT_RAN").is_err(), "a file of which nothing can be read is no key log");
    }
}
