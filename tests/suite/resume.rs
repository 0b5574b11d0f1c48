//! Runs that are started again: after a crash, a stop or their end, or while they are in progress.
use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use crate::common::{
    Behavior, ScriptedServer, TestEnv, TestSimulator, ended, kill, status, terminate, until,
};
use cardcancel::ledger::{Ledger, RowRecord, Sqlite};
use cardcancel::model::{Order, RowNumber, Status};
use cardcancel::simulator::{Latency, Share, SimulatorSettings};
use jiff::Timestamp;

/// An error code of the simulator, with this configured meaning.
const CODES: &str = "[codes]\nSIMULATOR_ALREADY_CANCELLED = 'already_cancelled'";

fn slow(milliseconds: u64) -> TestSimulator {
    let latency = Latency::fixed(Duration::from_millis(milliseconds));
    TestSimulator::new(SimulatorSettings { latency, ..SimulatorSettings::default() })
}

/// The rows of the only run in the ledger, and their orders.
fn recorded(env: &TestEnv) -> (Vec<RowRecord>, BTreeMap<RowNumber, Order>) {
    let mut ledger = Sqlite::open_existing(&env.ledger()).unwrap().unwrap();
    let run = ledger.runs().unwrap().pop().unwrap();
    (crate::common::records(&mut ledger, &run), ledger.orders(&run).unwrap())
}

/// The number of requests for each order whose row has ended by the ledger.
fn asked_of_the_ended(env: &TestEnv, core_card: &TestSimulator) -> BTreeMap<i64, u32> {
    let asked = core_card.requests_by_order();
    let (rows, orders) = recorded(env);
    rows.iter()
        .filter(|row| !matches!(row.status, Status::NotSent | Status::InDoubt))
        .map(|row| orders[&row.row].admin_number)
        .map(|admin| (admin, asked[&admin]))
        .collect()
}

/// The flag for a cut-off this many seconds from now, with that time.
fn cut_off_in(seconds: i64) -> (String, Timestamp) {
    let at = Timestamp::from_second(Timestamp::now().as_second() + seconds).unwrap();
    (format!("--cut-off={}", at.strftime("%H:%M:%S[UTC]")), at)
}

#[test]
fn a_run_that_is_killed_again_and_again_ends_with_one_true_result_a_row() {
    const ROWS: u32 = 600;
    const KILLS: u64 = 5;
    const CONCURRENCY: usize = 8;
    let core_card = slow(30);
    let env = TestEnv::new();
    env.orders(ROWS).file("cardcancel.toml", CODES);
    let flags = ["--concurrency", &CONCURRENCY.to_string(), "--json"];
    let mut ended_before = BTreeMap::new();
    for kills in 1..=KILLS {
        let begun = env.begin_to_cancel(&core_card.url(), &flags);
        until("a sixth was sent", || core_card.requests() >= kills * 100);
        kill(begun);
        ended_before.append(&mut asked_of_the_ended(&env, &core_card));
        assert!(ended_before.len() as u64 >= kills * 100 - kills * CONCURRENCY as u64 * 3);
    }
    let summary = env.cancel(&core_card.url(), &flags).exits(0).stdout;
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    assert_eq!((&summary["resumed"], &summary["state"]), (&true.into(), &"ended".into()));

    let asked = core_card.requests_by_order();
    for (admin, times) in &ended_before {
        assert_eq!(asked[admin], *times, "{admin} was sent again after it had ended");
    }
    let results = env.results();
    assert_eq!(results.len(), ROWS as usize);
    let mut doubts = 0;
    for (row, number) in results.iter().zip(1..) {
        let admin: i64 = row.get("AdminNumber").parse().unwrap();
        assert_eq!(row.get("row"), i32::to_string(&number));
        assert!(["cancelled", "already_cancelled"].contains(&row.status()), "{row:?}");
        assert!(row.attempts() >= asked[&admin], "{row:?}");
        assert!(asked[&admin] == 1 || row.doubt(), "sent twice and no doubt: {row:?}");
        assert!(row.status() == "cancelled" || row.doubt(), "{row:?}");
        doubts += usize::from(row.doubt());
    }
    assert!(doubts <= CONCURRENCY * KILLS as usize, "{doubts} rows in doubt");
    assert!(doubts > 0, "no call was in flight at any kill");
    assert_eq!(core_card.stop().orders_cancelled, u64::from(ROWS));
}

