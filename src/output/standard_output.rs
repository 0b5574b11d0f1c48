//! Standard output, and its reader. What a closed pipe means depends on which pipe it is: here it
//! means that nobody reads what is left, which is not a failure.

use std::error::Error;
use std::io::{self, ErrorKind, StdoutLock, Write};

/// The reader of standard output has left, as `head` does once it has its lines.
#[derive(Debug, thiserror::Error)]
#[error("the reader of standard output has left")]
pub struct ReaderLeft;

impl ReaderLeft {
    /// Whether this error of a write says so.
    pub fn is(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|inner| inner.is::<ReaderLeft>())
    }

    /// Whether this is at the bottom of an error.
    pub fn is_cause_of(error: &anyhow::Error) -> bool {
        let is = |cause: &(dyn Error + 'static)| cause.downcast_ref().is_some_and(ReaderLeft::is);
        error.chain().any(is)
    }
}

/// Standard output. A write that fails since its reader has left says so: see [`ReaderLeft`].
pub struct StandardOutput(StdoutLock<'static>);

impl StandardOutput {
    /// Locks it for as long as this lives.
    pub fn lock() -> StandardOutput {
        StandardOutput(io::stdout().lock())
    }
}

impl Write for StandardOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(name_reader)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(name_reader)
    }
}

fn name_reader(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::BrokenPipe => io::Error::new(ErrorKind::BrokenPipe, ReaderLeft),
        _ => error,
    }
}
