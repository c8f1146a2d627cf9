//! What changes for the users of a client when it is upgraded, and why.

use crate::bed::{Ending, Run, bed};
use crate::clients::{ClientSpec, KnownClient, Profile};
use crate::servers::{BackEnd, Front, Security, ServerName};

/// What changes with one server.
#[derive(Clone, Debug)]
pub struct Change {
    /// The server.
    pub server: String,
    /// What came of the version before.
    pub from: Run,
    /// What comes of the version after.
    pub to: Run,
    /// What kind of change it is.
    pub kind: Kind,
    /// Why: what is particular to the profile with which it changes, and its upstream source.
    pub why: Option<String>,
    /// Servers with the same back end that work for both, if it breaks.
    pub remedy: Vec<String>,
}

/// A kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It worked and does no longer.
    Breaks,
    /// It did not work and does now.
    Mends,
    /// Users read another text, or wait for another time, or something else may happen.
    Differs,
    /// Nothing.
    None,
}

impl Kind {
    /// The word in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Breaks => "breaks",
            Self::Mends => "mends",
            Self::Differs => "differs",
            Self::None => "none",
        }
    }
}

/// The servers that an upgrade is looked at with, unless some are named: every front before the back ends that need nothing
/// else, the set-ups in which other back ends differ from those, and the usual ones over TLS, with ALPN and without.
pub fn servers() -> Vec<ServerName> {
    let fronts = [
        Front::Direct,
        Front::CmuxHeader,
        Front::CmuxSettings,
        Front::CmuxSettingsTwice,
        Front::CmuxPreface,
        Front::Mux,
    ];
    let server = |security| move |back_end| move |front| ServerName { security, front, back_end };
    let clear = server(Security::Cleartext);
    let alone = [Front::Mute, Front::Eof, Front::Http1].map(ServerName::from);
    let behind = [BackEnd::GrpcGo, BackEnd::H2c, BackEnd::Tonic].map(|back_end| fronts.map(clear(back_end)));
    let others = [BackEnd::Nghttp2, BackEnd::Netty, BackEnd::CCore]
        .map(|back_end| [Front::Direct, Front::CmuxSettings, Front::Mux].map(clear(back_end)));
    let over_tls = [Security::Tls, Security::TlsWithoutAlpn].map(|security| {
        [Front::Direct, Front::CmuxHeader, Front::CmuxSettings, Front::Mux]
            .map(server(security)(BackEnd::GrpcGo))
    });
    let all = behind.into_iter().flatten().chain(alone);
    all.chain(others.into_iter().flatten()).chain(over_tls.into_iter().flatten()).collect()
}

/// Runs both versions against each server and compares.
pub fn upgrade(from: &KnownClient, to: &KnownClient, servers: &[ServerName]) -> Vec<Change> {
    servers.iter().map(|server| change(from, to, *server)).collect()
}

fn change(from: &KnownClient, to: &KnownClient, server: ServerName) -> Change {
    let before = run(from, server);
    let after = run(to, server);
    let kind = match (before.works(), after.works()) {
        (true, false) => Kind::Breaks,
        (false, true) => Kind::Mends,
        _ if differs(&before, &after) => Kind::Differs,
        _ => Kind::None,
    };
    let why = (kind != Kind::None).then(|| why(from, to, server, &before, &after)).flatten();
    let remedy = if kind == Kind::Breaks { remedy(from, to, server) } else { Vec::new() };
    Change { server: server.to_string(), from: before, to: after, kind, why, remedy }
}

fn run(client: &KnownClient, server: ServerName) -> Run {
    bed().known_client(client.clone()).named_server(server).run()
}

/// Whether users could tell: another result is possible, or the same one later or earlier.
fn differs(before: &Run, after: &Run) -> bool {
    let missing = |one: &Run, other: &Run| {
        one.endings().any(|ending| !other.endings().any(|known| same_for_users(ending, known)))
    };
    missing(before, after) || missing(after, before)
}

fn same_for_users(one: &Ending, other: &Ending) -> bool {
    let errors = |ending: &Ending| ending.calls.iter().map(|call| call.error.clone()).collect::<Vec<_>>();
    let apart = one.at().abs_diff(other.at());
    errors(one) == errors(other) && apart.as_millis() <= 100 + one.at().as_millis() / 50
}

/// The profile with which the outcome changes: of those between the two versions the first that gives what the newer
/// version gives.
fn why(
    from: &KnownClient,
    to: &KnownClient,
    server: ServerName,
    before: &Run,
    after: &Run,
) -> Option<String> {
    if to.spec.version < from.spec.version {
        // What a way back changes is what the way there did.
        let there = boundary(to, from, server, after, before);
        return Some(format!("not yet what it is {}", told(there)));
    }
    Some(told(boundary(from, to, server, before, after)))
}

fn told(profile: &Profile) -> String {
    format!("from {}: {} ({})", profile.from, profile.about, profile.sources.join("; "))
}

fn boundary<'a>(
    from: &'a KnownClient,
    to: &'a KnownClient,
    server: ServerName,
    before: &Run,
    after: &Run,
) -> &'a Profile {
    let between = to.family.profiles.iter();
    let mut between: Vec<&Profile> = between
        .filter(|profile| profile.from > from.spec.version && profile.from <= to.spec.version)
        .collect();
    between.sort_by_key(|profile| &profile.from);
    let changed = between.into_iter().find(|profile| {
        let spec = ClientSpec { version: profile.from.clone(), ..to.spec.clone() };
        KnownClient::find(&spec).is_ok_and(|known| {
            let run = run(&known, server);
            known.profile.title == profile.title && run.works() == after.works() && differs(before, &run)
        })
    });
    changed.unwrap_or(to.profile)
}

/// What helps: other ways to put the same back end on the port, with which both versions work; and ALPN.
fn remedy(from: &KnownClient, to: &KnownClient, server: ServerName) -> Vec<String> {
    let fronts = [Front::Mux, Front::CmuxPreface, Front::CmuxSettings, Front::CmuxHeader, Front::Direct];
    let others = fronts.into_iter().filter(|front| *front != server.front);
    let others = others.map(|front| ServerName { front, ..server });
    let with_alpn = ServerName { security: Security::Tls, ..server };
    let with_alpn = (server.security == Security::TlsWithoutAlpn).then_some(with_alpn);
    with_alpn
        .into_iter()
        .chain(others)
        .filter(|name| run(from, *name).works() && run(to, *name).works())
        .map(|name| name.to_string())
        .collect()
}
