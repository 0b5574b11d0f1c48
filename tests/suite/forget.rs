//! `ledger forget`: what goes, what stays, what is kept, and what tampering after its manner shows.

use std::process::Stdio;

use crate::common::postgres::{Database, database};
use crate::common::{
    Behavior, CANCELLED, ProgramOutput, ScriptedServer, TestEnv, change_ledger, contains, json,
};
use crate::full_disk::on_a_disk_with;
use rusqlite::Connection;
use serde_json::Value;

/// A ledger, and CoreCARD, which rejects the order 2/1 and never answers for 3/1.
struct Archive {
    env: TestEnv,
    /// Where the ledger is, unless it is the user's own file.
    database: Option<Database>,
    server: ScriptedServer,
}

impl Archive {
    fn new(database: Option<Database>) -> Archive {
        let server = ScriptedServer::new(|_, request| {
            match request.json()["AdminNumber"].as_i64().unwrap() {
                2 => Behavior::Respond(json(r#"{"Status":false,"ErrorCode":"X1"}"#)),
                3 => Behavior::Close,
                _ => Behavior::Respond(json(CANCELLED)),
            }
        });
        Archive { env: TestEnv::new(), database, server }
    }

    fn run(&self, args: &[&str]) -> ProgramOutput {
        let mut command = self.env.command(args);
        if let Some(database) = &self.database {
            command.env("CARDCANCEL_LEDGER", database.url());
        }
        command.stdin(Stdio::null()).output().unwrap().into()
    }

    /// Runs a file of these admin numbers, and returns the run's identifier.
    fn cancel(&self, file: &str, orders: &[u32], more: &[&str]) -> String {
        let lines: String = orders.iter().map(|order| format!("{order},1\n")).collect();
        self.env.file(file, format!("admin,seq\n{lines}"));
        let url = self.server.url();
        let flags = ["run", file, "--url", &url, "--external-ip", "10.0.0.1", "--yes", "--json"];
        let ran = self.run(&[&flags[..], &["--attempts", "1"], more].concat());
        let summary: Value =
            serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}", ran.report()));
        summary["run"].as_str().unwrap_or_else(|| panic!("{}", ran.report())).to_owned()
    }

    fn export(&self, runs: &[&str], folder: &str) {
        self.run(&[&["export"], runs, &["-o", folder]].concat()).exits(0);
    }

    fn forget(&self, exports: &[&str]) -> ProgramOutput {
        let flags = ["ledger", "forget", "--before", "2999-01-01", "--yes", "--export"];
        self.run(&[&flags[..], exports].concat())
    }

    fn change(&self, sql: &str) {
        change_ledger(&self.env, self.database.as_ref(), sql);
    }

    fn count(&self, table: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        match &self.database {
            Some(database) => {
                let sql = sql.replace("FROM ", "FROM cardcancel.");
                database.client().query_one(&sql, &[]).unwrap().get(0)
            }
            None => {
                let ledger = Connection::open(self.env.ledger()).unwrap();
                ledger.query_row(&sql, [], |row| row.get(0)).unwrap()
            }
        }
    }

    /// The admin numbers that CoreCARD was asked to cancel since `before` requests.
    fn asked_since(&self, before: usize) -> Vec<i64> {
        let requests = self.server.requests();
        let admin =
            |request: &crate::common::Request| request.json()["AdminNumber"].as_i64().unwrap();
        requests[before..].iter().map(admin).collect()
    }
}

fn what_goes_and_what_stays(database: Option<Database>) {
    let archive = Archive::new(database);
    let id = archive.cancel("orders.csv", &[1, 2, 4, 4], &[]);
    archive.export(&[&id], "audit");
    let plan = archive.run(&["ledger", "forget", "--before=2999-01-01", "--export", "audit"]);
    let plan = plan.exits(2).stderr;
    assert!(
        plan.contains("not a terminal")
            && plan.contains("About to remove 4 rows of 1 run with 3 attempts"),
        "{plan}"
    );
    assert_eq!(archive.count("attempt"), 3);

    let forgot = archive.forget(&["audit"]).exits(0).stdout;
    assert!(
        forgot.contains(&format!("Forgot run {id}, 4 rows; they are in the export audit; seal 2")),
        "{forgot}"
    );
    for table in ["attempt", "place", "event", "results"] {
        assert_eq!(archive.count(table), 0, "{table}");
    }
    let verified = archive.run(&["verify"]).exits(0).stdout;
    let gone = format!("the rows of run {id} are not in the ledger since ");
    assert!(
        verified.contains(&gone) && verified.contains("they are in the export audit, whose"),
        "{verified}"
    );
    archive.run(&["verify", "audit"]).exits(0);

    // It is said, and never shown as an empty run.
    for args in
        [&["results", &id][..], &["report", &id, "-o", "r.html"], &["export", &id, "-o", "x"]]
    {
        let refused = archive.run(args).exits(2);
        assert!(refused.stderr.contains(&gone), "{args:?}: {}", refused.report());
    }
    let shown = archive.run(&["runs", &id]).exits(0).stdout;
    assert!(shown.contains("Forgotten: the rows of run"), "{shown}");
    let counted = shown.lines().any(|line| line.split_whitespace().eq(["cancelled", "2"]));
    assert!(counted, "{shown}");
    assert!(archive.run(&["runs"]).exits(0).stdout.contains(" forgotten "));
    assert!(archive.run(&["results", "--open"]).exits(0).stdout.lines().count() <= 1);
    let history = archive.run(&["history", "1", "1"]).exits(0).stdout;
    assert!(
        history.contains(&format!("Order 1/1: cancelled in run {id}, row 1; {gone}")),
        "{history}"
    );
    let history: Value =
        serde_json::from_str(&archive.run(&["history", "1", "1", "--json"]).exits(0).stdout)
            .unwrap();
    assert_eq!(
        (&history["forgotten"][0]["row"], history["rows"].as_array().unwrap().len()),
        (&1.into(), 0)
    );
    assert!(archive.run(&["history", "2", "1"]).exits(0).stdout.contains("is in no run"));
    // Nor does a later row that was not sent say otherwise.
    archive.cancel("more.csv", &[2, 20, 1], &["--max-failures=0", "--concurrency=1"]);
    let history = archive.run(&["history", "1", "1"]).exits(0).stdout;
    assert!(history.contains("row 3: not_sent, not ended"), "{history}");
    let heads = history.lines().filter(|line| line.starts_with("Order"));
    assert_eq!(heads.count(), 1, "{history}");

    // The same file is not run again, and what it cancelled is cancelled by no other file.
    let url = archive.server.url();
    let before = archive.server.requests().len();
    let flags = ["--url", &url, "--external-ip", "10.0.0.1", "--yes"];
    let again = archive.run(&[&["run", "orders.csv"], &flags[..]].concat()).exits(2);
    assert!(
        again.stderr.contains("nothing was sent: orders.csv was run before, and the rows of run"),
        "{}",
        again.report()
    );
    let checked = archive.run(&["check", "orders.csv", "--url", &url]).exits(0);
    assert!(checked.stdout.contains("was forgotten"), "{}", checked.report());
    archive.cancel("other.csv", &[1, 2, 4, 5], &[]);
    assert_eq!(archive.asked_since(before), [2, 5]);
    let before = archive.server.requests().len();
    archive.env.file("many.csv", "admin,seq\n1,1\n4,1\n5,1\n6,1\n");
    let known = archive.run(&["check", "many.csv", "--url", &url, "--json"]).exits(0).stdout;
    let known: Value = serde_json::from_str(&known).unwrap();
    assert_eq!((&known["to_send"], &known["known"]["cancelled"]), (&1.into(), &3.into()));
    assert_eq!(archive.server.requests().len(), before);
    archive.run(&["verify"]).exits(0);
    let whole = archive.run(&["ledger", "check"]).exits(0).stdout;
    assert!(whole.ends_with(" is whole\n"), "{whole}");
}

#[test]
fn rows_go_and_what_was_cancelled_stays() {
    what_goes_and_what_stays(None);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn rows_go_and_what_was_cancelled_stays_in_a_database() {
    what_goes_and_what_stays(Some(database()));
}

fn what_is_kept(database: Option<Database>) {
    let archive = Archive::new(database);
    let open = archive.cancel("open.csv", &[1, 3], &[]);
    let settles = archive.cancel("settles.csv", &[3, 4], &["--again"]);
    let elsewhere = archive.cancel("elsewhere.csv", &[5], &[]);
    let whole = archive.cancel("whole.csv", &[6], &[]);
    archive.export(&[&open, &settles, &whole], "audit");
    let forgot = archive.forget(&["audit"]).exits(0).stdout;
    assert!(
        forgot.contains(&format!("Kept run {elsewhere}: none of the exports has it")),
        "{forgot}"
    );
    assert!(forgot.contains(&format!("Forgot run {whole}, ")), "{forgot}");
    // 3/1 is in doubt in both; the later one is open, and so is kept, with the one before it.
    assert!(forgot.contains(&format!("Kept run {settles}: 1 row of it is open")), "{forgot}");
    let of_open = forgot.lines().find(|line| line.contains(&open)).unwrap();
    assert!(of_open.starts_with("Forgot run"), "a later run has its open order: {forgot}");
    let listed = archive.run(&["results", "--open"]).exits(0).stdout;
    assert!(contains(listed.as_bytes(), "3,1,") && listed.lines().count() == 2, "{listed}");
    // The doubt stands: a rejection of the order later is not final.
    let before = archive.server.requests().len();
    archive.cancel("third.csv", &[3], &[]);
    assert_eq!(archive.asked_since(before), [3]);
    archive.run(&["verify"]).exits(0);
}

#[test]
fn what_is_open_or_in_no_export_is_kept() {
    what_is_kept(None);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn what_is_open_or_in_no_export_is_kept_in_a_database() {
    what_is_kept(Some(database()));
}

#[test]
fn a_run_that_settles_open_rows_of_one_that_is_kept_stays_with_it() {
    let archive = Archive::new(None);
    let open = archive.cancel("open.csv", &[3], &[]);
    let settles = archive.cancel("settles.csv", &[3, 7], &[]);
    let last = archive.cancel("last.csv", &[3, 8], &[]);
    // The first is in no export.
    archive.export(&[&settles, &last], "audit");
    let forgot = archive.forget(&["audit"]).exits(0).stdout;
    assert!(forgot.contains(&format!("Kept run {open}: none of the exports has it")), "{forgot}");
    let of_it = "it says what became of open rows of a run before it that is kept";
    assert!(forgot.contains(&format!("Kept run {settles}: {of_it}")), "{forgot}");
    assert!(forgot.contains("Nothing was forgotten"), "{forgot}");
}

#[test]
fn an_export_that_is_altered_or_of_another_ledger_forgets_nothing() {
    let archive = Archive::new(None);
    let id = archive.cancel("orders.csv", &[1, 4], &[]);
    archive.export(&[&id], "audit");
    let rows = archive.env.text("audit/data/rows.csv").replace(",cancelled,", ",failed,");
    std::fs::write(archive.env.path("audit/data/rows.csv"), rows).unwrap();
    let refused = archive.forget(&["audit"]).exits(2).stderr;
    assert!(refused.contains("the export audit is altered, so nothing was forgotten"), "{refused}");
    let other = Archive::new(None);
    let theirs = other.cancel("orders.csv", &[1, 4], &[]);
    other.export(&[&theirs], "audit");
    let folder = other.env.path("audit").display().to_string();
    let refused = archive.forget(&[&folder]).exits(2).stderr;
    assert!(refused.contains("is of another ledger, so nothing was forgotten"), "{refused}");
    assert_eq!(archive.count("attempt"), 2);
}

#[test]
fn what_an_interrupted_command_left_is_removed_by_the_next() {
    let archive = Archive::new(None);
    let id = archive.cancel("orders.csv", &[1, 2], &[]);
    archive.export(&[&id], "audit");
    archive.forget(&["audit"]).exits(0);
    archive.change(
        "INSERT INTO attempt (run, row, attempt, claimed_at, ended_at, outcome) VALUES (1, 2, 1, 0, 0, 1);
         INSERT INTO row (run, row, admin_number, sequence_number) VALUES (1, 2, 2, 1)",
    );
    // Until then nothing of it is taken for true.
    archive.run(&["verify"]).exits(0);
    assert!(archive.run(&["history", "2", "1"]).exits(0).stdout.contains("is in no run"));
    let again = archive.forget(&["audit"]).exits(0).stdout;
    assert_eq!(again, "Nothing was forgotten\n");
    assert_eq!((archive.count("attempt"), archive.count("row")), (0, 0));
}

/// What is done to a ledger behind the program's back, and what `verify` says of it.
fn tampering(database: Option<Database>) {
    let is_file = database.is_none();
    let archive = Archive::new(database);
    let first = archive.cancel("orders.csv", &[1, 2, 4], &[]);
    let second = archive.cancel("second.csv", &[5, 6], &[]);
    archive.export(&[&first], "audit");
    archive.forget(&["audit"]).exits(0);
    let now = if is_file { "1795000000000000" } else { "now()" };
    let found = |sql: &str, undo: &str, finding: &str| {
        archive.change(sql);
        let altered = archive.run(&["verify"]).exits(1).stdout;
        assert!(altered.contains(finding), "{sql}: {altered}");
        archive.change(undo);
        archive.run(&["verify"]).exits(0);
    };
    // A run that was never forgotten.
    found(
        &format!("UPDATE run SET forgotten_at = {now} WHERE number = 2"),
        "UPDATE run SET forgotten_at = NULL WHERE number = 2",
        &format!("run {second}: its rows are marked as removed, and no seal says so"),
    );
    // One that was, made to look as if it were not, or at another time.
    found(
        "CREATE TABLE kept_at AS SELECT forgotten_at FROM run WHERE number = 1;
         UPDATE run SET forgotten_at = NULL WHERE number = 1",
        "UPDATE run SET forgotten_at = (SELECT forgotten_at FROM kept_at) WHERE number = 1",
        &format!("run {first}: seal 3 says that its rows are removed, and its record does not"),
    );
    // An order that would be sent again.
    let (lose, put_back) = if is_file {
        (
            "DELETE FROM row_by_order WHERE run = 1 AND admin_number = 4",
            "INSERT INTO row_by_order VALUES (4, 1, 1, 3)",
        )
    } else {
        (
            "DELETE FROM row WHERE run = 1 AND admin_number = 4",
            "INSERT INTO row (run, row, admin_number, sequence_number, kept, doubt)
             VALUES (1, 3, 4, 1, false, false)",
        )
    };
    found(
        lose,
        put_back,
        &format!(
            "run {first}: the orders that it is known to have cancelled are not those of seal 3"
        ),
    );
    // Rows that were merely deleted.
    archive.change("DELETE FROM attempt WHERE run = 2");
    let altered = archive.run(&["verify"]).exits(1).stdout;
    assert!(altered.contains(&format!("run {second}: ")), "{altered}");
    archive.change("DELETE FROM row WHERE run = 2");
    archive.run(&["verify"]).exits(1);
    archive.run(&["ledger", "check"]).exits(5);
    archive.change(&format!("UPDATE run SET forgotten_at = {now} WHERE number = 2"));
    archive.run(&["verify"]).exits(1);
}

#[test]
fn rows_that_were_deleted_after_the_manner_of_forgetting_are_missed() {
    tampering(None);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn rows_that_were_deleted_after_the_manner_of_forgetting_are_missed_in_a_database() {
    tampering(Some(database()));
}

fn the_care_of(database: Option<Database>) {
    let is_file = database.is_none();
    let archive = Archive::new(database);
    let id = archive.cancel("orders.csv", &[1, 2], &[]);
    let info = archive.run(&["ledger", "info", "--json"]).exits(0).stdout;
    let info: Value = serde_json::from_str(&info).unwrap();
    assert_eq!(
        (&info["runs"], &info["rows"], &info["attempts"]),
        (&1.into(), &2.into(), &2.into())
    );
    assert_eq!(
        (&info["newest_run"]["run"], &info["newest_seal"]["seal"]),
        (&id.as_str().into(), &1.into())
    );
    assert!(
        info["bytes"].as_u64().unwrap() > 10_000 && info["unsealed"] == Value::Array(Vec::new())
    );
    assert_eq!(info["log_bytes"].is_null(), !is_file);
    let text = archive.run(&["ledger", "info"]).exits(0).stdout;
    assert!(
        text.contains("written by") && text.contains("newest seal       1, SHA-256 "),
        "{text}"
    );
    archive.run(&["ledger", "check"]).exits(0);
    let backup = archive.run(&["ledger", "backup", "copy.db"]);
    if !is_file {
        let refused = backup.exits(2).stderr;
        assert!(refused.contains("back it up with `pg_dump --format=custom --schema=cardcancel --file=copy.db postgres"), "{refused}");
    }
    let counts = if is_file {
        "progress SET rejected = 7 WHERE run = 1"
    } else {
        "run SET rejected = 7 WHERE number = 1"
    };
    archive.change(&format!("UPDATE {counts}"));
    let wrong = archive.run(&["ledger", "check"]).exits(5).stdout;
    assert!(wrong.contains("the recorded counts are not those of its rows"), "{wrong}");
}

#[test]
fn info_and_check_look_after_a_file() {
    the_care_of(None);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn info_and_check_look_after_a_database() {
    the_care_of(Some(database()));
}

#[test]
fn wherever_it_is_killed_the_ledger_is_whole_and_the_same_command_goes_on() {
    let archive = Archive::new(None);
    let runs: Vec<String> =
        (0..4).map(|n| archive.cancel(&format!("{n}.csv"), &[10 + n, 20 + n], &[])).collect();
    let runs: Vec<&str> = runs.iter().map(String::as_str).collect();
    archive.export(&runs, "audit");
    let flags = ["ledger", "forget", "--before", "2999-01-01", "--yes", "--export", "audit"];
    for delay in (0..).step_by(25) {
        let mut child = archive.env.command(&flags).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(delay));
        let _ = child.kill();
        let is_done = child.wait().unwrap().success();
        archive.run(&["verify"]).exits(0);
        for run in 0..4 {
            let history = archive.run(&["history", &(10 + run).to_string(), "1"]).exits(0).stdout;
            assert!(history.contains("cancelled"), "{history}");
        }
        if is_done {
            break;
        }
    }
    assert_eq!((archive.count("attempt"), archive.count("row")), (0, 0));
    assert_eq!(archive.count("seal"), 8);
}

fn what_evidence_cancelled_stays(database: Option<Database>) {
    let archive = Archive::new(database);
    let run = archive.cancel("orders.csv", &[1, 3], &[]);
    archive.env.file("gone.csv", "admin,seq\n3,1\n");
    let url = archive.server.url();
    let resolve = ["resolve", "orders.results.csv", "--cancelled", "gone.csv", "--yes", "--json"];
    let resolved = archive.run(&[&resolve[..], &["--url", &url]].concat());
    let resolved: Value = serde_json::from_str(&resolved.stdout).unwrap();
    let evidence = resolved["run"].as_str().unwrap();
    archive.export(&[&run, evidence], "audit");
    let forgot = archive.forget(&["audit"]).exits(0).stdout;
    assert_eq!(forgot.matches("Forgot run").count(), 2, "{forgot}");
    let history = archive.run(&["history", "3", "1"]).exits(0).stdout;
    assert!(history.contains(&format!("Order 3/1: cancelled in run {evidence}")), "{history}");
    let before = archive.server.requests().len();
    archive.cancel("later.csv", &[1, 3, 5], &[]);
    assert_eq!(archive.asked_since(before), [5]);
    archive.run(&["verify"]).exits(0);
}

#[test]
fn what_evidence_showed_to_be_cancelled_stays() {
    what_evidence_cancelled_stays(None);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn what_evidence_showed_to_be_cancelled_stays_in_a_database() {
    what_evidence_cancelled_stays(Some(database()));
}

#[test]
fn on_a_full_disk_nothing_is_half_forgotten_and_the_same_command_goes_on() {
    let archive = Archive::new(None);
    let orders: Vec<u32> = (10..2010).collect();
    let id = archive.cancel("orders.csv", &orders, &["--rate", "unlimited"]);
    archive.export(&[&id], "audit");
    let flags = ["ledger", "forget", "--before", "2999-01-01", "--yes", "--export", "audit"];
    for kilobytes in [8, 32, 64] {
        let outcome = on_a_disk_with(kilobytes, &archive.env, &archive.env.command(&flags));
        assert!(outcome.code == Some(5) || kilobytes > 8 && outcome.code == Some(0));
        archive.run(&["verify"]).exits(0);
        let history = archive.run(&["history", "10", "1"]).exits(0).stdout;
        assert!(history.contains("cancelled"), "{history}");
    }
    archive.run(&flags).exits(0);
    assert_eq!((archive.count("attempt"), archive.count("row")), (0, 0));
    archive.run(&["verify"]).exits(0);
}
