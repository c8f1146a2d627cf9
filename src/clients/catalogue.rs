//! The clients that are known by name.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, LazyLock};

use crate::nearest;
use crate::script::Hello;

use super::plan::{Plan, Work};
use super::profile::{Condition, Family, Profile};
use super::{ClientSpec, ClientSpecError, Version};

const FILES: [(&str, &str); 19] = [
    ("clients/grpc-go.bed", include_str!("grpc-go.bed")),
    ("clients/grpcio.bed", include_str!("grpcio.bed")),
    ("clients/grpc-js.bed", include_str!("grpc-js.bed")),
    ("clients/grpc-java.bed", include_str!("grpc-java.bed")),
    ("clients/tonic.bed", include_str!("tonic.bed")),
    ("clients/connect-go.bed", include_str!("connect-go.bed")),
    ("clients/curl.bed", include_str!("curl.bed")),
    ("clients/nghttp.bed", include_str!("nghttp.bed")),
    ("clients/okhttp.bed", include_str!("okhttp.bed")),
    ("clients/java-net-http.bed", include_str!("java-net-http.bed")),
    ("clients/reqwest.bed", include_str!("reqwest.bed")),
    ("clients/go-net-http.bed", include_str!("go-net-http.bed")),
    ("clients/node-http2.bed", include_str!("node-http2.bed")),
    ("clients/httpx.bed", include_str!("httpx.bed")),
    ("clients/chrome.bed", include_str!("chrome.bed")),
    ("clients/firefox.bed", include_str!("firefox.bed")),
    ("clients/h2-crate.bed", include_str!("h2-crate.bed")),
    ("clients/nginx-grpc.bed", include_str!("nginx-grpc.bed")),
    ("clients/haproxy-h2.bed", include_str!("haproxy-h2.bed")),
];

static FAMILIES: LazyLock<Vec<Family>> = LazyLock::new(|| {
    let read = |(file, source)| match Family::parse(file, source) {
        Ok(family) => family,
        Err(error) => panic!("a profile that comes with the crate can't be read:\n{error}"),
    };
    FILES.into_iter().map(read).collect()
});

/// Every family, in the order in which reports list them.
pub fn families() -> &'static [Family] {
    &FAMILIES
}

/// A client of the catalogue, found.
#[derive(Clone, Debug)]
pub struct KnownClient {
    /// As it was asked for, with the family's default mode filled in.
    pub spec: ClientSpec,
    /// Its family.
    pub family: &'static Family,
    /// Its profile.
    pub profile: &'static Profile,
}

impl KnownClient {
    /// Finds a client in the catalogue.
    ///
    /// # Errors
    ///
    /// What is wrong with the name, the version or the mode, with the nearest that exists.
    pub fn find(spec: &ClientSpec) -> Result<Self, UnknownClient> {
        let Some(family) = families().iter().find(|family| family.name == spec.name) else {
            let nearest = nearest::word(&spec.name, families().iter().map(|family| family.name.as_str()));
            return Err(UnknownClient::Name { name: spec.name.clone(), nearest: nearest.to_owned() });
        };
        let mut spec = spec.clone();
        if spec.mode.is_none() {
            spec.mode.clone_from(&family.default_mode);
        }
        let modes: Vec<&str> = family.profiles.iter().filter_map(|profile| profile.mode.as_deref()).collect();
        if let Some(mode) = spec.mode.as_deref().filter(|mode| !modes.contains(mode)) {
            let nearest = nearest::word(mode, modes.iter().copied()).to_owned();
            return Err(UnknownClient::Mode { spec: spec.to_string(), mode: mode.to_owned(), nearest });
        }
        match family.profile(&spec) {
            Some(profile) => Ok(Self { spec, family, profile }),
            None => {
                let oldest = family.profiles.iter().map(|profile| &profile.from).min();
                let oldest = oldest.map(ToString::to_string).unwrap_or_default();
                Err(UnknownClient::Version { spec: spec.to_string(), oldest })
            }
        }
    }

    /// The first version of a profile, in its mode and environment; none if a profile that says more of it goes before.
    pub(crate) fn first_of(family: &'static Family, profile: &'static Profile) -> Option<Self> {
        let spec = ClientSpec {
            name: family.name.clone(),
            version: profile.from.clone(),
            mode: profile.mode.clone(),
            environment: profile.environment.clone(),
        };
        Self::find(&spec).ok()
    }

