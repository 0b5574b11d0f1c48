//! A results file run again: only what is open is sent.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::collections::BTreeSet;

use common::{CoreCard, Does, Hostile, Request, Row, Scene, json, rows, status};
use insta::assert_snapshot;

const YES: &str =
    r#"{"Message":"Order Canceled Successfully","Status":true,"ErrorCode":"ERR01160"}"#;
const NO: &str = r#"{"Message":"Printed","Status":false,"ErrorCode":"ERR01161"}"#;

/// Ends one order of each kind: 1001 cancelled, 1002 rejected, 1003 failed,
/// 1004 in doubt, 1005 stopping the run, 1006 not sent.
fn mixed_night() -> Hostile {
    Hostile::that(|_, request| match admin(request) {
        1001 => Does::Say(json(YES)),
        1002 => Does::Say(json(NO)),
        1003 => Does::Say(status("429 Too Many Requests")),
        1004 => Does::Close,
        _ => Does::Say(status("401 Unauthorized")),
    })
}

fn admin(request: &Request) -> i64 {
    request.json()["AdminNumber"].as_i64().unwrap()
}

fn admins(server: &Hostile) -> Vec<i64> {
    let mut admins: Vec<i64> = server.requests().iter().map(admin).collect();
    admins.sort_unstable();
    admins
}

