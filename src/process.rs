//! What this process keeps to itself.

use std::io::Write;
use std::panic::Location;

use rustix::process::{
    DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit, umask,
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
