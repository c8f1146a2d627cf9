//! What a client says first when it speaks TLS: the part of a ClientHello that decides handshakes (RFC 8446, section 4.1.2).

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use super::OneOrMore;

/// What a client says in its ClientHello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The protocols that it offers by ALPN (RFC 7301), the preferred one first; none leaves the extension out.
    pub alpn: Vec<String>,
    /// The server's name (RFC 6066, section 3), if it says one.
    pub sni: Option<String>,
    /// The versions that it offers, in its order. One of them is 1.2 or 1.3.
    pub versions: OneOrMore<TlsVersion>,
    /// Whether it takes certificates of RSA alone, for want of suites for others.
    pub rsa_alone: bool,
    /// What it takes for `:authority` or `Host`, if not the address that it connects to; `{port}` is that one's port.
    pub authority: Option<String>,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// RFC 2246. Offered by some, chosen by nobody here.
    Tls10,
    /// RFC 4346. Likewise.
    Tls11,
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

impl TlsVersion {
    /// The number in a ClientHello.
    pub fn number(self) -> u16 {
        match self {
            Self::Tls10 => 0x0301,
            Self::Tls11 => 0x0302,
            Self::Tls12 => 0x0303,
            Self::Tls13 => 0x0304,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Tls10 => "1.0",
            Self::Tls11 => "1.1",
            Self::Tls12 => "1.2",
            Self::Tls13 => "1.3",
        }
    }
}

impl Default for Hello {
    fn default() -> Self {
        let versions = OneOrMore::new(TlsVersion::Tls13, [TlsVersion::Tls12]);
        Self { alpn: Vec::new(), sni: None, versions, rsa_alone: false, authority: None }
    }
}

impl FromStr for TlsVersion {
    type Err = &'static str;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let known = [Self::Tls10, Self::Tls11, Self::Tls12, Self::Tls13];
        known.into_iter().find(|version| version.word() == word).ok_or("write 1.3, 1.2, 1.1 or 1.0")
    }
}

impl Display for TlsVersion {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}