    /// Finds one client, or of a family with a condition on the version (`grpc-go@>=1.18`, `grpc-go@<1.9`) every profile's
    /// first version that meets it.
    ///
    /// # Errors
    ///
    /// As [`Self::find`]; and if no profile meets the condition.
    pub fn find_all(text: &str) -> Result<Vec<Self>, UnknownClient> {
        let condition =
            text.split_once('@').filter(|(_, version)| version.starts_with(['<', '>', '*', '=', '^', '~']));
        let Some((name, condition)) = condition else { return Ok(vec![Self::find(&text.parse()?)?]) };
        let (holds, version): (fn(Ordering) -> bool, &str) =
            if let Some(version) = condition.strip_prefix(">=") {
                (Ordering::is_ge, version)
            } else if let Some(version) = condition.strip_prefix("<=") {
                (Ordering::is_le, version)
            } else if let Some(version) = condition.strip_prefix('>') {
                (Ordering::is_gt, version)
            } else if let Some(version) = condition.strip_prefix('<') {
                (Ordering::is_lt, version)
            } else if condition == "*" {
                (|_| true, "0")
            } else {
                return Err(UnknownClient::NoCondition { condition: condition.to_owned() });
            };
        let version: Version = version.parse()?;
        // An unknown name is the same error as for one client.
        let probe = ClientSpec { name: name.to_owned(), version: version.clone(), ..ClientSpec::default() };
        let Some(family) = families().iter().find(|family| family.name == name) else {
            return Self::find(&probe).map(|known| vec![known]);
        };
        let meeting: Vec<Self> = family
            .profiles
            .iter()
            .filter(|profile| {
                holds(profile.from.cmp(&version))
                    || (profile.covers_version(&version) && holds(Ordering::Equal))
            })
            .map(|profile| {
                let version =
                    if holds(profile.from.cmp(&version)) { profile.from.clone() } else { version.clone() };
                let spec = ClientSpec {
                    name: name.to_owned(),
                    version,
                    mode: profile.mode.clone(),
                    environment: profile.environment.clone(),
                };
                Self { spec, family, profile }
            })
            .collect();
        if meeting.is_empty() {
            return Err(UnknownClient::NoneMeets { name: name.to_owned(), condition: condition.to_owned() });
        }
        Ok(meeting)
    }

    /// Whether the version is newer than any of which there are recordings, so that the profile is a guess.
    pub fn is_newer_than_recorded(&self) -> bool {
        self.family.recorded_up_to.as_ref().is_none_or(|newest| self.spec.version > *newest)
    }

    /// The variables of its environment that no profile of its family reads, each with the nearest that one does.
    pub fn unread_variables(&self) -> Vec<(&str, Option<&str>)> {
        let profiles = self.family.profiles.iter();
        let read: BTreeSet<&str> = profiles
            .flat_map(|profile| {
                let under = profile.under.iter().filter_map(|under| match &under.condition {
                    Condition::Environment { variable, .. } => Some(variable),
                    Condition::Tls => None,
                });
                profile.environment.keys().chain(under).map(String::as_str)
            })
            .collect();
        let unread = self.spec.environment.keys().filter(|variable| !read.contains(variable.as_str()));
        unread
            .map(|variable| {
                let nearest = (!read.is_empty()).then(|| nearest::word(variable, read.iter().copied()));
                (variable.as_str(), nearest)
            })
            .collect()
    }

    /// What it does, ready to run against a server that it calls `authority`.
    pub(crate) fn plan(&self, authority: &str, work: Work) -> Plan {
        self.plan_over(authority, work, false)
    }

    fn plan_over(&self, authority: &str, work: Work, tls: bool) -> Plan {
        let version = &self.spec.version;
        let itself = self.family.calls_itself.iter().find(|(known, _)| known == version);
        let version = itself.map_or(version, |(_, itself)| itself).as_str();
        let profile = self.family.speaking(self.profile, tls);
        let behaviour = profile.behaviour_in(&self.spec.environment, tls);
        let lists = self.family.field_lists_of(&self.spec.version);
        let work = Work { calls: self.family.role.calls_of(work.calls), ..work };
        let mut plan = Plan::new(behaviour, lists, version, authority, work);
        plan.words_matter = self.family.role.speaks_for_itself();
        plan
    }

    /// What it says first over TLS, if it can speak it.
    pub(crate) fn hello(&self) -> Option<&'static Hello> {
        self.family.speaking(self.profile, true).behaviour.tls.as_ref()
    }

    /// The same over TLS, if the client can speak it.
    pub(crate) fn plan_over_tls(&self, authority: &str, work: Work) -> Option<Plan> {
        let hello = self.hello()?;
        let mut plan = self.plan_over(authority, work, true).over_tls(hello.clone());
        if let Some(title) = &self.family.speaking(self.profile, true).without_h2 {
            let other = Self { profile: self.family.titled(title)?, ..self.clone() };
            plan.without_h2 = Some(Arc::new(other.plan_over(authority, work, true).over_tls(hello.clone())));
        }
        Some(plan)
    }
}

