//! `resolve`: doubt ends by evidence, and what later runs, lists and seals make of it.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use serde_json::Value;

use crate::common::postgres::{Database, database};
use crate::common::{
    Behavior, ProgramOutput, ScriptedServer, Terminal, TestEnv, change_ledger, json, kill, rows,
    until,
};

macro_rules! on_both_ledgers {
    ($($name:ident)*) => {
        mod sqlite {
            $(#[test]
            fn $name() {
                super::flow::$name(super::Scene::new(None));
            })*
        }

        mod postgres {
            $(#[test]
            #[ignore = "needs PostgreSQL: tests/run brings it"]
            fn $name() {
                super::flow::$name(super::Scene::new(Some(super::database())));
            })*
        }
    };
}

on_both_ledgers! {
    evidence_decides_orders_in_doubt_and_nothing_else
    a_later_run_sends_no_order_that_evidence_shows_to_be_cancelled
    a_rerun_of_its_results_sends_what_still_stands_without_doubt
    a_rerun_of_an_older_file_takes_no_doubt_for_one_that_evidence_has_ended
    a_rerun_of_an_older_file_that_keeps_its_rows_records_no_doubt_for_them
    the_same_command_again_is_the_same_run
    open_rows_are_resolved_without_a_file
    the_record_verifies_and_a_change_of_it_is_found
    what_is_not_in_doubt_stays_and_is_counted
    an_order_that_a_later_run_has_sent_stays
    results_and_seal_are_completed_after_the_process_died
    of_several_rows_with_an_order_the_first_is_decided
    a_doubt_that_a_run_has_taken_over_ends_too
    what_has_ended_since_the_file_was_written_stands_as_it_stands_now
    a_run_that_is_started_again_says_which_of_its_doubts_have_been_settled
}

/// An environment with its ledger, and a server that loses the answers for some orders.
struct Scene {
    env: TestEnv,
    database: Option<Database>,
    server: ScriptedServer,
    does: Arc<AtomicU8>,
}

/// What the server does.
const FORGETFUL: u8 = 0;
const CANCELS: u8 = 1;
const REJECTS: u8 = 2;

