//! Bad input: what is refused as a whole, what row by row. What is said of it
//! stands in errors.rs.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::io::Write;
use std::process::Stdio;

use common::{CoreCard, Outcome, Row, Scene, rows};
use insta::assert_snapshot;

/// What the program says when it refuses to run this file; nothing is sent.
fn refusal(content: impl AsRef<[u8]>) -> String {
    let scene = Scene::new();
    scene.file("orders.csv", content);
    refusal_in(&scene, &[])
}

fn refusal_in(scene: &Scene, flags: &[&str]) -> String {
    let core_card = CoreCard::perfect();
    let outcome = scene.cancel(&core_card.url(), flags).exits(2);
    assert_eq!(core_card.requests(), 0);
    assert_eq!(outcome.stdout, "");
    assert!(!scene.path("orders.results.csv").exists());
    outcome.stderr
}

/// Status, code and message of every row of this file.
fn verdicts(content: &str, exit: i32) -> String {
    let scene = Scene::new();
    scene.file("orders.csv", content);
    let core_card = CoreCard::perfect();
    scene.cancel(&core_card.url(), &[]).exits(exit);
    let results = scene.results();
    let cancelled = results.iter().filter(|row| row.status() == "cancelled").count();
    assert_eq!(core_card.requests(), cancelled as u64, "a row that is not cancelled was sent");
    results.iter().map(verdict).collect()
}

fn verdict(row: &Row) -> String {
    format!("{} {}: {}\n", row.status(), row.code(), row.get("message"))
}

fn gzipped(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_file_that_may_not_be_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    if rustix::process::geteuid().is_root() {
        eprintln!("a_file_that_may_not_be_read_is_refused: not run, root may read every file");
        return;
    }
    let scene = Scene::new();
    scene.orders(1);
    let nobodys = std::fs::Permissions::from_mode(0o000);
    std::fs::set_permissions(scene.path("orders.csv"), nobodys).unwrap();
    assert_snapshot!(refusal_in(&scene, &[]), @"error: orders.csv: cannot be opened (Permission denied (os error 13)); check the path and its permissions");
}

#[test]
fn a_gzip_file_is_read_and_a_damaged_one_refused() {
    let packed = gzipped(b"admin,seq\n1,1\n2,1\n");
    let scene = Scene::new();
    scene.file("orders.csv", &packed);
    scene.cancel(&CoreCard::perfect().url(), &[]).exits(0);
    assert_eq!(scene.results().len(), 2);
    assert_snapshot!(refusal(&packed[..packed.len() - 12]), @"error: orders.csv: is a damaged gzip file (incomplete deflate stream); fetch it again from where it came");

    let scene = Scene::new();
    scene.file("night.csv.gz", &packed);
    let core_card = CoreCard::perfect();
    let url = core_card.url();
    let flags = ["--yes", "--external-ip", "10.120.0.0", "--url", &url];
    scene.run(&[&["run", "night.csv.gz"], &flags[..]].concat()).exits(0);
    assert_eq!(rows(&scene.read("night.results.csv")).len(), 2);
}

#[test]
fn standard_input_is_read_and_makes_the_same_run_again() {
    let scene = Scene::new();
    let core_card = CoreCard::perfect();
    let url = core_card.url();
    let run = || -> Outcome {
        let mut command =
            scene.command(&["run", "-", "--yes", "--external-ip", "10.120.0.0", "--url", &url]);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"admin,seq\n1,1\n2,1\n").unwrap();
        child.wait_with_output().unwrap().into()
    };
    run().exits(0);
    assert_eq!(rows(&scene.read("stdin.results.csv")).len(), 2);
    let again = run().exits(0);
    assert!(again.stdout.contains("had ended before"), "{}", again.stdout);
    assert_eq!(core_card.requests(), 2);
}

#[test]
fn a_row_with_a_bad_number_is_invalid_and_stops_no_other() {
    assert_snapshot!(
        verdicts(
            "admin,seq\n1,1\n 2 ,1\n0003,01\n+4,1\n-4,1\n5.0,1\n\"6,000\",1\n7 000,1\n8e3,1\n,1\n\
             9,\n9223372036854775807,2147483647\n9223372036854775808,1\n10,2147483648\nten,1\n\
             '11,1\n१२,1\n13,1.5\n",
            1
        ),
        @r#"
    cancelled ERR01160: Order Canceled Successfully
    cancelled ERR01160: Order Canceled Successfully
    cancelled ERR01160: Order Canceled Successfully
    invalid INVALID_ADMIN_NUMBER: the admin number "+4" has a sign; it must be a whole number from 0 to 9223372036854775807
    invalid INVALID_ADMIN_NUMBER: the admin number "-4" has a sign; it must be a whole number from 0 to 9223372036854775807
    invalid INVALID_ADMIN_NUMBER: the admin number "5.0" has a decimal point (a spreadsheet may have changed it); it must be a whole number from 0 to 9223372036854775807
    invalid INVALID_ADMIN_NUMBER: the admin number "6,000" has thousands separators; it must be a whole number from 0 to 9223372036854775807
    invalid INVALID_ADMIN_NUMBER: the admin number "7 000" has thousands separators; it must be a whole number from 0 to 9223372036854775807
    invalid INVALID_ADMIN_NUMBER: the admin number "8e3" is in scientific notation (a spreadsheet may have changed it); it must be a whole number from 0 to 9223372036854775807
    invalid INVALID_ADMIN_NUMBER: the admin number is missing
    invalid INVALID_SEQUENCE_NUMBER: the sequence number is missing
    cancelled ERR01160: Order Canceled Successfully
    invalid INVALID_ADMIN_NUMBER: the admin number "9223372036854775808" is too large; it must be a whole number from 0 to 9223372036854775807
    invalid INVALID_SEQUENCE_NUMBER: the sequence number "2147483648" is too large; it must be a whole number from 0 to 2147483647
    invalid INVALID_ADMIN_NUMBER: the admin number "ten" is not a number; it must be a whole number from 0 to 9223372036854775807
    invalid INVALID_ADMIN_NUMBER: the admin number "'11" has an apostrophe in front; it must be a whole number from 0 to 9223372036854775807
    invalid INVALID_ADMIN_NUMBER: the admin number "१२" is not a number; it must be a whole number from 0 to 9223372036854775807
    invalid INVALID_SEQUENCE_NUMBER: the sequence number "1.5" has a decimal point (a spreadsheet may have changed it); it must be a whole number from 0 to 2147483647
    "#
    );
}

