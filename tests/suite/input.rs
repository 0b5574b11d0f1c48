//! Bad input: what is refused as a whole, and what row by row. The messages are in errors.rs.
use std::io::Write;
use std::process::Stdio;

use crate::common::{ProgramOutput, ResultRow, TestEnv, TestSimulator, rows};
use insta::assert_snapshot;

/// The output of the program when it refuses this file; nothing is sent.
fn refusal(content: impl AsRef<[u8]>) -> String {
    let env = TestEnv::new();
    env.file("orders.csv", content);
    refusal_in(&env, &[])
}

fn refusal_in(env: &TestEnv, flags: &[&str]) -> String {
    let core_card = TestSimulator::perfect();
    let outcome = env.cancel(&core_card.url(), flags).exits(2);
    assert_eq!(core_card.requests(), 0);
    assert_eq!(outcome.stdout, "");
    assert!(!env.path("orders.results.csv").exists());
    outcome.stderr.lines().last().unwrap_or_default().to_owned()
}

/// Status, code and message of every row of this file.
fn verdicts(content: &str, exit: i32) -> String {
    let env = TestEnv::new();
    env.file("orders.csv", content);
    let core_card = TestSimulator::perfect();
    env.cancel(&core_card.url(), &[]).exits(exit);
    let results = env.results();
    let cancelled = results.iter().filter(|row| row.status() == "cancelled").count();
    assert_eq!(core_card.requests(), cancelled as u64, "a row that is not cancelled was sent");
    results.iter().map(verdict).collect()
}

fn verdict(row: &ResultRow) -> String {
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
    let env = TestEnv::with_orders(1);
    let nobodys = std::fs::Permissions::from_mode(0o000);
    std::fs::set_permissions(env.path("orders.csv"), nobodys).unwrap();
    assert_snapshot!(refusal_in(&env, &[]), @"error: orders.csv: cannot be opened (Permission denied (os error 13)); check the path and its permissions");
}

#[test]
fn a_gzip_file_is_read_and_a_damaged_one_refused() {
    let packed = gzipped(b"admin,seq\n1,1\n2,1\n");
    let env = TestEnv::new();
    env.file("orders.csv", &packed);
    env.cancel(&TestSimulator::perfect().url(), &[]).exits(0);
    assert_eq!(env.results().len(), 2);
    assert_snapshot!(refusal(&packed[..packed.len() - 12]), @"error: orders.csv: is a damaged gzip file (incomplete deflate stream); fetch it again from its source");

    let env = TestEnv::new();
    env.file("night.csv.gz", &packed);
    let core_card = TestSimulator::perfect();
    let url = core_card.url();
    let flags = ["--yes", "--external-ip", "10.120.0.0", "--url", &url];
    env.run(&[&["run", "night.csv.gz"], &flags[..]].concat()).exits(0);
    assert_eq!(rows(&env.read("night.results.csv")).len(), 2);
}

#[test]
fn standard_input_is_read_and_makes_the_same_run_again() {
    let env = TestEnv::new();
    let core_card = TestSimulator::perfect();
    let url = core_card.url();
    let run = || -> ProgramOutput {
        let mut command =
            env.command(&["run", "-", "--yes", "--external-ip", "10.120.0.0", "--url", &url]);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"admin,seq\n1,1\n2,1\n").unwrap();
        child.wait_with_output().unwrap().into()
    };
    run().exits(0);
    assert_eq!(rows(&env.read("stdin.results.csv")).len(), 2);
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
    invalid INVALID_ADMIN_NUMBER: the admin number, with 19 digits, is too large; it must be a whole number from 0 to 9223372036854775807
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
    invalid WRONG_FIELD_COUNT: 1 field where the header has 3; the line: "1"
    cancelled ERR01160: Order Canceled Successfully
    cancelled ERR01160: Order Canceled Successfully
    invalid WRONG_FIELD_COUNT: 4 fields where the header has 3; the line: "4,1,a,b"
    invalid WRONG_FIELD_COUNT: 5 fields where the header has 3; the line: "5,1,a,b,c"
    "#
    );
}

