//! The order in which calls arrive, set by a column of the input.
use std::time::Duration;

use crate::common::{
    ProgramOutput, TestEnv, TestSimulator, ended, kill, redact_varying, rows, terminate, until,
};
use cardcancel::simulator::{Latency, Share, SimulatorSettings};
use insta::assert_snapshot;
use jiff::Timestamp;

const FLAGS: [&str; 4] = ["--priority-column", "Urgency", "--concurrency", "1"];

/// The priority column: empty in some rows, not a number in others.
fn urgency(row: u32) -> String {
    match row % 11 {
        3 => String::new(),
        7 => "soon".to_owned(),
        _ => (i64::from(row * 7 % 5) - 1).to_string(),
    }
}

/// Writes `orders.csv` with this many orders: 1001/1, 1002/1 and so on.
fn orders(env: &TestEnv, count: u32) {
    let lines: String =
        (1..=count).map(|row| format!("{},{},1\n", urgency(row), 1000 + row)).collect();
    env.file("orders.csv", format!("Urgency,AdminNumber,CardSequenceNumber\n{lines}"));
}

/// The admin numbers of this many rows, the most urgent first.
fn by_urgency(count: u32) -> Vec<i64> {
    let mut sorted: Vec<u32> = (1..=count).collect();
    sorted.sort_by_key(|row| urgency(*row).parse::<i64>().unwrap_or(i64::MAX));
    sorted.into_iter().map(|row| 1000 + i64::from(row)).collect()
}

/// A simulator that answers after this many milliseconds and keeps a record.
fn recording(env: &TestEnv, milliseconds: u64) -> TestSimulator {
    TestSimulator::new(SimulatorSettings {
        latency: Latency::fixed(Duration::from_millis(milliseconds)),
        record: Some(env.path("record.csv")),
        ..SimulatorSettings::default()
    })
}

/// The admin numbers in the order in which they arrived, each once.
fn arrived(env: &TestEnv, core_card: TestSimulator) -> Vec<i64> {
    core_card.stop();
    let record = rows(&env.read("record.csv"));
    let first = record.iter().filter(|line| line.get("nth") == "1");
    first.map(|line| line.get("admin_number").parse().unwrap()).collect()
}

#[test]
fn the_most_urgent_go_first_and_results_stay_in_the_inputs_order() {
    let env = TestEnv::new();
    orders(&env, 200);
    let core_card = recording(&env, 0);
    env.cancel(&core_card.url(), &FLAGS).exits(0);
    assert_eq!(arrived(&env, core_card), by_urgency(200));
    let results = env.results();
    assert_eq!(results.len(), 200);
    for (result, row) in results.iter().zip(1..) {
        assert_eq!(result.get("AdminNumber"), (1000 + row).to_string());
        assert_eq!(result.get("Urgency"), urgency(row));
        assert_eq!(result.status(), "cancelled");
    }
}

#[test]
fn without_the_flag_rows_go_in_the_inputs_order() {
    let env = TestEnv::new();
    orders(&env, 50);
    let core_card = recording(&env, 0);
    env.cancel(&core_card.url(), &["--concurrency", "1"]).exits(0);
    assert_eq!(arrived(&env, core_card), (1001..=1050).collect::<Vec<_>>());
}

#[test]
fn a_run_that_was_killed_goes_on_in_the_same_order() {
    let env = TestEnv::new();
    orders(&env, 90);
    env.file("cardcancel.toml", "[codes]\nSIMULATOR_ALREADY_CANCELLED = 'already_cancelled'");
    let core_card = recording(&env, 10);
    for requests in [30, 60] {
        let begun = env.begin_to_cancel(&core_card.url(), &FLAGS);
        until("a third was sent", || core_card.requests() >= requests);
        kill(begun);
    }
    env.cancel(&core_card.url(), &FLAGS).exits(0);
    assert_eq!(arrived(&env, core_card), by_urgency(90));
    let doubts = env.results().iter().filter(|row| row.doubt()).count();
    assert!((1..=2).contains(&doubts), "{doubts} rows in doubt");
}

#[test]
fn a_run_that_was_stopped_with_many_calls_in_flight_goes_on_with_the_most_urgent() {
    let env = TestEnv::new();
    orders(&env, 120);
    let core_card = recording(&env, 20);
    let flags = ["--priority-column", "Urgency", "--concurrency", "8"];
    let begun = env.begin_to_cancel(&core_card.url(), &flags);
    until("some were sent", || core_card.requests() >= 40);
    terminate(&begun);
    ended(begun).exits(4);
    let sent: Vec<String> = cancelled(&env);
    env.cancel(&core_card.url(), &FLAGS).exits(0);
    let rest: Vec<i64> =
        by_urgency(120).into_iter().filter(|admin| !sent.contains(&admin.to_string())).collect();
    assert_eq!(arrived(&env, core_card)[sent.len()..], rest);
}

