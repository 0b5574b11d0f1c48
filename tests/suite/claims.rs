//! What the ledger reports about claimed rows, after every commit and after the death of the
//! process that claimed them.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::common::Rng;
use cardcancel::identity::Identity;
use cardcancel::input::{Disposition, PlannedRow};
use cardcancel::ledger::{
    AttemptEnd, ClaimedRow, CommitRequest, CompletedClaim, Ledger, PendingRow, Purpose, Run,
    Sqlite, StartOptions,
};
use cardcancel::model::{
    OnDoubt, Order, Outcome, ReasonCode, RowError, RowNumber, RowTransition, SlotGrant, Status,
    Verdict,
};
use jiff::Timestamp;
use rusqlite::Connection;

const SIMULATIONS: u64 = 40;
const ROWS: u32 = 60;

/// The expected state of a row.
#[derive(Debug, Clone, Default, PartialEq)]
struct Model {
    /// When the attempt in flight was claimed, if one is.
    claimed_at: Option<Timestamp>,
    /// Attempts, the one in flight included.
    attempts: u32,
    doubt: bool,
    first_sent_at: Option<Timestamp>,
    status: Option<Status>,
    code: String,
}

struct ClaimSimulation {
    rng: Rng,
    path: PathBuf,
    ledger: Sqlite,
    run: Run,
    clock: Timestamp,
    rows: BTreeMap<u32, Model>,
    /// The position of each row.
    places: BTreeMap<u32, u32>,
    claimed: Vec<ClaimedRow>,
    waiting: Vec<PendingRow>,
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// Positions equal to the row numbers, or random ones.
fn places(rng: Option<&mut Rng>) -> BTreeMap<u32, u32> {
    let mut rows: Vec<u32> = (1..=ROWS).collect();
    if let Some(rng) = rng {
        // Rows that cannot be sent go last; many neighbours stay neighbours.
        rows.sort_by_cached_key(|row| (row.is_multiple_of(5), rng.below(1 + u64::from(row % 7))));
    }
    rows.into_iter().zip(1..).collect()
}

/// Every fifth row cannot be sent.
fn planned_rows(places: &BTreeMap<u32, u32>) -> impl Iterator<Item = PlannedRow> {
    (1..=ROWS).map(|row| PlannedRow {
        row: RowNumber(row),
        line: row.into(),
        order: Some(Order { admin_number: row.into(), sequence_number: 1 }),
        disposition: match row % 5 {
            0 => Disposition::Invalid(RowError {
                code: ReasonCode::CardNumber,
                message: String::new(),
            }),
            _ => Disposition::ToSend { doubt: false },
        },
        place: places[&row],
    })
}

fn created(ledger: &mut Sqlite, places: &BTreeMap<u32, u32>) -> Run {
    let new = crate::common::new_run(second(0));
    ledger.create_run(new, &mut planned_rows(places).map(Ok), &[]).unwrap()
}

fn started(ledger: &mut Sqlite, run: &Run, at: Timestamp, on_doubt: OnDoubt) -> Vec<PendingRow> {
    let start = StartOptions {
        at,
        cut_off: None,
        rates: String::new(),
        joins: false,
        again: false,
        on_doubt,
        by: Identity::of_this_process(),
        purpose: Purpose::default(),
        configuration: String::new(),
    };
    ledger.start(run, start).unwrap().waiting
}

fn commit(
    at: Timestamp,
    completed: Vec<CompletedClaim>,
    retries: Vec<PendingRow>,
    max_new: u32,
) -> CommitRequest {
    CommitRequest {
        at,
        uptime: None,
        completed,
        retries,
        max_new,
        expected_latency: Duration::ZERO,
        horizon: Duration::ZERO,
        min_spacing: Duration::ZERO,
        stop: None,
        retry_after_until: None,
        events: Vec::new(),
    }
}

fn outcome(verdict: Verdict, sent: bool, code: &str) -> Outcome {
    Outcome {
        verdict,
        sent,
        error_code: code.to_owned(),
        message: String::new(),
        http_status: None,
        retry_after: None,
    }
}

fn asked(path: &Path, sql: &str) -> u32 {
    Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

impl ClaimSimulation {
    fn begin(seed: u64, path: &Path) -> ClaimSimulation {
        let mut ledger = Sqlite::open(path).unwrap();
        let mut rng = Rng::from(seed);
        let places = places(seed.is_multiple_of(2).then_some(&mut rng));
        let run = created(&mut ledger, &places);
        let waiting = started(&mut ledger, &run, second(0), OnDoubt::Retry);
        assert!(waiting.is_empty());
        ClaimSimulation {
            rng,
            path: path.to_owned(),
            ledger,
            run,
            clock: second(0),
            rows: BTreeMap::new(),
            places,
            claimed: Vec::new(),
            waiting,
        }
    }

    /// Ends the attempt in one of several ways.
    fn complete(&mut self, claimed: ClaimedRow) -> CompletedClaim {
        let row = self.rows.get_mut(&claimed.row().0).unwrap();
        row.claimed_at = None;
        if self.rng.per_cent(20) {
            row.attempts -= 1;
            let (completed, waiting) = claimed.release();
            self.waiting.push(waiting);
            return completed;
        }
        let (verdict, sent, code, next) = match self.rng.below(4) {
            0 => (Verdict::Doubt, true, "TIMEOUT", RowTransition::Retry),
            1 => (Verdict::NotDone, false, "CONNECT", RowTransition::Retry),
            2 => (Verdict::Rejected, true, "ERR1", RowTransition::End(Status::Rejected)),
            _ => (Verdict::Cancelled, true, "ERR2", RowTransition::End(Status::Cancelled)),
        };
        // A row in doubt is described by the attempt that left the doubt.
        if !(row.doubt && verdict == Verdict::NotDone) {
            row.code = code.to_owned();
        }
        row.doubt |= verdict == Verdict::Doubt;
        if sent {
            row.first_sent_at.get_or_insert(self.clock);
        }
        if let RowTransition::End(status) = next {
            row.status = Some(status);
        }
        let outcome = outcome(verdict, sent, code);
        let ending = AttemptEnd { sent_at: self.clock, ended_at: self.clock, outcome };
        let (completed, waiting) = claimed.complete(ending, next);
        self.waiting.extend(waiting);
        completed
    }

    fn some<T>(rng: &mut Rng, from: &mut Vec<T>) -> Vec<T> {
        let (taken, left) = from.drain(..).partition(|_| rng.per_cent(40));
        *from = left;
        taken
    }

    fn commit(&mut self) {
        self.clock += Duration::from_secs(1);
        let ending = Self::some(&mut self.rng, &mut self.claimed);
        let completed = ending.into_iter().map(|claimed| self.complete(claimed)).collect();
        let again = Self::some(&mut self.rng, &mut self.waiting);
        let fresh = self.rng.below(8) as u32;
        let budget = self.rng.below(12) as usize;
        let grant = |wanted: u32| SlotGrant {
            slots: vec![None; budget.min(wanted as usize)],
            ..SlotGrant::default()
        };
        let commit = commit(self.clock, completed, again, fresh);
        let outcome = self.ledger.commit(commit, &mut |_, wish| grant(wish.wanted)).unwrap();
        self.waiting.extend(outcome.deferred);
        let begun: Vec<u32> = outcome.claimed.iter().map(|claimed| claimed.row().0).collect();
        let begun: Vec<u32> =
            begun.into_iter().filter(|row| !self.rows.contains_key(row)).collect();
        assert_eq!(begun, self.fresh()[..begun.len()]);
        for claimed in outcome.claimed {
            let row = self.rows.entry(claimed.row().0).or_default();
            row.attempts += 1;
            assert_eq!(claimed.attempt(), row.attempts);
            row.claimed_at = Some(self.clock);
            self.claimed.push(claimed);
        }
    }

    /// The process dies, and the next begins.
    fn die(&mut self) {
        self.clock += Duration::from_secs(1);
        self.ledger = Sqlite::open(&self.path).unwrap();
        self.run = self.ledger.find_by_key("key").unwrap().unwrap();
        for row in self.rows.values_mut() {
            if let Some(claimed_at) = row.claimed_at.take() {
                row.doubt = true;
                row.code = "INTERRUPTED".to_owned();
                row.first_sent_at.get_or_insert(claimed_at);
            }
        }
        self.claimed.clear();
        self.waiting = started(&mut self.ledger, &self.run, self.clock, OnDoubt::Retry);
        let waiting: Vec<u32> = self.waiting.iter().map(|waiting| waiting.row().0).collect();
        let mut open: Vec<u32> = self.rows.keys().copied().collect();
        open.retain(|row| self.rows[row].status.is_none());
        open.sort_by_key(|row| self.places[row]);
        assert_eq!(waiting, open);
    }

    /// The rows that were never claimed, in the order in which they are sent.
    fn fresh(&self) -> Vec<u32> {
        let sent = |row: &u32| !row.is_multiple_of(5) && !self.rows.contains_key(row);
        let mut fresh: Vec<u32> = (1..=ROWS).filter(sent).collect();
        fresh.sort_by_key(|row| self.places[row]);
        fresh
    }

    fn check(&mut self, seed: u64) {
        let untouched = Model::default();
        for record in crate::common::records(&mut self.ledger, &self.run) {
            if record.row.0.is_multiple_of(5) {
                assert_eq!((record.status, record.attempts), (Status::Invalid, 0));
                continue;
            }
            let row = self.rows.get(&record.row.0).unwrap_or(&untouched);
            let doubt = row.doubt || row.claimed_at.is_some();
            let unended = if doubt { Status::InDoubt } else { Status::NotSent };
            let reported = format!("seed {seed}: {record:?}\nbut {row:?}");
            assert_eq!(record.status, row.status.unwrap_or(unended), "{reported}");
            assert_eq!((record.attempts, record.doubt), (row.attempts, doubt), "{reported}");
            assert_eq!(record.first_sent_at, row.first_sent_at.or(row.claimed_at), "{reported}");
            let code = if row.claimed_at.is_some() { "" } else { &row.code };
            assert_eq!(record.error_code, code, "{reported}");
        }
        let run = self.ledger.find_by_key("key").unwrap().unwrap();
        let attempts: u32 = self.rows.values().map(|row| row.attempts).sum();
        assert_eq!(run.attempts, u64::from(attempts), "seed {seed}");
        let ended = self.rows.values().filter(|row| row.status.is_some()).count();
        assert_eq!(run.counts.total(), ended as u64 + u64::from(ROWS / 5), "seed {seed}");
        let in_flight = asked(&self.path, "SELECT count(*) FROM call WHERE ended_at IS NULL");
        assert_eq!(in_flight as usize, self.claimed.len(), "seed {seed}");
    }
}

#[test]
fn after_every_commit_and_every_death_the_ledger_knows_what_is_in_flight() {
    for seed in 1..=SIMULATIONS {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let mut simulation = ClaimSimulation::begin(seed, &path);
        while !simulation.ledger.find_by_key("key").unwrap().unwrap().has_ended() {
            if simulation.rng.per_cent(10) {
                simulation.die();
            } else {
                simulation.commit();
            }
            simulation.check(seed);
        }
        assert_eq!(asked(&path, "SELECT count(*) FROM claim"), 0, "seed {seed}");
    }
}

#[test]
fn fresh_rows_are_claimed_as_one_range_whatever_was_decided_between_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut simulation = ClaimSimulation::begin(1, &path);
    let all = SlotGrant { slots: vec![None; 40], ..SlotGrant::default() };
    let outcome = simulation
        .ledger
        .commit(commit(second(1), vec![], vec![], 40), &mut |_, _| all.clone())
        .unwrap();
    assert_eq!(outcome.claimed.len(), 40);
    assert_eq!(asked(&path, "SELECT count(*) FROM claim"), 1);
    assert_eq!(asked(&path, "SELECT count(*) FROM in_flight"), 40);
    assert_eq!(asked(&path, "SELECT count(*) FROM attempt"), 0);
}

/// A ledger in which the first row was claimed by a process that died, with that row's claim.
fn died(path: &Path, on_doubt: OnDoubt) -> (Sqlite, Run, ClaimedRow) {
    let mut ledger = Sqlite::open(path).unwrap();
    let run = created(&mut ledger, &places(None));
    started(&mut ledger, &run, second(0), on_doubt);
    let one = SlotGrant { slots: vec![None], ..SlotGrant::default() };
    let mut outcome =
        ledger.commit(commit(second(1), vec![], vec![], 1), &mut |_, _| one.clone()).unwrap();
    let claimed = outcome.claimed.pop().unwrap();
    let mut ledger = Sqlite::open(path).unwrap();
    started(&mut ledger, &run, second(2), on_doubt);
    (ledger, run, claimed)
}

#[test]
fn an_attempt_that_was_completed_as_interrupted_cannot_be_completed_once_more() {
    for released in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let (mut ledger, run, claimed) = died(&folder.path().join("ledger.db"), OnDoubt::Retry);
        let outcome = outcome(Verdict::Cancelled, true, "ERR2");
        let ending = AttemptEnd { sent_at: second(1), ended_at: second(3), outcome };
        let completed = if released {
            claimed.release().0
        } else {
            claimed.complete(ending, RowTransition::End(Status::Cancelled)).0
        };
        let nothing = &mut |_: &mut _, _| SlotGrant::default();
        let refused = ledger.commit(commit(second(3), vec![completed], vec![], 0), nothing);
        assert!(refused.is_err(), "{refused:?}");
        let record = crate::common::records(&mut ledger, &run).swap_remove(0);
        assert_eq!((record.status, record.attempts), (Status::InDoubt, 1));
        assert_eq!(record.error_code, "INTERRUPTED");
    }
}

#[test]
fn where_doubt_is_left_alone_an_interrupted_row_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let (mut ledger, ..) = died(&path, OnDoubt::Leave);
    let run = ledger.find_by_key("key").unwrap().unwrap();
    assert_eq!(run.counts.get(Status::InDoubt), 1);
    assert_eq!(asked(&path, "SELECT count(*) FROM claim"), 0);
}
