//! Reruns of a results file: only open rows are sent.
use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::{Arc, Mutex};

use crate::common::{
    Behavior, ProgramOutput, Request, ResultRow, ScriptedServer, TestEnv, TestSimulator, ended,
    json, redact_varying, rows, status,
};
use insta::assert_snapshot;

const YES: &str =
    r#"{"Message":"Order Canceled Successfully","Status":true,"ErrorCode":"ERR01160"}"#;
const NO: &str = r#"{"Message":"Printed","Status":false,"ErrorCode":"ERR01161"}"#;

/// Ends one order of each kind: 1001 cancelled, 1002 rejected, 1003 failed,
/// 1004 in doubt, 1005 stopping the run, 1006 not sent.
fn with_mixed_answers(request: &Request) -> Behavior {
    match admin(request) {
        1001 => Behavior::Respond(json(YES)),
        1002 => Behavior::Respond(json(NO)),
        1003 => Behavior::Respond(status("429 Too Many Requests")),
        1004 => Behavior::Close,
        _ => Behavior::Respond(status("401 Unauthorized")),
    }
}

fn admin(request: &Request) -> i64 {
    request.json()["AdminNumber"].as_i64().unwrap()
}

/// The state after a run with every kind of row. Its results are in `orders.results.csv`, and the
/// server is the same.
struct Morning {
    env: TestEnv,
    server: ScriptedServer,
    /// What the server does now; `None` during the first run.
    now: Arc<Mutex<Option<Behavior>>>,
    calls_of_the_night: usize,
}

impl Deref for Morning {
    type Target = TestEnv;

    fn deref(&self) -> &TestEnv {
        &self.env
    }
}

impl Morning {
    /// Every order that is requested is cancelled.
    fn come() -> Morning {
        let now = Arc::new(Mutex::new(None));
        let its = Arc::clone(&now);
        let server = ScriptedServer::new(move |_, request| match &*its.lock().unwrap() {
            Some(does) => Behavior::clone(does),
            None => with_mixed_answers(request),
        });
        let env = TestEnv::new();
        env.file(
            "orders.csv",
            "AdminNumber,note,CardSequenceNumber\n1001,\"a, b\",1\n1002,,1\n1003,c,1\n1004,d,1\n\
             bad,e,1\n1001,f,1\n1005,g,1\n1006,h,1\n",
        );
        env.cancel(&server.url(), &["--concurrency", "1", "--attempts", "1"]).exits(4);
        let calls_of_the_night = server.requests().len();
        let morning = Morning { env, server, now, calls_of_the_night };
        assert_eq!(
            statuses(&morning.results()),
            [
                "cancelled",
                "rejected",
                "failed",
                "in_doubt",
                "invalid",
                "duplicate",
                "not_sent",
                "not_sent"
            ]
        );
        morning.does_from_now_on(Behavior::Respond(json(YES)));
        morning
    }

    fn does_from_now_on(&self, does: Behavior) {
        *self.now.lock().unwrap() = Some(does);
    }

    fn rerun(&self, results: &str, flags: &[&str]) -> ProgramOutput {
        self.env.rerun(results, &self.server.url(), flags)
    }

    /// The orders requested since the first run.
    fn admins(&self) -> Vec<i64> {
        let requests = self.server.requests();
        let mut admins: Vec<i64> = requests[self.calls_of_the_night..].iter().map(admin).collect();
        admins.sort_unstable();
        admins
    }

    /// What a spreadsheet changes in the results when it saves them.
    fn saved(&self) -> String {
        self.text("orders.results.csv").replace('\n', "\r\n")
    }
}

fn statuses(rows: &[ResultRow]) -> Vec<&str> {
    rows.iter().map(ResultRow::status).collect()
}

fn lines(env: &TestEnv, name: &str) -> Vec<String> {
    env.text(name).lines().map(str::to_owned).collect()
}

