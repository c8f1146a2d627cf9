//! Who a recorded client may be: the one that its request names, or all that begin as it did.
//!
//! A request says who made it in its user agent, and the catalogue knows how each library writes that, so the version is read with
//! the library's own header list. Of several modes it is the one that writes such a flight. A client that had said no
//! request may be anybody whose flight begins so and who would have waited as long as it did.

use std::time::Duration;

use bytes::Bytes;

use crate::capture::RecordedClient;
use crate::clients::{ClientSpec, Family, KnownClient, Profile, Role, Version, families};
use crate::flight::Flight;
use crate::net::Side;
use crate::servers::{Front, Security, ServerName};

use super::tls_replay::{insists_on_alpn, says_hello_like};
use super::{What, bed};

/// So much of a silence may be the machine's and the network's.
const DAWDLING: Duration = Duration::from_millis(500);

/// The client that a request names: `user-agent: grpc-go/1.33.3`. A proxy that passes on its own client's name is told by its flight.
pub(super) fn named(client: &RecordedClient) -> Option<KnownClient> {
    let agent = client.summary.user_agent.as_deref()?;
    let mut first = None;
    for known in families().iter().flat_map(|family| calling_itself(family, agent)) {
        if begins_so(&known, client) {
            return Some(known);
        }
        first.get_or_insert(known);
    }
    first.filter(|known| known.family.role != Role::Proxy)
}

/// The clients of the catalogue that begin just like this: of each profile its first version, or the version that the
/// client says it is.
pub(super) fn fitting(client: &RecordedClient) -> Vec<KnownClient> {
    let named = named(client);
    let mut fitting: Vec<KnownClient> = families()
        .iter()
        .flat_map(|family| family.profiles.iter().map(move |profile| (family, profile)))
        .filter_map(|(family, profile)| match &named {
            Some(named) if named.family.name != family.name => None,
            Some(named) if !profile.covers_version(&named.spec.version) => None,
            Some(named) => of_profile(family, profile, &named.spec.version),
            None => of_profile(family, profile, &profile.from),
        })
        .filter(|known| begins_so(known, client) && keeps_as_silent(known, client))
        .collect();
    // Little has been written, or it would hold a request. An HTTP client writes its request at once, so of those that begin
    // alike it is the last to be suspected.
    let calls_grpc = |known: &KnownClient| known.family.role != Role::HttpClient;
    if fitting.iter().any(calls_grpc) {
        fitting.retain(calls_grpc);
    }
    fitting
}

fn of_profile(family: &Family, profile: &Profile, version: &Version) -> Option<KnownClient> {
    let spec = ClientSpec {
        name: family.name.clone(),
        version: version.clone(),
        mode: profile.mode.clone(),
        environment: profile.environment.clone(),
    };
    KnownClient::find(&spec).ok()
}

/// The clients of a family that write this user agent, in their modes, the default one first.
fn calling_itself(family: &'static Family, agent: &str) -> Vec<KnownClient> {
    let written = family.field_lists.iter().flat_map(|list| &list.lines);
    let written = written.filter(|line| line.name.eq_ignore_ascii_case("user-agent"));
    let versions = written.filter_map(|line| version_in(&line.value, agent));
    let Some(version) = versions.into_iter().next() else { return Vec::new() };
    let covering = family.profiles.iter().filter(|profile| profile.environment.is_empty());
    let mut known: Vec<KnownClient> = covering
        .filter_map(|profile| {
            let version = match &version {
                Some(version) => family.called(version),
                None => &profile.from,
            };
            profile.covers_version(version).then(|| of_profile(family, profile, version)).flatten()
        })
        .collect();
    known.sort_by_key(|known| known.spec.mode != family.default_mode);
    known
}

/// The version that stands where `written` has `{version}`, if it is written so: `Some(None)` where it has none.
fn version_in(written: &str, agent: &str) -> Option<Option<Version>> {
    let Some((before, after)) = written.split_once("{version}") else {
        return (written == agent).then_some(None);
    };
    let rest = agent.strip_prefix(before)?;
    let length =
        rest.find(|character: char| character.is_whitespace() || character == ',').unwrap_or(rest.len());
    // What else it says of the machine and of what it was built with differs from place to place.
    let ends_there = after.is_empty() == rest[length..].is_empty() || !after.is_empty();
    ends_there.then(|| rest[..length].parse().ok().map(Some)).flatten()
}

