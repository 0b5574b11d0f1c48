//! `stop` and `pace`, with the real program and on both ledgers.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use cardcancel::simulator::SimulatorSettings;

use crate::common::postgres::{Database, granted};
use crate::common::{
    Behavior, ProgramOutput, ScriptedServer, Terminal, TestEnv, TestSimulator, ended, terminate,
    until,
};

/// Where the ledger of a run is, and the folder from which it is started.
struct Site {
    env: TestEnv,
    ledger: String,
}

impl Site {
    fn file(orders: u32) -> Site {
        let env = TestEnv::with_orders(orders);
        let ledger = env.path("l.db").to_str().unwrap().to_owned();
        Site { env, ledger }
    }

    fn server(database: &Database, orders: u32) -> Site {
        Site { env: TestEnv::with_orders(orders), ledger: database.url() }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.env.command(args);
        command.env("CARDCANCEL_LEDGER", &self.ledger);
        command
    }

    fn start(&self, url: &str, rate: &str, flags: &[&str]) -> Child {
        let needed = ["--url", url, "--external-ip", "10.120.0.0", "--yes", "--rate", rate];
        self.command(&[&["run", "orders.csv"], &needed[..], flags].concat()).spawn().unwrap()
    }

    fn asks(&self, args: &[&str]) -> ProgramOutput {
        self.command(args).output().unwrap().into()
    }

    /// The only run, as JSON; null before it is there.
    fn run(&self) -> serde_json::Value {
        let listed = self.asks(&["runs", "--json"]);
        serde_json::from_str(listed.stdout.lines().next().unwrap_or("null")).unwrap()
    }

    /// The identifier of the run, once it has begun.
    fn id(&self) -> String {
        let mut run = serde_json::Value::Null;
        until("the run is in progress", || {
            run = self.run();
            run["state"] == "running"
        });
        run["run"].as_str().unwrap().to_owned()
    }

    /// The details of the events of this kind.
    fn events(&self, id: &str, kind: &str) -> Vec<String> {
        let shown = self.asks(&["runs", id, "--json"]).exits(0).stdout;
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
        let events = shown["events"].as_array().unwrap().iter();
        let events = events.filter(|event| event["kind"] == kind);
        events.map(|event| event["detail"].as_str().unwrap().to_owned()).collect()
    }
}

fn stop_and_resume(site: &Site) {
    let core_card = TestSimulator::perfect();
    let run = site.start(&core_card.url(), "100/s", &[]);
    let id = site.id();
    until("some are sent", || core_card.requests() >= 20);
    let stopped = site.asks(&["stop", &id, "--reason", "wrong file"]).exits(0);
    let after = core_card.requests();
    assert!(stopped.stdout.starts_with(&format!("Run {id} has stopped: ")), "{stopped:?}");
    assert!(stopped.stdout.contains(" of 400 rows have ended, "), "{stopped:?}");
    let outcome = ended(run).exits(4);
    assert!(outcome.stdout.contains("STOPPED EARLY: Somebody stopped the run"), "{outcome:?}");
    assert_eq!(core_card.requests(), after, "it went on after it had stopped");
    let rows = site.env.results();
    assert_eq!(rows.iter().filter(|row| row.status() == "cancelled").count() as u64, after);
    let left = rows.iter().filter(|row| row.status() == "not_sent");
    assert!(left.clone().all(|row| row.code() == "STOP_REQUESTED"));
    assert_eq!(left.count() as u64, 400 - after);
    let events = site.events(&id, "stop_requested");
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(events[0].starts_with("request 1 by "), "{events:?}");
    assert!(events[0].contains(", process ") && events[0].ends_with(": wrong file"), "{events:?}");
    site.asks(&["verify"]).exits(0);
    // It is at rest, so that there is nothing to ask of it.
    for args in [&["stop", &id][..], &["pace", &id, "5/s"]] {
        let refused = site.asks(args).exits(2).stderr;
        assert!(refused.contains("is not in progress"), "{refused}");
        assert!(refused.contains("STOP_REQUESTED"), "{refused}");
    }
    let refused = site.asks(&["pace", &id, "restore"]).exits(2).stderr;
    assert!(refused.contains("so its rate cannot be changed: it has stopped"), "{refused}");
    assert!(refused.contains("it has its own rate, and can be slowed down then"), "{refused}");
    ended(site.start(&core_card.url(), "unlimited", &[])).exits(0);
    assert_eq!(core_card.stop().orders_cancelled, 400);
    let refused = site.asks(&["stop", &id]).exits(2).stderr;
    assert!(
        refused.contains(&format!("run {id} has ended: there is nothing to stop")),
        "{refused}"
    );
    site.asks(&["verify"]).exits(0);
}

