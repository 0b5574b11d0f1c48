//! Log lines on standard error: with their time for cron, plain for a person.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;

/// Sets up logging for this process; `quiet` leaves only warnings and errors.
pub fn begin(quiet: bool) {
    let level = if quiet { LevelFilter::WARN } else { LevelFilter::INFO };
    let format = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(false);
    // Set up once a process; a second time changes nothing.
    let _ = match std::io::stderr().is_terminal() {
        true => format.without_time().with_level(false).try_init(),
        false => format.try_init(),
    };
}
