//! The `muxbed` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    muxbed::cli::main()
}