/// A client that is not in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnknownClient {
    /// The text names no client at all.
    Spec(ClientSpecError),
    /// There is no such family.
    Name {
        /// As written.
        name: String,
        /// The nearest that exists.
        nearest: String,
    },
    /// The family has no such mode.
    Mode {
        /// The client.
        spec: String,
        /// As written.
        mode: String,
        /// The nearest that exists.
        nearest: String,
    },
    /// The version is older than any profile.
    Version {
        /// The client.
        spec: String,
        /// The oldest version that has a profile.
        oldest: String,
    },
    /// What stands in the place of a version is neither one nor a condition on it.
    NoCondition {
        /// As written.
        condition: String,
    },
    /// No profile begins with a version that meets the condition.
    NoneMeets {
        /// The family.
        name: String,
        /// The condition.
        condition: String,
    },
}

impl fmt::Display for UnknownClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spec(error) => error.fmt(formatter),
            Self::Name { name, nearest } => {
                write!(formatter, "there is no client `{name}`; the nearest is `{nearest}`")
            }
            Self::Mode { spec, mode, nearest } if nearest.is_empty() => {
                write!(formatter, "`{spec}` can't have the mode `{mode}`: its family has none")
            }
            Self::Mode { spec, mode, nearest } => {
                write!(formatter, "`{spec}` has no mode `{mode}`; the nearest is `{nearest}`")
            }
            Self::Version { spec, oldest } => {
                write!(
                    formatter,
                    "`{spec}` is older than any profile of its family; the oldest is for {oldest}"
                )
            }
            Self::NoCondition { condition } => {
                write!(
                    formatter,
                    "`{condition}` is no condition on a version; there are `<`, `<=`, `>`, `>=` and `*`"
                )
            }
            Self::NoneMeets { name, condition } => {
                write!(
                    formatter,
                    "no profile of {name} begins with a version that is {condition}; `muxbed explain {name}` lists them"
                )
            }
        }
    }
}

impl std::error::Error for UnknownClient {}

impl From<ClientSpecError> for UnknownClient {
    fn from(error: ClientSpecError) -> Self {
        Self::Spec(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn title(spec: &str) -> String {
        let spec = spec.parse().expect(spec);
        KnownClient::find(&spec).expect("it is in the catalogue").profile.title.clone()
    }

    #[test]
    fn a_version_between_two_recorded_ones_takes_the_profile_of_its_range() {
        assert_eq!(title("grpc-go@1.20.5"), "1.20 to 1.21.0: waits");
        assert_eq!(title("grpc-go@1.8.2"), "1.5 to 1.8: eager");
        assert_eq!(title("grpc-go@1.80.0"), "1.77 to 1.80: names the HTTP status in any case");
    }

    #[test]
    fn a_version_newer_than_any_recorded_runs_as_the_newest_profile() {
        let newest =
            KnownClient::find(&"grpc-go@1.999.0".parse().expect("it is a spec")).expect("it is found");
        assert_eq!(newest.profile.title, "from 1.82: shows what is not gRPC's");
        assert!(newest.is_newer_than_recorded());
    }

    #[test]
    fn the_environment_chooses_where_it_matters() {
        assert_eq!(title("grpc-go@1.17.0+GRPC_GO_REQUIRE_HANDSHAKE=on"), "1.17: on");
        assert_eq!(title("grpc-go@1.18.0+GRPC_GO_REQUIRE_HANDSHAKE=on"), "1.18.0: on means hybrid");
        assert_eq!(title("grpc-go@1.19.0+GRPC_GO_REQUIRE_HANDSHAKE=on"), "1.19.0: waits");
        assert_eq!(title("grpc-go@1.23.0+GRPC_GO_REQUIRE_HANDSHAKE=off"), "1.21.1 to 1.23: waits");
    }

    #[test]
    fn what_is_not_there_names_the_nearest() {
        let error = |spec: &str| {
            KnownClient::find(&spec.parse().expect(spec)).expect_err("it is not there").to_string()
        };
        assert_eq!(error("grpc-og@1.2.3"), "there is no client `grpc-og`; the nearest is `grpc-go`");
        assert!(error("grpc-go@1.0.0").contains("the oldest is for 1.5.0"));
        assert!(error("grpc-go@1.33.3/netty").contains("its family has none"));
    }
}
