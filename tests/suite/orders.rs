//! What the ledger knows of an order applies to every run of it, from any file, process or machine.
use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use crate::common::postgres::{Database, database};
use crate::common::{
    Behavior, ProgramOutput, ResultRow, ScriptedServer, TestEnv, TestSimulator, ended, json, kill,
    rows, until,
};
use cardcancel::simulator::{Latency, SimulatorSettings};

/// A test environment with a ledger, in a file or in a database.
struct Place {
    env: TestEnv,
    database: Option<Database>,
}

impl Place {
    fn with_a_file() -> Place {
        Place { env: TestEnv::new(), database: None }
    }

    fn with_a_database() -> Place {
        Place { env: TestEnv::new(), database: Some(database()) }
    }

    /// Writes a file of these orders, 1001/1 and so on.
    fn orders(&self, name: &str, orders: impl IntoIterator<Item = u32>) {
        let lines = orders.into_iter().map(|order| format!("{},1\n", 1000 + order));
        let lines: String = lines.collect();
        self.env.file(name, format!("AdminNumber,CardSequenceNumber\n{lines}"));
    }

    fn command(&self, file: &str, url: &str, flags: &[&str]) -> Command {
        let needed = ["--url", url, "--external-ip", "10.120.0.0", "--yes"];
        let mut command = self.env.command(&[&["run", file], &needed[..], flags].concat());
        if let Some(database) = &self.database {
            command.env("CARDCANCEL_LEDGER", database.url()).env("CARDCANCEL_LEASE", "5s");
        }
        command
    }

    fn run(&self, file: &str, url: &str, flags: &[&str]) -> ProgramOutput {
        let flags = [&["--rate", "unlimited"], flags].concat();
        self.command(file, url, &flags).output().unwrap().into()
    }

    fn results(&self, name: &str) -> Vec<ResultRow> {
        rows(&self.env.read(name))
    }
}

/// Status, doubt and code of each row.
fn reported(results: &[ResultRow]) -> Vec<String> {
    results.iter().map(|row| format!("{} {}", row.status(), row.doubt())).collect()
}

macro_rules! on_both_ledgers {
    ($($name:ident)*) => {
        mod in_a_file {
            $(#[test]
            fn $name() {
                super::$name(&super::Place::with_a_file());
            })*
        }

        mod in_a_database {
            $(#[test]
            #[ignore = "needs PostgreSQL: tests/run brings it"]
            fn $name() {
                super::$name(&super::Place::with_a_database());
            })*
        }
    };
}

on_both_ledgers! {
    a_rejection_after_an_answer_that_another_run_lost_is_reported_with_doubt
    a_rejection_after_another_run_was_killed_is_reported_with_doubt
    files_that_share_orders_and_run_at_once_send_none_of_them_twice
    a_code_that_was_configured_wrongly_is_forgotten_once_it_is_corrected
}

/// Cancels each order at its first call, whose answer is lost, and rejects later calls.
fn loses_first_answers() -> ScriptedServer {
    let asked = std::sync::Mutex::new(BTreeMap::<i64, u32>::new());
    ScriptedServer::new(move |_, request| {
        let admin = request.json()["AdminNumber"].as_i64().unwrap();
        let mut asked = asked.lock().unwrap();
        let times = asked.entry(admin).or_default();
        *times += 1;
        match times {
            1 => Behavior::Close,
            _ => {
                Behavior::Respond(json(r#"{"Status":false,"ErrorCode":"ERR01161","Message":"no"}"#))
            }
        }
    })
}

fn a_rejection_after_an_answer_that_another_run_lost_is_reported_with_doubt(place: &Place) {
    let server = loses_first_answers();
    place.orders("a.csv", 1..=2);
    place.orders("b.csv", 1..=3);
    place.run("a.csv", &server.url(), &["--on-doubt", "leave"]).exits(3);
    place.run("b.csv", &server.url(), &["--on-doubt", "leave"]).exits(3);
    assert_eq!(
        reported(&place.results("b.results.csv")),
        ["rejected true", "rejected true", "in_doubt true"]
    );
    // Sent on purpose, and for a third time.
    let again = ["--again", "-o", "again.csv"];
    let again = place.run("a.csv", &server.url(), &again);
    assert_eq!(reported(&place.results("again.csv")), ["rejected true", "rejected true"]);
    assert!(!again.all_output().contains("for good"), "{}", again.report());
}

fn slow(milliseconds: u64) -> TestSimulator {
    let latency = Latency::fixed(Duration::from_millis(milliseconds));
    TestSimulator::new(SimulatorSettings { latency, ..SimulatorSettings::default() })
}

fn a_rejection_after_another_run_was_killed_is_reported_with_doubt(place: &Place) {
    let core_card = slow(300);
    place.orders("a.csv", 1..=60);
    place.orders("b.csv", 1..=61);
    let begun = place.command("a.csv", &core_card.url(), &["--rate", "50/s"]).spawn().unwrap();
    until("half of it was sent", || core_card.requests() >= 30);
    kill(begun);
    place.run("b.csv", &core_card.url(), &[]);
    let asked = core_card.requests_by_order();
    let results = place.results("b.results.csv");
    for row in &results {
        let twice = asked[&row.get("AdminNumber").parse().unwrap()] > 1;
        assert!(row.doubt() || !twice, "sent twice and no doubt: {row:?}");
        assert!(row.doubt() || row.status() != "rejected", "{row:?}");
    }
    assert!(results.iter().any(ResultRow::doubt), "no call was in flight at the kill");
}

fn files_that_share_orders_and_run_at_once_send_none_of_them_twice(place: &Place) {
    let core_card = slow(150);
    place.orders("a.csv", 1..=40);
    place.orders("b.csv", (1..=40).rev().chain([41]));
    let begin = |file| place.command(file, &core_card.url(), &["--rate", "30/s"]).spawn().unwrap();
    let both = ["a.csv", "b.csv"].map(begin);
    for process in both {
        ended(process).exits(0);
    }
    assert!(
        core_card.requests_by_order().values().all(|times| *times == 1),
        "{:?}",
        core_card.requests_by_order()
    );
    let count = |file: &str, status: &str| {
        place.results(file).iter().filter(|row| row.status() == status).count()
    };
    assert_eq!(count("a.results.csv", "cancelled") + count("b.results.csv", "cancelled"), 41);
}

fn a_code_that_was_configured_wrongly_is_forgotten_once_it_is_corrected(place: &Place) {
    let printed = r#"{"Status":false,"ErrorCode":"E62","Message":"Card already printed"}"#;
    let server = ScriptedServer::always(Behavior::Respond(json(printed)));
    place.orders("a.csv", [1]);
    place.orders("b.csv", 1..=2);
    place.env.file("wrong.toml", "[codes]\n'E6*' = 'already_cancelled'\n");
    place.env.file("right.toml", "[codes]\n'E62' = 'printed'\n");
    place.run("a.csv", &server.url(), &["--config", "wrong.toml"]).exits(0);
    place.run("b.csv", &server.url(), &["--config", "right.toml"]).exits(1);
    assert_eq!(reported(&place.results("b.results.csv")), ["rejected false", "rejected false"]);
}
