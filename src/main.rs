//! The command-line program: everything is in the library.

use std::process::ExitCode;

use cardcancel::{commands, seclusion};

fn main() -> ExitCode {
    seclusion::begin();
    commands::main(std::env::args_os().collect()).into()
}
