//! How a client that was recorded over TLS comes back: inside a new session, in the clear, or with its hello alone.
//!
//! What the client said inside is the same each time. Which of the three it is decides what is under test: the whole
//! server, what stands behind its TLS, or only the choice that it makes by the hello.

use bytes::Bytes;

use crate::capture::{RecordedClient, RecordedTls, Unusable};
use crate::clients::{Family, KnownClient, Profile, families};
use crate::script::{Action, Behaviour, Hello, Occasion, OneOrMore, Phase, Step, TlsVersion, Trigger};
use crate::wire::tls::ProtocolVersion;
use crate::wire::{FrameKind, FrameReader, PREFACE};

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
        TlsReplay::Rewrap if client.segments.is_empty() || gave_up_for_want_of_alpn(client, tls) => {
            let alike = match known {
                Some(known) if says_hello_like(known.family, known.profile, tls) => vec![known.clone()],
                _ => leaving_without_alpn(tls),
            };
            if alike.is_empty() { silent() } else { Driven::As(alike) }
        }
        TlsReplay::Rewrap => {
            let mut client = client.clone();
            client.behaviour.tls = Some(hello(tls));
            if let Some(known) = known {
                client.behaviour.reactions.extend(handshake_reactions(known, tls.chose_no_protocol()));
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
fn handshake_reactions(known: &KnownClient, went_on_without_alpn: bool) -> Vec<(Occasion, Action)> {
    let behaviour = known.family.speaking(known.profile, true).behaviour_in(&known.spec.environment, true);
    let of_handshake = behaviour.reactions.iter().filter(|(occasion, _)| {
        let shown_otherwise = went_on_without_alpn && occasion.trigger == Trigger::NoAlpn;
        occasion.phase == Some(Phase::Securing) && !shown_otherwise
    });
    of_handshake
        .map(|(occasion, action)| {
            let action = match (action, &behaviour.fail_fast) {
                (Action::Fail(texts), Some(around)) => {
                    let mut texts = texts.iter().map(|text| around.replace("{cause}", text));
                    let first = texts.next().unwrap_or_default();
                    Action::Fail(OneOrMore::new(first, texts))
                }
                (action, _) => action.clone(),
            };
            (*occasion, action)
        })
        .collect()
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
    if !(tls.established && tls.chose_no_protocol()) {
        return Vec::new();
    }
    let known =
        families().iter().flat_map(|family| family.profiles.iter().map(move |profile| (family, profile)));
    let alike = known.filter(|(family, profile)| says_hello_like(family, profile, tls));
    let alike = alike.filter_map(|(family, profile)| KnownClient::first_of(family, profile));
    alike.filter(insists_on_alpn).collect()
}

/// Whether it asked nothing of a server that had chosen no protocol, and said goodbye instead.
fn gave_up_for_want_of_alpn(client: &RecordedClient, tls: &RecordedTls) -> bool {
    let said = client.segments.concat();
    let Some(said) = said.strip_prefix(PREFACE.as_slice()) else { return false };
    let mut frames = FrameReader::new(u32::MAX);
    frames.push_bytes(Bytes::copy_from_slice(said));
    let mut frames = std::iter::from_fn(|| frames.next_frame().ok().flatten());
    let says_goodbye = frames.any(|frame| frame.kind == FrameKind::GoAway);
    tls.chose_no_protocol() && client.summary.requests == 0 && says_goodbye
}

/// Whether this client leaves a server that chooses no protocol by ALPN.
pub(super) fn insists_on_alpn(known: &KnownClient) -> bool {
    let behaviour = known.family.speaking(known.profile, true).behaviour_in(&known.spec.environment, true);
    behaviour
        .reactions
        .iter()
        .any(|(occasion, action)| occasion.trigger == Trigger::NoAlpn && matches!(action, Action::Fail(_)))
}
