//! How a client is named: `NAME@VERSION[/MODE][+ENV=VALUE]..`.
//!
//! Versions need not be semantic ones: Go's toolchain is `go1.27.3`. They are compared number by number, which is
//! right for every scheme in the catalogue.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A library at a version, with mode and environment: `grpc-go@1.17.0+GRPC_GO_REQUIRE_HANDSHAKE=off`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientSpec {
    /// The family's name.
    pub name: String,
    /// The version.
    pub version: Version,
    /// How the library is used, where there is more than one way: `netty`, `prior-knowledge`.
    pub mode: Option<String>,
    /// The environment that the library reads.
    pub environment: BTreeMap<String, String>,
}

/// A version, as its project writes it.
#[derive(Clone, Debug, Default)]
pub struct Version(String);

impl Version {
    /// The version as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The numbers of the release, from the left: 1, 27 and 3 for `go1.27.3`.
    fn release(&self) -> [u64; 4] {
        let mut release = [0; 4];
        for (number, slot) in numbers(self.split().0).zip(&mut release) {
            *slot = number;
        }
        release
    }

    /// The release, and what follows it if that makes a version before the release: `-dev` of `1.85.0-dev`, `rc1` of `go1.27rc1`.
    fn split(&self) -> (&str, Option<&str>) {
        let begins = self.0.find(|character: char| character.is_ascii_digit()).unwrap_or_default();
        let length = self.0[begins..].find(|character: char| !character.is_ascii_digit() && character != '.');
        let (release, rest) = self.0.split_at(length.map_or(self.0.len(), |length| begins + length));
        // `4.1.100.Final` is no pre-release.
        (release, (!rest.is_empty() && !release.ends_with('.')).then_some(rest))
    }
}

fn numbers(text: &str) -> impl Iterator<Item = u64> {
    let digits =
        text.split(|character: char| !character.is_ascii_digit()).filter(|digits| !digits.is_empty());
    digits.map(|digits| digits.parse().unwrap_or(u64::MAX))
}

// What two ways to write one version have in common is all that counts: 1.18 is 1.18.0.
impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.release().cmp(&other.release()).then_with(|| match (self.split().1, other.split().1) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(one), Some(two)) => numbers(one).cmp(numbers(two)).then_with(|| one.cmp(two)),
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Why a text names no client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientSpecError {
    /// There is no `@VERSION`.
    NoVersion {
        /// The text.
        text: String,
    },
    /// A version without a number in it, or with what no version has.
    BadVersion {
        /// The version as written.
        version: String,
    },
    /// A part is empty, or holds what it can't.
    BadPart {
        /// Which: `name`, `mode` or `environment`.
        part: &'static str,
        /// The text.
        text: String,
    },
}

impl fmt::Display for ClientSpecError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoVersion { text } => {
                write!(formatter, "`{text}` has no version; write NAME@VERSION, for example `grpc-go@1.33.3`")
            }
            Self::BadVersion { version } => {
                write!(
                    formatter,
                    "`{version}` is no version: one has a digit, and else letters, digits, `.`, `-` and `_`"
                )
            }
            Self::BadPart { part, text } => write!(
                formatter,
                "the {part} in `{text}` can't be read; the form is NAME@VERSION[/MODE][+ENV=VALUE].."
            ),
        }
    }
}

impl std::error::Error for ClientSpecError {}

impl FromStr for Version {
    type Err = ClientSpecError;

    fn from_str(text: &str) -> Result<Self, ClientSpecError> {
        let allowed = |character: char| character.is_ascii_alphanumeric() || ".-_".contains(character);
        if text.chars().any(|character| character.is_ascii_digit()) && text.chars().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ClientSpecError::BadVersion { version: text.to_owned() })
        }
    }
}

impl FromStr for ClientSpec {
    type Err = ClientSpecError;

    fn from_str(text: &str) -> Result<Self, ClientSpecError> {
        let bad = |part| ClientSpecError::BadPart { part, text: text.to_owned() };
        let word = |part, word: &str| {
            let allowed = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
            if word.is_empty() || !word.chars().all(allowed) { Err(bad(part)) } else { Ok(word.to_owned()) }
        };
        let (name, rest) =
            text.split_once('@').ok_or_else(|| ClientSpecError::NoVersion { text: text.to_owned() })?;
        let mut parts = rest.split('+');
        let version_and_mode = parts.next().unwrap_or_default();
        let (version, mode) = match version_and_mode.split_once('/') {
            Some((version, mode)) => (version, Some(word("mode", mode)?)),
            None => (version_and_mode, None),
        };
        let mut environment = BTreeMap::new();
        for part in parts {
            let (variable, value) = part.split_once('=').ok_or_else(|| bad("environment"))?;
            // A client is one word wherever it is written.
            if value.contains(|character: char| character.is_whitespace() || "\",".contains(character)) {
                return Err(bad("environment"));
            }
            environment.insert(word("environment", variable)?, value.to_owned());
        }
        Ok(Self { name: word("name", name)?, version: version.parse()?, mode, environment })
    }
}

impl fmt::Display for ClientSpec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}@{}", self.name, self.version)?;
        if let Some(mode) = &self.mode {
            write!(formatter, "/{mode}")?;
        }
        self.environment.iter().try_for_each(|(variable, value)| write!(formatter, "+{variable}={value}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_reads_back_as_written() {
        for text in [
            "grpc-go@1.33.3",
            "grpc-go@1.17.0+GRPC_GO_REQUIRE_HANDSHAKE=off",
            "grpc-java@1.85.1/netty",
            "curl@7.88.1/h2c-upgrade+A=1+B=",
            "go-net-http@go1.27.3/h2c",
        ] {
            assert_eq!(text.parse::<ClientSpec>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        assert!(matches!("grpc-go".parse::<ClientSpec>(), Err(ClientSpecError::NoVersion { .. })));
        assert!(matches!("grpc-go@x".parse::<ClientSpec>(), Err(ClientSpecError::BadVersion { .. })));
        assert!(matches!("@1".parse::<ClientSpec>(), Err(ClientSpecError::BadPart { part: "name", .. })));
        for text in ["a@1+B", "a@1+B=x y", "a@1+B=\"\""] {
            let error = text.parse::<ClientSpec>();
            assert!(matches!(error, Err(ClientSpecError::BadPart { part: "environment", .. })), "{text}");
        }
    }

    #[test]
    fn versions_are_compared_number_by_number() {
        let version = |text: &str| text.parse::<Version>().expect(text);
        assert!(version("1.9.0") < version("1.18.0"));
        assert!(version("go1.9") < version("go1.27.3"));
        assert!(version("1.85.0-dev") < version("1.85.0"));
        assert!(version("1.84.0") < version("1.85.0-dev"));
        assert!(version("1.18.0-rc1") < version("1.18.0-rc2") && version("1.18.0-rc2") < version("1.18"));
        assert!(version("go1.26.9") < version("go1.27rc1") && version("go1.27rc1") < version("go1.27"));
        assert!(version("4.1.99.Final") < version("4.1.100.Final"));
        assert_eq!(version("1.18"), version("1.18.0"));
    }
}