/// Runs the file, then reruns the invalid rows of its results, and runs the results as if they
/// were orders: neither sends anything that the first run did not.
fn invalid_for_good(content: &str, sent: u64) -> String {
    let env = TestEnv::new();
    env.file("orders.csv", content);
    let core_card = TestSimulator::perfect();
    let url = core_card.url();
    env.cancel(&url, &[]).exits(1);
    env.rerun("orders.results.csv", &url, &["--only=invalid", "-o", "again.csv"]).exits(1);
    let results = env.read("orders.results.csv");
    env.file("orders.csv", results).cancel(&url, &["-o", "as-orders.csv", "--again"]);
    assert_eq!(core_card.orders().len() as u64, sent, "{:?}", core_card.orders());
    env.text("again.csv")
}

#[test]
fn a_row_that_lacks_only_empty_fields_at_its_end_is_sent() {
    let env = TestEnv::new();
    env.file("orders.csv", "AdminNumber,CardSequenceNumber,Note,Branch\n1,1,a,b\n2,1\n3,1,x\n");
    let core_card = TestSimulator::perfect();
    env.cancel(&core_card.url(), &[]).exits(0);
    let row = &env.results()[1];
    assert_eq!(
        ["AdminNumber", "Note", "Branch", "row"].map(|name| row.get(name)),
        ["2", "", "", "2"]
    );
}

#[test]
fn no_order_is_made_of_a_row_of_another_width() {
    let _guard = crate::common::redact_varying();
    assert_snapshot!(
        invalid_for_good("amount,admin,seq,note\n12,34,129410,1,unquoted comma\n129412,2,3\n9,5,1,\n", 1),
        @r#"
    amount,admin,seq,note,row,status,error_code,message,http_status,attempts,doubt,first_sent_at,ended_at
    12,,,1,1,invalid,WRONG_FIELD_COUNT,"5 fields where the header has 4; the line: ""12,34,129410,1,unquoted comma""",,0,false,,
    129412,,,,2,invalid,WRONG_FIELD_COUNT,"3 fields where the header has 4; the line: ""129412,2,3""",,0,false,,
    9,5,1,,3,cancelled,ERR01160,Order Canceled Successfully,200,1,false,[time],[time]
    "#
    );
    let long = "x".repeat(60);
    let text = format!("admin,seq,note\n1,1,a,{long},z\n");
    assert!(invalid_for_good(&text, 0).contains(&format!("the line: \"\"1,1,a,{long},z\"\"")));
}

