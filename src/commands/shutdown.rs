//! Signals request a shutdown. A second one ends the program at once: the ledger shows the
//! next start what was in flight.

use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::exit_code::ExitCode;
use crate::output::console;

/// Signals this close together are one request: a closed terminal sends two, and so
/// do supervisors that signal the process and its group.
const ONE_REQUEST: Duration = Duration::from_secs(1);

/// What is reported of a shutdown.
#[derive(Debug, Clone, Copy)]
pub struct ShutdownNotices {
    first: &'static str,
    second: &'static str,
}

impl ShutdownNotices {
    /// Of a run, and of a worker.
    pub const RUN: ShutdownNotices = ShutdownNotices {
        first: "stopping: nothing more is sent; waiting for calls in flight (signal again to stop at once)",
        second: "stopped at once: start the same command again to resume",
    };
    /// Of a rehearsal.
    pub const REHEARSAL: ShutdownNotices = ShutdownNotices {
        second: "stopped at once: the same command starts a new rehearsal",
        ..ShutdownNotices::RUN
    };
    /// Of the simulator, which serves.
    pub const SIMULATOR: ShutdownNotices = ShutdownNotices {
        first: "stopping: all connections are closed (signal again to stop at once)",
        second: "stopped at once, without its statistics",
    };
}

/// Listens for SIGINT, SIGTERM and SIGHUP from now on. The first cancels the token. One that
/// was ignored when the program was started, as by nohup, stays
/// ignored.
///
/// # Errors
/// When the system does not let us listen.
pub fn listen(notices: ShutdownNotices) -> std::io::Result<CancellationToken> {
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let (seen, mut signals) = tokio::sync::mpsc::unbounded_channel();
    let ignored = ignored();
    for kind in kinds {
        if ignored & (1 << (kind.as_raw_value() - 1)) != 0 {
            continue;
        }
        let mut arrivals = signal(kind)?;
        let seen = seen.clone();
        tokio::spawn(async move {
            while arrivals.recv().await.is_some() {
                let _ = seen.send(());
            }
        });
    }
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    tokio::spawn(async move {
        if signals.recv().await.is_none() {
            // All are ignored.
            return;
        }
        let first = Instant::now();
        console::eprint_line(notices.first);
        token.cancel();
        while first.elapsed() < ONE_REQUEST {
            signals.recv().await;
        }
        console::eprint_line(notices.second);
        std::process::exit(ExitCode::Stopped as i32);
    });
    Ok(shutdown)
}

/// The signals that are ignored, one bit each, from the lowest on; 0 if the system does not
/// report them.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}
