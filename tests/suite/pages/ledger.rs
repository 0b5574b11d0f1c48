//! What docs/audit.md shows of the ledger.

use std::fs;

use assert_cmd::Command;
use rusqlite::Connection;
use tempfile::TempDir;

use super::{Page, first_cells};

/// A ledger with a run in it.
fn ledger(home: &TempDir) -> Connection {
    fs::write(home.path().join("orders.csv"), "admin,seq\n129409,1\n129409,1\n").unwrap();
    fs::write(home.path().join("cardcancel.toml"), "[rehearsal]\nlatency = '1ms'\n").unwrap();
    Command::cargo_bin("cardcancel")
        .unwrap()
        .current_dir(home)
        .env_clear()
        .env("HOME", home.path())
        .args(["run", "orders.csv", "--rehearse", "--quiet", "--ledger", "night.db"])
        .assert()
        .success();
    Connection::open(home.path().join("night.rehearsal.db")).unwrap()
}

#[test]
fn every_query_that_is_shown_finds_something() {
    let (home, page) = (TempDir::new().unwrap(), Page::at("docs/audit.md"));
    let ledger = ledger(&home);
    let queries: Vec<&str> = page.blocks("sql").collect();
    assert!(!queries.is_empty());
    for query in queries {
        let mut statement = ledger.prepare(query).unwrap();
        assert!(statement.exists([]).unwrap(), "{query}");
    }
}

#[test]
fn the_views_have_the_columns_that_are_listed() {
    let (home, page) = (TempDir::new().unwrap(), Page::at("docs/audit.md"));
    let ledger = ledger(&home);
    let section = page.section("## Ask the ledger with SQL");
    let mut views = first_cells(section);
    views.remove("view");
    assert_eq!(views.iter().copied().collect::<Vec<_>>(), ["call", "decided"]);
    for view in views {
        let row = section.lines().find(|line| line.starts_with(&format!("| `{view}` |"))).unwrap();
        let listed = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let statement = ledger.prepare(&format!("SELECT * FROM {view}")).unwrap();
        let columns: Vec<String> =
            statement.column_names().map(|name| format!("`{name}`")).collect();
        assert_eq!(listed, columns.join(", "), "{view}");
    }
}

/// What `strftime` knows in every version that can open the ledger: other letters give NULL.
const FORMATS: &str = "YmdHMSfjJsWw%";

#[test]
fn the_times_of_the_views_are_written_by_every_shell_that_opens_the_ledger() {
    let home = TempDir::new().unwrap();
    let ledger = ledger(&home);
    let mut views = ledger.prepare("SELECT sql FROM sqlite_schema WHERE type = 'view'").unwrap();
    let views = views.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let views: String = views.map(Result::unwrap).collect();
    let formats: Vec<char> = views.split('%').skip(1).filter_map(|at| at.chars().next()).collect();
    assert!(
        formats.len() > 10 && formats.iter().all(|format| FORMATS.contains(*format)),
        "{views}"
    );
    let times = "SELECT count(*), count(claimed_at), count(sent_at), count(ended_at) FROM call";
    let path = home.path().join("night.rehearsal.db");
    let mut shell = std::process::Command::new("sqlite3");
    match shell.arg("-readonly").arg(path).arg(times).output() {
        Ok(output) => assert_eq!(String::from_utf8_lossy(&output.stdout), "1|1|1|1\n"),
        Err(absent) => println!("NOT RUN: the SQLite shell ({absent})"),
    }
}
