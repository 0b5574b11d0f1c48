//! What docs/json.md states about the output of each `--json`.

use std::collections::BTreeSet;
use std::fs;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

use super::{Page, first_cells};

/// A folder with a file of orders, and a rehearsal in which nothing fails.
fn folder() -> TempDir {
    let home = TempDir::new().unwrap();
    fs::write(home.path().join("orders.csv"), "admin,seq\n129409,1\n129410,1\n").unwrap();
    fs::write(home.path().join("cardcancel.toml"), "[rehearsal]\nlatency = '1ms'\n").unwrap();
    home
}

/// The object that a command prints there.
fn printed(home: &TempDir, command: &str) -> Value {
    let output = Command::cargo_bin("cardcancel")
        .unwrap()
        .current_dir(home)
        .env_clear()
        .env("HOME", home.path())
        .args(command.split(' '))
        .args(["--json", "--rehearse"])
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The keys of some objects.
fn keys<'a>(objects: impl IntoIterator<Item = &'a Value>) -> BTreeSet<&'a str> {
    let objects = objects.into_iter().map(|object| object.as_object().unwrap());
    objects.flat_map(|object| object.keys().map(String::as_str)).collect()
}

/// The keys in the tables under a heading.
fn listed<'a>(page: &'a Page, heading: &str) -> BTreeSet<&'a str> {
    let cells = first_cells(page.section(heading)).into_iter().filter(|cell| *cell != "key");
    cells.flat_map(|cell| cell.split("`, `")).collect()
}

#[test]
fn every_key_that_json_has_is_listed_and_no_other() {
    let (home, page) = (folder(), Page::at("docs/json.md"));
    let check = printed(&home, "check orders.csv");
    assert_eq!(keys([&check, &check["known"], &check["columns"]]), listed(&page, "## check"));
    let run = printed(&home, "run orders.csv --rate 1000/s");
    assert_eq!(keys([&run, &run["stats"]]), listed(&page, "## run and rerun"));
    assert_eq!(keys([&run["rehearsal"]["simulator"]]), listed(&page, "## simulator"));
    let runs = printed(&home, "runs");
    let shown = printed(&home, &format!("runs {}", run["run"].as_str().unwrap()));
    let shown_keys = keys([&shown]);
    let more = listed(&page, "## runs RUN");
    assert_eq!(shown_keys, keys([&runs]).union(&more).copied().collect());
    assert_eq!(keys([&shown["starts"][0]]), listed(&page, "## starts"));
    let id = run["run"].as_str().unwrap();
    let export = printed(&home, &format!("export {id} -o audit"));
    assert_eq!(keys([&export]), listed(&page, "## export"));
    let history = printed(&home, "history 129409 1");
    assert_eq!(keys([&history["rows"][0]]), listed(&page, "## rows of a history"));
    for (command, heading) in [
        ("check --connect", "## check --connect"),
        ("runs", "## runs"),
        ("history 129409 1", "## history"),
        ("verify", "## verify"),
        ("ledger info", "## ledger info"),
        ("ledger check", "## ledger check"),
        ("ledger backup copy.db", "## ledger backup"),
        ("ledger forget --before 2999-01-01 --export audit --yes", "## ledger forget"),
        ("config show", "## config show"),
        ("run missing.csv", "## errors"),
    ] {
        assert_eq!(keys([&printed(&home, command)]), listed(&page, heading), "{command}");
    }
}
