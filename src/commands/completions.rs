//! `completions`: what a shell needs to complete this command line.

use clap_complete::Shell;

use crate::cli;
use crate::exit_code::ExitCode;
use crate::output::console;

/// Prints the completions for a shell.
pub fn completions(shell: Shell) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::command(), "cardcancel", &mut script);
    console::print_line(String::from_utf8_lossy(&script).trim_end());
    ExitCode::Done
}