#[test]
fn only_rows_that_did_not_end_are_sent_and_the_others_stay_as_they_were() {
    let env = Morning::come();
    env.rerun("orders.results.csv", &["-o", "again.csv"]).exits(1);
    assert_eq!(env.admins(), [1003, 1004, 1005, 1006]);
    let (before, after) = (lines(&env, "orders.results.csv"), lines(&env, "again.csv"));
    assert_eq!(before.len(), after.len());
    let changed: BTreeSet<usize> =
        (0..before.len()).filter(|line| before[*line] != after[*line]).collect();
    assert_eq!(changed, [3, 4, 7, 8].into(), "rows 3, 4, 7 and 8 and no other");
    let results = rows(&env.read("again.csv"));
    for row in [2, 3, 6, 7] {
        assert_eq!(results[row].status(), "cancelled");
    }
}

#[test]
fn what_the_earlier_run_knew_is_not_forgotten() {
    let env = Morning::come();
    env.rerun("orders.results.csv", &["-o", "again.csv"]).exits(1);
    let (before, after) = (env.results(), rows(&env.read("again.csv")));
    let attempts: Vec<u32> = after.iter().map(ResultRow::attempts).collect();
    assert_eq!(attempts, [1, 1, 2, 2, 0, 0, 2, 1], "attempts add up");
    for (before, after) in before.iter().zip(&after) {
        let first = before.get("first_sent_at");
        assert!(first.is_empty() || first == after.get("first_sent_at"), "{after:?}");
        assert!(after.doubt() || !before.doubt(), "{after:?}");
        assert_eq!(before.get("row"), after.get("row"));
    }
    assert!(after[3].doubt() && !after[2].doubt());
    assert!(after[3].get("ended_at") > before[3].get("ended_at"));
}

#[test]
fn a_rerun_can_be_rerun_until_all_is_well() {
    let env = Morning::come();
    env.does_from_now_on(Behavior::Respond(status("429 Too Many Requests")));
    let flags = ["--attempts", "1", "-o", "second.csv"];
    env.rerun("orders.results.csv", &flags).exits(3);
    let second = rows(&env.read("second.csv"));
    assert_eq!(second[3].status(), "in_doubt", "a later 'not done' does not undo a lost answer");
    assert_eq!(second[2].status(), "failed");
    env.does_from_now_on(Behavior::Respond(json(YES)));
    env.rerun("second.csv", &["-o", "third.csv"]).exits(1);
    let third = rows(&env.read("third.csv"));
    let attempts: Vec<u32> = third.iter().map(ResultRow::attempts).collect();
    assert_eq!(attempts, [1, 1, 3, 3, 0, 0, 3, 2]);
    assert_eq!(third[3].get("first_sent_at"), env.results()[3].get("first_sent_at"));
}

#[test]
fn a_rerun_started_again_goes_on_or_is_only_reported() {
    let env = Morning::come();
    env.rerun("orders.results.csv", &["-o", "again.csv"]).exits(1);
    env.rerun("orders.results.csv", &["-o", "again.csv"]).exits(1);
    assert_eq!(env.admins().len(), 4);
}

#[test]
fn the_results_that_are_rerun_are_not_replaced() {
    let env = Morning::come();
    let before = env.text("orders.results.csv");
    let flags = ["-o", "orders.results.csv"];
    env.rerun("orders.results.csv", &flags).exits(2);
    assert!(env.admins().is_empty());
    assert_eq!(env.text("orders.results.csv"), before);
}

#[test]
fn a_results_file_that_a_spreadsheet_saved_is_still_understood() {
    let env = Morning::come();
    let saved = env
        .text("orders.results.csv")
        .replace("\"a, b\"", "a b")
        .replace(',', ";")
        .replace(";true;", ";TRUE;")
        .replace(";false;", ";FALSE;")
        .replace('\n', "\r\n");
    env.file("saved.csv", format!("\u{feff}{saved}"));
    env.rerun("saved.csv", &["-o", "again.csv"]).exits(1);
    assert_eq!(env.admins(), [1003, 1004, 1005, 1006]);
    let results = rows(env.text("again.csv").replace(';', ",").as_bytes());
    assert_eq!(results[3].get("doubt"), "true");
    assert_eq!(results[3].attempts(), 2);
    assert_eq!(results[0].get("doubt"), "FALSE", "a row that is kept is kept as it is");
}

