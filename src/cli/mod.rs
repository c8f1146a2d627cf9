//! The command line: arguments in, exit codes out. Nothing here that a user of the library would miss.

mod arguments;
mod check;
mod convert;
mod explain;
mod fidelity;
mod list;
mod replay;
mod run;
mod serve;
mod shrink;
mod source;
mod upgrade;

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::clients::KnownClient;

use arguments::{Arguments, Command};

/// How a command ended, as its exit code says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// As expected.
    Expected,
    /// An outcome differs.
    Differs,
    /// Bad usage, or input that can't be read.
    Unusable,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(match status {
            Status::Expected => 0,
            Status::Differs => 1,
            Status::Unusable => 2,
        })
    }
}

/// Runs the program with the arguments of its process.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let status = if error.use_stderr() { Status::Unusable } else { Status::Expected };
            drop(error.print());
            return status.into();
        }
    };
    let mut out = Out::standard();
    let command = arguments.command.unwrap_or(Command::Run(arguments.run));
    let ended = match command {
        Command::Run(options) => run::run(&options, &mut out),
        Command::Fidelity(options) => fidelity::fidelity(&options, &mut out),
        Command::Replay(options) => replay::replay(&options, &mut out),
        Command::Upgrade(options) => upgrade::upgrade(&options, &mut out),
        Command::Check(options) => check::check(&options, &mut out),
        Command::Serve(options) => serve::serve(&options, &mut out),
        Command::Convert(options) => convert::convert(&options, &mut out),
        Command::Shrink(options) => shrink::shrink(&options, &mut out),
        Command::List(options) => list::list(&options, &mut out),
        Command::Explain(options) => explain::explain(&options, &mut out),
    };
    match ended.and_then(|status| out.flush().map(|()| status).map_err(Failed::from)) {
        Ok(status) => status.into(),
        Err(failed) => {
            aside(format_args!("muxbed: {failed}"));
            Status::Unusable.into()
        }
    }
}

/// Why a command could not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The input can't be read; the words say what and where.
    Input(String),
    /// The output can't be written.
    Output(io::Error),
}

impl Failed {
    pub(crate) fn input(error: impl fmt::Display) -> Self {
        Self::Input(error.to_string())
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(words) => formatter.write_str(words),
            Self::Output(error) => write!(formatter, "the output can't be written: {error}"),
        }
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// What has to be said of a client beside what came of it: that nobody has recorded it yet, that nothing reads its environment.
fn remarks(known: &KnownClient) -> Vec<String> {
    let mut remarks = Vec::new();
    if known.is_newer_than_recorded() {
        remarks.push(match &known.family.recorded_up_to {
            Some(newest) => format!(
                "{} is newer than any recorded version ({newest}): it is taken to behave like that one",
                known.spec
            ),
            None => {
                let family = &known.family.name;
                format!("no version of {family} was recorded: how it behaves is known from sources alone")
            }
        });
    }
    for (variable, nearest) in known.unread_variables() {
        let nearest = nearest.map(|nearest| format!("; the nearest is {nearest}")).unwrap_or_default();
        remarks.push(format!("no profile of {} reads {variable}{nearest}", known.family.name));
    }
    remarks
}

/// Says something beside the result, on standard error.
fn aside(text: impl fmt::Display) {
    drop(writeln!(io::stderr(), "{text}"));
}

/// Where a command writes.
pub(crate) struct Out {
    to: Box<dyn Write>,
    colour: bool,
    /// Whether nobody reads any more.
    closed: bool,
}

impl Out {
    fn standard() -> Self {
        let stdout = io::stdout();
        let colour =
            stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { to: Box::new(io::BufWriter::new(stdout)), colour, closed: false }
    }

    pub(crate) fn line(&mut self, text: impl fmt::Display) -> io::Result<()> {
        self.unless_closed(|to| writeln!(to, "{text}"))
    }

    /// A word that should be seen.
    pub(crate) fn strong(&self, word: &str) -> String {
        if self.colour { format!("\u{1b}[1m{word}\u{1b}[0m") } else { word.to_owned() }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.unless_closed(|to| to.write_all(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.unless_closed(|to| to.flush())
    }

    /// Who has read enough, as `head` has, takes nothing from what the exit code says.
    fn unless_closed(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        if self.closed {
            return Ok(());
        }
        match write(&mut *self.to) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            written => written,
        }
    }
}
