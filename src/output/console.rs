//! Lines to standard output and standard error. A closed pipe or a vanished terminal neither
//! stops a run nor panics: what cannot be written is dropped, and a failure of standard
//! output is reported at the end, unless only its reader has left.

use std::fmt::Display;
use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use serde_json::json;

use super::standard_output::{ReaderLeft, StandardOutput};
use super::{progress, wrap};

/// Whether lines on standard error are JSON, one object each.
static JSON_LINES: AtomicBool = AtomicBool::new(false);
/// Whether anything was printed.
static PRINTED: AtomicBool = AtomicBool::new(false);
/// Why something could not be printed.
static STDOUT_ERROR: OnceLock<io::Error> = OnceLock::new();

/// From here on, lines on standard error are JSON, as log lines are.
pub fn set_json_lines(wanted: bool) {
    JSON_LINES.store(wanted, Ordering::Relaxed);
}

/// A line on standard error: for people.
pub fn eprint_line(line: impl Display) {
    if JSON_LINES.load(Ordering::Relaxed) {
        write_line(json_line("WARN", &line));
    } else {
        write_line(wrap::for_stderr(&line.to_string()));
    }
}

/// An error on standard error.
pub fn eprint_error(error: impl Display) {
    if JSON_LINES.load(Ordering::Relaxed) {
        write_line(json_line("ERROR", &error));
    } else {
        write_line(wrap::for_stderr(&format!("error: {error}")));
    }
}

/// A line of a question on standard error, which a person answers.
pub fn eprint_question(line: impl Display) {
    write_line(wrap::for_stderr(&line.to_string()));
}

fn json_line(level: &str, line: &dyn Display) -> serde_json::Value {
    let at = Timestamp::now();
    json!({ "timestamp": format!("{at:.6}"), "level": level, "message": line.to_string() })
}

fn write_line(line: impl Display) {
    progress::suspend_progress(|| {
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    });
}

/// A line on standard output: for programs, and what was asked for.
pub fn print_line(line: impl Display) {
    let mut output = StandardOutput::lock();
    match writeln!(output, "{line}").and_then(|()| output.flush()) {
        Ok(()) => PRINTED.store(true, Ordering::Relaxed),
        Err(cause) => {
            let _ = STDOUT_ERROR.set(cause);
        }
    }
}

/// Whether anything was printed on standard output.
pub fn has_printed() -> bool {
    PRINTED.load(Ordering::Relaxed)
}

/// Why something could not be printed on standard output, if anything could not. That its reader
/// has left is no such reason.
pub fn stdout_error() -> Option<&'static io::Error> {
    STDOUT_ERROR.get().filter(|cause| !ReaderLeft::is(cause))
}

/// Whether the reader of standard output was found to have left.
pub fn reader_has_left() -> bool {
    STDOUT_ERROR.get().is_some_and(ReaderLeft::is)
}

/// Standard error, for those who write whole lines.
#[derive(Debug, Clone, Copy)]
pub struct StderrLines;

impl Write for StderrLines {
    fn write(&mut self, lines: &[u8]) -> std::io::Result<usize> {
        progress::suspend_progress(|| {
            let _ = std::io::stderr().lock().write_all(lines);
        });
        Ok(lines.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