#[test]
fn the_columns_may_stand_in_any_order() {
    let env = Morning::come();
    let mut reader = csv::Reader::from_path(env.path("orders.results.csv")).unwrap();
    let mut writer = csv::Writer::from_path(env.path("outcome.csv")).unwrap();
    let outcome = |record: &csv::StringRecord| -> csv::StringRecord {
        record.iter().rev().map(str::to_owned).collect::<Vec<_>>().into()
    };
    writer.write_record(&outcome(reader.headers().unwrap())).unwrap();
    for record in reader.records() {
        writer.write_record(&outcome(&record.unwrap())).unwrap();
    }
    writer.flush().unwrap();
    env.rerun("outcome.csv", &["-o", "again.csv"]).exits(1);
    assert_eq!(env.admins(), [1003, 1004, 1005, 1006]);
    let (before, after) = (env.results(), rows(&env.read("again.csv")));
    for row in [0, 1, 4, 5] {
        assert_eq!(before[row], after[row]);
    }
    assert_eq!(after[3].attempts(), 2);
}

#[test]
fn another_ledger_will_do_for_results_that_are_taken_at_their_word() {
    let env = Morning::come();
    let flags = ["--ledger", "other.db", "-o", "again.csv"];
    let refused = env.rerun("orders.results.csv", &flags).exits(2);
    assert!(refused.stderr.contains("order 1001/1 is not on record"), "{}", refused.report());
    let flags = [&flags[..], &["--trust-results"]].concat();
    env.rerun("orders.results.csv", &flags).exits(1);
    assert_eq!(env.admins(), [1003, 1004, 1005, 1006]);
    assert_eq!(rows(&env.read("again.csv"))[3].attempts(), 2);
}

#[test]
fn only_some_statuses_or_codes_can_be_chosen() {
    for (only, sent) in [
        ("failed", vec![1003]),
        ("failed,in_doubt", vec![1003, 1004]),
        ("HTTP_429", vec![1003]),
        ("CREDENTIALS,rejected", vec![1002, 1006]),
        ("CONNECTION_LOST", vec![1004]),
    ] {
        let env = Morning::come();
        let flags = ["--only", only, "-o", "again.csv"];
        env.rerun("orders.results.csv", &flags);
        assert_eq!(env.admins(), sent, "{only}");
    }
}

