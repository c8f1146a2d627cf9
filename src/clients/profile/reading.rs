//! From a family's file to its profiles. What stands inside a profile is read as in a script; the heads are read here.

use std::collections::BTreeMap;

use crate::script::{
    Behaviour, BehaviourParser, Block, Complaint, Line, ScriptError, blocks, parse_field_list, parse_offsets,
    parse_reaction,
};

use super::{Condition, Family, FamilyWord, Profile, Role, Under};

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