#[test]
fn a_run_that_ended_is_only_reported_again() {
    let core_card = TestSimulator::new(SimulatorSettings {
        printed: Share::per_mille(300),
        ..SimulatorSettings::default()
    });
    let env = TestEnv::new();
    env.orders(40).cancel(&core_card.url(), &[]).exits(1);
    let results = env.text("orders.results.csv");
    std::fs::remove_file(env.path("orders.results.csv")).unwrap();
    let again = env.cancel(&core_card.url(), &[]).exits(1);
    assert!(again.stdout.contains("had ended before; nothing was sent"), "{}", again.stdout);
    assert_eq!(env.text("orders.results.csv"), results);
    assert_eq!(core_card.requests(), 40);
}

#[test]
fn a_run_that_was_signalled_to_stop_stops_and_resumes_later() {
    let core_card = slow(30);
    let env = TestEnv::with_orders(60);
    let flags = ["--concurrency", "4"];
    let begun = env.begin_to_cancel(&core_card.url(), &flags);
    until("some were sent", || core_card.requests() >= 10);
    terminate(&begun);
    let stopped = ended(begun).exits(4);
    assert!(stopped.stdout.contains("STOPPED EARLY"), "{}", stopped.stdout);
    let sent = core_card.requests();
    let results = env.results();
    let (cancelled, rest): (Vec<_>, Vec<_>) =
        results.iter().partition(|row| row.status() == "cancelled");
    assert_eq!(cancelled.len() as u64, sent, "calls in flight were not waited for");
    for row in &rest {
        assert_eq!(
            (row.status(), row.code(), row.get("first_sent_at")),
            ("not_sent", "SIGNAL", "")
        );
        assert_eq!((row.attempts(), row.doubt(), row.get("ended_at")), (0, false, ""));
    }
    assert!(!rest.is_empty());

    let resumed = env.cancel(&core_card.url(), &flags).exits(0);
    assert!(resumed.stdout.contains("resumed and ended"), "{}", resumed.stdout);
    assert!(core_card.requests_by_order().values().all(|times| *times == 1));
    assert_eq!(core_card.stop().orders_cancelled, 60);
}

#[test]
fn a_stop_does_not_wait_for_what_the_server_asked_to_wait_for() {
    let busy = crate::common::with_headers("429 Too Many Requests", &["Retry-After: 3600"], "");
    let server = ScriptedServer::always(Behavior::Respond(busy));
    let env = TestEnv::with_orders(3);
    let begun = env.begin_to_cancel(&server.url(), &["--concurrency", "1"]);
    until("the server has asked to wait", || server.requests().len() == 1);
    terminate(&begun);
    ended(begun).exits(4);
    assert!(env.results().iter().all(|row| row.status() == "not_sent"));
}

