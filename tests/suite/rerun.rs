//! A results file run again: only what is open is sent.
use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::{Arc, Mutex};

use crate::common::{
    CoreCard, Does, Hostile, Outcome, Request, Row, Scene, json, rows, status, without_chance,
};
use insta::assert_snapshot;

const YES: &str =
    r#"{"Message":"Order Canceled Successfully","Status":true,"ErrorCode":"ERR01160"}"#;
const NO: &str = r#"{"Message":"Printed","Status":false,"ErrorCode":"ERR01161"}"#;

/// Ends one order of each kind: 1001 cancelled, 1002 rejected, 1003 failed,
/// 1004 in doubt, 1005 stopping the run, 1006 not sent.
fn on_a_mixed_night(request: &Request) -> Does {
    match admin(request) {
        1001 => Does::Say(json(YES)),
        1002 => Does::Say(json(NO)),
        1003 => Does::Say(status("429 Too Many Requests")),
        1004 => Does::Close,
        _ => Does::Say(status("401 Unauthorized")),
    }
}

fn admin(request: &Request) -> i64 {
    request.json()["AdminNumber"].as_i64().unwrap()
}

/// The morning after a night on which every kind of row came about: its results are in
/// `orders.results.csv`, and the server is the same.
struct Morning {
    scene: Scene,
    server: Hostile,
    /// What the server does now; nothing while it is night.
    now: Arc<Mutex<Option<Does>>>,
    calls_of_the_night: usize,
}

impl Deref for Morning {
    type Target = Scene;

    fn deref(&self) -> &Scene {
        &self.scene
    }
}

impl Morning {
    /// Every order is cancelled that is asked for.
    fn come() -> Morning {
        let now = Arc::new(Mutex::new(None));
        let its = Arc::clone(&now);
        let server = Hostile::that(move |_, request| match &*its.lock().unwrap() {
            Some(does) => Does::clone(does),
            None => on_a_mixed_night(request),
        });
        let scene = Scene::new();
        scene.file(
            "orders.csv",
            "AdminNumber,note,CardSequenceNumber\n1001,\"a, b\",1\n1002,,1\n1003,c,1\n1004,d,1\n\
             bad,e,1\n1001,f,1\n1005,g,1\n1006,h,1\n",
        );
        scene.cancel(&server.url(), &["--concurrency", "1", "--attempts", "1"]).exits(4);
        let calls_of_the_night = server.requests().len();
        let morning = Morning { scene, server, now, calls_of_the_night };
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
        morning.does_from_now_on(Does::Say(json(YES)));
        morning
    }

    fn does_from_now_on(&self, does: Does) {
        *self.now.lock().unwrap() = Some(does);
    }

    fn rerun(&self, results: &str, flags: &[&str]) -> Outcome {
        self.scene.rerun(results, &self.server.url(), flags)
    }

    /// What was asked for since the night.
    fn admins(&self) -> Vec<i64> {
        let requests = self.server.requests();
        let mut admins: Vec<i64> = requests[self.calls_of_the_night..].iter().map(admin).collect();
        admins.sort_unstable();
        admins
    }

    /// What of the results a spreadsheet changes when it saves them.
    fn saved(&self) -> String {
        self.text("orders.results.csv").replace('\n', "\r\n")
    }
}

fn statuses(rows: &[Row]) -> Vec<&str> {
    rows.iter().map(Row::status).collect()
}

fn lines(scene: &Scene, name: &str) -> Vec<String> {
    scene.text(name).lines().map(str::to_owned).collect()
}

#[test]
fn only_rows_that_did_not_end_are_sent_and_the_others_stay_as_they_were() {
    let scene = Morning::come();
    scene.rerun("orders.results.csv", &["-o", "again.csv"]).exits(1);
    assert_eq!(scene.admins(), [1003, 1004, 1005, 1006]);
    let (before, after) = (lines(&scene, "orders.results.csv"), lines(&scene, "again.csv"));
    assert_eq!(before.len(), after.len());
    let changed: BTreeSet<usize> =
        (0..before.len()).filter(|line| before[*line] != after[*line]).collect();
    assert_eq!(changed, [3, 4, 7, 8].into(), "rows 3, 4, 7 and 8 and no other");
    let results = rows(&scene.read("again.csv"));
    for row in [2, 3, 6, 7] {
        assert_eq!(results[row].status(), "cancelled");
    }
}

