//! `muxbed serve`: the multiplexer as a program.

use std::io::{self, Write};

use tracing::level_filters::LevelFilter;

use crate::serve::{Config, Program, ServeError};

use super::arguments::ServeOptions;
use super::{Failed, Out, Status};

pub(super) fn serve(options: &ServeOptions, out: &mut Out) -> Result<Status, Failed> {
    let path = &options.config;
    let level: LevelFilter = options.log.parse().map_err(|_| {
        Failed::Input(format!(
            "there is no log level `{}`: error, warn, info, debug, trace, off",
            options.log
        ))
    })?;
    if options.check {
        let config = Config::read(path).map_err(Failed::input)?;
        let (rules, routes) = (config.rules.iter().count(), config.routes.len());
        out.line(format!("{} can be used: {rules} rules to {routes} routes", path.display()))?;
        return Ok(Status::Expected);
    }
    // Somebody who uses this as a library may have installed one already.
    drop(tracing_subscriber::fmt().with_max_level(level).with_ansi(false).with_writer(io::stderr).try_init());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut lost = Ok(());
    let mut announce = |line: String| {
        if lost.is_ok() {
            lost = out.line(line).and_then(|()| out.flush());
        }
    };
    let mut complain = |error: ServeError| drop(writeln!(io::stderr(), "muxbed: {error}"));
    runtime.block_on(async {
        let program = Program::start(path, &mut announce).await.map_err(Failed::input)?;
        program.run(&mut announce, &mut complain).await;
        Ok::<(), Failed>(())
    })?;
    // What is not over by now is not waited for.
    runtime.shutdown_background();
    lost?;
    Ok(Status::Expected)
}