/// Whether a client of this kind writes what was captured, over TLS with such a hello, and goes on without ALPN if the captured
/// one did.
pub(super) fn begins_so(known: &KnownClient, client: &RecordedClient) -> bool {
    if let Some(tls) = &client.tls {
        // Some have written before they look at what was chosen.
        let answered = client.summary.server_settings || client.summary.requests > 0;
        let goes_on = !(tls.chose_no_protocol() && answered && insists_on_alpn(known));
        if !(goes_on && says_hello_like(known.family, known.profile, tls)) {
            return false;
        }
    }
    let security = if client.tls.is_some() { Security::Tls } else { Security::Cleartext };
    let authority = client.summary.authority.as_deref().unwrap_or("127.0.0.1:50051");
    // Served at once, it shows all of its flight.
    let server = ServerName { security, ..ServerName::from(Front::Direct) };
    let scenario = bed().known_client(known.clone()).named_server(server).authority(authority);
    let written = scenario.first_flight();
    let flight = |segments: &[Bytes]| {
        let flight = Flight::of(segments.iter().map(|segment| &segment[..]));
        let flight = if known.family.role == Role::Proxy { flight.with_any_port() } else { flight };
        if known.family.shuffles_fields { flight.sorted() } else { flight }
    };
    !stops_inside_a_write(&client.segments, &written)
        && Flight::difference(&flight(&client.segments), &flight(&written)).is_none()
}

/// Whether a client of this kind, to which nothing is said, would have said no more for as long as the captured one said nothing.
fn keeps_as_silent(known: &KnownClient, client: &RecordedClient) -> bool {
    let Some(silence) = client.silence.checked_sub(DAWDLING).filter(|_| !client.summary.server_settings)
    else {
        return true;
    };
    let run = bed().known_client(known.clone()).named_server(ServerName::from(Front::Mute)).run_once();
    let written =
        run.ending.transcript.events().iter().filter(|event| event.connection == 0 && event.at <= silence);
    let written = written.filter_map(|event| match &event.what {
        What::Segment { from: Side::Client, bytes } => Some(bytes.len()),
        _ => None,
    });
    written.sum::<usize>() <= client.segments.iter().map(Bytes::len).sum()
}

/// Whether the conversation stops where this client would have written more at once.
fn stops_inside_a_write(captured: &[impl AsRef<[u8]>], predicted: &[Bytes]) -> bool {
    let captured: Vec<u8> = captured.iter().flat_map(AsRef::as_ref).copied().collect();
    let begins_so = predicted.concat().starts_with(&captured);
    let mut written = 0;
    let mut ends = predicted.iter().map(|segment| {
        written += segment.len();
        written
    });
    begins_so && !ends.any(|end| end == captured.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_writes_more_at_once_does_not_stop_there() {
        let preface: [&[u8]; 1] = [b"PRI"];
        let written =
            |segments: &[&'static str]| segments.iter().copied().map(Bytes::from).collect::<Vec<_>>();
        assert!(stops_inside_a_write(&preface, &written(&["PRI and SETTINGS"])));
        assert!(!stops_inside_a_write(&preface, &written(&["PRI", " and SETTINGS"])));
        assert!(!stops_inside_a_write(&preface, &written(&["GET"])), "it begins otherwise altogether");
    }

    #[test]
    fn a_user_agent_tells_the_version_whatever_else_it_says() {
        let version = |written: &str, agent: &str| {
            version_in(written, agent).flatten().map(|version| version.to_string())
        };
        assert_eq!(version("grpc-go/{version}", "grpc-go/1.33.3").as_deref(), Some("1.33.3"));
        assert_eq!(version("grpc-go/{version}", "grpc-go-connect/1.21.1"), None);
        let python = "grpc-python/{version} grpc-c/{core}";
        assert_eq!(
            version(python, "grpc-python/1.85.1 grpc-c/54.0.0 (linux; chttp2)").as_deref(),
            Some("1.85.1")
        );
        assert_eq!(version_in("Go-http-client/1.1", "Go-http-client/1.1"), Some(None));
    }
}