#[test]
fn what_the_earlier_run_knew_is_not_forgotten() {
    let scene = Morning::come();
    scene.rerun("orders.results.csv", &["-o", "again.csv"]).exits(1);
    let (before, after) = (scene.results(), rows(&scene.read("again.csv")));
    let attempts: Vec<u32> = after.iter().map(Row::attempts).collect();
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
    let scene = Morning::come();
    scene.does_from_now_on(Does::Say(status("429 Too Many Requests")));
    let flags = ["--attempts", "1", "-o", "second.csv"];
    scene.rerun("orders.results.csv", &flags).exits(3);
    let second = rows(&scene.read("second.csv"));
    assert_eq!(second[3].status(), "in_doubt", "a later 'not done' does not undo a lost answer");
    assert_eq!(second[2].status(), "failed");
    scene.does_from_now_on(Does::Say(json(YES)));
    scene.rerun("second.csv", &["-o", "third.csv"]).exits(1);
    let third = rows(&scene.read("third.csv"));
    let attempts: Vec<u32> = third.iter().map(Row::attempts).collect();
    assert_eq!(attempts, [1, 1, 3, 3, 0, 0, 3, 2]);
    assert_eq!(third[3].get("first_sent_at"), scene.results()[3].get("first_sent_at"));
}

#[test]
fn a_rerun_started_again_goes_on_or_is_only_reported() {
    let scene = Morning::come();
    scene.rerun("orders.results.csv", &["-o", "again.csv"]).exits(1);
    scene.rerun("orders.results.csv", &["-o", "again.csv"]).exits(1);
    assert_eq!(scene.admins().len(), 4);
}

#[test]
fn the_results_that_are_rerun_are_not_replaced() {
    let scene = Morning::come();
    let before = scene.text("orders.results.csv");
    let flags = ["-o", "orders.results.csv"];
    scene.rerun("orders.results.csv", &flags).exits(2);
    assert!(scene.admins().is_empty());
    assert_eq!(scene.text("orders.results.csv"), before);
}

#[test]
fn a_results_file_that_a_spreadsheet_saved_is_still_understood() {
    let scene = Morning::come();
    let saved = scene
        .text("orders.results.csv")
        .replace("\"a, b\"", "a b")
        .replace(',', ";")
        .replace(";true;", ";TRUE;")
        .replace(";false;", ";FALSE;")
        .replace('\n', "\r\n");
    scene.file("saved.csv", format!("\u{feff}{saved}"));
    scene.rerun("saved.csv", &["-o", "again.csv"]).exits(1);
    assert_eq!(scene.admins(), [1003, 1004, 1005, 1006]);
    let results = rows(scene.text("again.csv").replace(';', ",").as_bytes());
    assert_eq!(results[3].get("doubt"), "true");
    assert_eq!(results[3].attempts(), 2);
    assert_eq!(results[0].get("doubt"), "FALSE", "a row that is kept is kept as it is");
}

#[test]
fn the_columns_may_stand_in_any_order() {
    let scene = Morning::come();
    let mut reader = csv::Reader::from_path(scene.path("orders.results.csv")).unwrap();
    let mut writer = csv::Writer::from_path(scene.path("outcome.csv")).unwrap();
    let outcome = |record: &csv::StringRecord| -> csv::StringRecord {
        record.iter().rev().map(str::to_owned).collect::<Vec<_>>().into()
    };
    writer.write_record(&outcome(reader.headers().unwrap())).unwrap();
    for record in reader.records() {
        writer.write_record(&outcome(&record.unwrap())).unwrap();
    }
    writer.flush().unwrap();
    scene.rerun("outcome.csv", &["-o", "again.csv"]).exits(1);
    assert_eq!(scene.admins(), [1003, 1004, 1005, 1006]);
    let (before, after) = (scene.results(), rows(&scene.read("again.csv")));
    for row in [0, 1, 4, 5] {
        assert_eq!(before[row], after[row]);
    }
    assert_eq!(after[3].attempts(), 2);
}

