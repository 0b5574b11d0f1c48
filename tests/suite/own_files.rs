//! Every file that is written belongs to the program, and no change of the input during a run
//! does harm.
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::time::Duration;

use crate::common::{ProgramOutput, TestEnv, TestSimulator, ended, until};
use cardcancel::simulator::{Latency, SimulatorSettings};
use insta::assert_snapshot;

fn slow() -> TestSimulator {
    let latency = Latency::fixed(Duration::from_millis(20));
    TestSimulator::new(SimulatorSettings { latency, ..SimulatorSettings::default() })
}

/// Runs forty orders, and does this to their file once some are sent.
fn meanwhile(env: &TestEnv, core_card: &TestSimulator, happens: impl FnOnce()) -> ProgramOutput {
    let begun = env.orders(40).begin_to_cancel(&core_card.url(), &["--concurrency", "1", "--json"]);
    until("some were sent", || core_card.requests() >= 2);
    happens();
    ended(begun)
}

/// The admin numbers in the results, each of an order that is cancelled.
fn cancelled(env: &TestEnv) -> Vec<u32> {
    let results = env.results();
    assert!(results.iter().all(|row| row.status() == "cancelled"), "{results:?}");
    results.iter().map(|row| row.get("AdminNumber").parse().unwrap()).collect()
}

#[test]
fn an_input_that_changes_during_a_run_spoils_nothing_and_is_reported() {
    let core_card = slow();
    let sent: Vec<u32> = (1001..=1040).collect();
    let changes: [&dyn Fn(&TestEnv); 3] = [
        &|env| {
            let mut orders =
                fs::OpenOptions::new().append(true).open(env.path("orders.csv")).unwrap();
            orders.write_all(b"7,7\n").unwrap();
        },
        &|env| {
            env.file("orders.csv", "AdminNumber,CardSequenceNumber\n7,7\n");
        },
        // Of the same size and modification time.
        &|env| {
            let path = env.path("orders.csv");
            let written = path.metadata().unwrap().modified().unwrap();
            let other = env.text("orders.csv").replace("1040,1", "7040,1");
            let orders = fs::OpenOptions::new().write(true).open(&path).unwrap();
            (&orders).write_all(other.as_bytes()).unwrap();
            orders.set_modified(written).unwrap();
        },
    ];
    for change in changes {
        let core_card = slow();
        let env = TestEnv::new();
        let outcome = meanwhile(&env, &core_card, || change(&env)).exits(4);
        let summary: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
        assert_eq!((&summary["input_changed"], &summary["state"]), (&true.into(), &"ended".into()));
        assert_eq!(cancelled(&env), sent);
        assert!(core_card.requests_by_order().into_values().all(|times| times == 1));
    }
    let env = TestEnv::new();
    let touched = meanwhile(&env, &core_card, || {
        let orders = fs::File::options().write(true).open(env.path("orders.csv")).unwrap();
        orders.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    });
    assert!(touched.exits(0).stdout.contains("\"input_changed\":false"));
    assert_eq!(cancelled(&env), sent);
}

#[test]
fn the_results_name_what_was_sent_whatever_the_input_says() {
    let core_card = TestSimulator::perfect();
    let env = TestEnv::new();
    env.orders(3).cancel(&core_card.url(), &[]).exits(0);
    let ledger = rusqlite::Connection::open(env.ledger()).unwrap();
    ledger.execute("UPDATE row SET admin_number = 7002 WHERE row = 2", []).unwrap();
    let reported = env.cancel(&core_card.url(), &[]).exits(5);
    assert_eq!(cancelled(&env), [1001, 7002, 1003]);
    let wrong = "THE LEDGER OR THE INPUT IS WRONG: the ledger and the input have different orders in 1 row, first in row 2, where the ledger has 7002/1";
    assert!(reported.stdout.contains(wrong), "{}", reported.report());
    ledger.execute("DELETE FROM row WHERE row = 2", []).unwrap();
    let lost = env.cancel(&core_card.url(), &[]).exits(5);
    assert!(lost.stderr.contains("the ledger has lost row 2"), "{}", lost.report());
}

