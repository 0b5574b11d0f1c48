//! Signals become a wish to stop. A second one ends the program at once: the
//! ledger tells the next start what was in flight.

use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::exit_code::ExitCode;
use crate::output::console;

/// Signals this close together are one wish: a closed terminal sends two, and so
/// do supervisors that signal the process and its group.
const ONE_WISH: Duration = Duration::from_secs(1);

/// Listens for SIGINT, SIGTERM and SIGHUP from now on; what it returns turns true
/// with the first. One that was ignored when the program was started, as by nohup, stays
/// ignored.
///
/// # Errors
/// When the system does not let us listen.
pub fn listen() -> std::io::Result<watch::Receiver<bool>> {
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
    let (tell, told) = watch::channel(false);
    tokio::spawn(async move {
        if signals.recv().await.is_none() {
            // All are ignored.
            return tell.closed().await;
        }
        let first = Instant::now();
        console::eprint_line(
            "stopping: nothing more is sent; calls in flight are waited for (once more to stop at once)",
        );
        tell.send_replace(true);
        while first.elapsed() < ONE_WISH {
            signals.recv().await;
        }
        console::eprint_line(
            "stopped at once: start the same command again, it goes on where it was",
        );
        std::process::exit(ExitCode::Stopped as i32);
    });
    Ok(told)
}

/// The signals that are ignored, one bit each, from the lowest on; none where the system
/// does not say.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}