#[test]
fn another_ledger_will_do_for_results_that_are_taken_at_their_word() {
    let scene = Morning::come();
    let flags = ["--ledger", "other.db", "-o", "again.csv"];
    let refused = scene.rerun("orders.results.csv", &flags).exits(2);
    assert!(refused.stderr.contains("order 1001/1 is not on record"), "{}", refused.told());
    let flags = [&flags[..], &["--trust-results"]].concat();
    scene.rerun("orders.results.csv", &flags).exits(1);
    assert_eq!(scene.admins(), [1003, 1004, 1005, 1006]);
    assert_eq!(rows(&scene.read("again.csv"))[3].attempts(), 2);
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
        let scene = Morning::come();
        let flags = ["--only", only, "-o", "again.csv"];
        scene.rerun("orders.results.csv", &flags);
        assert_eq!(scene.admins(), sent, "{only}");
    }
}

#[test]
fn a_word_that_is_neither_a_status_nor_a_code_of_the_file_is_an_error() {
    let scene = Morning::come();
    let flags = ["--only", "HTTP_999", "-o", "again.csv"];
    let outcome = scene.rerun("orders.results.csv", &flags).exits(2);
    assert_snapshot!(outcome.stderr.lines().last().unwrap(), @r#"error: --only: no row of orders.results.csv has the status or error code "HTTP_999" (did you mean HTTP_429?); statuses are cancelled, already_cancelled, rejected, failed, in_doubt, invalid, duplicate, not_sent; its error codes are CONNECTION_LOST, CREDENTIALS, DUPLICATE, ERR01160, ERR01161, HTTP_401, HTTP_429, INVALID_ADMIN_NUMBER"#);
    for (typo, meant) in
        [("failed,in-doubt", "in_doubt"), ("Rejected", "rejected"), ("NOT_SENT", "not_sent")]
    {
        let flags = ["--only", typo, "-o", "again.csv"];
        let refused = scene.rerun("orders.results.csv", &flags).exits(2).stderr;
        assert!(refused.contains(&format!("(did you mean {meant}?)")), "{refused}");
    }
    assert!(!scene.path("again.csv").exists());
    assert!(scene.admins().is_empty());
}

#[test]
fn a_status_that_no_row_has_leaves_nothing_to_do() {
    let scene = Morning::come();
    let again = ["--only", "already_cancelled", "-o", "again.csv"];
    for _ in 0..2 {
        scene.rerun("orders.results.csv", &again).exits(0);
        assert_eq!(scene.text("again.csv"), scene.text("orders.results.csv"));
    }
    let json = [&again[..], &["--json"]].concat();
    let summary = scene.rerun("orders.results.csv", &json).exits(0).stdout;
    assert!(summary.contains(r#""exit_code":0"#), "{summary}");
    assert!(scene.admins().is_empty());
}

#[test]
fn results_of_another_address_are_refused_or_taken_at_their_word_with_a_warning() {
    let scene = Morning::come();
    let other = Hostile::always(Does::Say(json(YES)));
    let refused = scene.scene.rerun("orders.results.csv", &other.url(), &[]).exits(2);
    let _tidy = without_chance();
    assert_snapshot!(refused.stderr, @"error: orders.results.csv holds the results of a run at http://127.0.0.1:[port]: rows that are cancelled there would be kept as cancelled, and not sent to http://127.0.0.1:[port]; run the orders themselves, or add --trust-results if it is the same CoreCARD under another name");
    assert!(other.requests().is_empty());
    let flags = ["-o", "again.csv", "--trust-results"];
    let outcome = scene.scene.rerun("orders.results.csv", &other.url(), &flags).exits(1);
    let warning = "orders.results.csv holds the results of a run at http";
    let warned = |line: &str| line.contains("WARN run{id=") && line.contains(warning);
    assert!(outcome.stderr.lines().any(warned), "{}", outcome.stderr);
}

#[test]
fn results_of_another_address_that_a_spreadsheet_saved_are_refused() {
    let scene = Morning::come();
    scene.file("saved.csv", scene.saved());
    let other = Hostile::always(Does::Say(json(YES)));
    let refused = scene.scene.rerun("saved.csv", &other.url(), &[]).exits(2);
    let _tidy = without_chance();
    assert_snapshot!(refused.stderr, @"error: saved.csv is not as it was written, and in 7 rows it does not hold what the ledger [here]/home/state/cardcancel/ledger.db has on record for http://127.0.0.1:[port]: row 1: order 1001/1 is not on record. Were these the results of a rehearsal, of another address or of another ledger, rows would be taken for done that are not: name the right --url and --ledger, or run the orders themselves; if every row is surely right, add --trust-results");
    assert!(other.requests().is_empty() && !scene.path("saved.results.csv").exists());
}

#[test]
fn the_results_of_a_rehearsal_that_a_spreadsheet_saved_are_never_taken_for_real_ones() {
    let scene = Scene::new();
    scene.orders(3).run(&["run", "orders.csv", "--rehearse", "--quiet", "--rate", "unlimited"]);
    let saved = scene.text("orders.rehearsal.results.csv").replace('\n', "\r\n");
    scene.file("saved.csv", saved);
    let server = Hostile::always(Does::Say(status("429 Too Many Requests")));
    let refused = scene.rerun("saved.csv", &server.url(), &[]).exits(2);
    assert!(refused.stderr.contains("row 1: order 1001/1 is not on record"), "{}", refused.told());
    // Nor where the orders are known, and failed.
    scene.cancel(&server.url(), &["--attempts", "1", "--max-outage", "1s"]);
    let calls = server.requests().len();
    let refused = scene.rerun("saved.csv", &server.url(), &[]).exits(2);
    let why = "row 1: order 1001/1 is cancelled in the file, and failed on record";
    assert!(refused.stderr.contains(why), "{}", refused.told());
    assert_eq!(server.requests().len(), calls);
}

#[test]
fn an_order_that_an_edited_file_has_and_its_row_has_not_is_not_sent() {
    let scene = Morning::come();
    for (order, other) in [("1003,c,1", "1030,c,1"), ("1003,c,1", "1005,c,1")] {
        let edited = scene.saved().replace(order, other);
        assert_ne!(edited, scene.saved());
        scene.file("edited.csv", edited);
        let refused = scene.rerun("edited.csv", &[]).exits(2);
        let row_3 = "and in 1 row it does not hold what the ledger ";
        assert!(refused.stderr.contains(row_3), "{}", refused.told());
        assert!(refused.stderr.contains(": row 3: order 10"), "{}", refused.told());
    }
    assert!(scene.admins().is_empty());
}

#[test]
fn rows_may_be_left_out_of_results_and_come_in_another_order() {
    let scene = Morning::come();
    let mut lines = lines(&scene, "orders.results.csv");
    lines[1..].reverse();
    lines.remove(1);
    scene.file("part.csv", lines.join("\n") + "\n");
    scene.rerun("part.csv", &[]).exits(1);
    assert_eq!(scene.admins(), [1003, 1004, 1005]);
}

#[test]
fn a_row_that_is_kept_with_doubt_is_in_doubt_in_all_that_is_said_of_it() {
    let scene = Morning::come();
    let only = ["--only", "failed", "-o", "again.csv", "--json"];
    let told = scene.rerun("orders.results.csv", &only).exits(4).stdout;
    let summary: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&summary["counts"]["in_doubt"], &summary["rows_in_doubt"]), (&1.into(), &1.into()));
    let text = scene.text("orders.results.csv").replace(
        ",rejected,ERR01161,Printed,200,1,false,",
        ",rejected,ERR01161,Printed,200,1,true,",
    );
    assert_ne!(text, scene.text("orders.results.csv"));
    let solved = text.replace(",not_sent,", ",rejected,").replace(",in_doubt,", ",rejected,");
    scene.file("doubtful.csv", solved);
    let only = ["--only", "failed", "--trust-results"];
    let outcome = scene.rerun("doubtful.csv", &only).exits(3);
    assert!(
        outcome.stdout.contains("In doubt: 2 rows rejected after an answer was lost"),
        "{}",
        outcome.told()
    );
    let file = rows(&scene.read("doubtful.results.csv"));
    let doubts = file.iter().filter(|row| row.status() == "rejected" && row.doubt()).count();
    assert_eq!(doubts, 2);
}

#[test]
fn an_answer_lost_since_the_results_were_written_leaves_doubt_in_rows_that_are_carried_over() {
    let scene = Morning::come();
    scene.does_from_now_on(Does::Close);
    // The same orders once more, in another file: it stands where the first one did.
    scene.file("orders.csv", "AdminNumber,CardSequenceNumber\n1002,1\n1003,1\n");
    let flags = ["--attempts", "1", "-o", "later.csv"];
    scene.cancel(&scene.server.url(), &flags).exits(3);
    scene.does_from_now_on(Does::Say(json(YES)));
    let outcome =
        scene.rerun("orders.results.csv", &["--only", "not_sent", "-o", "again.csv"]).exits(3);
    let file = rows(&scene.read("again.csv"));
    let stand = |row: &Row| (row.status().to_owned(), row.doubt());
    assert_eq!(stand(&file[1]), ("rejected".to_owned(), true));
    assert_eq!(stand(&file[2]), ("in_doubt".to_owned(), true));
    assert!(file[2].get("message").starts_with("an earlier answer was lost; then: "));
    assert_eq!(file[2].get("http_status"), "429", "what the results said stays");
    assert!(
        outcome.stdout.contains("1 of them rejected after an answer was lost"),
        "{}",
        outcome.told()
    );
}

#[test]
fn a_results_file_is_not_run_unless_that_is_meant() {
    let scene = Morning::come();
    for command in ["check", "run"] {
        let flags = ["--url", &scene.server.url(), "--external-ip", "10.120.0.0", "--yes"];
        let args = [&[command, "orders.results.csv"], &flags[..]].concat();
        let refused = scene.run(&args).exits(2);
        let why = "error: orders.results.csv: is a results file: `run` would send all of its orders again and forget its doubts; use `cardcancel rerun`, which sends the rows that are open, or --as-orders if all are meant\n";
        assert_eq!(refused.stderr, why);
        assert!(scene.admins().is_empty());
        scene.run(&[&args[..], &["--as-orders"]].concat()).exits(1);
    }
    // What is cancelled already is known by the ledger, whatever the file is.
    assert_eq!(scene.admins(), [1002, 1003, 1004, 1005, 1006]);
}

#[test]
fn the_results_of_a_rehearsal_are_refused_where_something_real_would_be_sent() {
    let scene = Scene::new();
    scene.orders(3).run(&["run", "orders.csv", "--rehearse", "--quiet", "--rate", "unlimited"]);
    let server = Hostile::always(Does::Say(json(YES)));
    let outcome = scene.rerun("orders.rehearsal.results.csv", &server.url(), &[]).exits(2);
    assert_snapshot!(outcome.stderr, @"error: orders.rehearsal.results.csv holds the results of a rehearsal: nothing of it was cancelled; run the orders themselves");
    assert!(server.requests().is_empty());
}

#[test]
fn when_every_row_ended_there_is_nothing_to_send() {
    let scene = Scene::new();
    let core_card = CoreCard::perfect();
    scene.orders(3).cancel(&core_card.url(), &[]).exits(0);
    let outcome =
        scene.rerun("orders.results.csv", &core_card.url(), &["-o", "again.csv"]).exits(0);
    assert_eq!(core_card.requests(), 3, "{}", outcome.told());
    assert_eq!(scene.text("again.csv"), scene.text("orders.results.csv"));
}

#[test]
fn a_file_that_is_no_results_file_is_refused() {
    let scene = Scene::new();
    let server = Hostile::always(Does::Say(json(YES)));
    scene.orders(3);
    let outcome = scene.rerun("orders.csv", &server.url(), &[]).exits(2);
    assert_snapshot!(outcome.stderr, @"error: orders.csv: has no status column, so it is no results file of ours; for a file of orders, use `cardcancel run`");
    scene.file("odd.csv", "admin,seq,Status\n1,1,Failed\n2,1,Cancelled\n");
    let outcome = scene.rerun("odd.csv", &server.url(), &[]).exits(2);
    assert_snapshot!(outcome.stderr, @"error: odd.csv: has no doubt column, so it is no results file of ours; for a file of orders, use `cardcancel run`");
    scene.file("odd.csv", "admin,seq,status,doubt\n1,1,cancelled,\n2,1,,\n");
    let outcome = scene.rerun("odd.csv", &server.url(), &[]).exits(2);
    assert_snapshot!(outcome.stderr, @"error: odd.csv: no status in line 3: is this a results file?");
    scene.file("odd.csv", "admin,seq,status,doubt\n1,1,cancelled,\n2,1,Shipped,\n");
    let outcome = scene.rerun("odd.csv", &server.url(), &[]).exits(2);
    assert_snapshot!(outcome.stderr, @r#"error: odd.csv: line 3 has the status "Shipped", which is none of cancelled, already_cancelled, rejected, failed, in_doubt, invalid, duplicate, not_sent"#);
    assert_eq!(server.requests().len(), 0);
}
