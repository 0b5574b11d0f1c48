//! Commands of the configuration: run without a shell, with a time limit, and without the
//! variables of this program.

use std::ffi::OsString;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};

use crate::model::card_numbers;

/// How the names of this program's variables begin.
const OWN_VARIABLES: &[u8] = b"CARDCANCEL_";

/// The most that is taken in of what a command writes to standard error, in bytes.
const LONGEST_COMPLAINT: u64 = 64 * 1024;
/// How much of that is looked at, in bytes.
const READ_OF_COMPLAINT: usize = 4096;
/// How much of that is shown, in characters.
const SHOWN_OF_COMPLAINT: usize = 300;

/// A command of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildCommand {
    program: String,
    arguments: Vec<String>,
    time_limit: Duration,
}

/// What a command did that ended in time.
#[derive(Debug)]
pub struct ChildOutput {
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed.
    pub printed: Vec<u8>,
    /// What it wrote to standard error.
    pub complaint: Vec<u8>,
}

impl ChildOutput {
    /// How it failed, with the beginning of its complaint in one line without card numbers;
    /// `None` if it did not. What it printed is never repeated.
    pub fn failure(&self) -> Option<String> {
        if self.status.success() {
            return None;
        }
        let beginning = self.complaint.get(..READ_OF_COMPLAINT).unwrap_or(&self.complaint);
        let words = String::from_utf8_lossy(beginning);
        let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
        let complaint: String = card_numbers::redact(&words)
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(SHOWN_OF_COMPLAINT)
            .collect();
        let wrote = match complaint.trim() {
            "" => String::new(),
            complaint => format!("; it wrote: {complaint}"),
        };
        Some(format!("failed ({}): run it by hand to see why{wrote}", self.status))
    }
}

/// A command did not end by itself.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// It cannot be started.
    #[error("cannot be started: correct command: {0}")]
    Start(io::Error),
    /// It took longer than its time limit, and was ended with all that it started.
    #[error("took longer than {0:?}: raise time_limit if that is expected")]
    TooLong(Duration),
    /// Its output cannot be read.
    #[error("cannot be run: {0}")]
    Run(io::Error),
}

impl ChildCommand {
    /// A command by its words; `None` if the first one, which is the program, is missing or
    /// empty.
    pub fn new(words: Vec<String>, time_limit: Duration) -> Option<ChildCommand> {
        let mut words = words.into_iter();
        let program = words.next().filter(|program| !program.is_empty())?;
        Some(ChildCommand { program, arguments: words.collect(), time_limit })
    }

    /// The program, as configured.
    pub fn program(&self) -> &str {
        &self.program
    }

    /// Runs it with this text on standard input. Of what it prints, at most `longest` bytes are
    /// read; then its standard output is closed.
    ///
    /// # Errors
    /// If it cannot be started, or does not end within its time limit.
    pub async fn run(&self, input: &[u8], longest: u64) -> Result<ChildOutput, ChildError> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        for name in own_variables() {
            command.env_remove(name);
        }
        let child = command.spawn().map_err(ChildError::Start)?;
        let mut started = ProcessGroup::by(&child);
        let output = tokio::time::timeout(self.time_limit, output(child, input, longest));
        let output = output.await.map_err(|_| ChildError::TooLong(self.time_limit))?;
        // What it leaves running when it ends by itself, it means to.
        started.forget();
        output.map_err(ChildError::Run)
    }
}

/// Variables of this program: secrets of others are among them.
fn own_variables() -> impl Iterator<Item = OsString> {
    let names = std::env::vars_os().map(|(name, _)| name);
    names.filter(|name| name.as_encoded_bytes().starts_with(OWN_VARIABLES))
}

/// A command and all that it started: ended with it, unless that is forgotten.
struct ProcessGroup(Option<Pid>);

impl ProcessGroup {
    fn by(child: &Child) -> ProcessGroup {
        ProcessGroup(child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)))
    }

    fn forget(&mut self) {
        self.0 = None;
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may have ended already.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

async fn output(mut child: Child, input: &[u8], longest: u64) -> io::Result<ChildOutput> {
    let (given, printed, complaint) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let ((), printed, complaint, status) = tokio::join!(
        give(given, input),
        beginning(printed, longest),
        beginning(complaint, LONGEST_COMPLAINT),
        child.wait()
    );
    Ok(ChildOutput { status: status?, printed: printed?, complaint: complaint? })
}

/// Writes the input and closes the pipe. A command need not read it.
async fn give(pipe: Option<ChildStdin>, input: &[u8]) {
    if let Some(mut pipe) = pipe {
        let _ = pipe.write_all(input).await;
    }
}

/// Closed after its beginning, so that no command prints without end.
async fn beginning(pipe: Option<impl AsyncRead + Unpin>, longest: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(longest).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}