#[test]
fn a_word_that_is_neither_a_status_nor_a_code_of_the_file_is_an_error() {
    let env = Morning::come();
    let flags = ["--only", "HTTP_999", "-o", "again.csv"];
    let outcome = env.rerun("orders.results.csv", &flags).exits(2);
    assert_snapshot!(outcome.stderr.lines().last().unwrap(), @r#"error: --only: no row of orders.results.csv has the status or error code "HTTP_999" (did you mean HTTP_429?); statuses are cancelled, already_cancelled, rejected, failed, in_doubt, invalid, duplicate, not_sent; its error codes are CONNECTION_LOST, CREDENTIALS, DUPLICATE, ERR01160, ERR01161, HTTP_401, HTTP_429, INVALID_ADMIN_NUMBER"#);
    for (typo, meant) in
        [("failed,in-doubt", "in_doubt"), ("Rejected", "rejected"), ("NOT_SENT", "not_sent")]
    {
        let flags = ["--only", typo, "-o", "again.csv"];
        let refused = env.rerun("orders.results.csv", &flags).exits(2).stderr;
        assert!(refused.contains(&format!("(did you mean {meant}?)")), "{refused}");
    }
    assert!(!env.path("again.csv").exists());
    assert!(env.admins().is_empty());
}

#[test]
fn a_status_that_no_row_has_leaves_nothing_to_do() {
    let env = Morning::come();
    let again = ["--only", "already_cancelled", "-o", "again.csv"];
    let runs = env.run(&["runs"]).stdout;
    let outcome = env.rerun("orders.results.csv", &again).exits(0);
    assert_eq!(
        outcome.stdout,
        "Nothing to do: no row of orders.results.csv is one of --only; nothing was written\n"
    );
    let json = [&again[..], &["--json"]].concat();
    let summary = env.rerun("orders.results.csv", &json).exits(0).stdout;
    assert_snapshot!(summary.trim(), @r#"{"error":null,"exit_code":0,"run":null,"state":"nothing_to_do","version":1}"#);
    assert!(env.admins().is_empty() && !env.path("again.csv").exists());
    assert_eq!(env.run(&["runs"]).stdout, runs, "a run was recorded");
}

#[test]
fn results_of_another_address_are_refused_or_taken_at_their_word_with_a_warning() {
    let env = Morning::come();
    let other = ScriptedServer::always(Behavior::Respond(json(YES)));
    let refused = env.env.rerun("orders.results.csv", &other.url(), &[]).exits(2);
    let _tidy = redact_varying();
    assert_snapshot!(refused.stderr, @"error: orders.results.csv holds the results of a run at http://127.0.0.1:[port]: rows that are cancelled there would be kept as cancelled, and not sent to http://127.0.0.1:[port]; run the orders themselves, or add --trust-results if it is the same CoreCARD under another name");
    assert!(other.requests().is_empty());
    let flags = ["-o", "again.csv", "--trust-results"];
    let outcome = env.env.rerun("orders.results.csv", &other.url(), &flags).exits(1);
    let warning = "orders.results.csv holds the results of a run at http";
    let warned = |line: &str| line.contains("WARN run{id=") && line.contains(warning);
    assert!(outcome.stderr.lines().any(warned), "{}", outcome.stderr);
}

#[test]
fn results_of_another_address_that_a_spreadsheet_saved_are_refused() {
    let env = Morning::come();
    env.file("saved.csv", env.saved());
    let other = ScriptedServer::always(Behavior::Respond(json(YES)));
    let refused = env.env.rerun("saved.csv", &other.url(), &[]).exits(2);
    let _tidy = redact_varying();
    assert_snapshot!(refused.stderr, @"error: saved.csv is not the file that a run wrote, and in 7 rows it differs from what the ledger [here]/home/state/cardcancel/ledger.db has on record for http://127.0.0.1:[port]: row 1: order 1001/1 is not on record. If these are the results of a rehearsal, of another address or of another ledger, rows would be taken as done that are not: give the right --url and --ledger, or run the orders themselves; if every row is surely right, add --trust-results");
    assert!(other.requests().is_empty() && !env.path("saved.results.csv").exists());
}

#[test]
fn the_results_of_a_rehearsal_that_a_spreadsheet_saved_are_never_taken_for_real_ones() {
    let env = TestEnv::new();
    env.orders(3).run(&["run", "orders.csv", "--rehearse", "--quiet", "--rate", "unlimited"]);
    let saved = env.text("orders.rehearsal.results.csv").replace('\n', "\r\n");
    env.file("saved.csv", saved);
    let server = ScriptedServer::always(Behavior::Respond(status("429 Too Many Requests")));
    let refused = env.rerun("saved.csv", &server.url(), &[]).exits(2);
    assert!(
        refused.stderr.contains("row 1: order 1001/1 is not on record"),
        "{}",
        refused.report()
    );
    // The same holds if the orders are known, and failed.
    env.cancel(&server.url(), &["--attempts", "1", "--max-outage", "1s"]);
    let calls = server.requests().len();
    let refused = env.rerun("saved.csv", &server.url(), &[]).exits(2);
    let why = "row 1: order 1001/1 is cancelled in the file, and failed on record";
    assert!(refused.stderr.contains(why), "{}", refused.report());
    assert_eq!(server.requests().len(), calls);
}

#[test]
fn an_order_that_an_edited_file_has_and_its_row_has_not_is_not_sent() {
    let env = Morning::come();
    for (order, other) in [("1003,c,1", "1030,c,1"), ("1003,c,1", "1005,c,1")] {
        let edited = env.saved().replace(order, other);
        assert_ne!(edited, env.saved());
        env.file("edited.csv", edited);
        let refused = env.rerun("edited.csv", &[]).exits(2);
        let row_3 = "and in 1 row it differs from what the ledger ";
        assert!(refused.stderr.contains(row_3), "{}", refused.report());
        assert!(refused.stderr.contains(": row 3: order 10"), "{}", refused.report());
    }
    assert!(env.admins().is_empty());
}

#[test]
fn rows_may_be_left_out_of_results_and_come_in_another_order() {
    let env = Morning::come();
    let mut lines = lines(&env, "orders.results.csv");
    lines[1..].reverse();
    lines.remove(1);
    env.file("part.csv", lines.join("\n") + "\n");
    env.rerun("part.csv", &[]).exits(1);
    assert_eq!(env.admins(), [1003, 1004, 1005]);
}

#[test]
fn a_row_that_is_kept_with_doubt_is_in_doubt_in_all_that_is_said_of_it() {
    let env = Morning::come();
    let only = ["--only", "failed", "-o", "again.csv", "--json"];
    let reported = env.rerun("orders.results.csv", &only).exits(4).stdout;
    let summary: serde_json::Value = serde_json::from_str(&reported).unwrap();
    assert_eq!((&summary["counts"]["in_doubt"], &summary["rows_in_doubt"]), (&1.into(), &1.into()));
    let text = env.text("orders.results.csv").replace(
        ",rejected,ERR01161,Printed,200,1,false,",
        ",rejected,ERR01161,Printed,200,1,true,",
    );
    assert_ne!(text, env.text("orders.results.csv"));
    let solved = text.replace(",not_sent,", ",rejected,").replace(",in_doubt,", ",rejected,");
    env.file("doubtful.csv", solved);
    let only = ["--only", "failed", "--trust-results"];
    let outcome = env.rerun("doubtful.csv", &only).exits(3);
    assert!(
        outcome.stdout.contains("In doubt: 2 rows rejected after a lost answer"),
        "{}",
        outcome.report()
    );
    let file = rows(&env.read("doubtful.rerun-1.results.csv"));
    let doubts = file.iter().filter(|row| row.status() == "rejected" && row.doubt()).count();
    assert_eq!(doubts, 2);
}

#[test]
fn an_answer_lost_since_the_results_were_written_leaves_doubt_in_rows_that_are_carried_over() {
    let env = Morning::come();
    env.does_from_now_on(Behavior::Close);
    // The same orders again in another file: their rows repeat what the first file's became.
    env.file("orders.csv", "AdminNumber,CardSequenceNumber\n1002,1\n1003,1\n");
    let flags = ["--attempts", "1", "-o", "later.csv"];
    env.cancel(&env.server.url(), &flags).exits(3);
    env.does_from_now_on(Behavior::Respond(json(YES)));
    let outcome =
        env.rerun("orders.results.csv", &["--only", "not_sent", "-o", "again.csv"]).exits(3);
    let file = rows(&env.read("again.csv"));
    let stand = |row: &ResultRow| (row.status().to_owned(), row.doubt());
    assert_eq!(stand(&file[1]), ("rejected".to_owned(), true));
    assert_eq!(stand(&file[2]), ("in_doubt".to_owned(), true));
    assert!(file[2].get("message").starts_with("an earlier answer was lost; then: "));
    assert_eq!(file[2].get("http_status"), "429", "what the results said stays");
    assert!(
        outcome.stdout.contains("1 of them rejected after a lost answer"),
        "{}",
        outcome.report()
    );
}

#[test]
fn a_results_file_is_not_run_unless_that_is_meant() {
    let env = Morning::come();
    for command in ["check", "run"] {
        let flags = ["--url", &env.server.url(), "--external-ip", "10.120.0.0", "--yes"];
        let args = [&[command, "orders.results.csv"], &flags[..]].concat();
        let refused = env.run(&args).exits(2);
        let why = "error: orders.results.csv: is a results file: `run` would send all of its orders again and drop its doubts; use `cardcancel rerun`, which sends the open rows, or --as-orders to send all\n";
        assert_eq!(refused.stderr, why);
        assert!(env.admins().is_empty());
        env.run(&[&args[..], &["--as-orders"]].concat()).exits(1);
    }
    // The ledger knows what is cancelled already, whatever the file is.
    assert_eq!(env.admins(), [1002, 1003, 1004, 1005, 1006]);
}

#[test]
fn the_results_of_a_rehearsal_are_refused_where_something_real_would_be_sent() {
    let env = TestEnv::new();
    env.orders(3).run(&["run", "orders.csv", "--rehearse", "--quiet", "--rate", "unlimited"]);
    let server = ScriptedServer::always(Behavior::Respond(json(YES)));
    let outcome = env.rerun("orders.rehearsal.results.csv", &server.url(), &[]).exits(2);
    assert_snapshot!(outcome.stderr, @"error: orders.rehearsal.results.csv holds the results of a rehearsal: nothing in it was cancelled; run the orders themselves");
    assert!(server.requests().is_empty());
}

#[test]
fn when_every_row_ended_there_is_nothing_to_send() {
    let env = TestEnv::new();
    let core_card = TestSimulator::perfect();
    env.orders(3).cancel(&core_card.url(), &[]).exits(0);
    let outcome = env.rerun("orders.results.csv", &core_card.url(), &[]).exits(0);
    assert_eq!(core_card.requests(), 3, "{}", outcome.report());
    assert_eq!(
        outcome.stdout,
        "Nothing to do: no row of orders.results.csv is open; nothing was written\n"
    );
    assert!(!env.path("orders.rerun-1.results.csv").exists());
}

#[test]
fn a_file_that_is_no_results_file_is_refused() {
    let env = TestEnv::new();
    let server = ScriptedServer::always(Behavior::Respond(json(YES)));
    env.orders(3);
    let outcome = env.rerun("orders.csv", &server.url(), &[]).exits(2);
    assert_snapshot!(outcome.stderr, @"error: orders.csv: has no status column, so it is not a results file; for a file of orders, use `cardcancel run`");
    env.file("odd.csv", "admin,seq,Status\n1,1,Failed\n2,1,Cancelled\n");
    let outcome = env.rerun("odd.csv", &server.url(), &[]).exits(2);
    assert_snapshot!(outcome.stderr, @"error: odd.csv: has no doubt column, so it is not a results file; for a file of orders, use `cardcancel run`");
    env.file("odd.csv", "admin,seq,status,doubt\n1,1,cancelled,\n2,1,,\n");
    let outcome = env.rerun("odd.csv", &server.url(), &[]).exits(2);
    assert_snapshot!(outcome.stderr, @"error: odd.csv: no status in line 3: is this a results file?");
    env.file("odd.csv", "admin,seq,status,doubt\n1,1,cancelled,\n2,1,Shipped,\n");
    let outcome = env.rerun("odd.csv", &server.url(), &[]).exits(2);
    assert_snapshot!(outcome.stderr, @r#"error: odd.csv: line 3 has the status "Shipped", which is not one of cancelled, already_cancelled, rejected, failed, in_doubt, invalid, duplicate, not_sent"#);
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn results_of_reruns_are_numbered_and_two_of_one_file_do_not_collide() {
    let refusing = ScriptedServer::always(Behavior::Respond(status("404 Not Found")));
    let env = TestEnv::with_orders(2);
    env.cancel(&refusing.url(), &[]).exits(1);
    let rerun = |results: &str, flags: &[&str]| {
        let reported = env.rerun(results, &refusing.url(), flags).exits(1).stdout;
        let line = reported.lines().find_map(|line| line.strip_prefix("Results: "));
        line.unwrap().to_owned()
    };
    let first = "orders.rerun-1.results.csv";
    assert_eq!(rerun("orders.results.csv", &[]), first);
    assert_eq!(rerun("orders.results.csv", &[]), first, "the run has ended");
    assert_eq!(rerun(first, &[]), "orders.rerun-2.results.csv");
    assert_eq!(rerun("orders.results.csv", &["--again"]), "orders.rerun-3.results.csv");
}

#[test]
fn two_reruns_of_one_file_at_the_same_time_never_write_to_one_name() {
    let env = TestEnv::with_orders(4);
    let refusing = ScriptedServer::always(Behavior::Respond(status("404 Not Found")));
    env.cancel(&refusing.url(), &[]).exits(1);
    for round in 0..5 {
        // Two selections of one file are two runs.
        let starts = [["--only", "failed"], ["--only", "HTTP_404"]].map(|only| {
            let needed = ["--url", &refusing.url(), "--external-ip", "10.120.0.0", "--yes"];
            let flags = ["--rate", "unlimited", "--again", "--json"];
            let args = [&["rerun", "orders.results.csv"], &only[..], &needed, &flags].concat();
            env.command(&args).spawn().unwrap()
        });
        let names = starts.map(|started| {
            let summary = ended(started).exits(1).stdout;
            let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
            let run = summary["run"].as_str().unwrap().to_owned();
            (summary["results"].as_str().unwrap().to_owned(), run)
        });
        assert_ne!(names[0].0, names[1].0, "{names:?}");
        for (name, run) in names {
            assert_eq!(rows(&env.read(&name)).len(), 4, "round {round}");
            let shown = env.run(&["runs", &run]).exits(0).stdout;
            assert!(shown.contains(&format!("Results {name}\n")), "{shown}");
        }
    }
}
