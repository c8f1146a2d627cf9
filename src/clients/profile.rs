//! Profiles: how a range of versions behaves, as data, and where that is known from.
//!
//! A family's profiles are one file beside this one, in the form of a script (see [`script`](crate::script)) with a head
//! for each profile. The file is read when the catalogue is first asked for; that it can be read is a test.

mod reading;

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::net::Offsets;
use crate::script::{Action, Behaviour, FieldList, Occasion};

use super::{ClientSpec, Version};

/// A library, with the profiles of all its versions.
#[derive(Clone, Debug)]
pub struct Family {
    /// Its name in a [`ClientSpec`].
    pub name: String,
    /// What it is used for.
    pub role: Role,
    /// Whether it writes the fields of a request in an order that differs from run to run, but for those with a colon.
    pub shuffles_fields: bool,
    /// The newest version of which there are recordings, if any was recorded; newer ones run as the newest profile and say so.
    pub recorded_up_to: Option<Version>,
    /// Versions that call themselves by another.
    pub calls_itself: Vec<(Version, Version)>,
    /// What placeholders of its own stand for, in the order of versions.
    pub words: Vec<FamilyWord>,
    /// Versions that stand for the others in a matrix.
    pub landmarks: Vec<Version>,
    /// The mode that is meant when none is named, if the family has modes.
    pub default_mode: Option<String>,
    /// The header lists that its profiles refer to.
    pub field_lists: Vec<FieldList>,
    /// Its profiles, in the order of the file.
    pub profiles: Vec<Profile>,
}

/// What a family is used for, which decides what it is asked to do and whose words its user reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Makes gRPC calls, one after another over one channel, and tells its user of a failure in its own words.
    #[default]
    GrpcClient,
    /// Makes one request. Any response is a success, and the words for a failure are as much those of the program
    /// around the library as its own.
    HttpClient,
    /// Passes on the calls of a client in front of it, whose user reads what that client makes of its answer.
    Proxy,
}

/// What a placeholder in header lists stands for, from one version on until another line says otherwise: the release of a
/// library inside the library, a code name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FamilyWord {
    /// The placeholder, without its braces.
    pub name: String,
    /// The first version.
    pub from: Version,
    /// What it stands for.
    pub value: String,
}

/// How a range of versions behaves.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its title, unique in the family.
    pub title: String,
    /// The first version that it covers.
    pub from: Version,
    /// The first version that it no longer covers; open if there is none.
    pub until: Option<Version>,
    /// The mode that it is about.
    pub mode: Option<String>,
    /// The environment that it is about; a profile with more of it goes before one with less.
    pub environment: BTreeMap<String, String>,
    /// What is particular to it, in a sentence.
    pub about: String,
    /// Where that is known from: upstream changes and files.
    pub sources: Vec<String>,
    /// The recordings that show it, by the part of their names before `__`.
    pub shown_by: Vec<String>,
    /// What it does.
    pub behaviour: Behaviour,
    /// What it does otherwise under some condition.
    pub under: Vec<Under>,
    /// Where it ends TLS records within what it writes at once in the clear.
    pub cuts_over_tls: Option<Offsets>,
    /// The profile, by title, that it becomes on a connection for which the server has not chosen `h2`.
    pub without_h2: Option<String>,
    /// The profile, by title, that says what it does over TLS, if that is not this one.
    pub over_tls_as: Option<String>,
    /// The profile, by title, that says what it does in the clear, if that is not this one.
    pub in_the_clear_as: Option<String>,
}

impl Role {
    const ALL: [Self; 3] = [Self::GrpcClient, Self::HttpClient, Self::Proxy];

    /// The word in a family's head.
    pub fn word(self) -> &'static str {
        match self {
            Self::GrpcClient => "grpc-client",
            Self::HttpClient => "http-client",
            Self::Proxy => "proxy",
        }
    }

    /// Whether the user reads the library's own words, so that a recording of them holds for everybody.
    pub fn speaks_for_itself(self) -> bool {
        self == Self::GrpcClient
    }

    /// How many of the calls that it is asked for it makes.
    pub(crate) fn calls_of(self, asked: u32) -> u32 {
        if self == Self::HttpClient { asked.min(1) } else { asked }
    }
}

/// When a reaction counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Over TLS.
    Tls,
    /// When a variable of the client's environment has this value.
    Environment {
        /// The variable.
        variable: String,
        /// Its value.
        value: String,
    },
}

