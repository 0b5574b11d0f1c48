//! Several processes on one ledger in PostgreSQL: they share runs and their rate, and whatever
//! happens to one of them, no row is lost or misreported.
//!
//! Two processes, each in its own folder, stand for two machines.
use std::collections::BTreeMap;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::common::postgres::{Database, PASSWORD, PostgresServer, granted};
use crate::common::{
    Behavior, CANCELLED, Cut, FaultyProxy, PgBouncer, ProgramOutput, ResultRow, ScriptedServer,
    TestEnv, TestSimulator, contains, ended, json, kill, terminate, until, with_headers,
    with_its_clock_set,
};
use cardcancel::simulator::{Order, OrderState, Share, SimulatorSettings, Stats};
use rustix::process::{Pid, Signal, kill_process};

/// The shortest lease allowed.
const LEASE: Duration = Duration::from_secs(5);
const CODES: &str = "[codes]\nSIMULATOR_ALREADY_CANCELLED = 'already_cancelled'";

/// A machine: a folder, and the database and the CoreCARD server that it uses.
struct SharedMachine {
    env: TestEnv,
    ledger: String,
    url: String,
}

impl SharedMachine {
    fn new(database: &Database, core_card: &TestSimulator) -> SharedMachine {
        SharedMachine::at(database, core_card.url())
    }

    fn at(database: &Database, url: String) -> SharedMachine {
        let env = TestEnv::new();
        env.file("cardcancel.toml", CODES);
        SharedMachine { env, ledger: database.url(), url }
    }

    /// One with this many orders.
    fn with_orders(database: &Database, core_card: &TestSimulator, orders: u32) -> SharedMachine {
        let machine = SharedMachine::new(database, core_card);
        machine.env.orders(orders);
        machine
    }

    fn command(&self, words: &[&str], flags: &[&str]) -> Command {
        let needed = ["--url", &self.url, "--external-ip", "10.120.0.0", "--lease", "5s"];
        let mut command = self.env.command(&[words, &needed, flags].concat());
        command.env("CARDCANCEL_LEDGER", &self.ledger);
        command
    }

    fn run(&self, flags: &[&str]) -> Child {
        self.command(&["run", "orders.csv", "--yes"], flags).spawn().unwrap()
    }

    fn work(&self, flags: &[&str]) -> Child {
        self.command(&["worker"], flags).spawn().unwrap()
    }

    /// The list of runs, by this machine's program.
    fn runs(&self) -> ProgramOutput {
        let mut command = self.env.command(&["runs"]);
        command.env("CARDCANCEL_LEDGER", &self.ledger).output().unwrap().into()
    }

    /// Whether the record is as it was sealed, by this machine's program.
    fn verify(&self) -> ProgramOutput {
        let mut command = self.env.command(&["verify"]);
        command.env("CARDCANCEL_LEDGER", &self.ledger).output().unwrap().into()
    }

