//! Profiles: how a range of versions behaves, as data, and where that is known from.
//!
//! A family's profiles are one file beside this one, in the form of a script (see [`script`](crate::script)) with a head
//! for each profile. The file is read when the catalogue is first asked for; that it can be read is a test.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::net::Offsets;
use crate::script::{
    Action, Behaviour, BehaviourParser, Block, Complaint, FieldList, Line, Occasion, ScriptError, blocks,
    parse_field_list, parse_offsets, parse_reaction,
};

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
    /// Reads a family's file.
    pub(crate) fn parse(file: &str, source: &str) -> Result<Self, ScriptError> {
        let mut family: Option<Self> = None;
        for Block { keyword, mut line, body } in blocks(file, source)? {
            match (keyword.as_str(), &mut family) {
                ("family", None) => family = Some(head(&mut line, body)?),
                ("fields", Some(family)) => {
                    let list = parse_field_list(&mut line, body, &family.field_lists)?;
                    family.field_lists.push(list);
                }
                ("profile", Some(family)) => {
                    let profile = profile(family, &mut line, body)?;
                    family.profiles.push(profile);
                }
                _ => return Err(line.unexpected_block(&["family", "fields", "profile"])),
            }
        }
        family.ok_or_else(|| ScriptError::empty(file, source, "a block `family NAME`"))
    }

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

fn head(line: &mut Line<'_>, body: Vec<Line<'_>>) -> Result<Family, ScriptError> {
    let name = line.expect_word("the family's name")?;
    let mut role = Role::default();
    let mut shuffles_fields = false;
    let mut recorded_up_to = None;
    let mut default_mode = None;
    let mut landmarks = Vec::new();
    let mut calls_itself = Vec::new();
    let mut words = Vec::new();
    for mut inner in body {
        if inner.take("recorded") && inner.take("up") && inner.take("to") {
            recorded_up_to = Some(Some(inner.parsed("a version")?));
        } else if inner.take("never") {
            inner.keyword("recorded")?;
            recorded_up_to = Some(None);
        } else if inner.take("landmarks") {
            while inner.peek().is_some() {
                landmarks.push(inner.parsed("a version")?);
            }
        } else if inner.take("shuffles") {
            inner.keyword("fields")?;
            shuffles_fields = true;
        } else if inner.take("role") {
            role = role_of(&mut inner)?;
        } else if inner.take("word") {
            let name = inner.expect_word("the placeholder's name")?;
            inner.keyword("from")?;
            let from = inner.parsed("a version")?;
            inner.keyword("is")?;
            words.push(FamilyWord { name, from, value: inner.quoted("what it stands for")? });
        } else if inner.take("mode") {
            default_mode = Some(inner.expect_word("the default mode")?);
        } else {
            let version = inner.parsed("a version, or another line of a family's head")?;
            inner.keyword("calls")?;
            inner.keyword("itself")?;
            calls_itself.push((version, inner.parsed("a version")?));
        }
        inner.finish()?;
    }
    let recorded_up_to =
        recorded_up_to.ok_or_else(|| line.missing("a line `recorded up to VERSION` or `never recorded`"))?;
    Ok(Family {
        name,
        role,
        shuffles_fields,
        recorded_up_to,
        calls_itself,
        words,
        landmarks,
        default_mode,
        field_lists: Vec::new(),
        profiles: Vec::new(),
    })
}

fn role_of(line: &mut Line<'_>) -> Result<Role, ScriptError> {
    let word = line.expect_word("what the family is used for")?;
    Role::ALL
        .into_iter()
        .find(|role| role.word() == word)
        .ok_or_else(|| line.complain_last(Complaint::unknown("role", &word, &Role::ALL.map(Role::word))))
}