#[test]
fn no_order_is_made_of_a_damaged_row() {
    let _guard = crate::common::redact_varying();
    let text = "admin,seq,branch\n\"129409\"1,1,a\n129410,\"1\"2,b\n129409,1,Boise\n129410,1,\"\n\
                129411,1,\"\n3,1,\"open\n4,1,closed\"\n5,1,b\0c\n";
    assert_snapshot!(invalid_for_good(text, 1).replace('\0', "[NUL]"), @r#"
    admin,seq,branch,row,status,error_code,message,http_status,attempts,doubt,first_sent_at,ended_at
    ,,a,1,invalid,MALFORMED_ROW,"field ""admin"" continues after its closing quote; the line: """"129409""1,1,a""",,0,false,,
    ,,b,2,invalid,MALFORMED_ROW,"field ""seq"" continues after its closing quote; the line: ""129410,""1""2,b""",,0,false,,
    129409,1,Boise,3,cancelled,ERR01160,Order Canceled Successfully,200,1,false,[time],[time]
    ,,"
    129411,1,",4,invalid,MALFORMED_ROW,"the quoted field ""branch"" contains what looks like another row; the line: ""129410,1,""\n129411,1,""""",,0,false,,
    ,,"open
    4,1,closed",5,invalid,MALFORMED_ROW,"the quoted field ""branch"" contains what looks like another row; the line: ""3,1,""open\n4,1,closed""""",,0,false,,
    ,,b[NUL]c,6,invalid,MALFORMED_ROW,"the row holds a NUL byte; the line: ""5,1,b\0c""",,0,false,,
    "#);
}

#[test]
fn a_row_with_a_card_number_is_not_sent_once_the_card_number_is_gone() {
    invalid_for_good("admin,seq,note\n1,1,4111111111111111\n", 0);
}

#[test]
fn rows_that_hold_nothing_are_passed_over() {
    let env = TestEnv::new();
    env.file("orders.csv", "admin;seq;note\r\n129409;1;x\r\n;;\r\n;;\r\n\u{1a}");
    let core_card = TestSimulator::perfect();
    let check = env.run(&["check", "orders.csv"]).exits(0);
    assert!(check.stdout.contains("Skipped: 2 lines with nothing in any field"));
    env.cancel(&core_card.url(), &[]).exits(0);
    let cleared = env.text("orders.results.csv") + ";;;;;;;;;;;\n";
    env.file("cleared.csv", cleared);
    let flags = ["-o", "again.csv", "--only", "cancelled"];
    env.rerun("cleared.csv", &core_card.url(), &flags).exits(0);
    assert_eq!(env.text("again.csv").lines().count(), 2);
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
    let env = TestEnv::new();
    env.orders(1).cancel(&TestSimulator::perfect().url(), &["-o", "first.csv"]).exits(0);
    let ledger = rusqlite::Connection::open(env.ledger()).unwrap();
    ledger.pragma_update(None, "user_version", 99).unwrap();
    drop(ledger);
    let flags = ["--ledger", "home/state/cardcancel/ledger.db"];
    assert_snapshot!(refusal_in(&env, &flags), @"error: the ledger home/state/cardcancel/ledger.db has version 99, and this program knows versions up to 8: use the cardcancel that wrote it, or a newer one");
    let outcome = env.run(&["runs", "--ledger", "home/state/cardcancel/ledger.db"]);
    assert_eq!(outcome.code, Some(2));
}

#[test]
fn a_ledger_of_an_older_program_is_refused_and_left_alone() {
    let env = TestEnv::new();
    env.orders(1).cancel(&TestSimulator::perfect().url(), &["-o", "first.csv"]).exits(0);
    let ledger = rusqlite::Connection::open(env.ledger()).unwrap();
    ledger.pragma_update(None, "user_version", 1).unwrap();
    drop(ledger);
    let flags = ["--ledger", "home/state/cardcancel/ledger.db"];
    assert_snapshot!(refusal_in(&env, &flags), @"error: the ledger home/state/cardcancel/ledger.db has version 1, which was never released, and this program knows version 8: use the cardcancel that wrote it, or name another file with --ledger");
}

#[test]
fn a_ledger_that_is_none_is_refused_and_left_alone() {
    let env = TestEnv::new();
    env.orders(1).file("letter.txt", "Dear Sir or Madam, this is no database at all.\n");
    assert_snapshot!(refusal_in(&env, &["--ledger", "letter.txt"]), @"error: letter.txt is not a cardcancel ledger: name another file with --ledger");
    let other = rusqlite::Connection::open(env.path("other.db")).unwrap();
    other.execute_batch("CREATE TABLE guest (name TEXT); PRAGMA user_version = 1;").unwrap();
    drop(other);
    let before = env.read("other.db");
    assert_snapshot!(refusal_in(&env, &["--ledger", "other.db"]), @"error: other.db is not a cardcancel ledger: name another file with --ledger");
    assert_eq!(env.read("other.db"), before);
    assert!(env.text("letter.txt").starts_with("Dear Sir"));
}

#[test]
fn another_programs_database_without_a_version_is_refused_and_left_alone() {
    let env = TestEnv::with_orders(1);
    let other = rusqlite::Connection::open(env.path("other.db")).unwrap();
    other.execute_batch("CREATE TABLE guest (name TEXT);").unwrap();
    drop(other);
    let before = env.read("other.db");
    assert_snapshot!(refusal_in(&env, &["--ledger", "other.db"]), @"error: other.db is not a cardcancel ledger: name another file with --ledger");
    assert_eq!(env.read("other.db"), before);
}

#[test]
fn a_results_path_that_cannot_be_written_is_refused() {
    let env = TestEnv::with_orders(1);
    assert_snapshot!(refusal_in(&env, &["--quiet", "-o", "nowhere/results.csv"]), @"error: the results cannot be written to nowhere/results.csv: choose another file with -o: No such file or directory (os error 2)");
    assert!(!env.path("nowhere").exists());
}

#[test]
fn a_check_finds_what_a_run_would_refuse() {
    for content in ["", "admin,seq\n", "a,b\n1,2\n", "admin,seq\n1,\"\n"] {
        let env = TestEnv::new();
        env.file("orders.csv", content);
        let check = env.run(&["check", "orders.csv"]).exits(2);
        assert_eq!(check.stderr.trim_end(), refusal_in(&env, &[]), "{content:?}");
    }
}

#[test]
fn a_file_that_may_not_hold_what_was_meant_is_warned_about_before_anything_is_sent() {
    for (text, warning) in [
        ("Seq,AdminNumber\n1,129409\n2,514002\n3,514003\n", "only counts the rows"),
        (
            "admin,seq\n9912140633506420,1\n8812140633507130,1\n",
            "end in zeros: a spreadsheet may have rounded them",
        ),
    ] {
        let env = TestEnv::new();
        env.file("orders.csv", text);
        let check = env.run(&["check", "orders.csv"]).exits(0);
        let json = env.run(&["check", "orders.csv", "--json"]).exits(0);
        let run = env.cancel(&TestSimulator::perfect().url(), &[]).exits(0);
        for said in [check.stdout, json.stdout, run.stderr] {
            assert!(said.contains(warning), "{said}");
        }
        let asked = env.run(&["run", "orders.csv", "--url=https://a.example", "--external-ip=::1"]);
        assert!(asked.exits(2).stderr.contains(warning));
    }
}

#[test]
fn two_files_in_one_are_refused_with_the_line_of_the_second_header() {
    let text = "admin,seq,branch\n129409,1,Boise\nseq,admin,branch\n1,129411,X\n";
    assert_snapshot!(refusal(text), @"error: orders.csv: line 3 is a header again, so another file follows; its columns may be in another order: run each file by itself");
    assert!(
        refusal("admin,seq\n1,1\nAdmin Number,Note,Card Sequence Number\n2,x,1\n")
            .contains("line 3")
    );
}

#[test]
fn a_file_as_a_spreadsheet_writes_it_is_read() {
    let env = TestEnv::new();
    env.file("orders.csv", "sep=;\r\nAdminNumber;CardSequenceNumber\r\n\u{a0}1\u{200b};1\r\n");
    env.cancel(&TestSimulator::perfect().url(), &[]).exits(0);
    assert!(env.text("orders.results.csv").starts_with("AdminNumber;CardSequenceNumber;row;"));
}

#[test]
fn a_file_made_to_fill_the_memory_is_refused_while_it_is_read() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(b"admin,seq\n").unwrap();
    let rows = b"1,1\n".repeat(256 * 1024);
    for _ in 0..64 {
        packed.write_all(&rows).unwrap();
    }
    let packed = packed.finish().unwrap();
    assert!(packed.len() < 100_000, "{}", packed.len());
    assert_snapshot!(refusal(packed), @"error: orders.csv: unpacks to more than 250 times its size, which no file of orders does; unpack it, inspect it, and run the unpacked file");
}

#[test]
fn reading_stops_where_there_are_more_orders_than_may_be_sent() {
    let env = TestEnv::new();
    let rows: String = (0..3_000_000).map(|row| format!("{row},1\n")).collect();
    env.file("orders.csv", format!("admin,seq\n{rows}"));
    let reported = refusal_in(&env, &["--max-rows=1000"]);
    assert!(
        reported.contains("has more rows to send than --max-rows allows: reading stopped after ")
    );
    assert!(!reported.contains("after 3000000 rows"), "{reported}");
}
