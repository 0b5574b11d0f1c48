//! This process: what it keeps to itself, how many files it may open, and what it is called.

use std::io::Write;
use std::panic::Location;

use anyhow::bail;
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit, umask,
};

/// Whatever is made from here on is its owner's alone; no memory of this process,
/// which will hold secrets, is written to a disk or shown to another; and a panic
/// tells where it was, and nothing of what was at hand.
pub fn harden() {
    umask(rustix::fs::Mode::from_raw_mode(0o077));
    // Neither can fail where the system knows it, and no run depends on it.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    std::panic::set_hook(Box::new(|panic| {
        let _ = writeln!(std::io::stderr(), "{}", of_panic(panic.location()));
    }));
}

fn of_panic(place: Option<&Location<'_>>) -> String {
    let place = place.map_or_else(|| "an unknown place".to_owned(), Location::to_string);
    format!(
        "error: cardcancel failed at {place}, by a mistake of its own: report this line, and start the same command again, it goes on where it was"
    )
}

/// What the program holds open beside its calls: the ledger, the input, the results.
const OWN_FILES: u64 = 64;

/// Raises the system's limit on open files as far as it can be, and refuses more calls than it
/// allows: each call in flight holds one.
///
/// # Errors
/// When `concurrency` calls cannot be in flight at once.
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

/// How the names of this program's sessions of a database begin.
const SESSION: &str = "cardcancel ";

/// This process by user, host and number, as the ledger records who works on a run.
pub fn worker_name() -> String {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    let user = user.unwrap_or_else(|_| format!("uid {}", rustix::process::getuid().as_raw()));
    format!("{user} on {}, process {}", host(), std::process::id())
}

/// The name of this process's sessions of a database, which cuts long ones short.
pub fn session_name() -> String {
    format!("{SESSION}{} on {}", std::process::id(), host())
}

/// The process whose session has this name, and its host.
pub fn parse_session_name(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix(SESSION)?.split_once(" on ")
}

/// What this machine calls itself.
pub fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
