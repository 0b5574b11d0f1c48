//! Runs of the program itself against the simulator, whose record is the truth: one ledger, and
//! files that share orders, run in parallel, again, after a kill or a signal; results are rerun,
//! and the meaning of codes changes.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Child;
use std::time::SystemTime;

use cardcancel::model::Order;
use cardcancel::simulator::{Share, SimulatorSettings};
use jiff::Timestamp;

use super::files::{OrderFile, some_orders};
use super::given;
use super::history::{Call, Ended, History, ProcessStart, Received, ReportedRow, Time};
use crate::common::{ProgramOutput, Rng, TestEnv, TestSimulator, ended, rows, terminate, until};

/// After this time the ledger has the outcome of an answer, even on a machine under load.
const COMMITTED_WITHIN: Time = 1_000_000_000;
/// How long after its death calls of a process may still arrive.
const ARRIVES_WITHIN: Time = 500_000_000;

/// Why an intact file may be refused: another process works on the same one, or its latest run is
/// not the one that its results belong to.
const RIGHTLY_REFUSED: [&str; 2] = ["is in use by", "was not written by this run"];

/// What a rerun says that has no row to send.
const NOTHING_TO_SEND: &str = "Nothing to do: no row of ";

/// The configured meaning of codes, on one day or another.
const CONFIGURATIONS: [&str; 3] = [
    "[codes]\nSIMULATOR_UNKNOWN = 'not_found'\n",
    "[codes]\nSIMULATOR_ALREADY_CANCELLED = 'already_cancelled'\n",
    "[codes]\n'SIMULATOR_P*' = 'already_cancelled'\n",
];

/// Runs one simulation, and returns its history.
pub fn live(mut rng: Rng, seed: u64) -> History {
    // In memory, so that no commit waits for a disk.
    let env = TestEnv::within(super::folder());
    for (number, text) in CONFIGURATIONS.iter().enumerate() {
        env.file(&format!("{number}.toml"), text);
    }
    let settings =
        SimulatorSettings { record: Some(env.path("record.csv")), ..bad(&mut rng, seed) };
    let core_card = TestSimulator::new(settings);
    let history = History::default();
    let mut simulation =
        ProgramSimulation { rng, env, core_card, jobs: Vec::new(), names: 0, history };
    for _ in 0..4 + simulation.rng.below(4) {
        simulation.go_on();
    }
    let ProgramSimulation { env, core_card, mut history, .. } = simulation;
    let stats = core_card.stop();
    assert_eq!((stats.record_error, stats.orders_cancelled_again), (None, 0));
    history.calls = calls(&env.read("record.csv"), &history.starts);
    history
}

fn bad(rng: &mut Rng, seed: u64) -> SimulatorSettings {
    let mut some = |most: u64| Share::per_mille(rng.below(most + 1) as u16);
    SimulatorSettings {
        seed,
        latency: "1ms..25ms".parse().unwrap(),
        printed: some(100),
        unknown: some(50),
        cancelled_before: some(50),
        drop_before: some(50),
        drop_after: some(80),
        reset_before: some(50),
        reset_after: some(80),
        error_before: some(50),
        error_after: some(80),
        html: some(30),
        no_status: some(50),
        truncated: some(50),
        // Each makes the simulation wait for a second.
        unavailable: Share::per_mille(if seed.is_multiple_of(4) { 10 } else { 0 }),
        ..SimulatorSettings::default()
    }
}

/// A file and the results that are made of it.
#[derive(Clone)]
struct FileRun {
    file: String,
    results: String,
    delimiter: char,
    admin: String,
    sequence: String,
    given: BTreeSet<Order>,
    is_whole: bool,
    flags: Vec<&'static str>,
}

/// How a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Interruption {
    ByItself,
    /// Killed after this many more calls.
    Killed(u64),
    /// Signalled to stop after this many more calls.
    Stopped(u64),
}

struct ProgramSimulation {
    rng: Rng,
    env: TestEnv,
    core_card: TestSimulator,
    jobs: Vec<FileRun>,
    /// The number of files named so far, so that each name is unique.
    names: u32,
    history: History,
}

impl ProgramSimulation {
    /// One or two processes are started, and end.
    fn go_on(&mut self) {
        let first = self.some_job();
        let mut now = vec![(first, self.some_interruption())];
        if self.rng.per_cent(40) {
            let second = self.some_job();
            if second.file != now[0].0.file && second.results != now[0].0.results {
                now.push((second, self.some_interruption()));
            }
        }
        let begun: Vec<(usize, Child)> = now.iter().map(|(job, _)| self.begin(job)).collect();
        let before = self.core_card.requests();
        for ((job, interruption), (by, child)) in now.iter().zip(begun) {
            self.end(job, *interruption, before, by, child);
        }
    }

