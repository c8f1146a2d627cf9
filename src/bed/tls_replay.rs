//! How a client that was recorded over TLS comes back: inside a new session, in the clear, or with its hello alone.
//!
//! What the client said inside is the same each time. Which of the three it is decides what is under test: the whole
//! server, what stands behind its TLS, or only the choice that it makes by the hello.

use crate::capture::{RecordedClient, Unusable};
use crate::outcome::Outcome;

/// How TLS conversations are replayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsReplay {
    /// In a new TLS session with the captured SNI and ALPN: the same plaintext, with the same cuts.
    #[default]
    Rewrap,
    /// In the clear, whatever the server is.
    Plaintext,
    /// Only the ClientHello.
    Hello,
}

/// How a recorded client is driven.
pub(super) enum Driven<'a> {
    /// By its script.
    Script(&'a RecordedClient),
    /// Not at all, and why.
    Skipped(Unusable),
    /// Not yet: an outcome that says so.
    NotYet(Outcome),
}

/// How this client is driven if TLS is replayed so.
pub(super) fn driven(client: &RecordedClient, mode: TlsReplay) -> Driven<'_> {
    let Some(tls) = &client.tls else { return Driven::Script(client) };
    match mode {
        TlsReplay::Plaintext if client.segments.is_empty() => {
            Driven::Skipped(Unusable::NoApplicationData { alert: tls.refusal() })
        }
        TlsReplay::Plaintext => Driven::Script(client),
        TlsReplay::Rewrap | TlsReplay::Hello => {
            let reason = "the bed speaks no TLS yet; `--tls plaintext` replays what was said inside of it";
            Driven::NotYet(Outcome::Unsupported { reason: reason.to_owned() })
        }
    }
}