/// One reaction that counts only sometimes.
#[derive(Clone, Debug)]
pub struct Under {
    /// When it counts.
    pub condition: Condition,
    /// What happens.
    pub occasion: Occasion,
    /// What the client then does.
    pub action: Action,
}

impl Profile {
    /// What a client of this profile does in its environment, in the clear or over TLS.
    pub(crate) fn behaviour_in(
        &'static self,
        environment: &BTreeMap<String, String>,
        over_tls: bool,
    ) -> Cow<'static, Behaviour> {
        let mut behaviour = Cow::Borrowed(&self.behaviour);
        if let Some(cuts) = self.cuts_over_tls.as_ref().filter(|_| over_tls) {
            behaviour.to_mut().cuts.clone_from(cuts);
        }
        for Under { condition, occasion, action } in &self.under {
            let counts = match condition {
                Condition::Tls => over_tls,
                Condition::Environment { variable, value } => environment.get(variable) == Some(value),
            };
            if counts {
                behaviour.to_mut().reactions.insert(*occasion, action.clone());
            }
        }
        behaviour
    }

    /// Whether the profile is about this client.
    pub fn covers(&self, spec: &ClientSpec) -> bool {
        self.covers_version(&spec.version)
            && self.mode == spec.mode
            && self.environment.iter().all(|(variable, value)| spec.environment.get(variable) == Some(value))
    }

    pub(crate) fn covers_version(&self, version: &Version) -> bool {
        *version >= self.from && self.until.as_ref().is_none_or(|until| version < until)
    }
}

impl Family {
    /// The version that calls itself `itself`.
    pub(crate) fn called<'a>(&'a self, itself: &'a Version) -> &'a Version {
        let other = self.calls_itself.iter().find(|(_, known)| known == itself);
        other.map_or(itself, |(version, _)| version)
    }

    /// The header lists with the family's own placeholders filled in for a version.
    pub(crate) fn field_lists_of(&self, version: &Version) -> Cow<'_, [FieldList]> {
        if self.words.is_empty() {
            return Cow::Borrowed(&self.field_lists);
        }
        let mut lists = self.field_lists.clone();
        for word in self.words.iter().rev().filter(|word| word.from <= *version) {
            // The last line that holds is met first, and leaves no placeholder to those before it.
            let placeholder = format!("{{{}}}", word.name);
            for line in lists.iter_mut().flat_map(|list| &mut list.lines) {
                line.value = line.value.replace(&placeholder, &word.value);
            }
        }
        Cow::Owned(lists)
    }

    /// The profile that says what a client of `profile` does over TLS, or in the clear: most are about both, but what a
    /// client that is told nothing speaks is often a question of TLS.
    pub fn speaking<'a>(&'a self, profile: &'a Profile, over_tls: bool) -> &'a Profile {
        let title = if over_tls { &profile.over_tls_as } else { &profile.in_the_clear_as };
        let other = title.as_ref().and_then(|title| self.titled(title));
        other.unwrap_or(profile)
    }

    pub(crate) fn titled(&self, title: &str) -> Option<&Profile> {
        self.profiles.iter().find(|profile| profile.title == title)
    }

    /// The profile of a client: of those that cover it, the one that says most about its environment.
    pub fn profile(&self, spec: &ClientSpec) -> Option<&Profile> {
        let covering = self.profiles.iter().filter(|profile| profile.covers(spec));
        covering.max_by_key(|profile| profile.environment.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_familys_role_says_what_it_is_asked_to_do_and_whose_words_are_read() {
        let role = |line: &str| {
            Family::parse("t", &format!("family f\n  recorded up to 1\n{line}")).map(|family| family.role)
        };
        assert_eq!(role(""), Ok(Role::GrpcClient));
        assert_eq!(role("  role http-client\n"), Ok(Role::HttpClient));
        assert_eq!(role("  role proxy\n"), Ok(Role::Proxy));
        let error = role("  role http-cleint\n").expect_err("it is no role");
        assert!(error.to_string().contains("`http-client`"), "{error}");
        assert_eq!(Role::ALL.map(|role| role.calls_of(2)), [2, 1, 2]);
        assert_eq!(Role::ALL.map(Role::speaks_for_itself), [true, false, false]);
    }
}
