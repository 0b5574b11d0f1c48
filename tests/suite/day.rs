//! A day's work: nights with every kind of trouble, and the morning after them, on both ledgers.

use std::collections::BTreeMap;
use std::process::Command;

use cardcancel::simulator::{InitialState, Order, OrderState, SimulatorSettings};
use serde_json::Value;

use crate::common::{
    ProgramOutput, ResultRow, TestEnv, TestSimulator, ended, kill, postgres, rows, terminate, until,
};

/// How often a morning is repeated at most until nothing is open.
const MOST_MORNINGS: usize = 12;

/// A server that gives every kind of trouble to some calls.
fn troubled() -> TestSimulator {
    let share = |text: &str| text.parse().unwrap();
    TestSimulator::new(SimulatorSettings {
        seed: 19,
        latency: "1ms..4ms".parse().unwrap(),
        printed: share("3%"),
        unknown: share("2%"),
        cancelled_before: share("2%"),
        drop_before: share("3%"),
        drop_after: share("3%"),
        reset_before: share("2%"),
        reset_after: share("2%"),
        unavailable: share("0.5%"),
        error_before: share("3%"),
        error_after: share("3%"),
        throttle: share("0.5%"),
        html: share("2%"),
        no_status: share("2%"),
        truncated: share("2%"),
        ..SimulatorSettings::default()
    })
}

struct Day {
    env: TestEnv,
    /// The address of the ledger, unless it is the file of `env`.
    ledger: Option<String>,
    core_card: TestSimulator,
}

impl Day {
    fn new(ledger: Option<String>) -> Day {
        Day { env: TestEnv::new(), ledger, core_card: troubled() }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.env.command(args);
        command
            .env("CARDCANCEL_URL", self.core_card.url())
            .env("CARDCANCEL_EXTERNAL_IP", "192.0.2.10")
            .env("CARDCANCEL_LEASE", "5s");
        if let Some(ledger) = &self.ledger {
            command.env("CARDCANCEL_LEDGER", ledger);
        }
        command
    }

    fn does(&self, args: &[&str]) -> ProgramOutput {
        self.command(args).output().unwrap().into()
    }

    /// A file that is sent: with these flags, and patience for outages.
    fn sending(&self, command: &str, file: &str, flags: &[&str]) -> Command {
        let pace = ["--yes", "--attempts", "2", "--max-consecutive-doubts", "off"];
        self.command(&[&[command, file], &pace[..], flags].concat())
    }

    /// The file of everything that is open; `None` if nothing is.
    fn open(&self, name: &str) -> Option<Vec<ResultRow>> {
        self.does(&["results", "--open", "-o", name]).exits(0);
        self.env.path(name).exists().then(|| rows(&self.env.read(name)))
    }

    /// How many rows each run has open, by the list of runs.
    fn open_by_the_list(&self) -> u64 {
        let listed = self.does(&["runs", "--json"]).exits(0).stdout;
        let run = |line: &str| serde_json::from_str::<Value>(line).unwrap();
        listed.lines().map(run).map(|run| run["open_rows"].as_u64().unwrap()).sum()
    }

    fn is_cancelled(&self, order: Order) -> bool {
        is_cancelled(&self.core_card.orders()[&order])
    }