    fn results(&self) -> Vec<ResultRow> {
        self.env.results()
    }
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// The number of workers; zero before there is a ledger.
fn at_work(database: &Database) -> i64 {
    if database.asked("SELECT to_regclass('cardcancel.worker') IS NOT NULL") {
        database.asked("SELECT count(*) FROM cardcancel.worker WHERE at_work")
    } else {
        0
    }
}

/// When the program last queried the database.
fn last_asked(database: &Database) -> String {
    database.asked(
        "SELECT coalesce(max(query_start)::text, '') FROM pg_stat_activity
         WHERE application_name LIKE 'cardcancel %' AND datname = current_database()",
    )
}

/// The processes together kept the rate. A machine under load cannot check how exactly, but it
/// can check that none had the rate to itself.
#[track_caller]
fn kept_to(rate: u64, stats: &Stats) {
    assert!(stats.peak_any_second <= rate + rate / 10, "{stats:?}");
}

/// Signals a worker to stop. Returns its output, and the number of calls that it reports.
fn dismissed(worker: Child) -> (ProgramOutput, u64) {
    terminate(&worker);
    let outcome = ended(worker).exits(0);
    let calls = reported_calls(&outcome.stderr);
    (outcome, calls)
}

fn reported_calls(log: &str) -> u64 {
    let reported = log.lines().filter_map(|line| line.split(" calls made here").next());
    let reported = reported.filter_map(|line| line.rsplit(' ').next());
    reported.filter_map(|number| number.replace(',', "").parse::<u64>().ok()).sum()
}

/// A server that takes a little time, and answers truthfully whether an order is cancelled.
fn steady() -> SimulatorSettings {
    SimulatorSettings { latency: "5ms..20ms".parse().unwrap(), ..SimulatorSettings::default() }
}

/// The same, with some answers lost.
fn rough() -> SimulatorSettings {
    SimulatorSettings {
        seed: 5,
        drop_after: Share::per_mille(10),
        printed: Share::per_mille(20),
        ..steady()
    }
}

/// Every result occurs once, and agrees with the server's record.
#[track_caller]
fn all_true(results: &[ResultRow], orders: &BTreeMap<Order, OrderState>, rows: u32) {
    assert_eq!(results.len(), rows as usize);
    for (row, number) in results.iter().zip(1..) {
        assert_eq!(row.get("row"), u32::to_string(&number));
        let admin_number = row.get("AdminNumber").parse().unwrap();
        let there = &orders[&Order { admin_number, sequence_number: 1 }];
        let reported = format!("{row:?}, but there {there:?}");
        match row.status() {
            "cancelled" => assert!(there.cancelled, "{reported}"),
            "already_cancelled" => assert!(there.cancelled && row.doubt(), "{reported}"),
            "rejected" => assert!(!there.cancelled || row.doubt(), "{reported}"),
            _ => panic!("{reported}"),
        }
        assert!(row.attempts() >= there.requests, "{reported}");
        assert!(there.requests <= 1 || row.doubt(), "sent twice, and no doubt: {reported}");
    }
}

fn doubts(results: &[ResultRow]) -> usize {
    results.iter().filter(|row| row.doubt()).count()
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn the_same_command_twice_in_one_folder_leaves_whole_results() {
    let database = granted();
    let core_card = TestSimulator::new(steady());
    let machine = SharedMachine::with_orders(&database, &core_card, 60);
    let flags = ["--rate", "50/s", "--quiet"];
    let first = machine.run(&flags);
    until("the first has begun", || core_card.requests() > 0);
    let second = machine.run(&flags);
    for process in [first, second] {
        ended(process).exits(0);
        all_true(&machine.results(), &core_card.orders(), 60);
    }
    let names = std::fs::read_dir(machine.env.folder()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(names.into_iter().all(|name| !name.ends_with(".partial")), "litter was left");
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_run_and_two_workers_share_its_rows_and_its_rate() {
    const ROWS: u32 = 1500;
    const RATE: u64 = 300;
    let (database, core_card) = (granted(), TestSimulator::new(rough()));
    let machines = [0, 1].map(|_| SharedMachine::new(&database, &core_card));
    let workers = machines.each_ref().map(|machine| machine.work(&[]));
    let opener = SharedMachine::with_orders(&database, &core_card, ROWS);
    let outcome = ended(opener.run(&["--rate", &format!("{RATE}/s"), "--json"])).exits(1);
    let summary: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    let own = summary["calls_this_start"].as_u64().unwrap();
    // They finish shortly after the last row has ended.
    until("nobody is at work", || at_work(&database) == 0);
    let reported = workers.map(dismissed);
    let results = opener.results();
    all_true(&results, &core_card.orders(), ROWS);
    let stats = core_card.stop();
    kept_to(RATE, &stats);
    let shares = [own, reported[0].1, reported[1].1];
    assert_eq!(
        shares.iter().sum::<u64>(),
        stats.requests,
        "{shares:?}\n{}",
        reported[0].0.report()
    );
    assert!(shares.iter().all(|calls| *calls > 0), "{shares:?}");
    assert_eq!(summary["attempts"], stats.requests);
    // Whoever finished last has sealed the run, with the ends of all of them.
    until("the run is sealed", || {
        database.asked::<i64>("SELECT count(*) FROM cardcancel.seal") > 0
    });
    let verified = opener.verify().exits(0).stdout;
    assert!(verified.starts_with("Unchanged since seal 1, "), "{verified}");
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn two_runs_of_the_same_file_are_one_and_each_writes_its_results() {
    const ROWS: u32 = 600;
    let (database, core_card) = (granted(), TestSimulator::new(steady()));
    let machines = [0, 1].map(|_| SharedMachine::with_orders(&database, &core_card, ROWS));
    let runs = machines.each_ref().map(|machine| machine.run(&["--rate", "300/s"]));
    runs.into_iter().for_each(|run| drop(ended(run).exits(0)));
    let results = machines.each_ref().map(SharedMachine::results);
    assert_eq!(results[0], results[1]);
    all_true(&results[0], &core_card.orders(), ROWS);
    let stats = core_card.stop();
    assert_eq!((stats.requests, stats.orders_cancelled), (ROWS.into(), ROWS.into()));
    kept_to(300, &stats);
    assert_eq!(database.asked::<i64>("SELECT count(*) FROM cardcancel.run"), 1);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn two_files_that_share_orders_send_each_once_from_two_machines() {
    const ROWS: u32 = 60;
    let slow =
        SimulatorSettings { latency: "300ms".parse().unwrap(), ..SimulatorSettings::default() };
    let (database, core_card) = (granted(), TestSimulator::new(slow));
    let one = SharedMachine::with_orders(&database, &core_card, ROWS);
    let other = SharedMachine::with_orders(&database, &core_card, ROWS + 1);
    let runs = [&one, &other].map(|machine| machine.run(&["--rate", "unlimited"]));
    runs.into_iter().for_each(|run| drop(ended(run).exits(0)));
    let orders = core_card.orders();
    assert!(orders.values().all(|order| order.requests == 1));
    let results = [one.results(), other.results()].concat();
    assert_eq!(results.len() as u32, 2 * ROWS + 1);
    for row in results {
        assert!(["cancelled", "already_cancelled"].contains(&row.status()), "{row:?}");
        assert!(!row.doubt(), "{row:?}");
    }
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn whichever_worker_is_killed_no_row_is_lost_and_any_machine_can_write_the_results() {
    const ROWS: u32 = 1200;
    const CONCURRENCY: usize = 64;
    let (database, core_card) = (granted(), TestSimulator::new(steady()));
    let flags = ["--concurrency", &CONCURRENCY.to_string()];
    let paced = [&flags[..], &["--rate", "200/s"]].concat();
    let opener = SharedMachine::with_orders(&database, &core_card, ROWS);
    let (first, second) =
        (SharedMachine::new(&database, &core_card), SharedMachine::new(&database, &core_card));
    let run = opener.run(&paced);
    let [worker, other] = [&first, &second].map(|machine| machine.work(&flags));
    until("all are at work", || at_work(&database) == 3);
    until("a third was sent", || core_card.requests() >= u64::from(ROWS) / 3);
    kill(run);
    kill(worker);
    let elsewhere = SharedMachine::with_orders(&database, &core_card, ROWS);
    ended(elsewhere.run(&paced)).exits(0);
    dismissed(other);
    let results = elsewhere.results();
    all_true(&results, &core_card.orders(), ROWS);
    let doubts = doubts(&results);
    // Claimed for slots that are near, or in flight.
    assert!(doubts <= 2 * CONCURRENCY, "{doubts} rows in doubt");
    let again = core_card.orders().values().filter(|order| order.requests > 1).count();
    assert!(again <= doubts, "{again} were sent twice, {doubts} are in doubt");
    assert_eq!(core_card.stop().orders_cancelled, u64::from(ROWS));
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_worker_that_was_frozen_sends_nothing_that_is_no_longer_its_own() {
    const ROWS: u32 = 1000;
    let (database, core_card) = (granted(), TestSimulator::new(steady()));
    let flags = ["--concurrency", "64"];
    let opener = SharedMachine::with_orders(&database, &core_card, ROWS);
    let run = opener.run(&[&flags[..], &["--rate", "100/s"]].concat());
    let machine = SharedMachine::new(&database, &core_card);
    let worker = machine.work(&flags);
    until("both are at work", || at_work(&database) == 2);
    until("it was sending", || core_card.requests() >= 100);
    signal(&worker, Signal::STOP);
    let gone = "SELECT count(*) FROM cardcancel.worker WHERE NOT at_work";
    until("its rows went to others", || database.asked::<i64>(gone) == 1);
    signal(&worker, Signal::CONT);
    ended(run).exits(0);
    dismissed(worker);
    let results = opener.results();
    all_true(&results, &core_card.orders(), ROWS);
    let stats = core_card.stop();
    kept_to(100, &stats);
    assert_eq!(stats.orders_cancelled, u64::from(ROWS));
    assert!(doubts(&results) <= 64, "{} rows in doubt", doubts(&results));
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_database_that_dies_and_comes_back_costs_no_row() {
    const ROWS: u32 = 900;
    let server = PostgresServer::start(&[]);
    let (database, core_card) = (server.granted(), TestSimulator::new(steady()));
    let opener = SharedMachine::with_orders(&database, &core_card, ROWS);
    let machine = SharedMachine::new(&database, &core_card);
    let worker = machine.work(&[]);
    let run = opener.run(&["--rate", "150/s"]);
    for part in [1, 2] {
        until("a part was sent", || core_card.requests() >= u64::from(part * ROWS / 4));
        server.kill();
        server.begin();
    }
    ended(run).exits(0);
    dismissed(worker);
    let results = opener.results();
    all_true(&results, &core_card.orders(), ROWS);
    let stats = core_card.stop();
    kept_to(150, &stats);
    assert_eq!(stats.orders_cancelled, u64::from(ROWS));
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_worker_waits_for_a_database_that_is_away_and_not_for_ever() {
    let server = PostgresServer::start(&[]);
    let (database, core_card) = (server.granted(), TestSimulator::perfect());
    let machine = SharedMachine::with_orders(&database, &core_card, 5);
    let other = SharedMachine::new(&database, &core_card);
    let patient = machine.work(&["--log-file", "log"]);
    let hasty = other.work(&["--log-file", "log", "--max-outage", "1s"]);
    for env in [&machine.env, &other.env] {
        let log = env.path("log");
        let is_logged =
            || std::fs::read_to_string(&log).is_ok_and(|log| log.contains("waiting for"));
        until("it waits for a run", is_logged);
    }
    server.kill();
    let reported = ended(hasty).exits(5).stderr;
    assert!(reported.contains("cannot be reached") && !reported.contains(PASSWORD), "{reported}");
    server.begin();
    ended(machine.run(&[])).exits(0);
    terminate(&patient);
    ended(patient).exits(0);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_worker_that_is_signalled_to_stop_leaves_the_run_to_the_other_workers() {
    const ROWS: u32 = 400;
    let (database, core_card) = (granted(), TestSimulator::new(steady()));
    let opener = SharedMachine::with_orders(&database, &core_card, ROWS);
    let run = opener.run(&["--rate", "100/s"]);
    until("it was sending", || core_card.requests() >= 50);
    let machine = SharedMachine::new(&database, &core_card);
    let worker = machine.work(&[]);
    until("both are at work", || at_work(&database) == 2);
    terminate(&run);
    let stopped = ended(run).exits(4);
    assert!(stopped.stderr.contains("other processes continue this run"), "{}", stopped.report());
    assert!(opener.results().iter().any(|row| row.status() == "not_sent"));
    until("nobody is at work", || at_work(&database) == 0);
    let (outcome, calls) = dismissed(worker);
    assert!(calls > 0 && calls < u64::from(ROWS), "{}", outcome.report());
    ended(opener.run(&["--rate", "100/s"])).exits(0);
    all_true(&opener.results(), &core_card.orders(), ROWS);
    assert_eq!(core_card.stop().requests, u64::from(ROWS));
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_run_that_a_stop_rule_stopped_is_not_joined_until_it_is_started_again() {
    const ROWS: u32 = 300;
    let night = SimulatorSettings { printed: Share::per_mille(200), ..steady() };
    let (database, core_card) = (granted(), TestSimulator::new(night));
    let opener = SharedMachine::with_orders(&database, &core_card, ROWS);
    let machine = SharedMachine::new(&database, &core_card);
    let worker = machine.work(&[]);
    ended(opener.run(&["--rate", "100/s", "--max-failures", "20"])).exits(4);
    until("nobody is at work", || at_work(&database) == 0);
    let sent = core_card.requests();
    assert!(sent < u64::from(ROWS));
    for _ in 0..3 {
        let before = last_asked(&database);
        until("it asks for a run once more", || last_asked(&database) != before);
    }
    assert_eq!(core_card.requests(), sent, "{}", opener.runs().report());
    ended(opener.run(&["--rate", "300/s"])).exits(1);
    dismissed(worker);
    all_true(&opener.results(), &core_card.orders(), ROWS);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn another_rate_than_the_one_that_is_kept_is_refused() {
    let (database, core_card) = (granted(), TestSimulator::new(steady()));
    let machines = [0, 1].map(|_| SharedMachine::with_orders(&database, &core_card, 300));
    let run = machines[0].run(&["--rate", "50/s"]);
    until("it was sending", || core_card.requests() >= 5);
    let refused = ended(machines[1].run(&["--rate", "60/s"])).exits(2);
    assert!(refused.stderr.contains("50/s"), "{}", refused.report());
    ended(machines[1].run(&["--rate", "50/s"])).exits(0);
    ended(run).exits(0);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn workers_take_the_runs_of_their_own_endpoint_the_oldest_first() {
    let database = granted();
    let (here, there) = (TestSimulator::new(steady()), TestSimulator::new(steady()));
    let mut openers = Vec::new();
    for (core_card, admin) in [(&here, 1), (&there, 2), (&here, 3)] {
        let machine = SharedMachine::new(&database, core_card);
        let lines: String = (1..=40).map(|row| format!("{admin}{row:03},1\n")).collect();
        machine.env.file("orders.csv", format!("admin,seq\n{lines}"));
        let run = machine.run(&["--rate", "10/s"]);
        until("it was sending", || {
            core_card.requests_by_order().keys().any(|asked| asked / 1000 == admin)
        });
        terminate(&run);
        ended(run).exits(4);
        openers.push(machine);
    }
    let worker = SharedMachine::new(&database, &here).work(&["--concurrency", "4"]);
    until("the second has begun", || {
        here.requests_by_order().keys().filter(|n| **n / 1000 == 3).count() > 1
    });
    let first = here.requests_by_order().keys().filter(|admin| **admin / 1000 == 1).count();
    assert_eq!(first, 40, "the younger run came before the older had ended");
    until("both are done", || here.requests() == 80);
    dismissed(worker);
    assert!(there.requests() < 40);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_run_whose_rate_a_worker_does_not_know_is_passed_over_with_a_warning() {
    let (database, core_card) = (granted(), TestSimulator::new(steady()));
    let mut openers = Vec::new();
    for admin in [1, 2] {
        let machine = SharedMachine::new(&database, &core_card);
        let lines: String = (1..=20).map(|row| format!("{admin}{row:03},1\n")).collect();
        machine.env.file("orders.csv", format!("admin,seq\n{lines}"));
        let run = machine.run(&["--rate", "10/s"]);
        until("it was sending", || {
            core_card.requests_by_order().keys().any(|asked| asked / 1000 == admin)
        });
        terminate(&run);
        ended(run).exits(4);
        openers.push(machine);
    }
    let newer = "UPDATE cardcancel.worker SET rates = '1/fortnight'
                 WHERE run = (SELECT min(number) FROM cardcancel.run)";
    database.client().batch_execute(newer).unwrap();
    let sent = |admin| {
        core_card.requests_by_order().keys().filter(|asked| **asked / 1000 == admin).count()
    };
    let before = sent(1);
    let worker = SharedMachine::new(&database, &core_card).work(&[]);
    until("the other run is done", || sent(2) == 20);
    let reported = dismissed(worker).0.stderr;
    assert_eq!(reported.matches("this run is skipped").count(), 1, "{reported}");
    assert_eq!(sent(1), before);
}

#[test]
#[ignore = "needs PostgreSQL and libfaketime: tests/run brings them"]
fn machines_whose_clocks_differ_by_a_minute_keep_to_the_rate_together() {
    const ROWS: u32 = 600;
    let (database, core_card) = (granted(), TestSimulator::new(steady()));
    let flags = ["--rate", "100/s"];
    let mut runs = Vec::new();
    let machines = ["+60s", "-60s"].map(|offset| {
        let machine = SharedMachine::with_orders(&database, &core_card, ROWS);
        let mut command = machine.command(&["run", "orders.csv", "--yes"], &flags);
        with_its_clock_set(&mut command, offset);
        runs.push(command.spawn().unwrap());
        machine
    });
    runs.into_iter().for_each(|run| drop(ended(run).exits(0)));
    all_true(&machines[0].results(), &core_card.orders(), ROWS);
    let stats = core_card.stop();
    assert_eq!(stats.requests, u64::from(ROWS));
    kept_to(100, &stats);
    let took = stats.last_arrival_ns.unwrap() - stats.first_arrival_ns.unwrap();
    assert!(Duration::from_nanos(took) < LEASE * 3, "they waited for each other's clocks");
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn the_password_is_in_no_byte_of_what_is_said_or_kept() {
    let server = PostgresServer::start(&[]);
    let (database, core_card) = (server.granted(), TestSimulator::new(steady()));
    let machine = SharedMachine::with_orders(&database, &core_card, 60);
    let address = format!("postgres://test@127.0.0.1:{}/{}", database.port, database.name);
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), PASSWORD).unwrap();
    let logs = ["--log-level", "debug", "--log-file", "log"];
    let begin = |words: &[&str]| {
        let mut command = machine.command(words, &logs);
        command.env("CARDCANCEL_LEDGER", &address).env("RUST_LOG", "trace");
        command.env("CARDCANCEL_LEDGER_PASSWORD_FILE", secret.path()).spawn().unwrap()
    };
    let mut everywhere = Vec::new();
    let run = begin(&["run", "orders.csv", "--yes", "--rate", "10/s"]);
    let worker = begin(&["worker", "--max-outage", "1s"]);
    until("it was sending", || core_card.requests() >= 5);
    for child in [&run, &worker] {
        everywhere.extend(std::fs::read(format!("/proc/{}/cmdline", child.id())).unwrap());
    }
    everywhere.extend(ended(begin(&["config", "show"])).exits(0).report().into_bytes());
    terminate(&run);
    everywhere.extend(ended(run).exits(4).report().into_bytes());
    server.kill();
    everywhere.extend(ended(worker).exits(5).report().into_bytes());
    everywhere.extend(ended(begin(&["run", "orders.csv", "--yes"])).exits(5).report().into_bytes());
    server.begin();
    std::fs::write(secret.path(), "another").unwrap();
    let wrong = ended(begin(&["run", "orders.csv", "--yes"]));
    assert_ne!(wrong.code, Some(0), "{}", wrong.report());
    everywhere.extend(wrong.report().into_bytes());
    everywhere.extend(machine.env.everything_written());
    assert!(contains(&everywhere, "CARDCANCEL_LEDGER_PASSWORD"));
    assert!(!contains(&everywhere, PASSWORD) && !contains(&everywhere, "another"));
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn each_role_of_the_samples_may_do_what_it_is_for_and_no_more() {
    let server = PostgresServer::start(&[]);
    let core_card = TestSimulator::perfect();
    let ledger = Database { name: "cardcancel".to_owned(), ..server.of_all() };
    server.of_all().client().batch_execute("CREATE DATABASE cardcancel").unwrap();
    let sample = |name: &str| {
        let path = format!("{}/samples/postgres/{name}.sql", env!("CARGO_MANIFEST_DIR"));
        ledger.client().batch_execute(&std::fs::read_to_string(path).unwrap()).unwrap();
    };
    sample("roles");
    for role in ["cardcancel_owner", "cardcancel", "cardcancel_auditor"] {
        let set = format!("ALTER ROLE {role} PASSWORD '{PASSWORD}'");
        ledger.client().batch_execute(&set).unwrap();
    }
    let who = |role: &str| SharedMachine {
        ledger: ledger.url_of(role),
        ..SharedMachine::with_orders(&ledger, &core_card, 20)
    };
    let (owner, worker, auditor) =
        (who("cardcancel_owner"), who("cardcancel"), who("cardcancel_auditor"));
    let early = ended(worker.run(&[])).exits(2);
    assert!(early.stderr.contains("is not set up"), "{}", early.report());
    owner.runs().exits(0);
    sample("grants");
    ended(worker.run(&["--rate", "unlimited"])).exits(0);
    worker.env.file("urgent.csv", "admin,seq,prio\n5001,1,2\n5002,1,1\n");
    let words = ["run", "urgent.csv", "--yes", "--priority-column", "prio"];
    ended(worker.command(&words, &[]).spawn().unwrap()).exits(0);
    assert!(auditor.runs().exits(0).stdout.contains("ended"));
    let denied = ended(auditor.run(&["--again", "-o", "again.csv"]));
    assert!(denied.stderr.contains("permission denied"), "{}", denied.report());
    assert_eq!(core_card.requests(), 22);
    let as_worker = |sql: &str| {
        let url = ledger.url_of("cardcancel");
        let mut client = postgres::Client::connect(&url, postgres::NoTls).unwrap();
        client.batch_execute(sql).unwrap_err()
    };
    for sql in [
        "DELETE FROM cardcancel.attempt",
        "UPDATE cardcancel.attempt SET status = 0",
        "DELETE FROM cardcancel.run",
        "UPDATE cardcancel.run SET endpoint = ''",
        "DELETE FROM cardcancel.row",
        "UPDATE cardcancel.row SET admin_number = 1",
        "UPDATE cardcancel.row SET sequence_number = 1",
        "UPDATE cardcancel.open_row SET row = 1",
        "DELETE FROM cardcancel.budget",
        "DROP TABLE cardcancel.results",
    ] {
        assert_eq!(as_worker(sql).code().unwrap().code(), "42501", "{sql}");
    }
}

#[test]
#[ignore = "needs PostgreSQL and PgBouncer: tests/run brings them"]
fn through_a_pooler_that_keeps_sessions_all_goes_on_and_through_any_other_nothing_is_sent() {
    let (database, core_card) = (granted(), TestSimulator::perfect());
    for mode in ["transaction", "statement"] {
        let pooler = PgBouncer::before(&database, &[&format!("pool_mode={mode}")]);
        let machine = SharedMachine::with_orders(&pooler.through(&database), &core_card, 20);
        for words in [&["run", "orders.csv", "--yes"][..], &["worker"]] {
            let refused = ended(machine.command(words, &[]).spawn().unwrap()).exits(2);
            assert!(refused.stderr.contains("pool_mode = session"), "{}", refused.report());
        }
        assert_eq!(core_card.requests(), 0);
    }
    let pooler = PgBouncer::before(&database, &["pool_mode=session"]);
    let through = pooler.through(&database);
    let worker = SharedMachine::new(&through, &core_card).work(&[]);
    let machine = SharedMachine::with_orders(&through, &core_card, 200);
    ended(machine.run(&["--rate", "200/s"])).exits(0);
    dismissed(worker);
    all_true(&machine.results(), &core_card.orders(), 200);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn what_corecard_asked_one_process_to_wait_holds_for_all() {
    const BUSY_AFTER: usize = 150;
    const WAIT: Duration = Duration::from_secs(4);
    let database = granted();
    let server = ScriptedServer::new(|nth, _| match nth {
        BUSY_AFTER => {
            Behavior::Respond(with_headers("429 Too Many Requests", &["Retry-After: 4"], ""))
        }
        _ => Behavior::Respond(json(CANCELLED)),
    });
    let opener = SharedMachine::at(&database, server.url());
    opener.env.orders(600);
    let run = opener.run(&["--rate", "100/s"]);
    let machines = [0, 1].map(|_| SharedMachine::at(&database, server.url()));
    let workers = machines.each_ref().map(|machine| machine.work(&[]));
    until("it was told to wait", || server.requests().len() > BUSY_AFTER);
    assert_eq!(at_work(&database), 3, "they are not all at work");
    // A process that is started meanwhile waits, too.
    let late = SharedMachine::at(&database, server.url());
    let late_worker = late.work(&[]);
    ended(run).exits(0);
    let calls: Vec<u64> =
        workers.into_iter().chain([late_worker]).map(|worker| dismissed(worker).1).collect();
    assert!(calls.iter().all(|calls| *calls > 0), "{calls:?}");
    let sent: Vec<Instant> = server.requests().iter().map(|request| request.at).collect();
    let asked = sent[BUSY_AFTER];
    // A call in flight is not cancelled: a commit soon completes what was claimed.
    let (quiet_from, over) =
        (asked + Duration::from_millis(700), asked + WAIT - Duration::from_millis(100));
    let within = sent.iter().filter(|at| (quiet_from..over).contains(*at)).count();
    assert_eq!(within, 0, "calls were made while nobody was to");
    let on_the_way = sent.iter().filter(|at| (asked..quiet_from).contains(*at)).count();
    assert!(on_the_way <= 40, "{on_the_way} calls were made after it was asked for");
    assert_eq!(sent.len(), 601);
}

/// A session of this user and program has locked the rate budget.
fn lock_budget(database: &Database, user: &str, program: &str) -> postgres::Client {
    let url = format!("{}?application_name={program}", database.url_of(user));
    let mut client = postgres::Client::connect(&url, postgres::NoTls).unwrap();
    client.batch_execute("BEGIN; SELECT FROM cardcancel.budget FOR UPDATE").unwrap();
    client
}

/// A run of some orders that is in progress, and the path of its log.
fn sending(
    database: &Database,
    core_card: &TestSimulator,
) -> (SharedMachine, Child, std::path::PathBuf) {
    let machine = SharedMachine::with_orders(database, core_card, 150);
    let run = machine.run(&["--rate", "50/s", "--log-file", "log"]);
    until("it is sending", || core_card.requests() > 10);
    let log = machine.env.path("log");
    (machine, run, log)
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn who_waits_for_a_lock_says_who_has_it() {
    let (database, core_card) = (granted(), TestSimulator::new(steady()));
    let (machine, run, log) = sending(&database, &core_card);
    let mut other = lock_budget(&database, "cardcancel", "report-of-ada");
    let began = Instant::now();
    let reported = || std::fs::read_to_string(&log).unwrap();
    until("it says so", || reported().contains("is locked by report-of-ada (session "));
    assert!(began.elapsed() < Duration::from_secs(20));
    let reported = reported();
    for part in [" of user cardcancel at 127.0.0.1, idle in transaction)", "pg_terminate_backend("]
    {
        assert!(reported.contains(part), "{reported}");
    }
    // A session of another program is not ended.
    other.batch_execute("COMMIT").unwrap();
    ended(run).exits(0);
    all_true(&machine.results(), &core_card.orders(), 150);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_process_that_the_database_does_not_end_though_it_is_frozen_is_ended_by_those_who_wait() {
    let (database, core_card) = (granted(), TestSimulator::new(steady()));
    let (machine, run, log) = sending(&database, &core_card);
    let mut frozen = lock_budget(&database, "cardcancel", "cardcancel%201%20on%20elsewhere");
    let reported = ended(run).exits(0).report();
    assert!(frozen.batch_execute("COMMIT").is_err(), "it was not ended");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("is locked by cardcancel 1 on elsewhere (session "), "{log}{reported}");
    assert!(log.contains("it is idle, and is ended now"), "{log}");
    all_true(&machine.results(), &core_card.orders(), 150);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn who_waits_for_a_standby_says_so() {
    let server = PostgresServer::start(&[]);
    let (database, core_card) = (server.granted(), TestSimulator::new(steady()));
    let (machine, run, log) = sending(&database, &core_card);
    let wait_for = |name: &str| {
        let mut admin = database.client();
        let set = format!("ALTER SYSTEM SET synchronous_standby_names = '{name}'");
        admin.batch_execute(&set).unwrap();
        admin.batch_execute("SELECT pg_reload_conf()").unwrap();
    };
    wait_for("one_that_is_away");
    let reported = || std::fs::read_to_string(&log).unwrap();
    until("it says so", || reported().contains("waits for a standby to confirm a commit"));
    wait_for("");
    ended(run).exits(0);
    all_true(&machine.results(), &core_card.orders(), 150);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_process_frozen_in_a_transaction_keeps_the_others_for_seconds_only() {
    const ROWS: u32 = 600;
    let record = tempfile::NamedTempFile::new().unwrap();
    let settings = SimulatorSettings { record: Some(record.path().to_owned()), ..steady() };
    let (database, core_card) = (granted(), TestSimulator::new(settings));
    let opener = SharedMachine::with_orders(&database, &core_card, ROWS);
    let run = opener.run(&["--rate", "50/s"]);
    let (proxy, through) = FaultyProxy::new(&database, Cut::Freeze);
    let worker = SharedMachine::new(&through, &core_card).work(&[]);
    until("both are at work", || at_work(&database) == 2);
    proxy.break_after(3);
    until("it is in its transaction", || proxy.has_broken());
    signal(&worker, Signal::STOP);
    let gone = "SELECT count(*) FROM cardcancel.worker WHERE NOT at_work";
    until("its rows went to others", || database.asked::<i64>(gone) == 1);
    let before = core_card.requests();
    until("the others go on", || core_card.requests() > before + 50);
    signal(&worker, Signal::CONT);
    ended(run).exits(0);
    dismissed(worker);
    all_true(&opener.results(), &core_card.orders(), ROWS);
    core_card.stop();
    let sent = crate::common::rows(&std::fs::read(record.path()).unwrap());
    let sent: Vec<u64> =
        sent.iter().map(|line| line.get("received_at_ns").parse().unwrap()).collect();
    let longest = sent.windows(2).map(|two| two[1].saturating_sub(two[0])).max().unwrap();
    let longest = Duration::from_nanos(longest);
    assert!(longest < LEASE * 4, "nobody sent for {longest:?}");
}
