//! A process that works on a run, as the ledger sees it.

use std::time::Duration;

use cardcancel::identity::Identity;
use cardcancel::input::{Disposition, OrderKey, PlannedRow, Role};
use cardcancel::ledger::{
    AttemptEnd, ClaimedRow, CommitOutcome, CommitRequest, CompletedClaim, FinishOptions, Ledger,
    LedgerError, NewRun, PendingRow, Postgres, PostgresOptions, Purpose, RowRecord, Run, Sqlite,
    StartOptions,
};
use cardcancel::model::{
    OnDoubt, Order, Outcome, ReasonCode, RowNumber, RowTransition, Status, Verdict,
};
use cardcancel::policy::pacer::Pacer;
use jiff::Timestamp;

use crate::common::postgres::{Database, granted};
use crate::common::until;

/// Short, so that no test waits for long.
pub const LEASE: Duration = Duration::from_millis(400);
/// Longer than what a test does beside a living process takes on a busy machine.
const LONG_LEASE: Duration = Duration::from_secs(3);

/// The location of a ledger.
pub enum Home {
    File(tempfile::TempDir),
    Server(Database),
}

impl Home {
    pub fn file() -> Home {
        Home::File(tempfile::tempdir().unwrap())
    }

    pub fn server() -> Home {
        Home::Server(granted())
    }

    /// The database of the ledger.
    pub fn database(&self) -> &Database {
        match self {
            Home::File(_) => panic!("it is kept in a file"),
            Home::Server(database) => database,
        }
    }

    /// The ledger, opened by another process.
    pub fn open(&self) -> Box<dyn Ledger> {
        self.open_with(LEASE)
    }

    fn open_with(&self, lease: Duration) -> Box<dyn Ledger> {
        match self {
            Home::File(folder) => Box::new(Sqlite::open(&folder.path().join("ledger.db")).unwrap()),
            Home::Server(database) => {
                Box::new(Postgres::open(PostgresOptions { lease, ..at(database) }).unwrap())
            }
        }
    }

    /// Truncates the stored budgets.
    pub fn damage_budget(&self) {
        let sql = "UPDATE budget SET state = substr(state, 1, 9)";
        match self {
            Home::File(folder) => {
                let ledger = rusqlite::Connection::open(folder.path().join("ledger.db")).unwrap();
                assert_eq!(ledger.execute(sql, []).unwrap(), 1);
            }
            Home::Server(database) => {
                let sql = sql.replace("budget", "cardcancel.budget");
                assert_eq!(database.client().execute(&sql, &[]).unwrap(), 1);
            }
        }
    }

    /// A process that works on a run of this many orders, which it creates.
    pub fn process(&self, rows: u32) -> Process {
        let mut ledger = self.open();
        let run = create_run(ledger.as_mut(), "run-1", "key", rows);
        Process::start(ledger, run)
    }

    /// The same, of a process that the test takes for alive.
    pub fn living_process(&self, rows: u32) -> Process {
        let mut ledger = self.open_with(LONG_LEASE);
        let run = create_run(ledger.as_mut(), "run-1", "key", rows);
        Process::start(ledger, run)
    }

    /// A process that works on another run with this many orders, the same as in any other run.
    pub fn another(&self, rows: u32) -> Process {
        let mut ledger = self.open();
        let run = create_run(ledger.as_mut(), "run-2", "other", rows);
        Process::start(ledger, run)
    }

    /// Another process that works on the run.
    pub fn join(&self, run: &Run) -> Process {
        Process::start(self.open(), run.clone())
    }

    /// Another process that works on the run, with this setting for lost answers.
    pub fn join_with(&self, run: &Run, on_doubt: OnDoubt) -> Process {
        Process::start_with(self.open(), run.clone(), StartOptions { on_doubt, ..start() })
    }
}

pub fn at(database: &Database) -> PostgresOptions {
    PostgresOptions {
        url: database.url().parse().unwrap(),
        lease: LEASE,
        max_outage: Duration::from_secs(60),
    }
}

pub fn start() -> StartOptions {
    StartOptions {
        at: Timestamp::now(),
        cut_off: None,
        rates: "unlimited".to_owned(),
        joins: false,
        again: false,
        on_doubt: OnDoubt::Retry,
        by: Identity::of_this_process(),
        purpose: Purpose::default(),
        configuration: String::new(),
    }
}

pub fn new_run(id: &str, key: &str) -> NewRun {
    let opened_at = "2026-01-01T00:00:00Z".parse().unwrap();
    NewRun { id: id.to_owned(), key: key.to_owned(), ..crate::common::new_run(opened_at) }
}

pub fn order(row: u32) -> Order {
    Order { admin_number: 1000 + i64::from(row), sequence_number: 1 }
}

pub fn to_send(row: u32) -> PlannedRow {
    let disposition = Disposition::ToSend { doubt: false };
    let line = u64::from(row) + 1;
    PlannedRow { row: RowNumber(row), line, order: Some(order(row)), disposition, place: row }
}

pub fn create_run(ledger: &mut dyn Ledger, id: &str, key: &str, rows: u32) -> Run {
    ledger.find_by_key(key).unwrap();
    create_run_as(ledger, new_run(id, key), rows)
}

