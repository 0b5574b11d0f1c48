//! Words to the user. A closed pipe or a vanished terminal is no reason to stop
//! a run, let alone to panic: what cannot be said is not said.

use std::fmt::Display;
use std::io::Write;

use super::progress;

/// A line on standard error: for people.
pub fn tell(line: impl Display) {
    progress::beside(|| {
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    });
}

/// A line on standard output: for programs, and what was asked for.
pub fn print(line: impl Display) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Standard error, for those who write whole lines.
#[derive(Debug, Clone, Copy)]
pub struct StandardError;

impl Write for StandardError {
    fn write(&mut self, lines: &[u8]) -> std::io::Result<usize> {
        progress::beside(|| {
            let _ = std::io::stderr().lock().write_all(lines);
        });
        Ok(lines.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
