//! No false alarm: whatever happens to the processes of a night, `verify` never takes for a change
//! what the program itself recorded, and the seals are numbered without a gap. Each night is one of
//! many on the same ledger, and follows from a seed.

mod database;
mod file;

use std::fmt::Debug;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::{Child, Command};
use std::sync::Mutex;
use std::time::Duration;

use cardcancel::simulator::{Latency, Share, SimulatorSettings};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::common::{
    ProgramOutput, Rng, TestSimulator, clocks_can_be_set, until, with_its_clock_set,
};

/// The meaning of the simulator's own code, so that a call that is repeated ends its row.
const CODES: &str = "[codes]\nSIMULATOR_ALREADY_CANCELLED = 'already_cancelled'";

/// How many ledgers are worked on at a time.
const THREADS: usize = 4;

/// Runs the nights of each ledger. A failure is reported with the seed of its ledger.
fn each_ledger(seeds: Range<u64>, nights: impl Fn(u64) + Sync) {
    let seeds = Mutex::new(seeds);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(seed) = { seeds.lock().unwrap().next() } {
                    if let Err(why) = catch_unwind(AssertUnwindSafe(|| nights(seed))) {
                        eprintln!("the ledger of seed {seed} failed");
                        resume_unwind(why);
                    }
                }
            });
        }
    });
}

/// A server that loses some answers and refuses some orders.
fn core_card(seed: u64) -> TestSimulator {
    TestSimulator::new(SimulatorSettings {
        seed,
        latency: Latency::between(Duration::from_millis(1), Duration::from_millis(8)),
        printed: Share::per_mille(40),
        drop_after: Share::per_mille(15),
        reset_before: Share::per_mille(15),
        error_after: Share::per_mille(10),
        ..SimulatorSettings::default()
    })
}

/// A file of some of the orders that all nights have in common, each once.
fn orders(rng: &mut Rng) -> String {
    let first = 1000 + rng.below(60);
    let rows = first..first + 4 + rng.below(30);
    let lines: String = rows.map(|order| format!("{order},1\n")).collect();
    format!("admin,seq\n{lines}")
}

/// Another time zone, another locale, and a clock that is an hour behind, if chance has it so.
fn elsewhere(command: &mut Command, rng: &mut Rng) {
    let zones = ["UTC", "America/New_York", "Asia/Kolkata", "Pacific/Apia"];
    let locales = ["C", "de_DE.UTF-8", "tr_TR.UTF-8"];
    command.env("TZ", zones[rng.below(4) as usize]);
    command.env("LC_ALL", locales[rng.below(3) as usize]);
    if clocks_can_be_set() && rng.per_cent(25) {
        with_its_clock_set(command, "-3600s");
    }
}

/// A time at which something happens to a process.
#[derive(Debug, Clone, Copy)]
enum Instant {
    /// After this many requests.
    Requests(u64),
    /// After this long.
    Time(Duration),
}

impl Instant {
    fn draw(rng: &mut Rng) -> Instant {
        if rng.per_cent(50) {
            Instant::Requests(rng.below(15))
        } else {
            Instant::Time(Duration::from_micros(rng.below(400_000)))
        }
    }

    /// Waits for it, or until one of the processes has ended.
    fn await_with(self, core_card: &TestSimulator, processes: &mut [Child]) {
        let begun = std::time::Instant::now();
        let requests = core_card.requests();
        until("it is time", || match self {
            _ if processes.iter_mut().any(|child| child.try_wait().unwrap().is_some()) => true,
            Instant::Requests(more) => core_card.requests() >= requests + more,
            Instant::Time(time) => begun.elapsed() >= time,
        });
    }
}

/// Sends a signal to a process, which may have ended.
fn signal(child: &Child, signal: Signal) {
    let _ = kill_process(Pid::from_child(child), signal);
}

/// What `verify --json` found.
#[derive(Debug)]
struct Verified {
    seals: u64,
    /// Whether every run is sealed.
    is_sealed: bool,
}

/// The ledger is as it was sealed.
#[track_caller]
fn unchanged(verified: ProgramOutput, night: &impl Debug) -> Verified {
    assert_eq!(verified.code, Some(0), "{night:?}: {}", verified.report());
    let found: Value = serde_json::from_str(&verified.stdout).unwrap();
    let is_empty = |list: &str| found[list].as_array().unwrap().is_empty();
    let is_sealed = is_empty("unsealed") && is_empty("in_progress");
    Verified { seals: found["seals"].as_u64().unwrap(), is_sealed }
}

/// Reports as a run does that did what it could.
#[track_caller]
fn is_done(output: &ProgramOutput, night: &impl Debug) {
    let is_done = matches!(output.code, Some(0 | 1 | 3 | 4) | None);
    assert!(is_done, "{night:?}: {}", output.report());
}