pub fn create_run_as(ledger: &mut dyn Ledger, new: NewRun, rows: u32) -> Run {
    let by_order = |row| OrderKey::new(order(row), RowNumber(row), Role::Sent);
    let by_order: Vec<OrderKey> = (1..=rows).map(by_order).collect();
    ledger.create_run(new, &mut (1..=rows).map(|row| Ok(to_send(row))), &by_order).unwrap()
}

pub fn outcome(verdict: Verdict, code: &str) -> Outcome {
    Outcome {
        verdict,
        sent: true,
        error_code: code.to_owned(),
        message: format!("it said {code}"),
        http_status: Some(200),
        retry_after: None,
    }
}

pub fn cancelled(claimed: ClaimedRow) -> CompletedClaim {
    ended(claimed, Verdict::Cancelled, RowTransition::End(Status::Cancelled)).0
}

pub fn ended(
    claimed: ClaimedRow,
    verdict: Verdict,
    next: RowTransition,
) -> (CompletedClaim, Option<PendingRow>) {
    let now = Timestamp::now();
    let ending = AttemptEnd { sent_at: now, ended_at: now, outcome: outcome(verdict, "ERR01160") };
    claimed.complete(ending, next)
}

/// A commit that claims this many rows that were never claimed.
pub fn fresh_rows(max_new: u32) -> CommitRequest {
    CommitRequest {
        at: Timestamp::now(),
        uptime: None,
        completed: Vec::new(),
        retries: Vec::new(),
        max_new,
        expected_latency: Duration::ZERO,
        horizon: Duration::from_secs(2),
        min_spacing: Duration::ZERO,
        stop: None,
        retry_after_until: None,
        events: Vec::new(),
    }
}

pub fn rows(claimed: &[ClaimedRow]) -> Vec<u32> {
    claimed.iter().map(|claimed| claimed.row().0).collect()
}

/// A process that works on a run, without a rate unless one is set.
pub struct Process {
    pub ledger: Box<dyn Ledger>,
    pub run: Run,
    pace: Pacer,
    /// The rows that were waiting when it started.
    waiting: Vec<PendingRow>,
}

impl Process {
    pub fn start(ledger: Box<dyn Ledger>, run: Run) -> Process {
        Process::start_with(ledger, run, start())
    }

    pub fn start_with(mut ledger: Box<dyn Ledger>, run: Run, start: StartOptions) -> Process {
        let begun = ledger.start(&run, start).unwrap();
        let pace = Pacer::new(&"unlimited".parse().unwrap());
        Process { ledger, run, pace, waiting: begun.waiting }
    }

    pub fn at_pace(self, rates: &str) -> Process {
        Process { pace: Pacer::new(&rates.parse().unwrap()), ..self }
    }

    pub fn commit(
        &mut self,
        completed: Vec<CompletedClaim>,
        retries: Vec<PendingRow>,
        max_new: u32,
    ) -> CommitOutcome {
        self.commit_with_stop(completed, retries, max_new, None)
    }

    pub fn commit_with_stop(
        &mut self,
        completed: Vec<CompletedClaim>,
        mut retries: Vec<PendingRow>,
        max_new: u32,
        stop: Option<ReasonCode>,
    ) -> CommitOutcome {
        retries.append(&mut self.waiting);
        self.try_commit(CommitRequest { completed, retries, stop, ..fresh_rows(max_new) }).unwrap()
    }

    pub fn try_commit(&mut self, commit: CommitRequest) -> Result<CommitOutcome, LedgerError> {
        self.ledger.commit(commit, &mut |budget, wish| self.pace.allocate(budget, wish))
    }

    /// Claims this many rows that were never claimed.
    pub fn claim(&mut self, fresh: u32) -> Vec<ClaimedRow> {
        self.commit(Vec::new(), Vec::new(), fresh).claimed
    }

    pub fn complete(&mut self, completed: Vec<CompletedClaim>) -> CommitOutcome {
        self.commit(completed, Vec::new(), 0)
    }

    /// Commits until there is something to send.
    pub fn claim_when_there_is(&mut self, fresh: u32) -> Vec<ClaimedRow> {
        let mut claimed = Vec::new();
        until("there are rows to take up", || {
            claimed = self.claim(fresh);
            !claimed.is_empty()
        });
        claimed
    }

    pub fn rest(mut self, stop: Option<ReasonCode>) -> Run {
        self.ledger
            .finish(FinishOptions { at: Timestamp::now(), stop, events: Vec::new() })
            .unwrap()
    }

    pub fn records(&mut self) -> Vec<RowRecord> {
        crate::common::records(self.ledger.as_mut(), &self.run)
    }

    /// Does all the work there is, and finishes.
    pub fn finish(mut self) -> Run {
        let mut completed = Vec::new();
        loop {
            let outcome = self.commit(std::mem::take(&mut completed), Vec::new(), 100);
            completed.extend(outcome.claimed.into_iter().map(cancelled));
            if outcome.exhausted && completed.is_empty() {
                return self.rest(None);
            }
        }
    }
}
