//! The command-line program: everything is in the library.

use std::process::ExitCode;

use cardcancel::{commands, process};

fn main() -> ExitCode {
    process::harden();
    commands::main(std::env::args_os().collect()).into()
}