fn profile(family: &Family, line: &mut Line<'_>, body: Vec<Line<'_>>) -> Result<Profile, ScriptError> {
    let title = line.quoted("the profile's title")?;
    line.finish()?;
    let mut inherited = Behaviour::default();
    let mut without_h2 = None;
    let mut over_tls_as = None;
    let mut in_the_clear_as = None;
    let mut under: Vec<Under> = Vec::new();
    let mut cuts_over_tls = None;
    let mut from = None;
    let mut until = None;
    let mut mode = family.default_mode.clone();
    let mut environment = BTreeMap::new();
    let mut about = None;
    let mut sources = Vec::new();
    let mut shown_by = Vec::new();
    let mut own = Vec::new();
    for mut inner in body {
        let keyword = inner.expect_word("a line of a profile")?;
        match keyword.as_str() {
            "extends" => {
                let base = inner.quoted("a profile's title")?;
                let base = family.profiles.iter().find(|profile| profile.title == base);
                let base = base.ok_or_else(|| inner.missing("a profile further up with this title"))?;
                inherited = base.behaviour.clone();
                without_h2.clone_from(&base.without_h2);
                over_tls_as.clone_from(&base.over_tls_as);
                in_the_clear_as.clone_from(&base.in_the_clear_as);
                under.clone_from(&base.under);
                cuts_over_tls.clone_from(&base.cuts_over_tls);
                mode.clone_from(&base.mode);
            }
            "versions" => {
                inner.keyword("from")?;
                from = Some(inner.parsed("a version")?);
                if inner.take("until") {
                    until = Some(inner.parsed("a version")?);
                }
            }
            "mode" => mode = Some(inner.expect_word("a mode")?),
            "environment" => {
                let (variable, value) = environment_pair(&mut inner)?;
                environment.insert(variable, value);
            }
            "under" => {
                let condition = if inner.take("tls") {
                    Condition::Tls
                } else {
                    let (variable, value) = environment_pair(&mut inner)?;
                    Condition::Environment { variable, value }
                };
                if condition == Condition::Tls && inner.take("cut") {
                    cuts_over_tls = Some(parse_offsets(&mut inner)?);
                    inner.finish()?;
                    continue;
                }
                inner.keyword("on")?;
                let (occasion, action) = parse_reaction(&mut inner)?;
                under.retain(|known| (&known.condition, known.occasion) != (&condition, occasion));
                under.push(Under { condition, occasion, action });
            }
            "without" if inner.take("mode") => mode = None,
            "without" if inner.take("cuts") => cuts_over_tls = None,
            "without" => {
                inner.keyword("h2")?;
                without_h2 = Some(as_another(family, &mut inner)?);
            }
            "over" => {
                inner.keyword("tls")?;
                over_tls_as = Some(as_another(family, &mut inner)?);
            }
            "in" => {
                inner.keyword("the")?;
                inner.keyword("clear")?;
                in_the_clear_as = Some(as_another(family, &mut inner)?);
            }
            "about" => about = Some(inner.quoted("what is particular to it")?),
            "source" => sources.push(inner.quoted("where that is known from")?),
            "shown-by" => {
                while let Some(recording) = inner.word() {
                    shown_by.push(recording);
                }
            }
            _ => {
                if keyword == "tls" {
                    // What it says over TLS is its own again.
                    over_tls_as = None;
                }
                own.push((keyword, inner));
                continue;
            }
        }
        inner.finish()?;
    }
    let mut parser = BehaviourParser::new(inherited, &family.field_lists);
    for (keyword, mut inner) in own {
        if !parser.line(&keyword, &mut inner)? {
            return Err(inner.unexpected_block(&BehaviourParser::KEYWORDS));
        }
    }
    Ok(Profile {
        title,
        from: from.ok_or_else(|| line.missing("a line `versions from VERSION until VERSION`"))?,
        until,
        mode,
        environment,
        about: about.ok_or_else(|| line.missing("a line `about \"..\"`"))?,
        sources,
        shown_by,
        behaviour: parser.finish(),
        under,
        cuts_over_tls,
        without_h2,
        over_tls_as,
        in_the_clear_as,
    })
}

/// `as "TITLE"`, of a profile that is there already.
fn as_another(family: &Family, line: &mut Line<'_>) -> Result<String, ScriptError> {
    line.keyword("as")?;
    let title = line.quoted("a profile's title")?;
    if family.titled(&title).is_none() {
        return Err(line.missing("a profile further up with this title"));
    }
    Ok(title)
}

fn environment_pair(line: &mut Line<'_>) -> Result<(String, String), ScriptError> {
    let pair = line.expect_word("VARIABLE=VALUE")?;
    let (variable, value) = pair.split_once('=').ok_or_else(|| line.missing("VARIABLE=VALUE"))?;
    Ok((variable.to_owned(), value.to_owned()))
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