/// After a night on which every kind of row came about; its results are in
/// `orders.results.csv`.
fn the_morning_after() -> Scene {
    let scene = Scene::new();
    scene.file(
        "orders.csv",
        "AdminNumber,note,CardSequenceNumber\n1001,\"a, b\",1\n1002,,1\n1003,c,1\n1004,d,1\n\
         bad,e,1\n1001,f,1\n1005,g,1\n1006,h,1\n",
    );
    scene.cancel(&mixed_night().url(), &["--concurrency", "1", "--attempts", "1"]).exits(4);
    assert_eq!(
        statuses(&scene.results()),
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
    scene
}

fn statuses(rows: &[Row]) -> Vec<&str> {
    rows.iter().map(Row::status).collect()
}

fn lines(scene: &Scene, name: &str) -> Vec<String> {
    scene.text(name).lines().map(str::to_owned).collect()
}

#[test]
fn only_rows_that_did_not_end_are_sent_and_the_others_stay_as_they_were() {
    let scene = the_morning_after();
    let server = Hostile::always(Does::Say(json(YES)));
    scene.rerun("orders.results.csv", &server.url(), &["-o", "again.csv"]).exits(1);
    assert_eq!(admins(&server), [1003, 1004, 1005, 1006]);
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
    let scene = the_morning_after();
    let server = Hostile::always(Does::Say(json(YES)));
    scene.rerun("orders.results.csv", &server.url(), &["-o", "again.csv"]).exits(1);
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
    let scene = the_morning_after();
    let bad = Hostile::always(Does::Say(status("429 Too Many Requests")));
    let flags = ["--attempts", "1", "-o", "second.csv"];
    scene.rerun("orders.results.csv", &bad.url(), &flags).exits(3);
    let second = rows(&scene.read("second.csv"));
    assert_eq!(second[3].status(), "in_doubt", "a later 'not done' does not undo a lost answer");
    assert_eq!(second[2].status(), "failed");
    let good = Hostile::always(Does::Say(json(YES)));
    scene.rerun("second.csv", &good.url(), &["-o", "third.csv"]).exits(1);
    let third = rows(&scene.read("third.csv"));
    let attempts: Vec<u32> = third.iter().map(Row::attempts).collect();
    assert_eq!(attempts, [1, 1, 3, 3, 0, 0, 3, 2]);
    assert_eq!(third[3].get("first_sent_at"), scene.results()[3].get("first_sent_at"));
}

#[test]
fn a_rerun_started_again_goes_on_or_is_only_reported() {
    let scene = the_morning_after();
    let server = Hostile::always(Does::Say(json(YES)));
    scene.rerun("orders.results.csv", &server.url(), &["-o", "again.csv"]).exits(1);
    scene.rerun("orders.results.csv", &server.url(), &["-o", "again.csv"]).exits(1);
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn the_results_that_are_rerun_are_not_replaced() {
    let scene = the_morning_after();
    let before = scene.text("orders.results.csv");
    let server = Hostile::always(Does::Say(json(YES)));
    let flags = ["-o", "orders.results.csv"];
    scene.rerun("orders.results.csv", &server.url(), &flags).exits(2);
    assert_eq!(server.requests().len(), 0);
    assert_eq!(scene.text("orders.results.csv"), before);
}

#[test]
fn a_results_file_that_a_spreadsheet_saved_is_still_understood() {
    let scene = the_morning_after();
    let saved = scene
        .text("orders.results.csv")
        .replace("\"a, b\"", "a b")
        .replace(',', ";")
        .replace(";true;", ";TRUE;")
        .replace(";false;", ";FALSE;")
        .replace('\n', "\r\n");
    scene.file("saved.csv", format!("\u{feff}{saved}"));
    let server = Hostile::always(Does::Say(json(YES)));
    scene.rerun("saved.csv", &server.url(), &["-o", "again.csv"]).exits(1);
    assert_eq!(admins(&server), [1003, 1004, 1005, 1006]);
    let results = rows(scene.text("again.csv").replace(';', ",").as_bytes());
    assert_eq!(results[3].get("doubt"), "true");
    assert_eq!(results[3].attempts(), 2);
    assert_eq!(results[0].get("doubt"), "FALSE", "a row that is kept is kept as it is");
}

#[test]
fn the_columns_may_stand_in_any_order() {
    let scene = the_morning_after();
    let mut reader = csv::Reader::from_path(scene.path("orders.results.csv")).unwrap();
    let mut writer = csv::Writer::from_path(scene.path("turned.csv")).unwrap();
    let turned = |record: &csv::StringRecord| -> csv::StringRecord {
        record.iter().rev().map(str::to_owned).collect::<Vec<_>>().into()
    };
    writer.write_record(&turned(reader.headers().unwrap())).unwrap();
    for record in reader.records() {
        writer.write_record(&turned(&record.unwrap())).unwrap();
    }
    writer.flush().unwrap();
    let server = Hostile::always(Does::Say(json(YES)));
    scene.rerun("turned.csv", &server.url(), &["-o", "again.csv"]).exits(1);
    assert_eq!(admins(&server), [1003, 1004, 1005, 1006]);
    let (before, after) = (scene.results(), rows(&scene.read("again.csv")));
    for row in [0, 1, 4, 5] {
        assert_eq!(before[row], after[row]);
    }
    assert_eq!(after[3].attempts(), 2);
}

#[test]
fn another_ledger_will_do() {
    let scene = the_morning_after();
    let server = Hostile::always(Does::Say(json(YES)));
    let flags = ["--ledger", "other.db", "-o", "again.csv"];
    scene.rerun("orders.results.csv", &server.url(), &flags).exits(1);
    assert_eq!(admins(&server), [1003, 1004, 1005, 1006]);
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
        let scene = the_morning_after();
        let server = Hostile::always(Does::Say(json(YES)));
        let flags = ["--only", only, "-o", "again.csv"];
        scene.rerun("orders.results.csv", &server.url(), &flags);
        assert_eq!(admins(&server), sent, "{only}");
    }
}

#[test]
fn a_word_that_is_neither_a_status_nor_a_code_of_the_file_is_an_error() {
    let scene = the_morning_after();
    let server = Hostile::always(Does::Say(json(YES)));
    let flags = ["--only", "HTTP_999", "-o", "again.csv"];
    let outcome = scene.rerun("orders.results.csv", &server.url(), &flags).exits(2);
    assert_snapshot!(outcome.stderr.lines().last().unwrap(), @r#"error: --only: no row of orders.results.csv has the status or error code "HTTP_999" (did you mean HTTP_429?); statuses are cancelled, already_cancelled, rejected, failed, in_doubt, invalid, duplicate, not_sent; its error codes are CONNECTION_LOST, CREDENTIALS, DUPLICATE, ERR01160, ERR01161, HTTP_401, HTTP_429, INVALID_ADMIN_NUMBER"#);
    for (typo, meant) in
        [("failed,in-doubt", "in_doubt"), ("Rejected", "rejected"), ("NOT_SENT", "not_sent")]
    {
        let flags = ["--only", typo, "-o", "again.csv"];
        let refused = scene.rerun("orders.results.csv", &server.url(), &flags).exits(2).stderr;
        assert!(refused.contains(&format!("(did you mean {meant}?)")), "{refused}");
    }
    assert!(!scene.path("again.csv").exists());
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn a_status_that_no_row_has_leaves_nothing_to_do() {
    let scene = the_morning_after();
    let server = Hostile::always(Does::Say(json(YES)));
    let again = ["--only", "already_cancelled", "-o", "again.csv"];
    for _ in 0..2 {
        scene.rerun("orders.results.csv", &server.url(), &again).exits(0);
        assert_eq!(scene.text("again.csv"), scene.text("orders.results.csv"));
    }
    let json = [&again[..], &["--json"]].concat();
    let summary = scene.rerun("orders.results.csv", &server.url(), &json).exits(0).stdout;
    assert!(summary.contains(r#""exit_code":0"#), "{summary}");
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn results_of_another_address_are_kept_with_a_warning() {
    let scene = the_morning_after();
    let server = Hostile::always(Does::Say(json(YES)));
    let outcome = scene.rerun("orders.results.csv", &server.url(), &["-o", "again.csv"]);
    let warning = "orders.results.csv holds the results of a run at http";
    let warned = |line: &str| line.contains("WARN run{id=") && line.contains(warning);
    assert!(outcome.stderr.lines().any(warned), "{}", outcome.stderr);
}

#[test]
fn the_results_of_a_rehearsal_are_refused_where_something_real_would_be_sent() {
    let scene = Scene::new();
    scene.orders(3).run(&["run", "orders.csv", "--rehearse", "--quiet", "--rate", "unlimited"]);
    let server = Hostile::always(Does::Say(json(YES)));
    let outcome = scene.rerun("orders.rehearsal.results.csv", &server.url(), &[]).exits(2);
    assert_snapshot!(outcome.stderr, @"error: orders.rehearsal.results.csv holds the results of a rehearsal: nothing of it was cancelled; run the orders themselves");
    assert!(admins(&server).is_empty());
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
    assert_snapshot!(outcome.stderr, @"error: orders.csv: has no status column: is this a results file? For a file of orders, use run");
    scene.file("odd.csv", "admin,seq,status\n1,1,cancelled\n2,1,\n");
    let outcome = scene.rerun("odd.csv", &server.url(), &[]).exits(2);
    assert_snapshot!(outcome.stderr, @"error: odd.csv: no status in line 3: is this a results file?");
    scene.file("odd.csv", "admin,seq,status\n1,1,cancelled\n2,1,Shipped\n");
    let outcome = scene.rerun("odd.csv", &server.url(), &[]).exits(2);
    assert_snapshot!(outcome.stderr, @r#"error: odd.csv: line 3 has the status "Shipped", which is none of cancelled, already_cancelled, rejected, failed, in_doubt, invalid, duplicate, not_sent"#);
    assert_eq!(server.requests().len(), 0);
}
