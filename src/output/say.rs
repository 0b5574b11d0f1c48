//! Words to the user. A closed pipe or a vanished terminal is no reason to stop
//! a run, let alone to panic: what cannot be said is not said.

use std::fmt::Display;
use std::io::Write;

/// A line on standard error: for people.
pub fn tell(line: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// A line on standard output: for programs, and what was asked for.
pub fn print(line: impl Display) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
