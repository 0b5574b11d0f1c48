//! Runs that are stopped because they go wrong, and files that are refused.
use crate::common::{
    Behavior, CANCELLED, ProgramOutput, Request, ScriptedServer, TestEnv, TestSimulator, json,
    redact_varying, rows, status,
};
use cardcancel::simulator::{Share, SimulatorSettings};
use insta::assert_snapshot;

const PRINTED: &str = r#"{"Status":false,"ErrorCode":"ERR01170"}"#;
const UNKNOWN: &str = r#"{"Status":false,"ErrorCode":"ERR01180"}"#;

/// Answers each call as this function returns; calls are counted from 0.
fn answering(what: impl Fn(usize) -> &'static str + Send + Sync + 'static) -> ScriptedServer {
    ScriptedServer::new(move |nth, _| Behavior::Respond(json(what(nth))))
}

fn one_at_a_time(env: &TestEnv, server: &ScriptedServer, flags: &[&str]) -> ProgramOutput {
    env.cancel(&server.url(), &[&["--concurrency", "1"], flags].concat())
}

fn headline(outcome: &ProgramOutput) -> &str {
    outcome.stdout.lines().next().unwrap()
}

#[test]
fn failures_in_a_row_stop_a_run() {
    let _tidy = redact_varying();
    let server = answering(|nth| match nth {
        3 => CANCELLED,
        nth if nth % 2 == 0 => PRINTED,
        _ => UNKNOWN,
    });
    let env = TestEnv::new();
    let flags = ["--max-consecutive-failures", "3"];
    let outcome = one_at_a_time(env.orders(20), &server, &flags).exits(4);
    assert_eq!(server.requests().len(), 8);
    assert_snapshot!(headline(&outcome), @"Run [run] of orders.csv, 20 rows: STOPPED EARLY: more than 3 consecutive rows failed (--max-consecutive-failures 3), the last, row 8, with ERR01180 (CONSECUTIVE_FAILURES)");
    let codes: Vec<_> = env.results()[8..].iter().map(|row| row.code().to_owned()).collect();
    assert_eq!(codes, ["CONSECUTIVE_FAILURES"; 12]);
}

#[test]
fn rows_in_doubt_that_a_stopped_run_did_not_send_again_name_what_stopped_it() {
    let env = TestEnv::with_orders(4);
    env.cancel(&ScriptedServer::new(|_, _| Behavior::Close).url(), &["--attempts", "1"]).exits(3);
    let refuses = ScriptedServer::new(|_, _| {
        Behavior::Respond(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec())
    });
    let stops = ["--max-failures", "0", "--concurrency", "1", "--attempts", "1"];
    env.rerun("orders.results.csv", &refuses.url(), &[&stops[..], &["--trust-results"]].concat())
        .exits(4);
    let left = rows(&env.read("orders.rerun-1.results.csv"));
    let last = left.last().unwrap();
    assert_eq!((last.status(), last.code(), last.attempts()), ("in_doubt", "MAX_FAILURES", 1));
    assert!(last.doubt() && !last.get("message").is_empty());
}

#[test]
fn one_error_code_that_repeats_stops_a_run() {
    let _tidy = redact_varying();
    let server = answering(|nth| match nth {
        0 | 1 => PRINTED,
        2 => CANCELLED,
        3 | 4 => PRINTED,
        _ => UNKNOWN,
    });
    let env = TestEnv::new();
    let outcome =
        one_at_a_time(env.orders(20), &server, &["--max-consecutive-same-code", "2"]).exits(4);
    assert_eq!(server.requests().len(), 8);
    assert_snapshot!(headline(&outcome), @"Run [run] of orders.csv, 20 rows: STOPPED EARLY: more than 2 consecutive rows failed with ERR01180 (--max-consecutive-same-code 2), the last is row 8 (SAME_CODE)");
    assert!(env.results()[8..].iter().all(|row| row.code() == "SAME_CODE"));
}

#[test]
fn lost_answers_in_a_row_stop_a_run_before_their_rows_have_ended() {
    let _tidy = redact_varying();
    let server = ScriptedServer::new(|nth, _| match nth {
        0 => Behavior::Close,
        1 => Behavior::Respond(json(CANCELLED)),
        _ => Behavior::Close,
    });
    let env = TestEnv::new();
    let flags = ["--max-consecutive-doubts", "4", "--json"];
    let outcome = one_at_a_time(env.orders(20), &server, &flags).exits(4);
    assert_eq!(outcome.stderr.matches(" WARN ").count(), 0, "{}", outcome.stderr);
    assert_eq!(server.requests().len(), 7);
    let summary: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(summary["stop"], "CONSECUTIVE_DOUBTS");
    assert_snapshot!(summary["stop_reason"].as_str().unwrap(), @"more than 4 consecutive answers were lost (--max-consecutive-doubts 4), the last with CONNECTION_LOST");
    assert_eq!(summary["counts"]["in_doubt"], 6);
}

