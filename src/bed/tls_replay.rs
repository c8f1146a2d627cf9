//! How a client that was recorded over TLS comes back: inside a new session, in the clear, or with its hello alone.
//!
//! What the client said inside is the same each time. Which of the three it is decides what is under test: the whole
//! server, what stands behind its TLS, or only the choice that it makes by the hello.

use crate::capture::{RecordedClient, RecordedTls, Unusable};
use crate::clients::{Family, KnownClient, Profile, families};
use crate::script::{Action, Behaviour, Hello, Occasion, OneOrMore, Phase, Step, TlsVersion, Trigger};
use crate::wire::tls::ProtocolVersion;

/// How TLS conversations are replayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsReplay {
    /// In a new TLS session with the captured SNI and ALPN: the same plaintext, with the same cuts.
    #[default]
    Rewrap,
    /// In the clear, whatever the server is.
    Plaintext,
    /// Only the ClientHello: the client leaves when the handshake is over.
    Hello,
}

/// How a recorded client is driven.
pub(super) enum Driven {
    /// By its script.
    Script(Box<RecordedClient>),
    /// As each of these, since it had said nothing yet inside TLS when it left.
    As(Vec<KnownClient>),
    /// Not at all, and why.
    Skipped(Unusable),
}

/// How this client is driven if TLS is replayed so. `known` is the client that it calls itself, or is to be run as.
pub(super) fn driven(client: &RecordedClient, mode: TlsReplay, known: Option<&KnownClient>) -> Driven {
    let Some(tls) = &client.tls else { return Driven::Script(Box::new(client.clone())) };
    let silent = || Driven::Skipped(Unusable::NoApplicationData { alert: tls.refusal() });
    match mode {
        TlsReplay::Plaintext if client.segments.is_empty() => silent(),
        TlsReplay::Plaintext => Driven::Script(Box::new(client.clone())),
        TlsReplay::Hello => {
            let mut client = client.clone();
            client.behaviour =
                Behaviour { tls: Some(hello(tls)), connect: vec![Step::Close], ..Behaviour::default() };
            Driven::Script(Box::new(client))
        }
        TlsReplay::Rewrap if client.segments.is_empty() => {
            let alike = match known {
                Some(known) => vec![known.clone()],
                None => leaving_without_alpn(tls),
            };
            if alike.is_empty() { silent() } else { Driven::As(alike) }
        }
        TlsReplay::Rewrap => {
            let mut client = client.clone();
            client.behaviour.tls = Some(hello(tls));
            let went_on_without = tls.negotiated.as_ref().is_some_and(|negotiated| negotiated.alpn.is_none());
            if let Some(known) = known {
                client.behaviour.reactions.extend(handshake_reactions(known.profile, went_on_without));
            }
            Driven::Script(Box::new(client))
        }
    }
}

/// The captured hello, as far as it decides anything.
fn hello(tls: &RecordedTls) -> Hello {
    let known = |version: ProtocolVersion| {
        let versions = [TlsVersion::Tls13, TlsVersion::Tls12, TlsVersion::Tls11, TlsVersion::Tls10];
        versions.into_iter().find(|known| ProtocolVersion::from(known.number()) == version)
    };
    let mut versions = tls.hello.versions().into_iter().filter_map(known);
    let first = versions.next().unwrap_or(TlsVersion::Tls12);
    Hello {
        alpn: tls.hello.alpn.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect(),
        sni: tls.hello.server_name.clone(),
        versions: OneOrMore::new(first, versions),
        rsa_alone: false,
        authority: None,
    }
}

/// What the client's library does when the handshake goes wrong, in the words that the user of a call reads.
fn handshake_reactions(
    profile: &Profile,
    went_on_without_alpn: bool,
) -> impl Iterator<Item = (Occasion, Action)> {
    let of_handshake = profile.behaviour.reactions.iter().filter(move |(occasion, _)| {
        let shown_otherwise = went_on_without_alpn && occasion.trigger == Trigger::NoAlpn;
        occasion.phase == Some(Phase::Securing) && !shown_otherwise
    });
    of_handshake.map(|(occasion, action)| {
        let action = match (action, &profile.behaviour.fail_fast) {
            (Action::Fail(texts), Some(around)) => {
                let mut texts = texts.iter().map(|text| around.replace("{cause}", text));
                let first = texts.next().unwrap_or_default();
                Action::Fail(OneOrMore::new(first, texts))
            }
            (action, _) => action.clone(),
        };
        (*occasion, action)
    })
}

/// Whether a client of this profile offers what was captured; whom it calls is its user's choice.
pub(super) fn says_hello_like(family: &Family, profile: &Profile, tls: &RecordedTls) -> bool {
    let captured = hello(tls);
    let stated = family.speaking(profile, true).behaviour.tls.as_ref();
    stated.is_some_and(|stated| stated.alpn == captured.alpn && stated.versions == captured.versions)
}

/// A client that left an established session without a word, when the server had chosen no protocol, is one of those that
/// want ALPN and say hello like this.
fn leaving_without_alpn(tls: &RecordedTls) -> Vec<KnownClient> {
    let chose_none = tls.negotiated.as_ref().is_some_and(|negotiated| negotiated.alpn.is_none());
    if !(tls.established && chose_none) {
        return Vec::new();
    }
    let known =
        families().iter().flat_map(|family| family.profiles.iter().map(move |profile| (family, profile)));
    let alike = known.filter(|(family, profile)| {
        let wants = profile.behaviour.reactions.iter().any(|(occasion, action)| {
            occasion.trigger == Trigger::NoAlpn && matches!(action, Action::Fail(_))
        });
        wants && says_hello_like(family, profile, tls)
    });
    alike.filter_map(|(family, profile)| KnownClient::first_of(family, profile)).collect()
}
