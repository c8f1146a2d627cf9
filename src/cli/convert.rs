//! `muxbed convert`: fuzz bytes as the scenario that they are, and a scenario as fuzz bytes.

use std::io::{self, IsTerminal};
use std::path::Path;

use crate::fuzzing::{as_run, script_of};
use crate::hexadecimal::from_hexadecimal;
use crate::script::Script;

use super::arguments::{ConvertOptions, ScenarioForm};
use super::source::script_in_any_form;
use super::{Failed, Out, Status};

pub(super) fn convert(options: &ConvertOptions, out: &mut Out) -> Result<Status, Failed> {
    let (script, form) = match (&options.file, &options.hex) {
        (Some(file), _) => script_in_any_form(file, options.from)?,
        (None, digits) => {
            let bytes = from_hexadecimal(digits.as_deref().unwrap_or_default())
                .map_err(|error| Failed::Input(format!("--hex: {error}")))?;
            (script_of(&bytes), ScenarioForm::Bytes)
        }
    };
    match form {
        ScenarioForm::Bytes => deliver(text(script).as_bytes(), options.out.as_deref(), out)?,
        ScenarioForm::Text if options.out.is_none() && io::stdout().is_terminal() => {
            let words = "bytes say nothing on a terminal; add `--out FILE`, or lead them on";
            return Err(Failed::Input(words.to_owned()));
        }
        ScenarioForm::Text => deliver(&script.to_bytes(), options.out.as_deref(), out)?,
    }
    Ok(Status::Expected)
}

/// Writes a result to where it is wanted.
pub(super) fn deliver(result: &[u8], to: Option<&Path>, out: &mut Out) -> Result<(), Failed> {
    match to {
        Some(path) => std::fs::write(path, result)
            .map_err(|error| Failed::Input(format!("{} can't be written: {error}", path.display()))),
        None => Ok(out.bytes(result)?),
    }
}

/// The scenario that bytes are, as it is run.
fn text(script: Script) -> String {
    let remark = match script.server {
        Some(_) => "",
        None => "# The bytes name no server: they are run against this one.\n",
    };
    format!("{remark}{}", as_run(script))
}
