//! What the user sees.
use std::time::Duration;

use crate::common::{
    Behavior, CANCELLED, Request, ScriptedServer, TestEnv, TestSimulator, ended, json, kill,
    redact_varying, status, terminate, until, with_headers,
};
use cardcancel::simulator::{Latency, Share, SimulatorSettings};
use insta::assert_snapshot;

/// Ends one order of each kind, by its admin number.
fn mixed() -> ScriptedServer {
    ScriptedServer::new(|_, request: &Request| match request.json()["AdminNumber"].as_i64() {
        Some(1001) => Behavior::Respond(json(CANCELLED)),
        Some(1002) => Behavior::Respond(json(r#"{"Status":false,"ErrorCode":"ERR01161"}"#)),
        Some(1003) => Behavior::Respond(status("429 Too Many Requests")),
        _ => Behavior::Close,
    })
}

fn mixed_orders() -> TestEnv {
    let env = TestEnv::new();
    env.file("orders.csv", "admin,seq\n1001,1\n1002,1\n1003,1\n1004,1\nx,1\n1001,1\n");
    env
}

fn hanging() -> TestSimulator {
    TestSimulator::new(SimulatorSettings { hang: Share::ALL, ..SimulatorSettings::default() })
}

fn pretty(json: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    serde_json::to_string_pretty(&value).unwrap()
}

#[test]
fn a_run_in_which_every_row_is_cancelled() {
    let _tidy = redact_varying();
    let env = TestEnv::new();
    let outcome = env.orders(1200).cancel(&TestSimulator::perfect().url(), &[]).exits(0);
    assert_snapshot!(outcome.stdout, @r"
    Run [run] of orders.csv, 1,200 rows: ended
      cancelled               1,200
    1,200 calls in [a while], [so many] a second
    Results: orders.results.csv
    Seal [number]: [digest]
    Every order is cancelled; there is nothing left to do
    ");
}

#[test]
fn a_run_with_every_kind_of_row() {
    let _tidy = redact_varying();
    let outcome = mixed_orders().cancel(&mixed().url(), &["--attempts", "1"]).exits(3);
    assert_snapshot!(outcome.stdout, @r"
    Run [run] of orders.csv, 6 rows: ended
      cancelled                   1
      rejected                    1
      failed                      1
      in_doubt                    1
      invalid                     1
      duplicate                   1
    4 calls in [a while], [so many] a second
    During the run: 1 answer lost
    Results: orders.results.csv
    Seal [number]: [digest]
    Next: send the open rows again with: cardcancel rerun orders.results.csv --url http://127.0.0.1:[port]
    In doubt: 1 row may or may not be cancelled: look in CoreCARD, then resolve; or rerun
    Rejected: 1 row (final; see error_code and message in the results)
    Invalid: 1 row not sent: correct the orders in a new file, and run that
    ");
}

/// 1001 is sent twice, because its first answer is lost; 1002 is rejected, 1003 in doubt.
fn doubtful() -> ScriptedServer {
    ScriptedServer::new(|nth, request: &Request| {
        match (nth, request.json()["AdminNumber"].as_i64()) {
            (0, _) | (_, Some(1003)) => Behavior::Close,
            _ => Behavior::Respond(json(r#"{"Status":false,"ErrorCode":"ERR01161"}"#)),
        }
    })
}

#[test]
fn who_was_rejected_with_doubt_is_in_doubt_for_a_person_and_for_programs() {
    let _tidy = redact_varying();
    let server = doubtful();
    let env = TestEnv::with_orders(3);
    let flags = [
        "--concurrency",
        "1",
        "--attempts",
        "2",
        "--metrics-file",
        "run.prom",
        "--log-file",
        "log",
    ];
    let outcome = env.cancel(&server.url(), &flags).exits(3);
    assert_snapshot!(outcome.stdout, @r"
    Run [run] of orders.csv, 3 rows: ended
      rejected                    2
        with doubt                1
      in_doubt                    1
    5 calls in [a while], [so many] a second
    During the run: 3 answers lost; 2 calls repeated
    Results: orders.results.csv
    Seal [number]: [digest]
    Next: send the open rows again with: cardcancel rerun orders.results.csv --url http://127.0.0.1:[port]
    In doubt: 2 rows may or may not be cancelled, 1 of them rejected after a lost answer; that call may have cancelled the order: look in CoreCARD, then resolve; or rerun
    Rejected: 1 row (final; see error_code and message in the results)
    ");
    let log = env.text("log");
    assert!(log.contains("exit code 3: 2 rejected (1 with doubt), 1 in_doubt"), "{log}");
    assert!(env.text("run.prom").contains("\ncardcancel_run_rows_in_doubt 2\n"));
    assert_snapshot!(env.run(&["runs"]).exits(0).stdout, @r"
    RUN                   STARTED  BY  PROFILE  STATE  ROWS  OPEN  EXIT  FILE
    [run]  [time]  [user]  ended     3     2     3  orders.csv
    ");
    let again = env.cancel(&server.url(), &["--json"]).exits(3).stdout;
    let summary: serde_json::Value = serde_json::from_str(&again).unwrap();
    assert_eq!(
        (&summary["rejected_with_doubt"], &summary["rows_in_doubt"]),
        (&1.into(), &2.into())
    );
    let run = summary["run"].as_str().unwrap();
    let shown = env.run(&["runs", run]).exits(0).stdout;
    assert!(shown.contains("    rejected        2\n      with doubt    1\n"), "{shown}");
    let shown = env.run(&["runs", run, "--json"]).exits(0).stdout;
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&shown["rejected_with_doubt"], &shown["rows_in_doubt"]), (&1.into(), &2.into()));
}

#[test]
fn a_row_rejected_with_doubt_alone_is_reason_enough_for_exit_3() {
    let env = TestEnv::new();
    let outcome = env.orders(1).cancel(&doubtful().url(), &[]).exits(3);
    let step = "In doubt: 1 row rejected after a lost answer; that call may have cancelled the order: look in CoreCARD, then resolve\n";
    assert!(outcome.stdout.contains(step), "{}", outcome.report());
    let listed = env.run(&["results", "--open", "-o", "open.csv"]).exits(0);
    assert!(listed.stdout.contains(step), "{}", listed.report());
    // CoreCARD would reject it once more.
    assert!(!format!("{}{}", outcome.stdout, listed.stdout).contains("cardcancel rerun"));
}

#[test]
fn the_summary_for_programs() {
    let _tidy = redact_varying();
    let flags = ["--attempts", "1", "--json"];
    let outcome = mixed_orders().cancel(&mixed().url(), &flags).exits(3);
    assert_eq!(outcome.stdout.lines().count(), 1, "one JSON object, and nothing else");
    assert_snapshot!(pretty(&outcome.stdout), @r#"
    {
      "attempts": 4,
      "calls_this_start": 4,
      "counts": {
        "already_cancelled": 0,
        "cancelled": 1,
        "duplicate": 1,
        "failed": 1,
        "in_doubt": 1,
        "invalid": 1,
        "not_sent": 0,
        "rejected": 1
      },
      "cut_off_margin_seconds": null,
      "endpoint": "http://127.0.0.1:[port]",
      "error": null,
      "exit_code": 3,
      "exit_code_without_ok_if": 3,
      "finished_at": "[time]",
      "input": "orders.csv",
      "input_changed": false,
      "input_sha256": "f1ea169949089307ab8aaf8e9861742a8f25224b609e897f3c0717efc68e6ec3",
      "may_be_cut_short": false,
      "opened_at": "[time]",
      "pace": null,
      "rehearsal": null,
      "rejected_with_doubt": 0,
      "results": "orders.results.csv",
      "resumed": false,
      "rows": 6,
      "rows_before": 0,
      "rows_in_doubt": 1,
      "rows_settled_since": 0,
      "run": "[run]",
      "seal": 1,
      "seal_sha256": "[digest]",
      "seconds_now": [seconds],
      "state": "ended",
      "stats": {
        "answers_lost": 1,
        "asked_to_wait_seconds": [seconds],
        "calls_repeated": 0,
        "credentials_renewed": 0,
        "held_seconds": [seconds],
        "held_to_a_second": null,
        "outage_seconds": [seconds],
        "outages": 0
      },
      "stop": null,
      "stop_reason": null,
      "version": 1,
      "witness_error": null
    }
    "#);
}

#[test]
fn a_run_that_stopped_early_that_was_resumed_and_that_had_ended_before() {
    let _tidy = redact_varying();
    let server = ScriptedServer::new(|nth, _| match nth {
        0..=1 => Behavior::Respond(json(r#"{"Status":true}"#)),
        2 => Behavior::Respond(status("401 Unauthorized")),
        _ => Behavior::Respond(json(r#"{"Status":true}"#)),
    });
    let env = TestEnv::with_orders(5);
    let flags = ["--concurrency", "1"];
    assert_snapshot!(env.cancel(&server.url(), &flags).exits(4).stdout, @r"
    Run [run] of orders.csv, 5 rows: STOPPED EARLY: The credentials were refused: row 3: HTTP_401, the answer was empty (CREDENTIALS)
      cancelled                   2
      not_sent                    3
    3 calls in [a while], [so many] a second
    Results: orders.results.csv
    Seal [number]: [digest]
    Next: 3 rows did not end: correct the credentials ([auth] and its secrets, or those of the proxy), and start the same command again to resume
    ");
    assert_snapshot!(env.cancel(&server.url(), &flags).exits(0).stdout, @r"
    Run [run] of orders.csv, 5 rows: resumed and ended
      cancelled                   5
    3 calls in [a while], [so many] a second; 2 rows had ended before
    During the run: 1 call repeated
    Results: orders.results.csv
    Seal [number]: [digest]
    Every order is cancelled; there is nothing left to do
    ");
    assert_snapshot!(env.cancel(&server.url(), &flags).exits(0).stdout, @r"
    Run [run] of orders.csv, 5 rows: had ended before; nothing was sent
      cancelled                   5
    Results: orders.results.csv
    Seal [number]: [digest]
    Every order is cancelled; there is nothing left to do
    ");
}

#[test]
fn the_statistics_of_a_run_are_reported_in_one_line() {
    let _tidy = redact_varying();
    let server = ScriptedServer::new(|nth, _| match nth {
        0 => Behavior::Close,
        1 => Behavior::Respond(with_headers("429 Too Many Requests", &["Retry-After: 1"], "")),
        _ => Behavior::Respond(json(r#"{"Status":true}"#)),
    });
    let env = TestEnv::with_orders(5);
    let flags = ["--concurrency", "1", "--cut-off", "2999-12-31T23:59[UTC]"];
    assert_snapshot!(env.cancel(&server.url(), &flags).exits(0).stdout, @r"
    Run [run] of orders.csv, 5 rows: ended
      cancelled                   5
    7 calls in [a while], [so many] a second; [some time] to spare before the cut-off
    During the run: paused 1 s at its request (Retry-After); 1 answer lost; 2 calls repeated
    Results: orders.results.csv
    Seal [number]: [digest]
    Every order is cancelled; there is nothing left to do
    ");
}

#[test]
fn a_stopped_run_for_programs() {
    let _tidy = redact_varying();
    let server = ScriptedServer::always(Behavior::Respond(status("401 Unauthorized")));
    let env = TestEnv::with_orders(5);
    let outcome = env.cancel(&server.url(), &["--concurrency", "1", "--json"]).exits(4);
    assert_snapshot!(pretty(&outcome.stdout), @r#"
    {
      "attempts": 1,
      "calls_this_start": 1,
      "counts": {
        "already_cancelled": 0,
        "cancelled": 0,
        "duplicate": 0,
        "failed": 0,
        "in_doubt": 0,
        "invalid": 0,
        "not_sent": 5,
        "rejected": 0
      },
      "cut_off_margin_seconds": null,
      "endpoint": "http://127.0.0.1:[port]",
      "error": null,
      "exit_code": 4,
      "exit_code_without_ok_if": 4,
      "finished_at": "[time]",
      "input": "orders.csv",
      "input_changed": false,
      "input_sha256": "03a4785a6208ff4ff57edac876750d4edc4d2879a9e3b8664574a176016a4fb9",
      "may_be_cut_short": false,
      "opened_at": "[time]",
      "pace": null,
      "rehearsal": null,
      "rejected_with_doubt": 0,
      "results": "orders.results.csv",
      "resumed": false,
      "rows": 5,
      "rows_before": 0,
      "rows_in_doubt": 0,
      "rows_settled_since": 0,
      "run": "[run]",
      "seal": 1,
      "seal_sha256": "[digest]",
      "seconds_now": [seconds],
      "state": "stopped",
      "stats": {
        "answers_lost": 0,
        "asked_to_wait_seconds": [seconds],
        "calls_repeated": 0,
        "credentials_renewed": 0,
        "held_seconds": [seconds],
        "held_to_a_second": null,
        "outage_seconds": [seconds],
        "outages": 0
      },
      "stop": "CREDENTIALS",
      "stop_reason": "The credentials were refused: row 1: HTTP_401, the answer was empty",
      "version": 1,
      "witness_error": null
    }
    "#);
}

#[test]
fn a_signal_to_stop_is_acknowledged() {
    let core_card = TestSimulator::new(SimulatorSettings {
        latency: Latency::fixed(Duration::from_millis(100)),
        ..SimulatorSettings::default()
    });
    let env = TestEnv::with_orders(50);
    let begun = env.begin_to_cancel(&core_card.url(), &["--concurrency", "1", "--quiet"]);
    until("it was sending", || core_card.requests() >= 1);
    terminate(&begun);
    let outcome = ended(begun).exits(4);
    assert_snapshot!(outcome.stderr, @"stopping: nothing more is sent; waiting for calls in flight (signal again to stop at once)");
}

#[test]
fn off_a_terminal_nothing_is_sent_without_yes() {
    let _tidy = redact_varying();
    let core_card = TestSimulator::perfect();
    let env = TestEnv::with_orders(1200);
    let url = core_card.url();
    let args = ["run", "orders.csv", "--external-ip", "10.120.0.0", "--url", &url];
    let flags = ["--rate", "20/s", "--cut-off", "2999-12-31T23:59[UTC]"];
    let outcome = env.run(&[&args[..], &flags].concat()).exits(2);
    assert_eq!(outcome.stdout, "");
    let asked = outcome.stderr.lines().filter(|line| !line.contains(" WARN "));
    assert_snapshot!(asked.collect::<Vec<_>>().join("\n"), @r#"
    About to cancel 1,200 orders of orders.csv at http://127.0.0.1:[port]/
      profile: none
      ledger: [here]/home/state/cardcancel/ledger.db
      columns: admin number from "AdminNumber", sequence number from "CardSequenceNumber"
      first order: 1001/1, in line 2
      pace: 20/s, 1 min 0 s
      cut-off: [time], in [some time]
    error: not a terminal, so the run cannot be confirmed; pass --yes to send without asking
    "#);
    assert_eq!(core_card.requests(), 0);
    let runs = env.run(&["runs"]).exits(0);
    assert_eq!(runs.stdout, "", "a run that was not begun is none");
}

#[test]
fn everything_that_is_missing_is_reported_at_once() {
    let env = TestEnv::new();
    assert_snapshot!(env.orders(1).run(&["run", "orders.csv"]).exits(2).stderr, @r"
    error: these settings have no default and are missing:
      the base address of CoreCARD's API: set --url, CARDCANCEL_URL, or url in cardcancel.toml
      the address of the API's end user: set --external-ip, CARDCANCEL_EXTERNAL_IP, or external_ip in cardcancel.toml
    ");
}

#[test]
fn runs_are_listed_newest_first_with_how_far_they_are() {
    let _tidy = redact_varying();
    let env = TestEnv::new();
    env.orders(1500).cancel(&TestSimulator::perfect().url(), &[]).exits(0);
    let refusing = ScriptedServer::always(Behavior::Respond(status("401 Unauthorized")));
    env.orders(20).cancel(&refusing.url(), &["-o", "refused.csv"]).exits(4);
    let hanging = hanging();
    env.orders(30);
    let begun = env.begin_to_cancel(&hanging.url(), &["-o", "hanging.csv"]);
    until("it was sending", || hanging.requests() >= 1);
    assert_snapshot!(env.run(&["runs"]).exits(0).stdout, @r"
    RUN                   STARTED  BY  PROFILE  STATE       ROWS  OPEN  EXIT  FILE
    [run]  [time]  [user]  running  0 of 30     0        orders.csv
    [run]  [time]  [user]  stopped  0 of 20    20     4  orders.csv
    [run]  [time]  [user]  ended      1,500     0     0  orders.csv
    ");
    kill(begun);
    assert_snapshot!(env.run(&["runs"]).exits(0).stdout, @r"
    RUN                   STARTED  BY  PROFILE  STATE       ROWS  OPEN  EXIT  FILE
    [run]  [time]  [user]  died     0 of 30    30        orders.csv
    [run]  [time]  [user]  stopped  0 of 20    20     4  orders.csv
    [run]  [time]  [user]  ended      1,500     0     0  orders.csv
    ");
}

#[test]
fn one_run_is_shown_in_full() {
    let _tidy = redact_varying();
    let env = mixed_orders();
    let flags = ["--attempts", "1", "--json"];
    let summary = env.cancel(&mixed().url(), &flags).exits(3).stdout;
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    let run = summary["run"].as_str().unwrap();
    assert_snapshot!(env.run(&["runs", run]).exits(0).stdout, @r"
    Run [run]: ended
      command           run
      input             orders.csv
      input SHA-256     f1ea169949089307ab8aaf8e9861742a8f25224b609e897f3c0717efc68e6ec3
      endpoint          http://127.0.0.1:[port]
      program           cardcancel [version]
      created           [time]
      last started      [time]
      finished          [time]
      rows              6
        cancelled       1
        rejected        1
        failed          1
        in_doubt        1
        invalid         1
        duplicate       1
      calls             4
    Start 1, [time]: by [user] on [host]
      rate              unlimited
      configuration     [digest]
      [time] finished
    Results orders.results.csv
      SHA-256           [digest]
    Seal 1
      SHA-256           [digest]
    Settings of configuration [digest]
      attempts                    1
      external_ip                 10.120.0.0
      ledger                      [here]/home/state/cardcancel/ledger.db
      rate                        unlimited
      url                         http://127.0.0.1:[port]
    ");
    let json = env.run(&["runs", "--json"]).exits(0).stdout;
    assert_snapshot!(pretty(&json), @r#"
    {
      "attempts": 4,
      "command": "run",
      "counts": {
        "already_cancelled": 0,
        "cancelled": 1,
        "duplicate": 1,
        "failed": 1,
        "in_doubt": 1,
        "invalid": 1,
        "not_sent": 0,
        "rejected": 1
      },
      "endpoint": "http://127.0.0.1:[port]",
      "exit_code": 3,
      "finished_at": "[time]",
      "forgotten_at": null,
      "input": "orders.csv",
      "input_sha256": "f1ea169949089307ab8aaf8e9861742a8f25224b609e897f3c0717efc68e6ec3",
      "last_call_before": null,
      "open_rows": 2,
      "opened_at": "[time]",
      "pace": null,
      "profile": null,
      "program": "cardcancel [version]",
      "rates": "unlimited",
      "rejected_with_doubt": 0,
      "rows": 6,
      "rows_in_doubt": 1,
      "run": "[run]",
      "started_at": "[time]",
      "state": "ended",
      "stop": null,
      "user": "[user]",
      "version": 1
    }
    "#);
    let unknown = env.run(&["runs", "last"]).exits(2).stderr;
    assert_snapshot!(unknown, @"error: no run last in the ledger [here]/home/state/cardcancel/ledger.db: `cardcancel runs` lists them");
}

#[test]
fn one_run_that_stopped_is_shown_in_full() {
    let _tidy = redact_varying();
    let server = ScriptedServer::always(Behavior::Respond(status("401 Unauthorized")));
    let env = TestEnv::with_orders(5);
    let summary = env.cancel(&server.url(), &["--concurrency", "1", "--json"]).exits(4).stdout;
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    let run = summary["run"].as_str().unwrap();
    assert_snapshot!(env.run(&["runs", run]).exits(0).stdout, @r"
    Run [run]: stopped
      command           run
      input             orders.csv
      input SHA-256     03a4785a6208ff4ff57edac876750d4edc4d2879a9e3b8664574a176016a4fb9
      endpoint          http://127.0.0.1:[port]
      program           cardcancel [version]
      created           [time]
      last started      [time]
      finished          [time]
      stopped           The credentials were refused, or could not be renewed, and the run stopped (CREDENTIALS)
      rows              5
        not ended       5
      calls             1
    Start 1, [time]: by [user] on [host]
      rate              unlimited
      configuration     [digest]
      [time] The credentials were refused, or could not be renewed, and the run stopped (CREDENTIALS)
    Results orders.results.csv
      SHA-256           [digest]
    Seal 1
      SHA-256           [digest]
    Events
      [time]  stop_rule CREDENTIALS: The credentials were refused: row 1: HTTP_401, the answer was empty
    Settings of configuration [digest]
      concurrency                 1
      external_ip                 10.120.0.0
      ledger                      [here]/home/state/cardcancel/ledger.db
      rate                        unlimited
      url                         http://127.0.0.1:[port]
    Start the same command again to resume
    ");
}

#[test]
fn a_check_says_what_is_wrong_and_how_long_it_takes() {
    let _tidy = redact_varying();
    let env = mixed_orders();
    assert_snapshot!(env.run(&["check", "orders.csv"]).exits(1).stdout, @r#"
    line 6, row 5: INVALID_ADMIN_NUMBER: the admin number "x" is not a number; it must be a whole number from 0 to 9223372036854775807
    row 6: DUPLICATE: the same order as row 1
    orders.csv: 6 rows
    Columns: admin number from "admin", sequence number from "seq"
    First order: 1001/1, in line 2
    Not compared with a ledger: cancelled orders are recorded by address, and no --url is set
                4 to send
                1 with the same order as an earlier row
                1 invalid
                1   INVALID_ADMIN_NUMBER
    At 10/s this takes under a second
    "#);
    let json = env.run(&["check", "orders.csv", "--json"]).exits(1).stdout;
    assert_snapshot!(pretty(&json), @r#"
    {
      "bad_rows": [
        {
          "error_code": "INVALID_ADMIN_NUMBER",
          "line": 6,
          "message": "the admin number \"x\" is not a number; it must be a whole number from 0 to 9223372036854775807",
          "row": 5
        }
      ],
      "blank": 0,
      "columns": {
        "admin_number": "admin",
        "first_order": {
          "line": 2,
          "order": "1001/1"
        },
        "priority": null,
        "replaced": [],
        "sequence_number": "seq"
      },
      "connection": null,
      "cut_off": null,
      "cut_off_at": null,
      "duplicate_rows": [
        {
          "first": 1,
          "row": 6
        }
      ],
      "duplicates": 1,
      "input": "orders.csv",
      "input_sha256": "f1ea169949089307ab8aaf8e9861742a8f25224b609e897f3c0717efc68e6ec3",
      "invalid": 1,
      "known": {
        "cancelled": 0,
        "in_doubt": 0,
        "in_flight": 0,
        "ledger": null,
        "not_asked": "cancelled orders are recorded by address, and no --url is set",
        "run": null,
        "run_has_ended": false,
        "unreadable": null
      },
      "max_rows": null,
      "meets_cut_off": null,
      "missing_secrets": [],
      "priorities": null,
      "rate": "10/s",
      "rows": 6,
      "seconds": 0.4,
      "start_window": null,
      "starts_at": "[time]",
      "to_send": 4,
      "warnings": []
    }
    "#);
    env.orders(20_000);
    assert_snapshot!(env.run(&["check", "orders.csv", "--rate", "50/s"]).exits(0).stdout, @r#"
    orders.csv: 20,000 rows
    Columns: admin number from "AdminNumber", sequence number from "CardSequenceNumber"
    First order: 1001/1, in line 2
    Not compared with a ledger: cancelled orders are recorded by address, and no --url is set
           20,000 to send
                0 with the same order as an earlier row
                0 invalid
    At 50/s this takes 6 min 40 s
    "#);
}

#[test]
fn a_rehearsal_needs_no_address_and_says_whether_the_results_are_true() {
    let _tidy = redact_varying();
    let env = TestEnv::new();
    env.orders(60)
        .file("cardcancel.toml", "[rehearsal]\nseed = 3\nprinted = '10%'\ndrop_after = '10%'\n");
    let args = ["run", "orders.csv", "--rehearse", "--rate", "unlimited"];
    assert_snapshot!(env.run(&args).exits(3).stdout, @r"
    Run [run] of orders.csv, 60 rows: ended
      cancelled                  45
      rejected                   15
        with doubt                9
    71 calls in [a while], [so many] a second
    During the run: 11 answers lost; 11 calls repeated
    Results: orders.rehearsal.results.csv
    In doubt: 9 rows rejected after a lost answer; that call may have cancelled the order: look in CoreCARD, then resolve
    Rejected: 6 rows (final; see error_code and message in the results)
    Simulator: 71 calls received, 53 orders cancelled; 11 calls lost, failed or refused on purpose
    Results:  45 orders cancelled
              and 8 by a call whose answer was lost: the results have doubt there
    Every result agrees with the simulator's own record
    ");
    assert!(!env.ledger().exists(), "a rehearsal touched the real ledger");
    assert!(!env.path("orders.results.csv").exists());
}
