//! Log lines: on standard error with their time for cron and plain for a person,
//! or in a file. Only our own: a library's might hold what must not be shown.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, bail};
use tracing::field::Empty;
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Span, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogFormat, LogSettings};
use crate::output::{console, wrap};

/// The target of lines that tell a person at a terminal nothing beside the summary.
pub const LOG_ONLY: &str = "cardcancel::log_only";

/// Sets up logging for this process.
///
/// # Errors
/// When the log file cannot be written.
pub fn init(logs: &LogSettings) -> anyhow::Result<()> {
    let on_terminal = logs.file.is_none() && std::io::stderr().is_terminal();
    let writer = match &logs.file {
        Some(path) => BoxMakeWriter::new(Arc::new(LogFile::open(path)?)),
        None => BoxMakeWriter::new(|| console::StderrLines),
    };
    let lines = fmt::layer().with_writer(writer).with_target(false).with_ansi(false);
    let lines = match logs.format {
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
        LogFormat::Text if on_terminal => lines.event_format(PlainMessages).boxed(),
        LogFormat::Text => lines.boxed(),
    };
    let mut ours = Targets::new().with_target(env!("CARGO_PKG_NAME"), level(logs));
    if on_terminal && logs.format == LogFormat::Text {
        ours = ours.with_target(LOG_ONLY, LevelFilter::OFF);
    }
    // Set up once a process; a second time changes nothing.
    let _ = tracing_subscriber::registry().with(lines.with_filter(ours)).try_init();
    Ok(())
}

/// Log lines for a person at a terminal: the message, and whether it is a warning or an error.
struct PlainMessages;

impl<S, N> FormatEvent<S, N> for PlainMessages
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        let mut line = String::from(match *event.metadata().level() {
            Level::ERROR => "error: ",
            Level::WARN => "warning: ",
            _ => "",
        });
        context.format_fields(Writer::new(&mut line), event)?;
        writeln!(writer, "{}", wrap::for_stderr(&line))
    }
}

/// The span of a run; its id is recorded once it is known.
pub fn span() -> Span {
    tracing::error_span!("run", id = Empty)
}

/// From here on, every line carries the run's id.
pub fn set_run(run: &str) {
    Span::current().record("id", tracing::field::display(run));
}

fn level(logs: &LogSettings) -> LevelFilter {
    if logs.quiet && logs.file.is_none() { logs.level.min(LevelFilter::WARN) } else { logs.level }
}

/// A log file, to which lines are added.
struct LogFile {
    file: Mutex<File>,
    path: PathBuf,
    /// Whether the last line did not get into it.
    failing: AtomicBool,
}

impl LogFile {
    /// Opens one of ours, or makes one. A device takes lines from anybody.
    fn open(path: &Path) -> anyhow::Result<LogFile> {
        let unwritten =
            || format!("the log cannot be written to {}: name another --log-file", path.display());
        let is_link = std::fs::symlink_metadata(path).is_ok_and(|there| there.is_symlink());
        let file = OpenOptions::new().append(true).create(!is_link).mode(0o600).open(path);
        let file = file.with_context(unwritten)?;
        if file.metadata().with_context(unwritten)?.is_file() {
            if is_link {
                bail!("{} is a symbolic link: name the log file itself", path.display());
            }
            refuse_another(path).with_context(unwritten)?;
        }
        let (file, path) = (Mutex::new(file), path.to_owned());
        Ok(LogFile { file, path, failing: AtomicBool::new(false) })
    }

    fn write(&self, line: &[u8]) -> io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(line)
    }
}

/// Refuses a file whose first line this program did not write.
fn refuse_another(path: &Path) -> anyhow::Result<()> {
    let mut first = Vec::new();
    BufReader::new(File::open(path)?).take(FIRST_LINE).read_until(b'\n', &mut first)?;
    if first.is_empty() || is_ours(&String::from_utf8_lossy(&first)) {
        Ok(())
    } else {
        bail!("it already exists, and is not a log of this program")
    }
}

/// How much of the first line is looked at.
const FIRST_LINE: u64 = 200;

/// Whether a line begins as one of ours does: with its time and its level.
fn is_ours(line: &str) -> bool {
    let mut words = line.split_ascii_whitespace();
    let is_time = words.next().is_some_and(|word| word.parse::<jiff::Timestamp>().is_ok());
    let is_level = |word: &str| ["ERROR", "WARN", "INFO", "DEBUG"].contains(&word);
    let is_text = is_time && words.next().is_some_and(is_level);
    is_text || (line.starts_with(r#"{"timestamp":""#) && line.contains(r#","level":""#))
}

/// Writes whole lines: into the file, and where that fails to standard error.
impl io::Write for &LogFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match LogFile::write(self, line) {
            Ok(()) => self.failing.store(false, Ordering::Relaxed),
            Err(cause) => {
                if !self.failing.swap(true, Ordering::Relaxed) {
                    let path = self.path.display();
                    console::eprint_line(format_args!(
                        "the log cannot be written to {path} ({cause}): its lines go to standard error"
                    ));
                }
                console::StderrLines.write_all(line)?;
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