#[test]
fn a_place_that_names_a_folder_is_refused_before_anything_is_sent() {
    let core_card = TestSimulator::perfect();
    let env = TestEnv::with_orders(2);
    for place in ["out/", "out/.", "..", "/"] {
        let refused = env.cancel(&core_card.url(), &["-o", place]).exits(2);
        assert!(refused.stderr.contains("names a folder"), "{place}: {}", refused.stderr);
        let refused = env.cancel(&core_card.url(), &["--metrics-file", place]).exits(2);
        assert!(refused.stderr.contains("names a folder"), "{place}: {}", refused.stderr);
        env.cancel(&core_card.url(), &["--log-file", place]).exits(2);
    }
    assert_eq!(core_card.requests(), 0);
}

#[test]
fn metrics_and_log_lines_never_go_into_what_another_wrote() {
    let core_card = TestSimulator::perfect();
    let env = TestEnv::new();
    env.orders(2).file("letter.txt", "Dear Sir or Madam\n");
    env.file("old.csv", "AdminNumber,CardSequenceNumber\n1,1\n");
    env.run(&["run", "old.csv", "--rehearse", "--rate", "unlimited", "--ledger", "l.db"]);
    symlink("letter.txt", env.path("link")).unwrap();
    for victim in ["orders.csv", "letter.txt", "l.rehearsal.db", "old.rehearsal.results.csv"] {
        let before = env.read(victim);
        for flag in ["--metrics-file", "--log-file"] {
            let flags = [flag, victim, "--ledger", "l.db"];
            let refused = env.cancel(&core_card.url(), &flags).exits(2);
            assert!(refused.stderr.contains(victim), "{}", refused.stderr);
            assert!(env.read(victim) == before, "{flag} wrote into {victim}");
        }
    }
    for flag in ["--metrics-file", "--log-file"] {
        env.cancel(&core_card.url(), &[flag, "link"]).exits(2);
    }
    assert_eq!((core_card.requests(), env.text("letter.txt").as_str()), (0, "Dear Sir or Madam\n"));
}

#[test]
fn two_of_our_files_never_have_one_name() {
    let core_card = TestSimulator::perfect();
    let env = TestEnv::new();
    fs::create_dir(env.path("folder")).unwrap();
    env.orders(2);
    for flags in [
        ["--metrics-file", "a", "--log-file", "./a"],
        ["--metrics-file", "a", "-o", "folder/../a"],
        ["--log-file", "a", "-o", "a"],
        ["--log-file", "l.db", "--ledger", "l.db"],
        ["--metrics-file", "l.db-wal", "--ledger", "l.db"],
        ["-o", "l.db", "--ledger", "l.db"],
        ["--metrics-file", "orders.results.csv", "--ledger", "l.db"],
        ["--log-file", "orders.results.csv", "--ledger", "l.db"],
    ] {
        let refused = env.cancel(&core_card.url(), &flags).exits(2);
        assert!(refused.stderr.contains("give each a different name"), "{}", refused.stderr);
    }
    assert_eq!(core_card.requests(), 0);
    let refused = env.cancel(&core_card.url(), &["--log-file", "orders.csv"]).exits(2);
    assert_snapshot!(refused.stderr, @"error: the input and --log-file are both orders.csv: give each a different name");
}

#[test]
fn metrics_and_logs_of_ours_are_written_on() {
    let core_card = TestSimulator::perfect();
    let env = TestEnv::new();
    env.file("run.log", "").file("run.prom", "");
    for format in ["text", "json", "text"] {
        let flags = ["--log-file", "run.log", "--log-format", format, "--metrics-file", "run.prom"];
        env.orders(2).cancel(&core_card.url(), &flags).exits(0);
    }
    let (log, reported) = (env.text("run.log"), "exit code 0: 2 cancelled");
    let ends: Vec<&str> = log.lines().filter(|line| line.contains(reported)).collect();
    assert_eq!(ends.len(), 3, "{log}");
    assert!(ends[1].starts_with('{') && !ends[2].starts_with('{'), "{log}");
    assert!(env.text("run.prom").contains("cardcancel_run_complete 1"));
}

#[test]
fn log_lines_that_find_no_room_go_to_standard_error() {
    let core_card = TestSimulator::perfect();
    let env = TestEnv::new();
    let outcome = env.orders(2).cancel(&core_card.url(), &["--log-file", "/dev/full"]).exits(0);
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    assert!(lines[0].contains("the log cannot be written to /dev/full (No space left on device"));
    for reported in ["cannot be written to", "2 of 2 rows to send", "exit code 0: 2 cancelled"] {
        let times = lines.iter().filter(|line| line.contains(reported)).count();
        assert_eq!(times, 1, "{reported}: {}", outcome.stderr);
    }
}