/// The admin numbers of the rows that the results say are cancelled.
fn cancelled(env: &TestEnv) -> Vec<String> {
    let results = env.results();
    let cancelled = results.iter().filter(|row| row.status() == "cancelled");
    cancelled.map(|row| row.get("AdminNumber").to_owned()).collect()
}

#[test]
fn before_the_cut_off_the_most_urgent_are_sent() {
    let env = TestEnv::new();
    orders(&env, 400);
    let core_card = recording(&env, 0);
    let at = Timestamp::from_second(Timestamp::now().as_second() + 4).unwrap();
    let cut_off = format!("--cut-off={}", at.strftime("%H:%M:%S[UTC]"));
    let flags = ["--rate", "20/s", "--allow-partial", "--timeout", "1s", &cut_off];
    let url = core_card.url();
    let args = ["run", "orders.csv", "--yes", "--external-ip", "10.120.0.0", "--url", &url];
    env.run(&[&args[..], &FLAGS[..], &flags].concat()).exits(4);
    let sent = cancelled(&env);
    assert!(!sent.is_empty() && sent.len() < 400);
    let mut urgent = by_urgency(400);
    urgent.truncate(sent.len());
    urgent.sort_unstable();
    assert_eq!(sent, urgent.iter().map(ToString::to_string).collect::<Vec<_>>());
}

#[test]
fn the_canary_is_of_the_most_urgent_rows() {
    let env = TestEnv::new();
    orders(&env, 60);
    let core_card = TestSimulator::new(SimulatorSettings {
        printed: Share::ALL,
        ..SimulatorSettings::default()
    });
    let flags = ["--priority-column", "Urgency", "--canary", "1"];
    env.cancel(&core_card.url(), &flags).exits(4);
    let asked: Vec<i64> = core_card.requests_by_order().into_keys().collect();
    assert_eq!(asked, by_urgency(60)[..1]);
}

#[test]
fn a_rerun_sends_the_most_urgent_first_too() {
    let env = TestEnv::new();
    orders(&env, 60);
    let refusing = TestSimulator::new(SimulatorSettings {
        unavailable: Share::ALL,
        ..SimulatorSettings::default()
    });
    env.cancel(&refusing.url(), &["--attempts", "1", "--max-outage", "1s"]);
    assert!(env.results().iter().all(|row| ["in_doubt", "not_sent"].contains(&row.status())));
    let core_card = recording(&env, 0);
    let flags = [&FLAGS[..], &["--trust-results"]].concat();
    env.rerun("orders.results.csv", &core_card.url(), &flags).exits(0);
    assert_eq!(arrived(&env, core_card), by_urgency(60));
}

#[test]
fn the_same_file_in_another_order_is_another_run() {
    let env = TestEnv::new();
    orders(&env, 10);
    let core_card = recording(&env, 0);
    env.cancel(&core_card.url(), &[]).exits(0);
    let again = env.cancel(&core_card.url(), &[&FLAGS[..], &["-o", "b.csv"]].concat()).exits(0);
    assert!(!again.stdout.contains("nothing was sent"), "{}", again.stdout);
    assert_eq!(env.run(&["runs"]).exits(0).stdout.lines().count(), 3, "headings and two runs");
}

#[test]
fn a_duplicate_goes_when_the_row_that_decides_goes() {
    let env = TestEnv::new();
    env.file("orders.csv", "admin,seq,urgency\n1,1,5\n2,1,3\n1,1,1\n3,1,\nbad,1,0\n");
    let core_card = recording(&env, 0);
    env.cancel(&core_card.url(), &FLAGS).exits(1);
    assert_eq!(arrived(&env, core_card), [2, 1, 3]);
}

fn checked(env: &TestEnv, flags: &[&str]) -> ProgramOutput {
    env.run(&[&["check", "orders.csv", "--priority-column", "urgency"], flags].concat())
}

#[test]
fn a_check_says_how_many_rows_have_which_priority() {
    let _tidy = redact_varying();
    let env = TestEnv::new();
    orders(&env, 100);
    assert_snapshot!(checked(&env, &[]).exits(0).stdout, @r#"
    orders.csv: 100 rows
    Columns: admin number from "AdminNumber", sequence number from "CardSequenceNumber", priority from "Urgency"
    First order: 1001/1, in line 2
    Not compared with a ledger: cancelled orders are recorded by address, and no --url is set
              100 to send
                0 with the same order as an earlier row
                0 invalid
    By priority, the smallest first:
               16 with -1
               16 with 0
               17 with 1
               16 with 2
               17 with 3
               18 without a valid priority, sent last
    At 10/s this takes 10 s
    "#);
    let json = checked(&env, &["--json"]).exits(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_snapshot!(json["priorities"], @r#"{"first":[{"priority":-1,"rows":16},{"priority":0,"rows":16},{"priority":1,"rows":17},{"priority":2,"rows":16},{"priority":3,"rows":17}],"none":18,"others":0}"#);
}
