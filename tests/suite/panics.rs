//! A panic reports its location and no data.
use std::process::Command;

const SECRET: &str = "s3cr3t-t0ken";
const CARD: &str = "4111111111111111";
/// Set in the process that must panic.
const PANICS: &str = "PANICS";

/// Does nothing except in the process that the other test starts.
#[test]
fn the_panic() {
    if std::env::var_os(PANICS).is_some() {
        cardcancel::process::harden();
        panic!("{SECRET} {CARD}");
    }
}

#[test]
fn a_panic_reports_its_location_and_no_secret() {
    let mut process = Command::new(std::env::current_exe().unwrap());
    process.args(["--exact", "panics::the_panic", "--nocapture"]);
    let output = process.env(PANICS, "yes").env("RUST_BACKTRACE", "full").output().unwrap();
    assert!(!output.status.success());
    let reported = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(reported.contains("internal error at tests/suite/panics.rs:"), "{reported}");
    assert!(!reported.contains(SECRET) && !reported.contains(CARD), "{reported}");
}