#[test]
fn a_run_that_is_stopped_drains_and_resumes_and_says_who_stopped_it() {
    stop_and_resume(&Site::file(400));
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_run_on_a_shared_ledger_that_is_stopped_drains_and_resumes() {
    stop_and_resume(&Site::server(&granted(), 400));
}

fn slow_down_and_restore(site: &Site) {
    let core_card = TestSimulator::perfect();
    let run = site.start(&core_card.url(), "200/s", &["--metrics-file", "run.prom"]);
    let id = site.id();
    until("some are sent", || core_card.requests() >= 20);
    let refused = site.asks(&["pace", &id, "201/s"]).exits(2).stderr;
    assert!(refused.contains("give at most 200/s, or `restore`"), "{refused}");
    let restored = site.asks(&["pace", &id, "restore"]).exits(0).stdout;
    assert!(restored.contains("its own rate of 200/s: there is nothing to restore"), "{restored}");
    let slowed = site.asks(&["pace", &id, "6/m", "--reason", "they call"]).exits(0).stdout;
    assert!(
        slowed.contains(&format!("Run {id} is held to 6/m; its own rate is 200/s")),
        "{slowed}"
    );
    let same = site.asks(&["pace", &id, "6/m"]).exits(0).stdout;
    assert!(same.contains("was held to 6/m before; its own rate is 200/s"), "{same}");
    let before = core_card.requests();
    std::thread::sleep(Duration::from_millis(1500));
    let meanwhile = core_card.requests() - before;
    assert!(meanwhile <= 1, "{meanwhile} calls in 1.5 seconds at 6/m");
    assert_eq!(site.run()["pace"], "6/m");
    assert!(site.asks(&["runs"]).stdout.contains("running, 6/m"));
    // It holds for a start of the same run, too.
    terminate(&run);
    let outcome = ended(run).exits(4);
    assert!(outcome.stdout.contains("Held to 6/m"), "{outcome:?}");
    assert!(site.env.text("run.prom").contains("\ncardcancel_run_pace 0.1\n"));
    let refused = site.asks(&["pace", &id, "restore"]).exits(2).stderr;
    assert!(
        refused.contains("started again by the same command, it is still held to 6/m"),
        "{refused}"
    );
    let run = site.start(&core_card.url(), "200/s", &[]);
    site.id();
    std::thread::sleep(Duration::from_millis(800));
    assert!(core_card.requests() - before <= 3);
    let began = Instant::now();
    site.asks(&["pace", &id, "restore"]).exits(0);
    until("it has its own rate again", || core_card.requests() - before > 20);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let outcome = ended(run).exits(0);
    assert!(!outcome.stdout.contains("Held to"), "{outcome:?}");
    let events = site.events(&id, "paced");
    let changes: Vec<_> = events.iter().filter_map(|text| text.split(": ").nth(1)).collect();
    assert_eq!(changes, ["200/s to 6/m", "6/m to 200/s"], "{events:?}");
    assert!(events[0].ends_with(": they call"), "{events:?}");
    assert!(core_card.stop().peak_any_second <= 200);
    site.asks(&["verify"]).exits(0);
}

#[test]
fn a_run_keeps_a_lower_rate_until_its_own_is_restored_also_when_it_is_started_again() {
    slow_down_and_restore(&Site::file(400));
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_run_on_a_shared_ledger_keeps_a_lower_rate_until_its_own_is_restored() {
    slow_down_and_restore(&Site::server(&granted(), 400));
}

#[test]
fn a_run_is_stopped_during_an_outage_and_while_it_waits_for_its_next_slot() {
    let away = ScriptedServer::new(|_, _| Behavior::Close);
    let calm = TestSimulator::new(SimulatorSettings::default());
    for (url, rate) in [(away.url(), "100/s"), (calm.url(), "6/m")] {
        let site = Site::file(50);
        let run = site.start(&url, rate, &[]);
        let id = site.id();
        std::thread::sleep(Duration::from_millis(500));
        let began = Instant::now();
        site.asks(&["stop", &id]).exits(0);
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
        ended(run).exits(4);
    }
}

fn watch_it(site: &Site) {
    let core_card = TestSimulator::perfect();
    let run = site.start(&core_card.url(), "100/s", &["--cut-off", "2999-12-31T23:59[UTC]"]);
    let id = site.id();
    until("some are sent", || core_card.requests() >= 20);
    let watched = site.command(&["runs", &id, "--watch"]).spawn().unwrap();
    let mut terminal = Terminal::with(site.command(&["runs", &id, "--watch"]));
    terminal.sees("/400 · ").sees(" left · ").sees(" to spare");
    site.asks(&["pace", &id, "50/s"]).exits(0);
    terminal.sees("held to 50/s");
    site.asks(&["stop", &id]).exits(0);
    ended(run).exits(4);
    let (code, seen) = terminal.ends();
    assert_eq!(code, Some(0), "{seen}");
    assert!(seen.contains(&format!("Run {id}: stopped")), "{seen}");
    let seen = ended(watched).exits(0).stdout;
    assert!(seen.lines().next().unwrap().contains(" of 400 rows"), "{seen}");
    assert!(seen.contains(&format!("\nRun {id}: stopped\n")), "{seen}");
    // At rest, it is shown at once.
    let at_rest = site.asks(&["runs", &id, "--watch"]).exits(0).stdout;
    assert_eq!(at_rest, site.asks(&["runs", &id]).exits(0).stdout);
}

#[test]
fn a_run_is_watched_from_another_terminal_until_it_is_at_rest() {
    watch_it(&Site::file(400));
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_run_on_a_shared_ledger_is_watched_from_another_machine() {
    watch_it(&Site::server(&granted(), 400));
}

#[test]
fn an_outage_is_seen_by_who_watches_the_run() {
    let away = ScriptedServer::new(|_, _| Behavior::Close);
    let site = Site::file(50);
    let run = site.start(&away.url(), "100/s", &[]);
    let id = site.id();
    let mut terminal = Terminal::with(site.command(&["runs", &id, "--watch"]));
    terminal.sees("0/50 · ").sees("OUTAGE ");
    site.asks(&["stop", &id]).exits(0);
    ended(run).exits(4);
    terminal.ends();
}

#[test]
fn a_run_that_nobody_knows_is_not_stopped_and_no_ledger_is_made_for_it() {
    let site = Site::file(1);
    let refused = site.asks(&["stop", "20261126-010000-04a8"]).exits(2).stderr;
    assert!(refused.contains("there is no ledger at"), "{refused}");
    assert!(!site.env.path("l.db").exists());
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn all_machines_that_work_on_a_run_keep_its_pace_and_stop() {
    const ROWS: u32 = 4000;
    let (database, core_card) = (granted(), TestSimulator::perfect());
    let opener = Site::server(&database, ROWS);
    let workers: Vec<Child> = (0..2)
        .map(|_| {
            let site = Site::server(&database, 0);
            let args = ["worker", "--url", &core_card.url(), "--external-ip", "10.120.0.0"];
            site.command(&args).spawn().unwrap()
        })
        .collect();
    let run = opener.start(&core_card.url(), "300/s", &[]);
    let id = opener.id();
    let working = "SELECT count(*) FROM cardcancel.worker WHERE at_work";
    until("all are at work", || database.asked::<i64>(working) == 3);
    let elsewhere = Site::server(&database, 0);
    elsewhere.asks(&["pace", &id, "50/s"]).exits(0);
    std::thread::sleep(Duration::from_secs(1));
    let (before, began) = (core_card.requests(), Instant::now());
    std::thread::sleep(Duration::from_secs(2));
    let rate = (core_card.requests() - before) as f64 / began.elapsed().as_secs_f64();
    assert!((30.0..=52.0).contains(&rate), "{rate} calls a second at 50/s");
    elsewhere.asks(&["stop", &id]).exits(0);
    let after = core_card.requests();
    ended(run).exits(4);
    // The workers look for a run every second.
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(core_card.requests(), after, "a worker took the run up again");
    for worker in workers {
        terminate(&worker);
        ended(worker).exits(0);
    }
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn whoever_only_reads_the_ledger_cannot_stop_a_run() {
    let (database, core_card) = (granted(), TestSimulator::perfect());
    let site = Site::server(&database, 100);
    let run = site.start(&core_card.url(), "20/s", &[]);
    let id = site.id();
    let auditor = Site { env: TestEnv::new(), ledger: database.url_of("cardcancel_auditor") };
    for args in [&["stop", &id][..], &["pace", &id, "5/s"]] {
        let refused = auditor.asks(args);
        assert_ne!(refused.code, Some(0), "{refused:?}");
        assert!(refused.stderr.contains("permission denied"), "{refused:?}");
    }
    ended(run).exits(0);
}
