//! The names of the servers that clients are run against, the same as in the recordings.
//!
//! `[tls-|tls-noalpn-|tls-optional-](direct|cmux-header|..|http1)[-to-BACKEND]`: what the listener does about TLS, what looks at the
//! first bytes, and which server answers gRPC behind it.

use std::fmt;
use std::str::FromStr;

use crate::nearest;

/// A set-up that clients connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerName {
    /// Whether the listener terminates TLS.
    pub security: Security,
    /// What looks at a connection first.
    pub front: Front,
    /// What answers gRPC behind it.
    pub back_end: BackEnd,
}

/// Whether a listener terminates TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Security {
    /// Cleartext.
    #[default]
    Cleartext,
    /// TLS that offers `h2` and `http/1.1` by ALPN.
    Tls,
    /// TLS that offers no ALPN.
    TlsWithoutAlpn,
    /// TLS with ALPN for clients that begin with a TLS record, cleartext for all others.
    TlsOptional,
}

/// What looks at a connection first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Front {
    /// The back end itself.
    Direct,
    /// cmux with `HTTP2HeaderField`, then `HTTP1Fast`.
    CmuxHeader,
    /// cmux with `HTTP2MatchHeaderFieldSendSettings`, then `HTTP1Fast`.
    CmuxSettings,
    /// cmux with two `SendSettings` matchers, the first for `application/grpc+proto`.
    CmuxSettingsTwice,
    /// cmux with `HTTP2HeaderField`, then `HTTP2MatchHeaderFieldSendSettings`, then `HTTP1Fast`. Nobody recorded it.
    CmuxHeaderThenSettings,
    /// cmux with `HTTP2`, then `HTTP1Fast`.
    CmuxPreface,
    /// This project's multiplexer.
    Mux,
    /// Accepts and says nothing.
    Mute,
    /// Closes after reading 33 bytes.
    Eof,
    /// A plain HTTP/1 server.
    Http1,
}

/// What answers gRPC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum BackEnd {
    /// A model of grpc-go's server.
    #[default]
    GrpcGo,
    /// A model of x/net's h2c handler with grpc-go's `ServeHTTP`.
    H2c,
    /// tonic itself.
    Tonic,
    /// A model of Node's grpc-js server.
    Nghttp2,
    /// A model of grpc-java's Netty server.
    Netty,
    /// A model of Python's grpcio server.
    CCore,
}

impl Security {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Cleartext, Self::Tls, Self::TlsWithoutAlpn, Self::TlsOptional];

    /// What a server's name begins with.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cleartext => "",
            Self::Tls => "tls-",
            Self::TlsWithoutAlpn => "tls-noalpn-",
            Self::TlsOptional => "tls-optional-",
        }
    }

    /// What it is, in a sentence.
    pub fn about(self) -> &'static str {
        match self {
            Self::Cleartext => "the listener takes connections as they are",
            Self::Tls => "the listener terminates TLS, and chooses h2 or http/1.1 by ALPN",
            Self::TlsWithoutAlpn => "the listener terminates TLS, and knows no ALPN",
            Self::TlsOptional => {
                "the listener terminates TLS for those who begin with it, and takes others in the clear"
            }
        }
    }

    /// Whether a client that is told nothing else speaks TLS to it.
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Tls | Self::TlsWithoutAlpn)
    }
}

impl Front {
    /// All of them, in the order of the matrix.
    pub const ALL: [Self; 10] = [
        Self::Direct,
        Self::CmuxHeader,
        Self::CmuxSettings,
        Self::CmuxSettingsTwice,
        Self::CmuxHeaderThenSettings,
        Self::CmuxPreface,
        Self::Mux,
        Self::Mute,
        Self::Eof,
        Self::Http1,
    ];

    /// The word in a server's name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::CmuxHeader => "cmux-header",
            Self::CmuxSettings => "cmux-settings",
            Self::CmuxSettingsTwice => "cmux-settings-twice",
            Self::CmuxHeaderThenSettings => "cmux-header-then-settings",
            Self::CmuxPreface => "cmux-preface",
            Self::Mux => "mux",
            Self::Mute => "mute",
            Self::Eof => "eof",
            Self::Http1 => "http1",
        }
    }

    /// What it is, in a sentence.
    pub fn about(self) -> &'static str {
        match self {
            Self::Direct => "the back end itself, no multiplexer",
            Self::CmuxHeader => {
                "cmux with HTTP2HeaderField for application/grpc, then HTTP1Fast, bug for bug"
            }
            Self::CmuxSettings => "cmux with HTTP2MatchHeaderFieldSendSettings, then HTTP1Fast, bug for bug",
            Self::CmuxSettingsTwice => {
                "the same with two SendSettings matchers, the first for application/grpc+proto"
            }
            Self::CmuxHeaderThenSettings => {
                "cmux with HTTP2HeaderField, which blocks, before a SendSettings matcher that would not"
            }
            Self::CmuxPreface => "cmux with HTTP2(), then HTTP1Fast, bug for bug",
            Self::Mux => "this project's multiplexer: gRPC by header, HTTP/1 beside it",
            Self::Mute => "accepts and says nothing",
            Self::Eof => "closes after reading 33 bytes",
            Self::Http1 => "a plain HTTP/1 server (Go's http.ServeMux)",
        }
    }

    /// Whether there is a back end behind it.
    pub fn has_back_end(self) -> bool {
        !matches!(self, Self::Mute | Self::Eof | Self::Http1)
    }
}

