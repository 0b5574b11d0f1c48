//! Nights on a ledger that is a file.

use std::fs;
use std::process::Command;

use rusqlite::Connection;
use rustix::process::Signal;

use super::{
    CODES, Instant, core_card, each_ledger, elsewhere, is_done, orders, signal, unchanged,
};
use crate::common::{ProgramOutput, Rng, TestEnv, TestSimulator, ended};

const LEDGERS: u64 = 20;
const NIGHTS: u64 = 8;

/// What a night begins with.
#[derive(Debug, Clone, Copy)]
enum Work {
    /// A new file.
    New,
    /// An earlier file again, whether it ended or not.
    Again,
    /// The results of an earlier file.
    Rerun,
}

/// What happens to its process.
#[derive(Debug, Clone, Copy)]
enum Incident {
    Nothing,
    /// It is sent this signal.
    Signal(Signal, Instant),
    /// The ledger is verified while it works.
    Verified(Instant),
}

/// What happened in a night, for messages.
#[derive(Debug)]
#[expect(dead_code, reason = "displayed when a night fails")]
struct Night {
    number: u64,
    work: Work,
    incident: Incident,
}

struct FileLedger {
    env: TestEnv,
    core_card: TestSimulator,
    rng: Rng,
    /// The commands so far, each with its file: `1.csv` and so on.
    files: Vec<&'static str>,
    seals: u64,
}

impl FileLedger {
    fn command(&self, words: &[&str]) -> Command {
        let url = self.core_card.url();
        let flags = ["--url", &url, "--external-ip", "10.120.0.0", "--yes"];
        self.env.command(&[words, &flags, &["--rate", "unlimited", "--concurrency", "4"]].concat())
    }

    fn work(&mut self) -> (Work, Command) {
        let before = self.rng.below(self.files.len().max(1) as u64);
        let results = self.env.path(&format!("{before}.results.csv"));
        let work = match self.rng.below(10) {
            _ if self.files.is_empty() => Work::New,
            0..5 => Work::New,
            5..8 => Work::Again,
            _ if results.exists() => Work::Rerun,
            _ => Work::Again,
        };
        let next = format!("{}.csv", self.files.len());
        match work {
            Work::New => {
                self.env.file(&next, orders(&mut self.rng));
                self.files.push("run");
            }
            Work::Rerun => {
                self.env.file(&next, fs::read(results).unwrap());
                self.files.push("rerun");
            }
            Work::Again => return (work, self.of_file(before as usize)),
        }
        (work, self.of_file(self.files.len() - 1))
    }

    /// The command that runs this file.
    fn of_file(&self, number: usize) -> Command {
        self.command(&[self.files[number], &format!("{number}.csv")])
    }

    fn incident(&mut self) -> Incident {
        let instant = Instant::draw(&mut self.rng);
        match self.rng.below(10) {
            0..4 => Incident::Signal(Signal::KILL, instant),
            4..6 => Incident::Signal(Signal::TERM, instant),
            6 => Incident::Verified(instant),
            _ => Incident::Nothing,
        }
    }

    fn night(&mut self, number: u64) {
        let (work, mut command) = self.work();
        let night = Night { number, work, incident: self.incident() };
        elsewhere(&mut command, &mut self.rng);
        let mut process = [command.spawn().unwrap()];
        match night.incident {
            Incident::Nothing => {}
            Incident::Signal(which, instant) => {
                instant.await_with(&self.core_card, &mut process);
                signal(&process[0], which);
            }
            Incident::Verified(instant) => {
                instant.await_with(&self.core_card, &mut process);
                self.verify(&night);
            }
        }
        let [process] = process;
        is_done(&ended(process), &night);
        self.verify(&night);
        if self.rng.per_cent(10) {
            self.restore();
            self.verify(&night);
        }
    }

    /// Verifies the ledger, if there is one yet.
    fn verify(&mut self, night: &Night) -> bool {
        let mut command = self.env.command(&["verify", "--json"]);
        elsewhere(&mut command, &mut self.rng);
        let verified: ProgramOutput = command.output().unwrap().into();
        if self.seals == 0 && verified.stderr.contains("there is no ledger") {
            return true;
        }
        let verified = unchanged(verified, night);
        assert!(verified.seals >= self.seals, "{night:?}: seals are missing");
        self.seals = verified.seals;
        verified.is_sealed
    }

    /// Puts a backup of the ledger in its place.
    fn restore(&mut self) {
        let ledger = self.env.ledger();
        if !ledger.exists() {
            return;
        }
        self.env.run(&["ledger", "backup", "backup.db"]).exits(0);
        for ending in ["", "-wal", "-shm"] {
            let mut path = ledger.clone().into_os_string();
            path.push(ending);
            let _ = fs::remove_file(path);
        }
        fs::rename(self.env.path("backup.db"), ledger).unwrap();
    }

    /// Ends all runs: then every run is sealed.
    fn end(mut self) {
        let night = Night { number: NIGHTS, work: Work::Again, incident: Incident::Nothing };
        for file in 0..self.files.len() {
            is_done(&ended(self.of_file(file).spawn().unwrap()), &night);
        }
        assert!(self.verify(&night), "not every run is sealed");
        let ledger = Connection::open(self.env.ledger()).unwrap();
        let sql = "SELECT count(*), min(number), max(number) FROM seal";
        let numbers: (u64, u64, u64) =
            ledger.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        assert_eq!(numbers, (self.seals, 1, self.seals));
    }
}

#[test]
fn none_of_160_nights_on_files_raises_a_false_alarm() {
    each_ledger(0..LEDGERS, |seed| {
        let env = TestEnv::new();
        env.file("cardcancel.toml", CODES);
        let (core_card, rng) = (core_card(seed), Rng::from(seed));
        let mut ledger = FileLedger { env, core_card, rng, files: Vec::new(), seals: 0 };
        (0..NIGHTS).for_each(|night| ledger.night(night));
        ledger.end();
    });
}
