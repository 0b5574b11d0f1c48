//! Process-wide settings: hardening, the limit on open files, and the names by which the ledger
//! identifies this process.

use std::io::Write;
use std::panic::Location;

use anyhow::bail;
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit, umask,
};

/// Hardens the process: files that it creates are private to their owner (umask 077), its memory,
/// which contains secrets, is neither dumped to disk nor readable by other processes, and a panic
/// reports its source location but no data.
pub fn harden() {
    umask(rustix::fs::Mode::from_raw_mode(0o077));
    // Neither can fail on a system that supports it, and no run depends on it.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    std::panic::set_hook(Box::new(|panic| {
        let _ = writeln!(std::io::stderr(), "{}", panic_message(panic.location()));
    }));
}

fn panic_message(place: Option<&Location<'_>>) -> String {
    let place = place.map_or_else(|| "an unknown place".to_owned(), Location::to_string);
    format!(
        "internal error at {place} (a bug in cardcancel: please report this line). Run the same command again to resume."
    )
}

/// Files that the program keeps open in addition to its calls: the ledger, the input, the results.
const OWN_FILES: u64 = 64;

/// Raises the soft limit on open files to the hard limit if `concurrency` calls need it: each
/// call in flight holds one.
///
/// # Errors
/// If the hard limit does not allow `concurrency` calls in flight.
pub fn raise_fd_limit(concurrency: u32) -> anyhow::Result<()> {
    let needed = u64::from(concurrency) + OWN_FILES;
    let limit = getrlimit(Resource::Nofile);
    let enough = |most: Option<u64>| most.is_none_or(|most| most >= needed);
    if enough(limit.current) {
        return Ok(());
    }
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    if raised.is_err() || !enough(limit.maximum) {
        let most = limit.maximum.unwrap_or(0).saturating_sub(OWN_FILES);
        let lower = match most {
            0 => String::new(),
            most => format!("lower it to {most}, or "),
        };
        bail!(
            "--concurrency {concurrency} needs {needed} open files, more than this system allows: {lower}raise the limit (ulimit -n, or LimitNOFILE= of the service)"
        );
    }
    Ok(())
}

/// The program and its version.
pub const PROGRAM: &str = concat!("cardcancel ", env!("CARGO_PKG_VERSION"));

/// The version, followed in release builds by the commit that the program is built from.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), env!("VERSION_SUFFIX"));

/// The prefix of the application name in database sessions.
const SESSION: &str = "cardcancel ";

/// The application name of this process's database sessions, which PostgreSQL truncates to 63
/// bytes.
pub fn session_name() -> String {
    format!("{SESSION}{} on {}", std::process::id(), host())
}

/// The process id and host in the application name of a session; `None` if it is not one of ours.
pub fn parse_session_name(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix(SESSION)?.split_once(" on ")
}

/// The host name of this machine.
pub fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