    /// The flags that name lists of what CoreCARD cancelled and of what still stands, as an embosser
    /// and a report have them, of every second order in doubt.
    fn evidence(&self, open: &[ResultRow]) -> Vec<&'static str> {
        let in_doubt = open.iter().filter(|row| row.doubt()).step_by(2).map(order);
        let (cancelled, standing): (Vec<Order>, Vec<Order>) =
            in_doubt.partition(|order| self.is_cancelled(*order));
        let line =
            |order: &Order| format!("\"x, y\",{},{}\n", order.sequence_number, order.admin_number);
        let lists =
            [("--cancelled", "cancelled.csv", cancelled), ("--standing", "standing.csv", standing)];
        let mut flags = Vec::new();
        for (flag, name, orders) in lists.into_iter().filter(|(.., orders)| !orders.is_empty()) {
            let lines: String = orders.iter().map(line).collect();
            self.env.file(name, format!("Remark,Seq,Admin Number\n{lines}"));
            flags.extend([flag, name]);
        }
        flags
    }

    /// Ends half of the doubts by evidence, and sends the rest again; false if nothing is open.
    fn morning(&self, number: usize) -> bool {
        let (open, settled) = (format!("open-{number}.csv"), format!("settled-{number}.csv"));
        let Some(rows) = self.open(&open) else { return false };
        assert_eq!(self.open_by_the_list(), rows.len() as u64);
        let evidence = self.evidence(&rows);
        let mut next = &open;
        if !evidence.is_empty() {
            let reason = ["--yes", "--reason", "the embosser's list", "-o", &settled];
            let resolved = self.does(&[&["resolve", &open], &evidence[..], &reason].concat());
            assert!(matches!(resolved.code, Some(0 | 1 | 3 | 4)), "{}", resolved.report());
            next = &settled;
        }
        let rerun: ProgramOutput = self.sending("rerun", next, &[]).output().unwrap().into();
        assert!(matches!(rerun.code, Some(0 | 1 | 3)), "{}", rerun.report());
        true
    }

    /// What the ledger has last of each order, by `history`.
    fn last_word(&self, order: Order) -> (String, Vec<String>) {
        let (admin, sequence) = (order.admin_number.to_string(), order.sequence_number.to_string());
        let told = self.does(&["history", &admin, &sequence, "--json"]).exits(0).stdout;
        let told: Value = serde_json::from_str(&told).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let decides = |row: &&Value| row["status"] != "duplicate" && row["carried_over"] == false;
        let steps: Vec<&Value> = told["rows"].as_array().unwrap().iter().filter(decides).collect();
        let last = text(&steps.last().unwrap()["status"]);
        (last, steps.iter().map(|row| text(&row["command"])).collect())
    }
}

fn order(row: &ResultRow) -> Order {
    Order {
        admin_number: row.get("admin_number").parse().unwrap(),
        sequence_number: row.get("card_sequence_number").parse().unwrap(),
    }
}

fn is_cancelled(state: &OrderState) -> bool {
    state.cancelled || state.initial_state == InitialState::CancelledBefore
}

/// Two nights and the mornings after them.
fn a_days_work(ledger: Option<String>) {
    let day = Day::new(ledger);
    let line = |order: u32| format!("{},1,Bern\n", 7001 + order);
    let orders = |range: std::ops::Range<u32>| {
        format!("AdminNumber,CardSequenceNumber,Branch\n{}", range.map(line).collect::<String>())
    };
    day.env.file("first.csv", orders(0..100) + "7001,1,Bern\nx,1,Bern\n");
    day.env.file("second.csv", orders(90..160));

    // The first night dies, and is started again.
    let night = day.sending("run", "first.csv", &["--rate", "500/s"]).spawn().unwrap();
    until("some are sent", || day.core_card.requests() > 30);
    kill(night);
    let again: ProgramOutput =
        day.sending("run", "first.csv", &["--rate", "500/s"]).output().unwrap().into();
    again.exits(3);
    // The second one is asked to stop.
    let requests = day.core_card.requests();
    let flags = ["--rate", "200/s", "--on-doubt", "leave"];
    let night = day.sending("run", "second.csv", &flags).spawn().unwrap();
    until("some are sent", || day.core_card.requests() > requests + 30);
    terminate(&night);
    ended(night).exits(4);

    // Half of the doubts are ended by evidence, and the rest is sent again, until nothing is open.
    let mornings = (1..=MOST_MORNINGS).take_while(|number| day.morning(*number)).count();
    assert!((2..MOST_MORNINGS).contains(&mornings), "{mornings} mornings");
    assert_eq!(day.open_by_the_list(), 0);

    let truth: BTreeMap<Order, OrderState> = day.core_card.orders();
    let mut resolved = 0;
    for (order, state) in &truth {
        let (last, steps) = day.last_word(*order);
        let says_cancelled = matches!(last.as_str(), "cancelled" | "already_cancelled");
        let is_right = match last.as_str() {
            "cancelled" | "already_cancelled" => is_cancelled(state),
            "rejected" => !state.cancelled,
            _ => false,
        };
        assert!(is_right, "{order}: {last} after {steps:?}, and {state:?}");
        assert!(
            says_cancelled || state.initial_state != InitialState::Cancellable,
            "{order}: {last}"
        );
        resolved += usize::from(steps.iter().any(|step| step == "resolve"));
    }
    assert_eq!(truth.len(), 160);
    assert!(resolved > 2, "{resolved} orders were resolved");
    day.does(&["verify"]).exits(0);
}

#[test]
fn after_a_day_every_order_is_as_core_card_has_it() {
    a_days_work(None);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn after_a_day_on_a_shared_ledger_every_order_is_as_core_card_has_it() {
    let database = postgres::database();
    a_days_work(Some(database.url()));
}