#[test]
fn a_row_with_too_few_or_too_many_fields_is_invalid_and_stops_no_other() {
    assert_snapshot!(
        verdicts("admin,seq,message\n1\n2,1\n3,1,a\n4,1,a,b\n5,1,a,b,c\n", 1),
        @r#"
    invalid WRONG_FIELD_COUNT: 1 field where the header has 3
    invalid WRONG_FIELD_COUNT: 2 fields where the header has 3
    cancelled ERR01160: Order Canceled Successfully
    invalid WRONG_FIELD_COUNT: 4 fields where the header has 3; left over: "b"
    invalid WRONG_FIELD_COUNT: 5 fields where the header has 3; left over: "b,c"
    "#
    );
}

#[test]
fn the_same_order_written_otherwise_is_the_same_order() {
    assert_snapshot!(verdicts("admin,seq\n1,1\n01,1\n1, 1\n1,2\n", 0), @r"
    cancelled ERR01160: Order Canceled Successfully
    duplicate DUPLICATE: the same order as row 1, which decides
    duplicate DUPLICATE: the same order as row 1, which decides
    cancelled ERR01160: Order Canceled Successfully
    ");
}

#[test]
fn a_ledger_of_a_newer_program_is_refused_and_left_alone() {
    let scene = Scene::new();
    scene.orders(1).cancel(&CoreCard::perfect().url(), &["-o", "first.csv"]).exits(0);
    let ledger = rusqlite::Connection::open(scene.ledger()).unwrap();
    ledger.pragma_update(None, "user_version", 99).unwrap();
    drop(ledger);
    let flags = ["--ledger", "home/state/cardcancel/ledger.db"];
    assert_snapshot!(refusal_in(&scene, &flags), @"error: the ledger home/state/cardcancel/ledger.db has version 99, and this program knows versions up to 4: use the cardcancel that wrote it, or a newer one");
    let outcome = scene.run(&["runs", "--ledger", "home/state/cardcancel/ledger.db"]);
    assert_eq!(outcome.code, Some(2));
}

#[test]
fn a_ledger_of_an_older_program_is_refused_and_left_alone() {
    let scene = Scene::new();
    scene.orders(1).cancel(&CoreCard::perfect().url(), &["-o", "first.csv"]).exits(0);
    let ledger = rusqlite::Connection::open(scene.ledger()).unwrap();
    ledger.pragma_update(None, "user_version", 1).unwrap();
    drop(ledger);
    let flags = ["--ledger", "home/state/cardcancel/ledger.db"];
    assert_snapshot!(refusal_in(&scene, &flags), @"error: the ledger home/state/cardcancel/ledger.db has version 1, and this program knows version 4 only: use the cardcancel that wrote it, or name another file with --ledger");
}

#[test]
fn a_ledger_that_is_none_is_refused_and_left_alone() {
    let scene = Scene::new();
    scene.orders(1).file("letter.txt", "Dear Sir or Madam, this is no database at all.\n");
    assert_snapshot!(refusal_in(&scene, &["--ledger", "letter.txt"]), @"error: letter.txt is not a cardcancel ledger: name another file with --ledger");
    let other = rusqlite::Connection::open(scene.path("other.db")).unwrap();
    other.execute_batch("CREATE TABLE guest (name TEXT); PRAGMA user_version = 1;").unwrap();
    drop(other);
    let before = scene.read("other.db");
    assert_snapshot!(refusal_in(&scene, &["--ledger", "other.db"]), @"error: other.db is not a cardcancel ledger: name another file with --ledger");
    assert_eq!(scene.read("other.db"), before);
    assert!(scene.text("letter.txt").starts_with("Dear Sir"));
}

#[test]
fn another_programs_database_without_a_version_is_refused_and_left_alone() {
    let scene = Scene::new();
    scene.orders(1);
    let other = rusqlite::Connection::open(scene.path("other.db")).unwrap();
    other.execute_batch("CREATE TABLE guest (name TEXT);").unwrap();
    drop(other);
    let before = scene.read("other.db");
    assert_snapshot!(refusal_in(&scene, &["--ledger", "other.db"]), @"error: other.db is not a cardcancel ledger: name another file with --ledger");
    assert_eq!(scene.read("other.db"), before);
}

#[test]
fn a_results_path_that_cannot_be_written_is_refused() {
    let scene = Scene::new();
    scene.orders(1);
    assert_snapshot!(refusal_in(&scene, &["-o", "nowhere/results.csv"]), @"error: the results cannot be written to nowhere/results.csv: choose another place with -o: No such file or directory (os error 2)");
    assert!(!scene.path("nowhere").exists());
}

#[test]
fn a_check_finds_what_a_run_would_refuse() {
    for content in ["", "admin,seq\n", "a,b\n1,2\n", "admin,seq\n1,\"\n"] {
        let scene = Scene::new();
        scene.file("orders.csv", content);
        let check = scene.run(&["check", "orders.csv"]).exits(2);
        assert_eq!(check.stderr, refusal_in(&scene, &[]), "{content:?}");
    }
}
