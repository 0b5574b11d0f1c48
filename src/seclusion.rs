//! What this process keeps to itself.

use rustix::process::{
    DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit, umask,
};

/// Whatever is made from here on is its owner's alone, and no memory of this
/// process, which will hold secrets, is written to a disk or shown to another.
pub fn begin() {
    umask(rustix::fs::Mode::from_raw_mode(0o077));
    // Neither can fail where the system knows it, and no run depends on it.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}
