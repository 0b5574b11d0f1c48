//! Tells the program which commit it is built from, for `--version`. Only release builds ask git: the others would
//! be compiled again after every commit.

use std::process::Command;

/// Names the commit where there is no repository, as in an archive of the source.
const COMMIT: &str = "CARDCANCEL_COMMIT";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={COMMIT}");
    let named = std::env::var(COMMIT).ok().filter(|commit| !commit.is_empty());
    let is_release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let commit = named.or_else(|| if is_release { commit_of_source() } else { None });
    let suffix = commit.map_or(String::new(), |commit| format!(" ({commit})"));
    // `cargo run` hands it to the program too, which refuses a variable of its own prefix that is no setting.
    println!("cargo::rustc-env=VERSION_SUFFIX={suffix}");
}

/// The commit of the source, and whether the source differs from it.
fn commit_of_source() -> Option<String> {
    // Another repository may lie around the source.
    git(&["ls-files", "--error-unmatch", "build.rs"])?;
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changes = git(&["--no-optional-locks", "status", "--porcelain", "--untracked-files=no"])?;
    for name in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", name])?;
        println!("cargo::rerun-if-changed={path}");
    }
    for source in ["Cargo.toml", "Cargo.lock", "src"] {
        println!("cargo::rerun-if-changed={source}");
    }
    Some(if changes.is_empty() { commit } else { format!("{commit}, changed") })
}

/// What git answers; `None` if it is absent, or knows nothing.
fn git(args: &[&str]) -> Option<String> {
    let output =
        Command::new("git").args(args).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