    fn some_job(&mut self) -> FileRun {
        let rng = &mut self.rng;
        let kind = if self.jobs.is_empty() { 0 } else { rng.below(10) };
        if kind < 5 {
            return self.new_file();
        }
        let earlier = self.jobs[rng.below(self.jobs.len() as u64) as usize].clone();
        match kind {
            5 | 6 => earlier,
            7 if earlier.flags[0] == "run" => {
                let results = self.name("again");
                FileRun { results, flags: vec!["run", "--again"], ..earlier }
            }
            _ => self.rerun_of(earlier),
        }
    }

    fn name(&mut self, what: &str) -> String {
        self.names += 1;
        format!("{what}-{}.csv", self.names)
    }

    fn new_file(&mut self) -> FileRun {
        let (name, results) = (self.name("orders"), self.name("results"));
        let orders = some_orders(&mut self.rng, 30);
        let file = OrderFile::of(name, orders, &mut self.rng);
        file.put(self.env.folder());
        let job = FileRun {
            file: file.name.clone(),
            results,
            delimiter: file.delimiter,
            admin: file.admin.to_owned(),
            sequence: file.sequence.to_owned(),
            is_whole: file.damage.is_none(),
            given: file.given,
            flags: vec!["run"],
        };
        self.jobs.push(job.clone());
        job
    }

    /// Reruns the results of a job, which are sometimes damaged first.
    fn rerun_of(&mut self, earlier: FileRun) -> FileRun {
        let Ok(mut text) = std::fs::read_to_string(self.env.path(&earlier.results)) else {
            return earlier;
        };
        let damage = self.rng.below(6);
        match damage {
            0 => {
                let end = self.rng.below(text.len() as u64) as usize;
                text.truncate(text.floor_char_boundary(end));
            }
            // The names of its columns in reverse.
            1 => {
                let (header, rows) = text.split_once('\n').unwrap();
                let header = header.replacen(&earlier.admin, "\0", 1);
                let header = header.replacen(&earlier.sequence, &earlier.admin, 1);
                text = format!("{}\n{rows}", header.replacen('\0', &earlier.sequence, 1));
            }
            _ => {}
        }
        let is_whole = damage > 1;
        let (file, results) = (self.name("rerun"), self.name("results"));
        self.env.file(&file, &text);
        let given = given::orders(text.as_bytes(), earlier.delimiter, false, &earlier.given);
        let job = FileRun { file, results, given, is_whole, flags: vec!["rerun"], ..earlier };
        self.jobs.push(job.clone());
        job
    }

    fn some_interruption(&mut self) -> Interruption {
        let calls = self.rng.below(25);
        match self.rng.below(10) {
            0..=2 => Interruption::Killed(calls),
            3 => Interruption::Stopped(calls),
            _ => Interruption::ByItself,
        }
    }

    fn begin(&mut self, job: &FileRun) -> (usize, Child) {
        let rng = &mut self.rng;
        let url = self.core_card.url();
        let configuration = format!("{}.toml", rng.below(3));
        let attempts = (1 + rng.below(3)).to_string();
        let mut args = vec![job.flags[0], job.file.as_str()];
        args.extend(&job.flags[1..]);
        args.extend(["--url", &url, "--external-ip", "10.120.0.0", "--yes", "-o", &job.results]);
        args.extend(["--concurrency", "6", "--attempts", &attempts, "--config", &configuration]);
        args.extend(["--rate", if rng.per_cent(50) { "unlimited" } else { "100/s" }]);
        args.extend(["--on-doubt", if rng.per_cent(30) { "leave" } else { "retry" }]);
        let from = now();
        self.history.starts.push(ProcessStart {
            what: format!("{args:?}"),
            given: job.given.clone(),
            is_whole: job.is_whole,
            again: job.flags.contains(&"--again"),
            from,
            to: from,
            ended: Ended::Refused,
        });
        (self.history.starts.len() - 1, self.env.command(&args).spawn().unwrap())
    }

    fn end(
        &mut self,
        job: &FileRun,
        interruption: Interruption,
        before: u64,
        by: usize,
        mut child: Child,
    ) {
        let mut has_come = |calls: u64| {
            until("it was time, or it had ended", || {
                self.core_card.requests() >= before + calls || child.try_wait().unwrap().is_some()
            });
        };
        let mut killed_at = None;
        match interruption {
            Interruption::ByItself => {}
            Interruption::Killed(calls) => {
                has_come(calls);
                killed_at = Some(now());
                child.kill().unwrap();
            }
            Interruption::Stopped(calls) => {
                has_come(calls);
                if child.try_wait().unwrap().is_none() {
                    terminate(&child);
                }
            }
        }
        let outcome = ended(child);
        let start = &mut self.history.starts[by];
        start.to = killed_at.filter(|_| outcome.code.is_none()).unwrap_or_else(now);
        start.ended = match (outcome.code, interruption) {
            (Some(2), _) => Ended::Refused,
            // A rerun that has no row to send records and writes nothing.
            (Some(0), _) if outcome.all_output().contains(NOTHING_TO_SEND) => Ended::Refused,
            // A signal may come before the program handles it.
            (None, _) => Ended::Died,
            (Some(0..=4), Interruption::Stopped(_)) => Ended::Reported(None),
            (Some(0..=4), _) => Ended::Reported(outcome.code),
            _ => panic!("{}: {}", start.what, outcome.report()),
        };
        start.is_whole &= !outcome.all_output().contains(NOTHING_TO_SEND);
        start.is_whole &= !RIGHTLY_REFUSED.iter().any(|why| outcome.stderr.contains(why));
        start.what = format!("{} ({interruption:?}): {}", start.what, said(&outcome));
        if matches!(start.ended, Ended::Reported(_)) {
            let reported = self.reported(job, by);
            self.history.reported.extend(reported);
        }
    }

