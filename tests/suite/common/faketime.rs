//! Programs whose clock is another than the machine's.

use std::path::Path;
use std::process::Command;

/// Has a program see a wall clock that is set this far off, as "+60s"; its other clocks are
/// as they are.
pub fn with_its_clock_set(command: &mut Command, offset: &str) {
    let library = library().expect("libfaketime is missing: tests/run brings it");
    command.env("LD_PRELOAD", library).env("FAKETIME", offset);
    command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
}

/// Whether what that needs is there.
pub fn clocks_can_be_set() -> bool {
    library().is_some()
}

fn library() -> Option<&'static Path> {
    let places = [
        "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
        "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
        "/usr/lib64/faketime/libfaketimeMT.so.1",
    ];
    places.into_iter().map(Path::new).find(|path| path.exists())
}