#[test]
fn lost_answers_in_a_row_are_an_outage_long_before_there_are_a_thousand() {
    let server = ScriptedServer::always(Behavior::Respond(status("502 Bad Gateway")));
    let env = TestEnv::new();
    let flags = ["--on-doubt", "leave", "--concurrency", "8", "--max-outage", "1s", "--json"];
    let outcome = env.orders(1040).cancel(&server.url(), &flags).exits(4);
    let summary: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(summary["stop"], "OUTAGE");
    let requests = server.requests().len();
    assert!((10..40).contains(&requests), "{requests}");
}

#[test]
fn lost_answers_that_one_stall_could_bring_about_are_warned_of() {
    let env = TestEnv::new();
    let flags = ["--max-consecutive-doubts", "63", "--concurrency", "64"];
    let outcome = env.orders(2).cancel(&TestSimulator::perfect().url(), &flags).exits(0);
    assert!(outcome.stderr.contains("one stall of the server can stop the run"));
}

#[test]
fn what_the_summary_says_of_failures_in_all() {
    let _tidy = redact_varying();
    let env = TestEnv::new();
    let server = answering(|_| PRINTED);
    let outcome = one_at_a_time(env.orders(20), &server, &["--max-failures", "5"]).exits(4);
    assert_snapshot!(headline(&outcome), @"Run [run] of orders.csv, 20 rows: STOPPED EARLY: 6 of 6 rows failed (--max-failures 5) (MAX_FAILURES)");
}

#[test]
fn a_canary_that_does_well_lets_the_rest_start() {
    let core_card = TestSimulator::perfect();
    let env = TestEnv::new();
    env.orders(300).cancel(&core_card.url(), &["--canary", "20"]).exits(0);
    assert_eq!(core_card.requests(), 300);
}

#[test]
fn a_canary_of_more_rows_than_there_are_ends_with_them() {
    let core_card = TestSimulator::perfect();
    let env = TestEnv::new();
    env.orders(7).cancel(&core_card.url(), &["--canary", "20"]).exits(0);
    assert_eq!(core_card.requests(), 7);
}

#[test]
fn the_rows_of_a_canary_are_sent_one_at_a_time() {
    let core_card =
        TestSimulator::new(SimulatorSettings { hang: Share::ALL, ..SimulatorSettings::default() });
    let env = TestEnv::new();
    let flags = ["--canary", "9", "--timeout", "300ms", "--attempts", "1"];
    env.orders(20).cancel(&core_card.url(), &flags).exits(4);
    assert_eq!(core_card.requests(), 1, "the first had failed before the second was sent");
}

#[test]
fn a_canary_that_fails_stops_the_run_and_no_other_row_was_sent() {
    let _tidy = redact_varying();
    let server = answering(|nth| if nth < 4 { CANCELLED } else { PRINTED });
    let env = TestEnv::new();
    let outcome = env.orders(300).cancel(&server.url(), &["--canary", "10"]).exits(4);
    assert_eq!(server.requests().len(), 6, "one row in ten may fail");
    assert_snapshot!(headline(&outcome), @"Run [run] of orders.csv, 300 rows: STOPPED EARLY: too many of the first rows failed (--canary 10), the last, row 6, with ERR01170 (CANARY)");
    assert!(env.results()[6..].iter().all(|row| row.code() == "CANARY"));
}

#[test]
fn while_rows_of_the_canary_wait_for_another_attempt_no_other_begins() {
    let server =
        ScriptedServer::new(|_, request: &Request| match request.json()["AdminNumber"].as_i64() {
            Some(1001 | 1002) => Behavior::Respond(status("503 Service Unavailable")),
            _ => Behavior::Respond(json(CANCELLED)),
        });
    let env = TestEnv::new();
    let flags = ["--canary", "3", "--attempts", "2"];
    env.orders(300).cancel(&server.url(), &flags).exits(4);
    let sent: Vec<_> =
        server.requests().iter().map(|r| r.json()["AdminNumber"].as_i64().unwrap()).collect();
    assert_eq!(sent[..3], [1001, 1002, 1003]);
    assert!(matches!(sent[3..], [1001 | 1002]), "{sent:?}");
}