#[test]
fn the_cut_off_comes_though_the_server_asked_to_wait_for_longer() {
    let busy = crate::common::with_headers("503 Busy", &["Retry-After: 3600"], "");
    let server = ScriptedServer::always(Behavior::Respond(busy));
    let env = TestEnv::new();
    let (cut_off, _) = cut_off_in(4);
    let flags = ["--concurrency", "1", "--timeout", "1s", &cut_off];
    env.orders(3).cancel(&server.url(), &flags).exits(4);
    let results = env.results();
    assert_eq!((results[0].status(), results[0].code()), ("in_doubt", "HTTP_503"));
    assert_eq!((results[2].status(), results[2].code()), ("not_sent", "CUT_OFF"));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_second_signal_stops_at_once_and_what_was_in_flight_is_in_doubt() {
    let hanging =
        TestSimulator::new(SimulatorSettings { hang: Share::ALL, ..SimulatorSettings::default() });
    let env = TestEnv::with_orders(5);
    let begun = env.begin_to_cancel(&hanging.url(), &["--concurrency", "2"]);
    until("two calls are in flight", || hanging.requests() == 2);
    // Signals of one kind that arrive together are merged, so they are sent until the process ends.
    let mut begun = Some(begun);
    until("it has ended", || {
        let child = begun.as_mut().unwrap();
        terminate(child);
        child.try_wait().unwrap().is_some()
    });
    let outcome = ended(begun.unwrap()).exits(4);
    assert!(outcome.stderr.contains("stopped at once"), "{}", outcome.stderr);
    let doubts: Vec<bool> = recorded(&env).0.iter().map(|row| row.doubt).collect();
    assert_eq!(doubts, [true, true, false, false, false]);
}

#[test]
fn two_processes_never_work_on_the_same_file() {
    let core_card =
        TestSimulator::new(SimulatorSettings { hang: Share::ALL, ..SimulatorSettings::default() });
    let env = TestEnv::with_orders(3);
    let first = env.begin_to_cancel(&core_card.url(), &["--concurrency", "1"]);
    until("the first has begun", || core_card.requests() == 1);
    let second = env.cancel(&core_card.url(), &[]).exits(2);
    let holder = format!("this file is in use by process {} on ", first.id());
    assert!(second.stderr.contains(&holder), "{}", second.stderr);
    assert_eq!(core_card.requests(), 1);
    kill(first);
}

#[test]
fn the_same_file_can_be_run_at_two_endpoints_at_once() {
    let hanging =
        TestSimulator::new(SimulatorSettings { hang: Share::ALL, ..SimulatorSettings::default() });
    let core_card = TestSimulator::perfect();
    let env = TestEnv::with_orders(3);
    let first = env.begin_to_cancel(&hanging.url(), &["-o", "first.csv"]);
    until("the first has begun", || hanging.requests() >= 1);
    env.cancel(&core_card.url(), &[]).exits(0);
    kill(first);
}

#[test]
fn what_an_earlier_run_cancelled_is_not_sent_again() {
    let core_card = TestSimulator::perfect();
    let env = TestEnv::new();
    let summary = env.orders(3).cancel(&core_card.url(), &["--json"]).exits(0).stdout;
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    let run = summary["run"].as_str().unwrap();
    env.file("orders.csv", "admin,seq\n9,1\n1002,1\n");
    env.cancel(&core_card.url(), &["-o", "more.csv"]).exits(0);
    let rows = crate::common::rows(&env.read("more.csv"));
    assert_eq!(rows[0].status(), "cancelled");
    assert_eq!((rows[1].status(), rows[1].code()), ("already_cancelled", "ALREADY_CANCELLED"));
    assert_eq!(rows[1].get("message"), format!("cancelled by run {run}, row 2"));
    assert_eq!((rows[1].attempts(), rows[1].get("first_sent_at")), (0, ""));
    assert_eq!(core_card.requests_by_order()[&1002], 1);

    // A separate run there, so that there is an earlier run to look up.
    let elsewhere = TestSimulator::perfect();
    env.file("orders.csv", "admin,seq\n5,1\n");
    env.cancel(&elsewhere.url(), &["-o", "other.csv"]).exits(0);
    env.file("orders.csv", "admin,seq\n9,1\n1002,1\n");
    env.cancel(&elsewhere.url(), &["-o", "elsewhere.csv"]).exits(0);
    assert_eq!(elsewhere.requests(), 3, "another endpoint's cancellations count here");

    env.file("orders.csv", "admin,seq\n1002,1\n");
    env.cancel(&core_card.url(), &["--again", "-o", "again.csv"]).exits(1);
    assert_eq!(core_card.requests_by_order()[&1002], 2);
}

#[test]
fn a_file_whose_run_ended_can_be_run_once_more_on_demand() {
    let core_card = TestSimulator::new(SimulatorSettings {
        printed: Share::ALL,
        ..SimulatorSettings::default()
    });
    let env = TestEnv::new();
    env.orders(3).cancel(&core_card.url(), &[]).exits(1);
    env.cancel(&core_card.url(), &["--again", "-o", "again.csv"]).exits(1);
    assert!(core_card.requests_by_order().values().all(|times| *times == 2));
}

#[test]
fn a_run_started_again_after_its_cut_off_sends_nothing() {
    let core_card = slow(50);
    let env = TestEnv::with_orders(2000);
    let (cut_off, at) = cut_off_in(6);
    let flags = ["--concurrency", "1", "--timeout", "1s", "--allow-partial", &cut_off];
    let begun = env.begin_to_cancel(&core_card.url(), &flags);
    until("it was sending", || core_card.requests() >= 5);
    kill(begun);
    until("the cut-off has passed", || Timestamp::now() > at);
    let sent = core_card.requests();
    env.cancel(&core_card.url(), &flags).exits(4);
    // Neither without a cut-off nor with another time of day.
    let refused = env.cancel(&core_card.url(), &["--timeout", "1s"]).exits(4).stderr;
    assert!(refused.contains("to mean the next one, give its date"), "{refused}");
    let checked = env.run(&["check", "orders.csv", "--url", &core_card.url()]).exits(2).stdout;
    assert!(
        checked.contains("IT WOULD BE REFUSED: this run was to end at the cut-off"),
        "{checked}"
    );
    let (later, _) = cut_off_in(3600);
    env.cancel(&core_card.url(), &["--timeout", "1s", "--allow-partial", &later]).exits(4);
    assert_eq!(core_card.requests(), sent);
    let results = env.results();
    let last = &results[1999];
    assert_eq!((last.status(), last.code()), ("not_sent", "CUT_OFF"));
    let doubtful: Vec<_> = results.iter().filter(|row| row.status() == "in_doubt").collect();
    assert!(doubtful.len() <= 1, "only one call can have been in flight when it died");
    assert!(doubtful.iter().all(|row| row.code() == "INTERRUPTED"));
    assert!(
        results.iter().all(|row| ["cancelled", "in_doubt", "not_sent"].contains(&row.status()))
    );
    // With the next one by its date, it goes on.
    let next = ["--cut-off", "2999-12-31T23:59[UTC]", "--concurrency", "100"];
    let resumed = env.cancel(&core_card.url(), &next);
    // The call that was in flight when it died may have cancelled its order.
    assert!(matches!(resumed.code, Some(0 | 3)), "{}", resumed.report());
    assert!(env.results().iter().all(|row| row.status() != "not_sent"));
}

#[test]
fn a_cut_off_that_cannot_be_met_is_refused_before_anything_is_sent() {
    let core_card = TestSimulator::perfect();
    let env = TestEnv::with_orders(5000);
    let (cut_off, _) = cut_off_in(300);
    let url = core_card.url();
    let args = ["run", "orders.csv", "--yes", "--external-ip", "10.120.0.0", "--url", &url];
    let outcome = env.run(&[&args[..], &["--rate", "10/s", &cut_off]].concat()).exits(2);
    assert!(outcome.stderr.contains("--allow-partial"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("8 min 20 s"), "{}", outcome.stderr);
    assert_eq!(core_card.requests(), 0);
    assert!(!env.path("orders.results.csv").exists());
}

#[test]
fn at_the_cut_off_a_run_stops_and_says_which_rows_were_not_sent() {
    let core_card = TestSimulator::perfect();
    let env = TestEnv::with_orders(500);
    let (cut_off, at) = cut_off_in(5);
    let url = core_card.url();
    let args = ["run", "orders.csv", "--yes", "--external-ip", "10.120.0.0", "--url", &url];
    let flags = ["--rate", "20/s", "--allow-partial", "--timeout", "1s", &cut_off];
    env.run(&[&args[..], &flags].concat()).exits(4);
    let results = env.results();
    let (cancelled, rest): (Vec<_>, Vec<_>) =
        results.iter().partition(|row| row.status() == "cancelled");
    assert!(rest.iter().all(|row| (row.status(), row.code()) == ("not_sent", "CUT_OFF")));
    assert!(!cancelled.is_empty() && !rest.is_empty());
    let stats = core_card.stop();
    assert_eq!(cancelled.len() as u64, stats.requests);
    let last = i128::from(stats.last_arrival_ns.unwrap());
    assert!(last < at.as_nanosecond(), "a call came after the cut-off");
}

#[test]
fn a_run_with_too_many_failures_stops() {
    let core_card = TestSimulator::new(SimulatorSettings {
        printed: Share::ALL,
        ..SimulatorSettings::default()
    });
    let env = TestEnv::with_orders(30);
    let flags = ["--max-failures", "5", "--concurrency", "1"];
    env.cancel(&core_card.url(), &flags).exits(4);
    let results = env.results();
    assert!(results[..6].iter().all(|row| row.status() == "rejected"));
    let stopped = |code| {
        move |row: &crate::common::ResultRow| (row.status(), row.code()) == ("not_sent", code)
    };
    assert!(results[6..].iter().all(stopped("MAX_FAILURES")));
    assert_eq!(core_card.requests(), 6);
}

#[test]
fn ten_refusals_in_a_row_stop_the_run() {
    let server = ScriptedServer::always(Behavior::Respond(status("400 Bad Request")));
    let env = TestEnv::new();
    env.orders(30).cancel(&server.url(), &["--concurrency", "1"]).exits(4);
    let results = env.results();
    let reported: Vec<_> = results.iter().map(|row| (row.status(), row.code())).collect();
    assert_eq!(reported[..10], [("failed", "HTTP_400"); 10]);
    assert_eq!(reported[10..], [("not_sent", "REFUSALS"); 20]);
    assert_eq!(server.requests().len(), 10);
}

#[test]
fn nine_refusals_in_a_row_do_not() {
    let server = ScriptedServer::new(|nth, _| match nth % 10 {
        9 => Behavior::Respond(crate::common::json(r#"{"Status":true}"#)),
        _ => Behavior::Respond(status("400 Bad Request")),
    });
    let env = TestEnv::new();
    env.orders(30).cancel(&server.url(), &["--concurrency", "1"]).exits(1);
    assert_eq!(server.requests().len(), 30);
}

#[test]
fn signals_that_come_together_are_one_wish_to_stop() {
    let core_card = slow(100);
    let env = TestEnv::new();
    let begun = env.orders(60).begin_to_cancel(&core_card.url(), &["--concurrency", "4"]);
    until("some were sent", || core_card.requests() >= 5);
    let id = rustix::process::Pid::from_child(&begun);
    terminate(&begun);
    rustix::process::kill_process(id, rustix::process::Signal::HUP).unwrap();
    ended(begun).exits(4);
    let cancelled = env.results().iter().filter(|row| row.status() == "cancelled").count();
    assert_eq!(cancelled as u64, core_card.requests(), "calls in flight were not waited for");
}

#[test]
fn a_signal_that_was_ignored_at_the_start_stays_ignored() {
    let env = TestEnv::with_orders(40);
    let core_card = slow(40);
    let plain = env.cancelling(&core_card.url(), &["--concurrency", "1"]);
    // As nohup does it.
    let mut command = std::process::Command::new("/bin/sh");
    command.args(["-c", "trap '' HUP; exec \"$@\"", "sh"]).arg(plain.get_program());
    command.args(plain.get_args()).current_dir(env.folder()).env_clear();
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let begun = command.spawn().unwrap();
    until("some were sent", || core_card.requests() > 2);
    let id = rustix::process::Pid::from_child(&begun);
    rustix::process::kill_process(id, rustix::process::Signal::HUP).unwrap();
    ended(begun).exits(0);
    assert_eq!(core_card.requests(), 40);
}
