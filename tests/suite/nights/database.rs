//! Nights on a ledger in PostgreSQL, each with four processes that work on one file.

use std::process::{Child, Command, Stdio};

use rustix::process::Signal;

use super::{
    CODES, Instant, core_card, each_ledger, elsewhere, is_done, orders, signal, unchanged,
};
use crate::common::postgres::{self, Database};
use crate::common::{ProgramOutput, Rng, TestEnv, TestSimulator, ended};

const LEDGERS: u64 = 8;
const NIGHTS: u64 = 5;
const PROCESSES: usize = 4;

/// What happens to the first process, or to all of them.
#[derive(Debug, Clone, Copy)]
enum Incident {
    /// They work and end together.
    Nothing,
    /// The first one is sent this signal.
    Signal(Signal, Instant),
    /// All are sent this signal.
    SignalAll(Signal, Instant),
    /// The first one is frozen until its lease has expired and the others have ended.
    Frozen(Instant),
    /// The same, and the others are stopped meanwhile.
    FrozenAndOthersStopped(Instant),
}

/// What happened in a night, for messages.
#[derive(Debug)]
#[expect(dead_code, reason = "displayed when a night fails")]
struct Night {
    number: u64,
    file: u64,
    incident: Incident,
}

struct SharedLedger {
    env: TestEnv,
    database: Database,
    core_card: TestSimulator,
    rng: Rng,
    /// The files that were run so far: `1.csv` and so on.
    files: u64,
    seals: u64,
}

impl SharedLedger {
    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.env.command(words);
        command.env("CARDCANCEL_LEDGER", self.database.url());
        command
    }

    fn run(&mut self, file: u64, process: usize) -> Child {
        let (name, results) = (format!("{file}.csv"), format!("{file}.results.{process}.csv"));
        let url = self.core_card.url();
        let flags = ["--url", &url, "--external-ip", "10.120.0.0", "--yes", "--lease", "5s"];
        let mut command = self.command(&[&["run", &name, "-o", &results], &flags[..]].concat());
        command.args(["--rate", "unlimited", "--concurrency", "2"]);
        elsewhere(&mut command, &mut self.rng);
        command.spawn().unwrap()
    }

    fn incident(&mut self) -> Incident {
        let instant = Instant::draw(&mut self.rng);
        let signal = if self.rng.per_cent(60) { Signal::KILL } else { Signal::TERM };
        match self.rng.below(10) {
            0..2 => Incident::Nothing,
            2..4 => Incident::Signal(signal, instant),
            4..6 => Incident::SignalAll(signal, instant),
            6..8 => Incident::Frozen(instant),
            _ => Incident::FrozenAndOthersStopped(instant),
        }
    }

    fn night(&mut self, number: u64) {
        if self.files == 0 || self.rng.per_cent(60) {
            self.files += 1;
            let content = orders(&mut self.rng);
            self.env.file(&format!("{}.csv", self.files), content);
        }
        let night = Night { number, file: self.files, incident: self.incident() };
        let mut processes: Vec<Child> =
            (0..PROCESSES).map(|process| self.run(self.files, process)).collect();
        match night.incident {
            Incident::Nothing => {}
            Incident::Signal(which, instant) => {
                instant.await_with(&self.core_card, &mut processes);
                signal(&processes[0], which);
                let first = processes.remove(0);
                self.gone(first, &night);
            }
            Incident::SignalAll(which, instant) => {
                instant.await_with(&self.core_card, &mut processes);
                processes.iter().for_each(|process| signal(process, which));
                processes.drain(..).for_each(|process| self.gone(process, &night));
            }
            Incident::Frozen(instant) | Incident::FrozenAndOthersStopped(instant) => {
                instant.await_with(&self.core_card, &mut processes);
                let first = processes.remove(0);
                signal(&first, Signal::STOP);
                self.expire(&first);
                if matches!(night.incident, Incident::FrozenAndOthersStopped(_)) {
                    processes.iter().for_each(|process| signal(process, Signal::TERM));
                }
                for process in processes.drain(..) {
                    is_done(&ended(process), &night);
                }
                self.verify(&night);
                signal(&first, Signal::CONT);
                processes.push(first);
            }
        }
        for process in processes {
            is_done(&ended(process), &night);
        }
        self.verify(&night);
        if self.rng.per_cent(25) {
            self.dump_and_restore();
            self.verify(&night);
        }
    }

    /// A process has ended; if it was killed, its lease has expired.
    fn gone(&self, mut process: Child, night: &Night) {
        process.wait().unwrap();
        self.expire(&process);
        is_done(&ended(process), night);
    }

    /// The process was silent for longer than its lease, and the others were not.
    fn expire(&self, process: &Child) {
        if !self.is_there() {
            return;
        }
        let process = i64::from(process.id());
        let sql = "UPDATE cardcancel.worker SET
                       leased_until = CASE WHEN process = $1
                           THEN clock_timestamp() - interval '1 hour' ELSE leased_until END,
                       lapsed_at = lapsed_at - interval '1 hour'
                   WHERE at_work";
        self.database.client().execute(sql, &[&process]).unwrap();
    }

    fn is_there(&self) -> bool {
        self.database.asked("SELECT to_regclass('cardcancel.seal') IS NOT NULL")
    }

    /// Verifies the ledger, if there is one yet. Returns whether every run is sealed.
    fn verify(&mut self, night: &Night) -> bool {
        if !self.is_there() {
            return true;
        }
        let mut command = self.command(&["verify", "--json"]);
        elsewhere(&mut command, &mut self.rng);
        let verified: ProgramOutput = command.output().unwrap().into();
        let verified = unchanged(verified, night);
        assert!(verified.seals >= self.seals, "{night:?}: seals are missing");
        self.seals = verified.seals;
        verified.is_sealed
    }

    /// Goes on in a new database with what was dumped from this one.
    fn dump_and_restore(&mut self) {
        let to = postgres::database();
        let dump = self.env.path("dump");
        let client = |program: &str, database: &Database, flags: &[&str]| {
            let mut command = Command::new(program);
            command.arg("--dbname").arg(database.url()).args(flags).stdout(Stdio::null());
            assert!(command.status().unwrap().success(), "{program}");
        };
        let dump = dump.to_str().unwrap();
        client("pg_dump", &self.database, &["--format=custom", "--file", dump]);
        client("pg_restore", &to, &["--exit-on-error", dump]);
        self.database = to;
    }

    /// Ends all runs: then every run is sealed.
    fn end(mut self) {
        let night = Night { number: NIGHTS, file: self.files, incident: Incident::Nothing };
        for file in 1..=self.files {
            let process = self.run(file, 0);
            is_done(&ended(process), &night);
        }
        assert!(self.verify(&night), "not every run is sealed");
        let sql = "SELECT count(*) = max(number) AND min(number) = 1 FROM cardcancel.seal";
        assert!(self.database.asked::<bool>(sql));
    }
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn none_of_40_nights_on_databases_raises_a_false_alarm() {
    each_ledger(0..LEDGERS, |seed| {
        let env = TestEnv::new();
        env.file("cardcancel.toml", CODES);
        let (core_card, rng, database) = (core_card(seed), Rng::from(seed), postgres::database());
        let mut ledger = SharedLedger { env, database, core_card, rng, files: 0, seals: 0 };
        (0..NIGHTS).for_each(|night| ledger.night(night));
        ledger.end();
    });
}
