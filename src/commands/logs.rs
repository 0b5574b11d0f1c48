//! Log lines: on standard error with their time for cron and plain for a person,
//! or in a file. Only our own: a library's might hold what must not be shown.

use std::fs::{File, OpenOptions};
use std::io::IsTerminal;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;

use anyhow::Context;
use tracing::Span;
use tracing::field::Empty;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogFormat, Logs};
use crate::output::say;

/// Sets up logging for this process.
///
/// # Errors
/// When the log file cannot be written.
pub fn begin(logs: &Logs) -> anyhow::Result<()> {
    let on_terminal = logs.file.is_none() && std::io::stderr().is_terminal();
    let writer = match &logs.file {
        Some(path) => BoxMakeWriter::new(Mutex::new(open(path)?)),
        None => BoxMakeWriter::new(|| say::StandardError),
    };
    let lines = fmt::layer().with_writer(writer).with_target(false).with_ansi(false);
    let lines = match logs.format {
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
        LogFormat::Text if on_terminal => lines.without_time().with_level(false).boxed(),
        LogFormat::Text => lines.boxed(),
    };
    let ours = Targets::new().with_target(env!("CARGO_PKG_NAME"), level(logs));
    // Set up once a process; a second time changes nothing.
    let _ = tracing_subscriber::registry().with(lines.with_filter(ours)).try_init();
    Ok(())
}

/// What every line of a run stands under; its id is recorded once it is known.
pub fn span() -> Span {
    tracing::error_span!("run", id = Empty)
}

/// From here on, every line carries the run's id.
pub fn name(run: &str) {
    Span::current().record("id", tracing::field::display(run));
}

fn level(logs: &Logs) -> LevelFilter {
    match logs.quiet && logs.file.is_none() {
        true => logs.level.min(LevelFilter::WARN),
        false => logs.level,
    }
}

fn open(path: &Path) -> anyhow::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path).with_context(|| {
        format!("the log cannot be written to {}: name another --log-file", path.display())
    })
}
