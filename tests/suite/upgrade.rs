//! A ledger of an older version is upgraded when a run opens it, after it was copied.
use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::common::{TestEnv, TestSimulator};
use crate::full_disk::cancel_on_a_disk_with;
use rusqlite::Connection;

/// A ledger as version 7 left it: rows of most statuses, and a start that a stop rule stopped.
const VERSION_7: &str = include_str!("golden/ledger-version-7.sql");

/// An environment with a ledger of an older version.
fn with_ledger(sql: &str) -> TestEnv {
    let env = TestEnv::new();
    let path = env.path("l.db");
    let ledger = Connection::open(&path).unwrap();
    ledger.execute_batch(sql).unwrap();
    drop(ledger);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    env
}

fn version(env: &TestEnv, name: &str) -> i64 {
    let ledger = Connection::open(env.path(name)).unwrap();
    ledger.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
}

/// The copies that upgrades left.
fn copies(env: &TestEnv) -> Vec<String> {
    let names = fs::read_dir(env.folder()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("l.db.version-")).collect()
}

/// Every row of every table and view that both versions have, without what is new.
fn content(env: &TestEnv, name: &str) -> Vec<String> {
    let ledger = Connection::open(env.path(name)).unwrap();
    let mut content = Vec::new();
    for sql in [
        "SELECT run, row, attempt, claimed_at, sent_at, ended_at, outcome FROM attempt",
        "SELECT run, row, admin_number, sequence_number, status, doubt, error_code FROM row",
        "SELECT run, started_at, started_by, cut_off, finished_at, stop FROM start ORDER BY rowid",
        "SELECT number, id, key, command, input_name, input_digest, endpoint, program, opened_at, rows FROM run",
        "SELECT * FROM progress",
        "SELECT * FROM doubt",
        "SELECT * FROM outcome",
        "SELECT run, row, attempt, claimed_at, sent_at, ended_at, verdict, status, message FROM call",
        "SELECT * FROM decided",
    ] {
        let mut find = ledger.prepare(sql).unwrap();
        let columns = find.column_count();
        let rows = find.query_map([], |row| {
            (0..columns)
                .map(|column| row.get_ref(column).map(|value| format!("{value:?}")))
                .collect()
        });
        for row in rows.unwrap() {
            let row: Vec<String> = row.unwrap();
            content.push(row.join("|"));
        }
    }
    content
}

#[test]
fn a_run_upgrades_an_older_ledger_and_leaves_a_copy_of_it() {
    let env = with_ledger(VERSION_7);
    let before = content(&env, "l.db");
    env.orders(2).cancel(&TestSimulator::perfect().url(), &["--ledger", "l.db"]).exits(0);
    let copies = copies(&env);
    let [copy] = &copies[..] else { panic!("{copies:?}") };
    assert_eq!((version(&env, copy), version(&env, "l.db")), (7, 8));
    assert_eq!(content(&env, copy), before);
    assert_eq!(fs::metadata(env.path(copy)).unwrap().permissions().mode() & 0o777, 0o600);
    let after = content(&env, "l.db");
    let missing: Vec<_> = before.iter().filter(|row| !after.contains(row)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn what_an_older_version_recorded_is_shown_after_the_upgrade() {
    let env = with_ledger(VERSION_7);
    env.orders(2).cancel(&TestSimulator::perfect().url(), &["--ledger", "l.db"]).exits(0);
    let shown = env.run(&["runs", "20261126-172437-7183", "--ledger", "l.db"]).exits(0).stdout;
    for line in ["Start 1, ", "by jdoe on batch1, process 7036", "Start 2, ", "in_doubt        4"] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    let shown = env.run(&["history", "129409", "1", "--ledger", "l.db"]).exits(0).stdout;
    assert!(shown.contains("row 1: in_doubt, an answer was lost"), "{shown}");
    assert!(shown.contains("row 5: duplicate"), "{shown}");
}

#[test]
fn commands_that_only_read_do_not_upgrade() {
    let env = with_ledger(VERSION_7);
    for command in [&["runs"][..], &["history", "129409", "1"], &["ledger", "info"]] {
        let refused = env.run(&[command, &["--ledger", "l.db"]].concat()).exits(2);
        let reported = "error: the ledger l.db has the older version 7: the next `cardcancel run`";
        assert!(refused.stderr.starts_with(reported), "{}", refused.stderr);
    }
    assert_eq!((version(&env, "l.db"), copies(&env).len()), (7, 0));
}

#[test]
fn an_upgrade_whose_copy_cannot_be_written_changes_nothing() {
    let env = with_ledger(VERSION_7);
    env.orders(2);
    cancel_on_a_disk_with(16, &env, "http://127.0.0.1:9", &["--ledger", "l.db"]).exits(5);
    assert_eq!((version(&env, "l.db"), copies(&env).len()), (7, 0));
}

#[test]
fn runs_that_an_older_version_left_are_sealed_after_the_upgrade_and_verify() {
    let env = with_ledger(VERSION_7);
    env.orders(2).cancel(&TestSimulator::perfect().url(), &["--ledger", "l.db"]).exits(0);
    let verified = env.run(&["verify", "--ledger", "l.db"]).exits(0).stdout;
    assert!(verified.starts_with("Unchanged since seal "), "{verified}");
    let ledger = Connection::open(env.path("l.db")).unwrap();
    let count = |sql: &str| ledger.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let started = count("SELECT count(DISTINCT run) FROM start");
    let in_flight = count("SELECT count(DISTINCT run) FROM in_flight");
    assert_eq!(count("SELECT count(*) FROM seal"), started - in_flight);
    assert_eq!(count("SELECT max(number) FROM seal"), started - in_flight);
    assert!(started > 1);
}
