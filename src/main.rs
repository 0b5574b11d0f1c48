//! The command-line program: everything is in the library.

use std::process::ExitCode;

use cardcancel::exit::Exit;
use cardcancel::output::say;
use cardcancel::{cli, commands, seclusion};

fn main() -> ExitCode {
    seclusion::begin();
    let cli = match cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(usage) => {
            let _ = usage.print();
            let exit = if usage.use_stderr() { Exit::Refused } else { Exit::Done };
            return exit.into();
        }
    };
    commands::execute(cli)
        .unwrap_or_else(|error| {
            say::tell(format_args!("error: {error:#}"));
            commands::exit_of(&error)
        })
        .into()
}
