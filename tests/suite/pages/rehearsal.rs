//! What the README shows of the first rehearsal.

use assert_cmd::Command;
use tempfile::TempDir;

use super::{Page, in_project};

/// Whether a line differs from one rehearsal to the next.
fn varies(line: &str) -> bool {
    line.starts_with("Run ") || line.contains(" calls in ") || line.starts_with("During the run: ")
}

#[test]
fn the_rehearsal_that_is_shown_is_the_one_that_a_newcomer_sees() {
    let home = TempDir::new().unwrap();
    let orders = in_project("samples/orders.csv");
    let output = Command::cargo_bin("cardcancel")
        .unwrap()
        .current_dir(&home)
        .env_clear()
        .env("HOME", home.path())
        .args(["run", orders.to_str().unwrap(), "--rehearse", "--quiet", "--rate", "1000/s"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    let seen = String::from_utf8(output.stdout).unwrap();
    let readme = Page::at("README.md");
    let shown = readme.blocks("text").next().unwrap();
    let kept = |text: &str| {
        text.lines().filter(|line| !varies(line)).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(kept(shown), kept(&seen));
}
