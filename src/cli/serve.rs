//! `muxbed serve`: the multiplexer as a program.

use std::fs;

use crate::serve::Config;

use super::arguments::ServeOptions;
use super::{Failed, Out, Status};

pub(super) fn serve(options: &ServeOptions, out: &mut Out) -> Result<Status, Failed> {
    let path = &options.config;
    let file = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|error| Failed::Input(format!("{file}: {error}")))?;
    let config = Config::parse(&file, &text).map_err(Failed::input)?.beside(path);
    if options.check {
        let (rules, routes) = (config.rules.iter().count(), config.routes.len());
        out.line(format!("{file} can be used: {rules} rules to {routes} routes"))?;
        return Ok(Status::Expected);
    }
    Err(Failed::Input("only `--check` is there yet".to_owned()))
}