impl BackEnd {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::GrpcGo, Self::H2c, Self::Tonic, Self::Nghttp2, Self::Netty, Self::CCore];

    /// What it is, in a sentence.
    pub fn about(self) -> &'static str {
        match self {
            Self::GrpcGo => {
                "grpc-go's server, modelled: SETTINGS on accept, a surplus SETTINGS ack is ignored"
            }
            Self::H2c => {
                "x/net's h2c with grpc-go's ServeHTTP, modelled: SETTINGS after the preface, a surplus ack is answered with GOAWAY and the connection closes a second later"
            }
            Self::Tonic => "tonic itself: SETTINGS on accept, a surplus ack is answered with GOAWAY at once",
            Self::Nghttp2 => {
                "Node's grpc-js server, modelled: SETTINGS on accept, a surplus ack is answered with GOAWAY and a close"
            }
            Self::Netty => {
                "grpc-java's Netty server, modelled: SETTINGS after the preface, a surplus ack is ignored"
            }
            Self::CCore => {
                "Python's grpcio server, modelled: SETTINGS on accept, a surplus ack ends the connection without GOAWAY"
            }
        }
    }

    /// Whether it ran in a process of its own when it was recorded, behind a listener that copies bytes.
    pub(crate) fn is_relayed(self) -> bool {
        !matches!(self, Self::GrpcGo | Self::H2c)
    }

    /// The word in a server's name.
    pub fn word(self) -> &'static str {
        match self {
            Self::GrpcGo => "grpc-go",
            Self::H2c => "h2c",
            Self::Tonic => "tonic",
            Self::Nghttp2 => "nghttp2",
            Self::Netty => "netty",
            Self::CCore => "c-core",
        }
    }
}

impl ServerName {
    /// Every set-up that is modelled on cleartext with the default back end.
    pub fn fronts() -> impl Iterator<Item = Self> {
        Front::ALL.into_iter().map(Self::from)
    }
}

impl From<Front> for ServerName {
    fn from(front: Front) -> Self {
        Self { security: Security::Cleartext, front, back_end: BackEnd::GrpcGo }
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.security.word())?;
        formatter.write_str(self.front.word())?;
        if self.back_end != BackEnd::GrpcGo {
            write!(formatter, "-to-{}", self.back_end.word())?;
        }
        Ok(())
    }
}

/// Why a text is no server's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerNameError {
    /// No such set-up.
    UnknownFront {
        /// As written.
        word: String,
        /// The nearest that exists.
        nearest: &'static str,
    },
    /// No such back end.
    UnknownBackEnd {
        /// As written.
        word: String,
        /// The nearest that exists.
        nearest: &'static str,
    },
    /// A set-up that answers by itself, with a back end behind it.
    NoBackEnd {
        /// The set-up.
        front: Front,
    },
}

impl fmt::Display for ServerNameError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownFront { word, nearest } => {
                write!(formatter, "there is no server `{word}`; the nearest is `{nearest}`")
            }
            Self::UnknownBackEnd { word, nearest } => {
                write!(formatter, "there is no back end `{word}`; the nearest is `{nearest}`")
            }
            Self::NoBackEnd { front } => {
                write!(formatter, "`{}` answers by itself, so nothing can be behind it", front.word())
            }
        }
    }
}

impl std::error::Error for ServerNameError {}

impl FromStr for ServerName {
    type Err = ServerNameError;

    fn from_str(text: &str) -> Result<Self, ServerNameError> {
        // The longest prefix that it has; the empty one it has in any case.
        let prefixed = Security::ALL
            .into_iter()
            .filter_map(|security| Some((security, text.strip_prefix(security.word())?)));
        let (security, rest) = prefixed.min_by_key(|(_, rest)| rest.len()).unwrap_or_default();
        let (front_word, back_end_word) = match rest.split_once("-to-") {
            Some((front, back_end)) => (front, Some(back_end)),
            None => (rest, None),
        };
        let Some(front) = Front::ALL.into_iter().find(|front| front.word() == front_word) else {
            let nearest = nearest::word(front_word, Front::ALL.map(Front::word));
            return Err(ServerNameError::UnknownFront { word: front_word.to_owned(), nearest });
        };
        let back_end = match back_end_word {
            None => BackEnd::GrpcGo,
            Some(_) if !front.has_back_end() => return Err(ServerNameError::NoBackEnd { front }),
            Some(word) => match BackEnd::ALL.into_iter().find(|back_end| back_end.word() == word) {
                Some(back_end) => back_end,
                None => {
                    let nearest = nearest::word(word, BackEnd::ALL.map(BackEnd::word));
                    return Err(ServerNameError::UnknownBackEnd { word: word.to_owned(), nearest });
                }
            },
        };
        Ok(Self { security, front, back_end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_as_written() {
        for security in Security::ALL {
            for front in Front::ALL {
                for back_end in BackEnd::ALL {
                    if front.has_back_end() || back_end == BackEnd::GrpcGo {
                        let name = ServerName { security, front, back_end };
                        assert_eq!(name.to_string().parse(), Ok(name));
                    }
                }
            }
        }
    }

    #[test]
    fn a_typo_names_the_nearest() {
        let error = "cmux-seting".parse::<ServerName>().expect_err("a typo");
        assert_eq!(error.to_string(), "there is no server `cmux-seting`; the nearest is `cmux-settings`");
        let error = "mux-to-netti".parse::<ServerName>().expect_err("a typo");
        assert_eq!(error.to_string(), "there is no back end `netti`; the nearest is `netty`");
        assert!("eof-to-tonic".parse::<ServerName>().is_err());
    }
}
