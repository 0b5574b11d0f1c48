//! Wall clocks that are set while the contract's rate is measured by them.
use std::time::Duration;

use crate::common::{ProgramOutput, TestEnv, TestSimulator, ended, until, with_its_clock_set};
use cardcancel::engine::{Event, Now, RunPolicy, Scheduler};
use cardcancel::identity::Identity;
use cardcancel::ledger::{Ledger, Purpose, Sqlite, StartOptions};
use cardcancel::model::OnDoubt;
use cardcancel::policy::pacer::Pacer;
use cardcancel::policy::stop_rules::StopRuleSettings;
use cardcancel::simulator::{Latency, SimulatorSettings};
use jiff::{SignedDuration, Timestamp};

/// Uses up the contract of a minute. Then another file is run under a clock that was set by an
/// hour, for the five seconds up to its cut-off.
fn no_call_of_the_next_minute_is_made(hours: i64) {
    let core_card = TestSimulator::perfect();
    let env = TestEnv::new();
    let run = |flags: &[&str]| {
        let url = core_card.url();
        let needed = ["run", "orders.csv", "--url", &url, "--external-ip", "10.120.0.0", "--yes"];
        env.command(&[&needed[..], &["--rate", "50/s,20/m"], flags].concat())
    };
    env.orders(20);
    ended(run(&[]).spawn().unwrap()).exits(0);
    env.file("orders.csv", "admin,seq\n5000,1\n");
    let set = SignedDuration::from_hours(hours);
    let cut_off = Timestamp::now() + set + Duration::from_secs(5);
    let cut_off = format!("--cut-off={}", cut_off.strftime("%H:%M:%S[UTC]"));
    let mut next = run(&[&cut_off, "--timeout", "1s", "-o", "next.csv"]);
    with_its_clock_set(&mut next, &format!("{:+}s", set.as_secs()));
    let next = ended(next.spawn().unwrap()).exits(4);
    assert_eq!(core_card.requests(), 20, "{}", next.report());
    assert!(next.all_output().contains("the clock was set"), "{}", next.report());
}

#[test]
#[ignore = "needs libfaketime: tests/run brings it"]
fn a_clock_set_forward_between_two_runs_gives_no_minute_twice() {
    no_call_of_the_next_minute_is_made(1);
}

#[test]
#[ignore = "needs libfaketime: tests/run brings it"]
fn a_clock_set_back_between_two_runs_gives_no_minute_twice() {
    no_call_of_the_next_minute_is_made(-1);
}

/// A run at this rate whose clock is set by this much after this many calls.
fn set_in_the_run(
    env: &TestEnv,
    core_card: &TestSimulator,
    flags: &[&str],
    calls: u64,
    by: &str,
) -> ProgramOutput {
    env.file("clock", "+0s");
    let url = core_card.url();
    let needed = ["run", "orders.csv", "--url", &url, "--external-ip", "10.120.0.0", "--yes"];
    let mut run = env.command(&[&needed[..], flags].concat());
    with_its_clock_set(&mut run, "");
    run.env_remove("FAKETIME").env("FAKETIME_TIMESTAMP_FILE", env.path("clock"));
    let run = run.env("FAKETIME_NO_CACHE", "1").spawn().unwrap();
    until("so many calls were made", || core_card.requests() >= calls);
    env.file("clock", by);
    ended(run)
}

#[test]
#[ignore = "needs libfaketime: tests/run brings it"]
fn a_run_whose_machine_stood_still_sends_each_order_once_and_says_so() {
    let latency = Latency::fixed(Duration::from_millis(20));
    let core_card =
        TestSimulator::new(SimulatorSettings { latency, ..SimulatorSettings::default() });
    let env = TestEnv::with_orders(60);
    let run = set_in_the_run(&env, &core_card, &["--rate", "30/s"], 20, "+60s").exits(0);
    assert!(run.stderr.contains("the machine was suspended"), "{}", run.report());
    assert!(
        core_card.requests_by_order().values().all(|times| *times == 1),
        "{:?}",
        core_card.requests_by_order()
    );
    assert!(env.results().iter().all(|row| !row.doubt()));
}

#[test]
#[ignore = "needs libfaketime: tests/run brings it"]
fn a_clock_set_back_puts_no_cut_off_off() {
    let core_card = TestSimulator::perfect();
    let env = TestEnv::with_orders(150);
    let cut_off = (Timestamp::now() + Duration::from_secs(6)).strftime("%H:%M:%S[UTC]");
    let cut_off = format!("--cut-off={cut_off}");
    let flags = [&cut_off, "--timeout", "1s", "--rate", "5/s", "--allow-partial"];
    set_in_the_run(&env, &core_card, &flags, 5, "-3600s").exits(4);
    assert!(core_card.requests() <= 30, "{} calls", core_card.requests());
    assert!(env.results().iter().any(|row| row.get("error_code") == "CUT_OFF"));
}

#[test]
fn rows_claimed_as_the_clock_is_set_back_get_new_slots_and_are_not_sent_at_once() {
    const HOUR: SignedDuration = SignedDuration::from_hours(1);
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Sqlite::open(&folder.path().join("ledger.db")).unwrap();
    let noon: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
    let run = crate::common::create_run(&mut ledger, 20, noon);
    let options = StartOptions {
        at: noon,
        cut_off: None,
        rates: String::new(),
        joins: false,
        again: false,
        on_doubt: OnDoubt::Retry,
        by: Identity::of_this_process(),
        purpose: Purpose::default(),
        configuration: String::new(),
    };
    let started = ledger.start(&run, options).unwrap();
    let policy = RunPolicy {
        concurrency: 20,
        attempts: 3,
        on_doubt: OnDoubt::Retry,
        last_start: None,
        stop_rules: StopRuleSettings::default(),
        max_outage: Duration::from_secs(900),
        max_per_second: Some(100),
    };
    let mut pacer = Pacer::new(&"100/s".parse().unwrap());
    let mut scheduler = Scheduler::new(policy, run.counts, started);
    let now = Now { since_start: Duration::ZERO, wall: noon };
    let commit = scheduler.handle([], now).commit.unwrap();
    let outcome = ledger.commit(commit, &mut |b, request| pacer.allocate(b, request)).unwrap();
    let claimed = outcome.claimed.len();
    assert!(claimed > 3, "{claimed} rows");
    let now = Now { since_start: Duration::from_millis(3), wall: noon - HOUR };
    let actions = scheduler.handle([Event::Committed(outcome)], now);
    assert_eq!(actions.commit.unwrap().completed.len(), claimed, "not all are released");
    for since_start in (0..1000).map(|tens| Duration::from_millis(10 * tens)) {
        let now = Now { since_start, wall: noon - HOUR + since_start };
        assert!(scheduler.handle([], now).dispatch.is_empty(), "sent after {since_start:?}");
    }
}