/// Loses the answers for orders whose numbers end in 3 to 6, rejects those that end in 2, and cancels
/// the others; or cancels or rejects all of them.
fn server(does: Arc<AtomicU8>) -> ScriptedServer {
    let rejected = || Behavior::Respond(json(r#"{"Status":false,"ErrorCode":"0042"}"#));
    ScriptedServer::new(move |_, request| {
        match (does.load(Ordering::Relaxed), number(&request.json()["AdminNumber"]) % 10) {
            (REJECTS, _) | (FORGETFUL, 2) => rejected(),
            (FORGETFUL, 3..=6) => Behavior::Close,
            _ => Behavior::Respond(json(CANCELLED_JSON)),
        }
    })
}

const CANCELLED_JSON: &str = r#"{"Status":true,"ErrorCode":"ERR01160"}"#;

fn number(value: &Value) -> i64 {
    value.as_i64().or_else(|| value.as_str()?.parse().ok()).unwrap()
}

impl Scene {
    fn new(database: Option<Database>) -> Scene {
        let does = Arc::new(AtomicU8::new(FORGETFUL));
        Scene { env: TestEnv::new(), database, server: server(does.clone()), does }
    }

    /// From now on the server does this.
    fn server_now(&self, does: u8) {
        self.does.store(does, Ordering::Relaxed);
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.env.command(args);
        command.env("CARDCANCEL_URL", self.server.url());
        if let Some(database) = &self.database {
            command.env("CARDCANCEL_LEDGER", database.url());
        }
        command.stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> ProgramOutput {
        self.command(args).output().unwrap().into()
    }

    /// `run` or `rerun` of a file, with one attempt for each row.
    fn send(&self, command: &str, file: &str, more: &[&str]) -> ProgramOutput {
        let flags = ["--external-ip", "192.0.2.10", "--yes", "--rate", "unlimited"];
        self.run(&[&[command, file, "--attempts", "1"][..], &flags, more].concat())
    }

    /// Runs orders 1001 to 1006: 1003 to 1006 end in doubt.
    fn with_doubts(&self) -> &Scene {
        self.env.orders(6);
        self.send("run", "orders.csv", &[]).exits(3);
        self
    }

    /// Writes a list of orders.
    fn list(&self, name: &str, numbers: &[i64]) -> &Scene {
        let lines: String = numbers.iter().map(|number| format!("{number};1;x\n")).collect();
        self.env.file(name, format!("Admin Number;Card Sequence Number;printed at\n{lines}"));
        self
    }

    fn resolve(&self, args: &[&str]) -> ProgramOutput {
        self.run(&[&["resolve", "--yes"][..], args].concat())
    }

    /// The order, status, code and doubt of each line.
    fn lines(&self, file: &str) -> Vec<String> {
        let text = rows(&self.env.read(file));
        let admin = |row: &crate::common::ResultRow| {
            let names = ["AdminNumber", "admin_number"];
            let has = |name: &&str| self.env.text(file).lines().next().unwrap().contains(*name);
            row.get(names.iter().find(|name| has(name)).unwrap()).to_owned()
        };
        let line = |row| {
            let doubt = if crate::common::ResultRow::doubt(row) { " in doubt" } else { "" };
            format!("{} {} {}{doubt}", admin(row), row.status(), row.code())
        };
        text.iter().map(line).map(|line| line.trim_end().to_owned()).collect()
    }

    fn runs(&self) -> Vec<Value> {
        let runs = self.run(&["runs", "--json"]).exits(0).stdout;
        runs.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// How many calls there were for an order.
    fn calls(&self, order: i64) -> usize {
        let requests = self.server.requests();
        requests.iter().filter(|request| number(&request.json()["AdminNumber"]) == order).count()
    }

    fn change(&self, sql: &str) {
        change_ledger(&self.env, self.database.as_ref(), sql);
    }
}

mod flow {
    use super::*;

    pub fn a_rerun_of_an_older_file_takes_no_doubt_for_one_that_evidence_has_ended(scene: Scene) {
        scene.with_doubts().list("there.csv", &[1003, 1004]);
        scene.run(&["results", "--open", "-o", "open.csv"]).exits(0);
        scene.resolve(&["--open", "--standing", "there.csv"]).exits(3);
        scene.server_now(REJECTS);
        scene.send("rerun", "orders.results.csv", &["--only", "failed,in_doubt,rejected"]).exits(3);
        assert_eq!(
            scene.lines("orders.rerun-1.results.csv"),
            [
                "1001 cancelled ERR01160",
                "1002 rejected 0042",
                "1003 rejected 0042",
                "1004 rejected 0042",
                "1005 rejected 0042 in doubt",
                "1006 rejected 0042 in doubt",
            ]
        );
        scene.send("rerun", "open.csv", &[]).exits(3);
        assert_eq!(
            scene.lines("open.rerun-1.results.csv"),
            [
                "1003 rejected 0042",
                "1004 rejected 0042",
                "1005 rejected 0042 in doubt",
                "1006 rejected 0042 in doubt",
            ]
        );
    }

    pub fn a_rerun_of_an_older_file_that_keeps_its_rows_records_no_doubt_for_them(scene: Scene) {
        scene.with_doubts().list("there.csv", &[1003, 1004]);
        scene.resolve(&["orders.results.csv", "--standing", "there.csv"]).exits(3);
        scene.send("rerun", "orders.results.csv", &["--only", "rejected"]).exits(3);
        scene.server_now(REJECTS);
        scene.env.file("new.csv", "AdminNumber,CardSequenceNumber\n1003,1\n1005,1\n");
        scene.send("run", "new.csv", &[]).exits(3);
        assert_eq!(
            scene.lines("new.results.csv"),
            ["1003 rejected 0042", "1005 rejected 0042 in doubt"]
        );
    }

    pub fn evidence_decides_orders_in_doubt_and_nothing_else(scene: Scene) {
        scene.with_doubts().list("gone.csv", &[1003, 1001, 1002, 9999]).list("there.csv", &[1004]);
        let lists = ["orders.results.csv", "--cancelled", "gone.csv", "--standing", "there.csv"];
        let told = scene.resolve(&[&lists[..], &["--reason", "list of 6"]].concat()).exits(3);
        assert_eq!(
            scene.lines("orders.resolved-1.results.csv"),
            [
                "1001 cancelled ERR01160",
                "1002 rejected 0042",
                "1003 already_cancelled RESOLVED",
                "1004 failed RESOLVED",
                "1005 in_doubt CONNECTION_LOST in doubt",
                "1006 in_doubt CONNECTION_LOST in doubt",
            ]
        );
        let written = rows(&scene.env.read("orders.resolved-1.results.csv"));
        assert_eq!(written[2].get("message"), "gone.csv, row 1");
        assert_eq!(written[2].attempts(), 1);
        for text in [
            "3 orders of the lists are not in doubt here: nothing is done for them",
            "2 orders in doubt are in no list, and stay in doubt",
            "1 already_cancelled by gone.csv (--cancelled, 4 orders, SHA-256 ",
            "cardcancel rerun orders.resolved-1.results.csv",
        ] {
            assert!(told.stdout.contains(text), "{text}: {}", told.report());
        }
        let runs = scene.runs();
        assert_eq!(runs[0]["command"], "resolve");
        let open = runs.iter().map(|run| run["open_rows"].as_u64().unwrap());
        assert_eq!(open.collect::<Vec<_>>(), [1, 2]);
        let shown = scene.run(&["history", "1003", "1"]).exits(0).stdout;
        for text in ["Order 1003/1: already_cancelled", "in_doubt, an answer was lost", "list of 6"]
        {
            assert!(shown.contains(text), "{shown}");
        }
        assert!(shown.contains("no call, RESOLVED: gone.csv, row 1\n  evidence: 1 "), "{shown}");
        let shown = scene.run(&["runs", runs[0]["run"].as_str().unwrap()]).exits(0).stdout;
        assert!(shown.contains("resolved 1 failed by there.csv (--standing, 1 order"), "{shown}");
        assert!(shown.contains("Ends doubts in the results of run"), "{shown}");
        scene.run(&["results", "--open", "-o", "open.csv"]).exits(0);
        assert_eq!(
            scene.lines("open.csv"),
            [
                "1004 failed RESOLVED",
                "1005 in_doubt CONNECTION_LOST in doubt",
                "1006 in_doubt CONNECTION_LOST in doubt",
            ]
        );
    }

    pub fn a_later_run_sends_no_order_that_evidence_shows_to_be_cancelled(scene: Scene) {
        scene.with_doubts().list("gone.csv", &[1003, 1004, 1005, 1006]);
        scene.resolve(&["orders.results.csv", "--cancelled", "gone.csv"]).exits(1);
        scene.env.file("later.csv", "AdminNumber,CardSequenceNumber\n1003,1\n1007,1\n1006,1\n");
        let checked = scene.run(&["check", "later.csv", "--json"]).exits(0).stdout;
        let checked: Value = serde_json::from_str(&checked).unwrap();
        assert_eq!(
            (&checked["known"]["cancelled"], &checked["known"]["in_doubt"]),
            (&2.into(), &0.into())
        );
        scene.send("run", "later.csv", &[]).exits(0);
        assert_eq!(
            scene.lines("later.results.csv"),
            [
                "1003 already_cancelled ALREADY_CANCELLED",
                "1007 cancelled ERR01160",
                "1006 already_cancelled ALREADY_CANCELLED",
            ]
        );
        let run = scene.runs()[1]["run"].as_str().unwrap().to_owned();
        let first = &rows(&scene.env.read("later.results.csv"))[0];
        assert_eq!(first.get("message"), format!("cancelled by run {run}, row 3"));
        assert_eq!((scene.calls(1003), scene.calls(1006)), (1, 1));
        // The old results know nothing of it; the ledger does.
        scene.send("rerun", "orders.results.csv", &[]).exits(1);
        assert_eq!(scene.calls(1004), 1);
        // Asked for on purpose, it is sent like every order that was cancelled.
        scene.send("run", "later.csv", &["--again", "-o", "again.csv"]).exits(3);
        assert_eq!(scene.calls(1003), 2);
    }

    pub fn a_rerun_of_its_results_sends_what_still_stands_without_doubt(scene: Scene) {
        scene.with_doubts().list("gone.csv", &[1005]).list("there.csv", &[1003, 1004]);
        scene
            .resolve(&["orders.results.csv", "--standing", "there.csv", "--cancelled", "gone.csv"])
            .exits(3);
        scene.server_now(REJECTS);
        let calls = scene.server.requests().len();
        let results = "orders.resolved-1.results.csv";
        scene.send("rerun", results, &["--only", "failed,in_doubt"]).exits(3);
        assert_eq!(
            scene.lines("orders.rerun-1.results.csv"),
            [
                "1001 cancelled ERR01160",
                "1002 rejected 0042",
                "1003 rejected 0042",
                "1004 rejected 0042",
                "1005 already_cancelled RESOLVED",
                "1006 rejected 0042 in doubt",
            ]
        );
        assert_eq!(scene.server.requests().len() - calls, 3);
        let runs = scene.runs();
        let open = runs.iter().map(|run| run["open_rows"].as_u64().unwrap());
        assert_eq!(open.collect::<Vec<_>>(), [1, 0, 0]);
    }

    pub fn the_same_command_again_is_the_same_run(scene: Scene) {
        scene.with_doubts().list("gone.csv", &[1003]);
        let args = ["orders.results.csv", "--cancelled", "gone.csv"];
        scene.resolve(&args).exits(3);
        let first = scene.env.read("orders.resolved-1.results.csv");
        std::fs::remove_file(scene.env.path("orders.resolved-1.results.csv")).unwrap();
        let told = scene.resolve(&args).exits(3).stdout;
        assert!(told.contains("had been recorded before"), "{told}");
        assert_eq!(scene.env.read("orders.resolved-1.results.csv"), first);
        assert_eq!(scene.runs().len(), 2);
        // Other evidence is another run, and of what is decided nothing is decided again.
        scene.list("more.csv", &[1003, 1004]);
        scene.resolve(&["orders.results.csv", "--cancelled", "more.csv"]).exits(3);
        let lines = scene.lines("orders.resolved-2.results.csv");
        assert_eq!(
            lines[2..4],
            ["1003 already_cancelled ALREADY_CANCELLED", "1004 already_cancelled RESOLVED"]
        );
        assert_eq!(scene.runs().len(), 3);
        // Nothing is left of this list.
        scene.list("less.csv", &[1004]);
        let told =
            scene.resolve(&["orders.results.csv", "--cancelled", "less.csv"]).exits(3).stdout;
        assert!(told.contains("nothing was recorded"), "{told}");
        // Both that are decided by now.
        assert!(told.contains("2 orders that were in doubt in this file have been"), "{told}");
        assert_eq!(scene.runs().len(), 3);
        scene.run(&["verify"]).exits(0);
    }

    pub fn open_rows_are_resolved_without_a_file(scene: Scene) {
        scene.with_doubts();
        scene.env.file("second.csv", "AdminNumber,CardSequenceNumber\n1013,1\n1014,1\n");
        scene.send("run", "second.csv", &[]).exits(3);
        scene.list("gone.csv", &[1013, 1003, 1004, 1005]).list("there.csv", &[1014]);
        let args = ["--open", "--cancelled", "gone.csv", "--standing", "there.csv"];
        scene.resolve(&args).exits(3);
        let expected = [
            "1013 already_cancelled RESOLVED",
            "1014 failed RESOLVED",
            "1003 already_cancelled RESOLVED",
            "1004 already_cancelled RESOLVED",
            "1005 already_cancelled RESOLVED",
            "1006 in_doubt CONNECTION_LOST in doubt",
        ];
        assert_eq!(scene.lines("open.resolved-1.results.csv"), expected);
        let first = scene.env.read("open.resolved-1.results.csv");
        let told = scene.resolve(&args).exits(3).stdout;
        assert!(told.contains("had been recorded before"), "{told}");
        assert_eq!(scene.env.read("open.resolved-1.results.csv"), first);
        scene.run(&["results", "--open", "-o", "open.csv"]).exits(0);
        let open = scene.lines("open.csv");
        assert_eq!(open, ["1014 failed RESOLVED", "1006 in_doubt CONNECTION_LOST in doubt"]);
        scene.list("rest.csv", &[1006, 1014]);
        let told = scene.resolve(&["--open", "--cancelled", "rest.csv"]).exits(1).stdout;
        assert!(told.contains("1 order of the lists is not in doubt here"), "{told}");
    }

    pub fn the_record_verifies_and_a_change_of_it_is_found(scene: Scene) {
        scene.with_doubts().list("gone.csv", &[1003]);
        scene.resolve(&["orders.results.csv", "--cancelled", "gone.csv"]).exits(3);
        scene.run(&["verify", "--require", "sealed"]).exits(0);
        let run = scene.runs()[0]["run"].as_str().unwrap().to_owned();
        scene.run(&["export", &run, "-o", "export"]).exits(0);
        scene.run(&["verify", "export"]).exits(0);
        let events = scene.env.text("export/data/events.csv");
        assert!(events.contains("resolved") && events.contains("gone.csv"), "{events}");
        scene.run(&["report", &run, "-o", "report.html"]).exits(0);
        for change in [
            "UPDATE row SET status = 3 WHERE error_code = 'RESOLVED'",
            "UPDATE event SET detail = 'other.csv' WHERE kind = 'resolved'",
            "DELETE FROM event WHERE kind = 'resolved'",
        ] {
            let undo = match change {
                change if change.starts_with("UPDATE row") => {
                    "UPDATE row SET status = 1 WHERE error_code = 'RESOLVED'"
                }
                _ => "",
            };
            scene.change(change);
            let told = scene.run(&["verify"]).exits(1).all_output();
            assert!(told.contains(&run), "{change}: {told}");
            scene.change(undo);
        }
    }

    pub fn what_is_not_in_doubt_stays_and_is_counted(scene: Scene) {
        scene.with_doubts();
        // 1003 is cancelled after the results were written.
        scene.server_now(CANCELS);
        scene.env.file("one.csv", "AdminNumber,CardSequenceNumber\n1003,1\n");
        scene.send("run", "one.csv", &[]).exits(0);
        scene.list("there.csv", &[1003, 1001]);
        let told =
            scene.resolve(&["orders.results.csv", "--standing", "there.csv"]).exits(3).stdout;
        assert!(told.contains("1 order that was in doubt in this file has been"), "{told}");
        assert!(told.contains("1 order of the lists is not in doubt here"), "{told}");
        assert!(told.contains("nothing was recorded"), "{told}");
        assert_eq!(scene.runs().len(), 2);
        assert!(!scene.env.path("orders.resolved-1.results.csv").exists());
    }

    pub fn an_order_that_a_later_run_has_sent_stays(scene: Scene) {
        scene.with_doubts();
        scene.env.file("again.csv", "AdminNumber,CardSequenceNumber\n1003,1\n");
        scene.send("run", "again.csv", &[]).exits(3);
        let run = scene.runs()[0]["run"].as_str().unwrap().to_owned();
        scene.list("there.csv", &[1003, 1004]);
        let told =
            scene.resolve(&["orders.results.csv", "--standing", "there.csv"]).exits(3).stdout;
        assert!(
            told.contains(&format!("1 order of the lists was sent later by run {run}")),
            "{told}"
        );
        let lines = scene.lines("orders.resolved-1.results.csv");
        assert_eq!(lines[2..4], ["1003 in_doubt CONNECTION_LOST in doubt", "1004 failed RESOLVED"]);
        scene.resolve(&["again.results.csv", "--standing", "there.csv"]).exits(1);
        assert_eq!(scene.lines("again.resolved-1.results.csv"), ["1003 failed RESOLVED"]);
    }

    pub fn results_and_seal_are_completed_after_the_process_died(scene: Scene) {
        scene.with_doubts().list("gone.csv", &[1003]);
        let args = ["orders.results.csv", "--cancelled", "gone.csv"];
        scene.resolve(&args).exits(3);
        let first = scene.env.read("orders.resolved-1.results.csv");
        // As if the process had died once the run was recorded.
        std::fs::remove_file(scene.env.path("orders.resolved-1.results.csv")).unwrap();
        scene.change(
            "DELETE FROM seal WHERE number = 2;
             DELETE FROM results WHERE run = (SELECT max(number) FROM run);",
        );
        let unsealed = scene.run(&["verify"]).exits(0).all_output();
        assert!(unsealed.contains("Not sealed yet, and not verified: "), "{unsealed}");
        scene.resolve(&args).exits(3);
        assert_eq!(scene.env.read("orders.resolved-1.results.csv"), first);
        scene.run(&["verify", "--require", "sealed"]).exits(0);
        assert_eq!(scene.runs().len(), 2);
    }

    pub fn of_several_rows_with_an_order_the_first_is_decided(scene: Scene) {
        scene.env.file("orders.csv", "AdminNumber,CardSequenceNumber\n1003,1\n1003,1\n1004,1\n");
        scene.send("run", "orders.csv", &[]).exits(3);
        // Results that were put together by hand.
        let text = scene.env.text("orders.results.csv");
        let line = text.lines().nth(1).unwrap();
        scene.env.file("both.csv", format!("{text}{line}\n"));
        scene.list("gone.csv", &[1003, 1003]);
        scene.resolve(&["both.csv", "--cancelled", "gone.csv"]).exits(3);
        assert_eq!(
            scene.lines("both.resolved-1.results.csv"),
            [
                "1003 already_cancelled RESOLVED",
                "1003 duplicate DUPLICATE",
                "1004 in_doubt CONNECTION_LOST in doubt",
                "1003 duplicate DUPLICATE",
            ]
        );
        scene.run(&["verify"]).exits(0);
    }

    pub fn a_doubt_that_a_run_has_taken_over_ends_too(scene: Scene) {
        scene.with_doubts();
        // A run that stops before it sends anything takes over the doubt of 1003.
        scene.env.file("later.csv", "AdminNumber,CardSequenceNumber\n1002,1\n1003,1\n1004,1\n");
        let cut_off = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(31);
        let cut_off = cut_off.strftime("%Y-%m-%dT%H:%M:%S[UTC]").to_string();
        let flags = ["--cut-off", &cut_off, "--rate", "1/m", "--allow-partial"];
        let args = ["run", "later.csv", "--external-ip", "192.0.2.10", "--yes", "--attempts", "1"];
        scene.run(&[&args[..], &flags].concat()).exits(4);
        scene.list("there.csv", &[1003]);
        scene.resolve(&["orders.results.csv", "--standing", "there.csv"]).exits(3);
        // Rejected now, it is final: the call of the first run had not cancelled it.
        scene.server_now(REJECTS);
        let next = ["--cut-off", "2999-12-31T23:59[UTC]"];
        scene.send("run", "later.csv", &next).exits(3);
        assert_eq!(
            scene.lines("later.results.csv"),
            ["1002 rejected 0042", "1003 rejected 0042", "1004 rejected 0042 in doubt"]
        );
        scene.run(&["verify"]).exits(0);
    }

    pub fn what_has_ended_since_the_file_was_written_stands_as_it_stands_now(scene: Scene) {
        scene.with_doubts();
        let file = "orders.results.csv";
        scene.list("there.csv", &[1004]).list("gone.csv", &[1003]);
        scene.resolve(&[file, "--standing", "there.csv", "--cancelled", "gone.csv"]).exits(3);
        scene.server_now(CANCELS);
        scene.env.file("one.csv", "AdminNumber,CardSequenceNumber\n1005,1\n");
        scene.send("run", "one.csv", &[]).exits(0);
        let later = scene.runs()[0]["run"].as_str().unwrap().to_owned();
        // The old file again, with another list.
        scene.list("more.csv", &[1006, 1004]);
        let told = scene.resolve(&[file, "--standing", "more.csv"]).exits(1).stdout;
        let expected = "3 orders that were in doubt in this file have been decided since";
        assert!(told.contains(expected), "{told}");
        let results = "orders.resolved-2.results.csv";
        let lines = [
            "1001 cancelled ERR01160",
            "1002 rejected 0042",
            "1003 already_cancelled ALREADY_CANCELLED",
            "1004 failed RESOLVED",
            "1005 already_cancelled ALREADY_CANCELLED",
            "1006 failed RESOLVED",
        ];
        assert_eq!(scene.lines(results), lines);
        let written = rows(&scene.env.read(results));
        assert_eq!(written[3].get("message"), "there.csv, row 1");
        assert_eq!(written[4].get("message"), format!("cancelled by run {later}, row 1"));
        assert_eq!(written[3].attempts(), 1);
        // Only the new list decided anything, and every order counts once.
        let runs = scene.runs();
        let open = runs.iter().map(|run| run["open_rows"].as_u64().unwrap());
        assert_eq!(open.collect::<Vec<_>>(), [1, 0, 1, 0]);
        let last = runs[0]["run"].as_str().unwrap();
        let shown = scene.run(&["runs", last]).exits(0).stdout;
        assert_eq!(shown.matches("resolved 1 failed by more.csv").count(), 1, "{shown}");
        let shown = scene.run(&["history", "1004", "1"]).exits(0).stdout;
        assert!(shown.starts_with("Order 1004/1: failed\n"), "{shown}");
        assert_eq!(shown.matches("evidence: ").count(), 1, "{shown}");
        let listed = scene.run(&["results", last]).exits(0).stdout;
        assert!(listed.contains("1004,1,4,failed,RESOLVED,\"there.csv, row 1\""), "{listed}");
        scene.run(&["results", "--open", "-o", "open.csv"]).exits(0);
        assert_eq!(scene.lines("open.csv"), ["1006 failed RESOLVED", "1004 failed RESOLVED"]);
        // The same command writes the same, and a list of what has ended decides nothing.
        let first = scene.env.read(results);
        scene.resolve(&[file, "--standing", "more.csv"]).exits(1);
        assert_eq!(scene.env.read(results), first);
        scene.list("late.csv", &[1005, 1004]);
        let told = scene.resolve(&[file, "--cancelled", "late.csv"]).exits(1).stdout;
        assert!(told.contains("nothing was recorded"), "{told}");
        scene.run(&["verify", "--require", "sealed"]).exits(0);
        scene.run(&["export", last, "-o", "export"]).exits(0);
        scene.run(&["verify", "export"]).exits(0);
        // A rerun sends what stands, without doubt.
        scene.server_now(REJECTS);
        scene.send("rerun", results, &[]).exits(1);
        let rerun = scene.lines("orders.rerun-1.results.csv");
        assert_eq!(rerun[3..6], ["1004 rejected 0042", lines[4], "1006 rejected 0042"]);
        assert_eq!((scene.calls(1003), scene.calls(1005)), (1, 2));
    }

    pub fn a_run_that_is_started_again_says_which_of_its_doubts_have_been_settled(scene: Scene) {
        scene.with_doubts().list("gone.csv", &[1003]).list("there.csv", &[1004]);
        let again = || scene.send("run", "orders.csv", &[]).exits(3).stdout;
        let told = again();
        assert!(told.contains("\nIn doubt: 4 rows may or may not be"), "{told}");
        assert!(!told.contains("Settled since"), "{told}");
        let lists = ["--cancelled", "gone.csv", "--standing", "there.csv"];
        scene.resolve(&[&["orders.results.csv"][..], &lists].concat()).exits(3);
        let told = again();
        assert!(told.contains("\nIn doubt: 2 rows may or may not be"), "{told}");
        assert!(told.contains("\nSettled since: 2 rows in doubt here, whose orders"), "{told}");
        // A later run settles one, and evidence the last.
        scene.server_now(CANCELS);
        scene.env.file("one.csv", "AdminNumber,CardSequenceNumber\n1005,1\n");
        scene.send("run", "one.csv", &[]).exits(0);
        scene.list("last.csv", &[1006]);
        scene.resolve(&["--open", "--standing", "last.csv"]).exits(1);
        let told = again();
        assert!(told.contains("\nSettled since: 4 rows in doubt here"), "{told}");
        assert!(!told.contains("In doubt:") && !told.contains("Next:"), "{told}");
        let json = scene.send("run", "orders.csv", &["--json"]).exits(3).stdout;
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&json["rows_in_doubt"], &json["rows_settled_since"]), (&4.into(), &4.into()));
    }
}

#[test]
fn an_order_in_both_lists_refuses_the_whole_command() {
    let scene = Scene::new(None);
    scene.with_doubts().list("gone.csv", &[1003, 1004]).list("there.csv", &[1005, 1004]);
    let lists = ["--cancelled", "gone.csv", "--standing", "there.csv"];
    let refused = scene.resolve(&[&["orders.results.csv"][..], &lists].concat()).exits(2).stderr;
    let named = "order 1004/1 in row 2 of gone.csv and row 2 of there.csv";
    assert!(refused.contains(named), "{refused}");
    assert_eq!(scene.runs().len(), 1);
}

#[test]
fn evidence_counts_only_as_a_whole() {
    let scene = Scene::new(None);
    scene.with_doubts();
    for (text, expected) in [
        ("admin,seq\n1003,1\nx,1\n", "line 3 holds no order (INVALID_ADMIN_NUMBER"),
        ("admin,seq\n1003,1\n1004,1", "line 3 holds no order (UNFINISHED_LINE"),
        ("admin,seq,note\n1003,1,4111111111111111\n", "line 2 holds no order (CARD_NUMBER"),
        ("admin,seq\n1003,1\ntotal: 1\n", "line 3 holds no order (WRONG_FIELD_COUNT"),
        ("number\n1003\n", "there is no column for the admin number"),
        ("admin,seq,sequence\n1003,1,1\n", "could both be the sequence number"),
        ("admin,seq,status,doubt\n1003,1,in_doubt,true\n", "is a results file"),
        ("admin,seq\n", "has no rows, and shows nothing"),
        ("", "has no rows, and shows nothing"),
    ] {
        scene.env.file("list.csv", text);
        let refused =
            scene.resolve(&["orders.results.csv", "--cancelled", "list.csv"]).exits(2).stderr;
        assert!(refused.contains("list.csv: ") && refused.contains(expected), "{refused}");
    }
    let refused = scene.resolve(&["orders.results.csv", "--cancelled", "none.csv"]).exits(2).stderr;
    assert!(refused.contains("none.csv: no such file"), "{refused}");
    let refused = scene.resolve(&["orders.results.csv"]).exits(2).stderr;
    assert!(refused.contains("--cancelled"), "{refused}");
    assert_eq!(scene.runs().len(), 1);
}

#[test]
fn without_a_terminal_it_is_shown_what_would_be_recorded_and_nothing_is() {
    let scene = Scene::new(None);
    scene.with_doubts().list("gone.csv", &[1003, 1001]);
    let args = ["resolve", "orders.results.csv", "--cancelled", "gone.csv"];
    let refused = scene.run(&args).exits(2).stderr;
    for text in [
        "pass --yes to record it without asking",
        "About to end the doubt of 1 order of orders.results.csv",
        "1 already_cancelled by gone.csv (--cancelled, 2 orders, SHA-256 ",
        "stays: 1 order of the lists is not in doubt here",
        "must be newer than the last attempt",
    ] {
        assert!(refused.contains(text), "{text}: {refused}");
    }
    assert_eq!(scene.runs().len(), 1);
    assert!(!scene.env.path("orders.resolved-1.results.csv").exists());
}

#[test]
fn a_list_whose_columns_have_names_of_their_own_is_read_beside_results_with_ours() {
    let scene = Scene::new(None);
    scene.with_doubts();
    scene.env.file("gone.csv", "Konto,Folge\n1003,1\n");
    let unnamed = scene.resolve(&["orders.results.csv", "--cancelled", "gone.csv"]).exits(2).stderr;
    assert!(unnamed.contains("name the column with --admin-column"), "{unnamed}");
    let named =
        ["--cancelled", "gone.csv", "--admin-column", "Konto", "--sequence-column", "Folge"];
    let shown = |file: &str| scene.run(&[&["resolve", file], &named[..]].concat()).exits(2).stderr;
    let of_file = shown("orders.results.csv");
    assert!(
        of_file.contains("About to end the doubt of 1 order of orders.results.csv"),
        "{of_file}"
    );
    let of_all = shown("--open");
    let expected = "About to end the doubt of 1 order of the open rows of all runs at ";
    assert!(of_all.contains(expected), "{of_all}");
    let resolved = scene.resolve(&[&["--open"], &named[..]].concat()).exits(3).stdout;
    assert!(resolved.contains(" of open rows, "), "{resolved}");
    assert!(scene.env.path("open.resolved-1.results.csv").exists());
}

#[test]
fn on_a_terminal_it_asks() {
    let scene = Scene::new(None);
    scene.with_doubts().list("gone.csv", &[1003]);
    let args = ["resolve", "orders.results.csv", "--cancelled", "gone.csv"];
    let mut terminal = Terminal::with(scene.command(&args));
    terminal.sees("Type yes to record it:").types("no");
    let (code, screen) = terminal.ends();
    assert_eq!(code, Some(2), "{screen}");
    assert!(screen.contains("nothing was recorded: the answer was not yes"), "{screen}");
    let mut terminal = Terminal::with(scene.command(&args));
    terminal.sees("Type yes to record it:").types("yes");
    let (code, screen) = terminal.ends();
    assert_eq!(code, Some(3), "{screen}");
    assert_eq!(scene.runs().len(), 2);
}

#[test]
fn results_of_a_rehearsal_or_of_another_address_are_refused() {
    let scene = Scene::new(None);
    scene.with_doubts().list("gone.csv", &[1003]);
    let args = ["orders.results.csv", "--cancelled", "gone.csv"];
    let elsewhere = ["--url", "https://corecard.example.com"];
    let refused = scene.resolve(&[&args[..], &elsewhere].concat()).exits(2).stderr;
    assert!(refused.contains("holds the results of a run at"), "{refused}");
    let refused = scene.resolve(&[&args[..], &["--rehearse"]].concat()).exits(2).stderr;
    assert!(refused.contains("leave out --rehearse"), "{refused}");
    assert_eq!(scene.runs().len(), 1);
}

#[test]
fn results_that_no_run_here_wrote_are_taken_at_their_word_if_that_is_asked_for() {
    let scene = Scene::new(None);
    let results = "AdminNumber,CardSequenceNumber,status,doubt\n1,1,in_doubt,true\n2,1,failed,false\n3,1,in_doubt,true\n";
    scene.env.file("theirs.results.csv", results);
    scene.list("gone.csv", &[1, 2]);
    let args = ["theirs.results.csv", "--cancelled", "gone.csv"];
    scene.resolve(&args).exits(2);
    let told = scene.resolve(&[&args[..], &["--trust-results"]].concat()).exits(3).stdout;
    // By the file alone, only 1 and 3 are in doubt.
    assert!(told.contains("1 order of the lists is not in doubt here"), "{told}");
    scene.env.file("later.csv", "AdminNumber,CardSequenceNumber\n1,1\n3,1\n");
    let checked = scene.run(&["check", "later.csv", "--json"]).exits(0).stdout;
    let checked: Value = serde_json::from_str(&checked).unwrap();
    assert_eq!(
        (&checked["known"]["cancelled"], &checked["known"]["in_doubt"]),
        (&1.into(), &1.into())
    );
}

#[test]
fn no_credentials_and_no_network_are_needed() {
    let scene = Scene::new(None);
    scene.with_doubts().list("gone.csv", &[1003]);
    let configuration = "external_ip = '192.0.2.10'\n[auth]\nkind = 'bearer'\n";
    scene.env.file("cardcancel.toml", configuration);
    let calls = scene.server.requests().len();
    scene.resolve(&["orders.results.csv", "--cancelled", "gone.csv", "--json"]).exits(3);
    assert_eq!(scene.server.requests().len(), calls);
}

#[test]
fn the_summary_for_programs_has_the_evidence_and_what_stays() {
    let scene = Scene::new(None);
    scene.with_doubts().list("gone.csv", &[1003, 1001]);
    let args = ["orders.results.csv", "--cancelled", "gone.csv", "--json"];
    let told: Value = serde_json::from_str(&scene.resolve(&args).exits(3).stdout).unwrap();
    assert_eq!(told["counts"]["already_cancelled"], 1);
    assert_eq!(told["evidence"].as_array().unwrap().len(), 1);
    assert_eq!(told["remarks"].as_array().unwrap().len(), 2);
    scene.list("none.csv", &[9999]);
    let args = ["orders.results.csv", "--standing", "none.csv", "--json"];
    let told: Value = serde_json::from_str(&scene.resolve(&args).exits(3).stdout).unwrap();
    assert_eq!((&told["run"], &told["state"]), (&Value::Null, &"unchanged".into()));
}

#[test]
fn what_was_recorded_as_the_process_was_killed_is_completed_by_the_same_command() {
    const ROWS: u32 = 50_000;
    let scene = Scene::new(None);
    let lines: String = (1..=ROWS).map(|row| format!("{row},1,in_doubt,true\n")).collect();
    let header = "AdminNumber,CardSequenceNumber,status,doubt\n";
    scene.env.file("theirs.csv", format!("{header}{lines}"));
    scene.list("gone.csv", &[1, 2, 3]);
    let args = ["resolve", "theirs.csv", "--cancelled", "gone.csv", "--yes", "--trust-results"];
    let child = scene.command(&args).spawn().unwrap();
    until("there is a ledger", || scene.env.ledger().exists());
    let other = rusqlite::Connection::open(scene.env.ledger()).unwrap();
    other.busy_timeout(std::time::Duration::from_secs(60)).unwrap();
    until("the run is recorded", || {
        let count = "SELECT count(*) FROM run WHERE rows IS NOT NULL";
        other.query_row(count, [], |row| row.get::<_, u32>(0)).is_ok_and(|runs| runs == 1)
    });
    // It cannot note its results meanwhile.
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    kill(child);
    other.execute_batch("ROLLBACK").unwrap();
    assert!(!scene.env.path("theirs.resolved-1.results.csv").exists());
    assert_eq!(scene.runs()[0]["counts"]["already_cancelled"], 3);
    let told = scene.run(&args).exits(3).stdout;
    assert!(told.contains("had been recorded before"), "{told}");
    assert_eq!(scene.lines("theirs.resolved-1.results.csv").len(), ROWS as usize);
    scene.run(&["verify", "--require", "sealed"]).exits(0);
    assert_eq!(scene.runs().len(), 1);
}

#[test]
fn a_call_in_flight_as_a_process_died_must_be_looked_after_first() {
    let env = TestEnv::new();
    let server = ScriptedServer::always(Behavior::Hang);
    env.file("orders.csv", "AdminNumber,CardSequenceNumber\n1003,1\n");
    let child = env.begin_to_cancel(&server.url(), &[]);
    until("the call is made", || !server.requests().is_empty());
    env.file("gone.csv", "admin,seq\n1003,1\n");
    let url = server.url();
    let args = ["resolve", "--open", "--cancelled", "gone.csv", "--yes", "--url", &url];
    let told = env.run(&args).exits(0);
    assert!(told.stdout.contains("No row is open"), "{}", told.report());
    assert!(told.stderr.contains("is in progress"), "{}", told.report());
    kill(child);
    let told = env.run(&args).exits(3).stdout;
    assert!(told.contains("1 order of the lists was in flight in run "), "{told}");
    assert!(
        told.contains("when its process died: start that run again first, then this command"),
        "{told}"
    );
}

#[test]
fn lists_may_be_compressed_and_have_columns_by_other_names_than_the_results() {
    let scene = Scene::new(None);
    scene.env.file("orders.csv", "Konto,Folge\n1003,1\n1001,1\n");
    let named = ["--admin-column", "Konto", "--sequence-column", "Folge"];
    scene.send("run", "orders.csv", &named).exits(3);
    let list = "admin_number|card_sequence_number|note\n1003|1|a, b\n";
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut packed, list.as_bytes()).unwrap();
    scene.env.file("gone.csv.gz", packed.finish().unwrap());
    let args = ["orders.results.csv", "--cancelled", "gone.csv.gz"];
    scene.resolve(&[&args[..], &named].concat()).exits(0);
    let written = rows(&scene.env.read("orders.resolved-1.results.csv"));
    assert_eq!((written[0].get("Konto"), written[0].code()), ("1003", "RESOLVED"));
    assert_eq!(written[0].get("message"), "gone.csv.gz, row 1");
    assert!(!scene.env.text("orders.resolved-1.results.csv").contains("a, b"));
}

#[test]
fn results_that_cannot_be_written_refuse_the_command_before_anything_is_recorded() {
    let scene = Scene::new(None);
    scene.with_doubts().list("gone.csv", &[1003]);
    let args = ["orders.results.csv", "--cancelled", "gone.csv", "-o", "nowhere/results.csv"];
    let refused = scene.resolve(&args).exits(2).stderr;
    assert!(refused.contains("nowhere/results.csv"), "{refused}");
    assert_eq!(scene.runs().len(), 1);
    scene.env.file("mine.csv", "kept");
    let args = ["orders.results.csv", "--cancelled", "gone.csv", "-o", "mine.csv"];
    scene.resolve(&args).exits(2);
    assert_eq!((scene.env.text("mine.csv").as_str(), scene.runs().len()), ("kept", 1));
}