    /// The rows of the results.
    fn reported(&self, job: &FileRun, by: usize) -> Vec<ReportedRow> {
        let text = self.env.text(&job.results);
        let text = text.trim_start_matches('\u{feff}');
        let mut reader =
            csv::ReaderBuilder::new().delimiter(job.delimiter as u8).from_reader(text.as_bytes());
        let header = reader.headers().unwrap().clone();
        let lines = reader.records().map(|record| {
            let record = record.unwrap();
            let fields = header.iter().zip(record.iter());
            fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        });
        let lines: Vec<BTreeMap<String, String>> = lines.collect();
        let number = |text: &str| text.trim().parse::<i64>().ok();
        lines
            .iter()
            .map(|line| ReportedRow {
                by,
                row: line["row"].parse().unwrap(),
                order: number(&line[&job.admin]).zip(number(&line[&job.sequence])).map(
                    |(admin_number, sequence)| Order {
                        admin_number,
                        sequence_number: sequence as i32,
                    },
                ),
                status: line["status"].clone(),
                code: line["error_code"].clone(),
                doubt: line["doubt"] == "true",
                ended: line["ended_at"].parse().ok().map(nanoseconds),
            })
            .collect()
    }
}

fn said(outcome: &ProgramOutput) -> String {
    let error = outcome.stderr.lines().rev().find(|line| line.starts_with("error"));
    format!("{:?} {}", outcome.code, error.unwrap_or_default())
}

fn now() -> Time {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    since_1970.as_nanos() as Time
}

fn nanoseconds(at: Timestamp) -> Time {
    at.as_nanosecond() as Time
}

/// The calls that the simulator recorded.
fn calls(record: &[u8], starts: &[ProcessStart]) -> Vec<Call> {
    let mut calls: Vec<Call> = rows(record)
        .iter()
        .map(|line| {
            let time = |column| line.get(column).parse::<Time>().unwrap();
            let order = Order {
                admin_number: line.get("admin_number").parse().unwrap(),
                sequence_number: line.get("sequence_number").parse().unwrap(),
            };
            let received = match line.get("answer") {
                "ok" => Received::Yes,
                "printed" | "unknown" | "already_cancelled" | "throttle" | "429" => Received::No,
                _ => Received::Lost,
            };
            let cancelled = line.get("did") == "cancelled";
            let (came, over) = (time("received_at_ns"), time("ended_at_ns"));
            let by = makers(starts, order, came);
            received_of(starts, Call { order, by, came, over, cancelled, received, known: over })
        })
        .collect();
    calls.sort_by_key(|call| (call.order, call.came));
    // No order is sent before the ledger has the outcome of the previous call.
    let next: Vec<(Order, Time)> = calls.iter().map(|call| (call.order, call.came)).collect();
    for (call, (order, came)) in calls.iter_mut().zip(next.into_iter().skip(1)) {
        if call.order == order && came > call.over {
            call.known = call.known.min(came);
        }
    }
    calls
}

/// The starts that may have made a call at that time; if none of them gives the order, any.
fn makers(starts: &[ProcessStart], order: Order, came: Time) -> Vec<usize> {
    let lived = |start: &ProcessStart| {
        let late = if start.ended == Ended::Died { ARRIVES_WITHIN } else { 0 };
        (start.from..=start.to + late).contains(&came)
    };
    let makers = || (0..starts.len()).filter(|by| lived(&starts[*by]));
    let gives = |by: &usize| starts[*by].given.contains(&order);
    if makers().any(|by| gives(&by)) {
        makers().filter(gives).collect()
    } else {
        makers().collect()
    }
}

/// What the ledger knows of a call, and since when: its process may have died meanwhile.
fn received_of(starts: &[ProcessStart], call: Call) -> Call {
    let makers = || call.by.iter().map(|by| &starts[*by]);
    let died = makers().filter(|start| start.ended == Ended::Died);
    let death = died.map(|start| start.to).filter(|to| call.over + COMMITTED_WITHIN > *to).max();
    let surely_lost = |to| call.over >= to && call.by.len() == 1;
    match (call.received, death) {
        (Received::Lost, None) => Call { known: call.over + COMMITTED_WITHIN, ..call },
        (_, None) => call,
        (Received::Lost, Some(to)) => Call { known: to.max(call.over + COMMITTED_WITHIN), ..call },
        (_, Some(to)) if surely_lost(to) => Call { received: Received::Lost, known: to, ..call },
        (_, Some(to)) => Call { received: Received::Perhaps, known: to, ..call },
    }
}
