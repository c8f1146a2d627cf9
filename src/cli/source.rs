//! Where a command gets a scenario from: a file, standard input, or those that come with the program.

use std::io::Read;
use std::path::Path;
use std::{fs, io};

use crate::clients::KnownClient;
use crate::fuzzing::script_of;
use crate::nearest;
use crate::scenarios::{Known, KnownScenario, SCENARIOS};
use crate::script::{Complaint, Script, ScriptError, Who};

use super::Failed;
use super::arguments::ScenarioForm;

/// A scenario's text: a file, standard input, or a scenario that comes with the program.
pub(super) fn script(name: &str) -> Result<Script, Failed> {
    match read(name)? {
        Some(bytes) => parse(name, bytes),
        None => known(name),
    }
}

/// The same, or a scenario's bytes, and which of them it was. What is not told `form` goes by its name.
pub(super) fn script_in_any_form(
    name: &str,
    form: Option<ScenarioForm>,
) -> Result<(Script, ScenarioForm), Failed> {
    let Some(bytes) = read(name)? else { return Ok((known(name)?, ScenarioForm::Text)) };
    let by_name = match Path::new(name).extension() {
        Some(extension) if extension == "bed" => ScenarioForm::Text,
        _ => ScenarioForm::Bytes,
    };
    let form = form.unwrap_or(by_name);
    let script = match form {
        ScenarioForm::Text => parse(name, bytes)?,
        ScenarioForm::Bytes => script_of(&bytes),
    };
    Ok((script, form))
}

/// What a file or standard input holds; nothing if there is no such file.
fn read(name: &str) -> Result<Option<Vec<u8>>, Failed> {
    if name == "-" {
        let mut bytes = Vec::new();
        return match io::stdin().read_to_end(&mut bytes) {
            Ok(_) => Ok(Some(bytes)),
            Err(error) => Err(Failed::Input(format!("standard input can't be read: {error}"))),
        };
    }
    match fs::read(name) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failed::Input(format!("{name}: {error}"))),
    }
}

fn parse(name: &str, bytes: Vec<u8>) -> Result<Script, Failed> {
    let name = if name == "-" { "standard input" } else { name };
    let help = "fuzz bytes become a scenario with `muxbed convert --from bytes`";
    let text = ScriptError::text_of(name, bytes, Some(help)).map_err(Failed::input)?;
    let script = Script::parse(name, &text).map_err(Failed::input)?;
    match unknown_client(&script, name, &text) {
        Some(error) => Err(Failed::input(error)),
        None => Ok(script),
    }
}

/// The first client of a script that the catalogue does not know. A script may name any; who runs one wants to hear where
/// the name stands.
fn unknown_client(script: &Script, file: &str, source: &str) -> Option<ScriptError> {
    let catalogued = script.clients.iter().filter_map(|client| match &client.who {
        Who::Catalogued { spec, .. } => Some(spec),
        Who::Scripted(_) => None,
    });
    let mut named = catalogued.chain(&script.afterwards);
    let (unknown, error) = named.find_map(|spec| Some((spec, KnownClient::find(spec).err()?)))?;
    let mut begin = 0;
    let place = source.split_inclusive('\n').find_map(|line| {
        let here = begin;
        begin += line.len();
        let mut words = line.split_ascii_whitespace();
        let names_one = words.next().is_some_and(|word| matches!(word, "client" | "afterwards"));
        let written = words.next().filter(|word| names_one && word.parse().as_ref() == Ok(unknown))?;
        let at = here + line.find(written)?;
        Some(at..at + written.len())
    });
    Some(ScriptError::new(file, source, place?, Complaint::new(error.to_string())))
}

fn known(name: &str) -> Result<Script, Failed> {
    if let (None, Some(entry)) = (KnownScenario::find(name), Known::find(name)) {
        return Err(Failed::Input(entry.unshown()));
    }
    let Some(known) = KnownScenario::find(name) else {
        let names = SCENARIOS.iter().flat_map(|scenario| [scenario.name, scenario.id()]);
        let nearest = nearest::word(name, names);
        return Err(Failed::Input(format!(
            "there is no file and no scenario `{name}`; the nearest is `{nearest}`"
        )));
    };
    known.script().map_err(Failed::input)
}