#[test]
fn a_run_that_is_started_again_begins_with_its_canary_again() {
    let printed = TestSimulator::new(SimulatorSettings {
        printed: Share::ALL,
        ..SimulatorSettings::default()
    });
    let env = TestEnv::new();
    let flags = ["--canary", "1"];
    env.orders(5);
    for sent in 1..=4 {
        env.cancel(&printed.url(), &flags).exits(4);
        assert_eq!(printed.requests(), sent);
    }
    env.cancel(&printed.url(), &flags).exits(1);
    env.cancel(&printed.url(), &flags).exits(1);
    assert_eq!(printed.requests(), 5, "the run had ended");
}

#[test]
fn a_file_with_more_rows_than_may_be_sent_is_refused() {
    let core_card = TestSimulator::perfect();
    let env = TestEnv::with_orders(1200);
    let outcome = env.cancel(&core_card.url(), &["--max-rows", "1000"]).exits(2);
    assert_snapshot!(outcome.stderr, @"error: orders.csv: 1,200 rows to send, and --max-rows allows 1,000: nothing was sent; check that it is the right file, or raise --max-rows");
    assert_eq!(core_card.requests(), 0);
    assert_eq!(env.run(&["runs"]).exits(0).stdout, "");
    let check = env.run(&["check", "orders.csv", "--max-rows", "1000"]).exits(2);
    assert_snapshot!(check.stdout, @r#"
    orders.csv: 1,200 rows
    Columns: admin number from "AdminNumber", sequence number from "CardSequenceNumber"
    First order: 1001/1, in line 2
    Not compared with a ledger: cancelled orders are recorded by address, and no --url is set
            1,200 to send
                0 with the same order as an earlier row
                0 invalid
    At 10/s this takes 2 min 0 s
    IT WOULD BE REFUSED: 1,200 rows to send, and --max-rows allows 1,000
    "#);
    env.cancel(&core_card.url(), &["--max-rows", "1200"]).exits(0);
}

#[test]
fn rows_that_are_not_sent_do_not_count_against_the_most_rows() {
    let env = TestEnv::new();
    env.file("orders.csv", "admin,seq\n1001,1\n1001,1\nx,1\n1002,1\n");
    env.cancel(&TestSimulator::perfect().url(), &["--max-rows", "2"]).exits(1);
}

#[test]
fn a_run_of_which_only_tolerated_rows_are_left_exits_with_0_and_tells_what_it_hides() {
    let server = answering(|nth| if nth == 0 { PRINTED } else { CANCELLED });
    let env = TestEnv::new();
    env.orders(3).file("cardcancel.toml", "[profile.nightly]\nok_if = ['rejected']\n");
    let outcome = one_at_a_time(&env, &server, &["--profile", "nightly"]).exits(0);
    assert!(
        outcome.stdout.contains("\nExit code: 0 (1 without --ok-if rejected)\n"),
        "{outcome:?}"
    );
    assert!(outcome.stderr.contains("exit code 0 (1 without --ok-if rejected): "), "{outcome:?}");
    let again = ["--profile", "nightly", "--json"];
    let summary: serde_json::Value =
        serde_json::from_str(&one_at_a_time(&env, &server, &again).exits(0).stdout).unwrap();
    assert_eq!(
        (&summary["exit_code"], &summary["exit_code_without_ok_if"]),
        (&0.into(), &1.into())
    );
    assert_eq!(summary["counts"]["rejected"], 1);
    one_at_a_time(&env, &server, &["--ok-if", "failed,invalid,in_doubt,cut_off"]).exits(1);
    one_at_a_time(&env, &server, &["--profile", "nightly", "--ok-if", "none"]).exits(1);
    // A stop rule is no success, whatever is left.
    let env = TestEnv::new();
    let all = "rejected,failed,invalid,in_doubt,cut_off";
    let flags = ["--max-failures", "1", "--ok-if", all];
    let rejecting = answering(|_| PRINTED);
    one_at_a_time(env.orders(20), &rejecting, &flags).exits(4);
    let wrong = one_at_a_time(&env, &rejecting, &["--ok-if", "not_sent"]).exits(2);
    assert!(wrong.stderr.contains("write rejected, failed, invalid, in_doubt"), "{wrong:?}");
}
