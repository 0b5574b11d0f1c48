//! The durable record of runs, rows and attempts. It is the only source of truth: every file that
//! this program writes is a view of it.
//!
//! # Architecture
//!
//! [`Ledger`] is the trait, [`Sqlite`] and [`Postgres`] are its adapters, and the conformance
//! suite in the tests holds both to the same behaviour. The heart is [`Ledger::commit`]: one
//! transaction completes the calls that ended and claims the next rows, together with the rate
//! budget that they use ([`CommitRequest`], [`CommitOutcome`]). A crash falls before or after a
//! commit, never inside.
//!
//! ```text
//!                 ┌──────────── commit: one transaction ────────────┐
//! CompletedClaim ─┤ complete · release · budget · claim (with slot) ├─▶ ClaimedRow
//! PendingRow ─────┘                                                 └─▶ deferred, counts, lease
//!
//! ClaimedRow ──complete──▶ CompletedClaim, and PendingRow unless the row ended
//!            ──release───▶ CompletedClaim and PendingRow: nothing was sent
//! ```
//!
//! If a process dies with a row claimed and not completed, its call may have been sent: the next
//! start sends the row again, with doubt recorded. A row that was not claimed was surely never
//! sent.
//!
//! Where several processes work on a run, each holds its rows under a
//! [`Lease`](crate::model::Lease) with a fencing number, which every commit renews and checks.
//! With SQLite, one process holds the whole run by a [`RunLock`].

mod attempt_record;
mod claim;
mod codes;
mod commit;
mod commit_latency;
mod database_url;
mod decision;
mod elsewhere;
mod error;
mod event;
mod event_detail;
mod forgotten;
mod interrupted;
mod known_orders;
mod ledger_info;
mod location;
mod misplaced;
mod order_history;
mod order_standing;
mod postgres;
mod request;
mod resolution;
mod row_record;
mod run;
mod run_lock;
mod seal_record;
mod send_order;
mod sqlite;
mod start_record;
pub(crate) mod timeline;

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::input::{InputError, OrderKey, PlannedRow};
use crate::model::{AllocateSlots, Order, RowNumber};

pub use attempt_record::AttemptRecord;
pub use claim::{AttemptEnd, ClaimedRow, CompletedClaim, PendingRow};
pub use commit::{CommitOutcome, CommitRequest, FinishOptions};
pub use commit_latency::CommitLatency;
pub use database_url::{DatabaseUrl, DatabaseUrlError};
pub(crate) use elsewhere::cancelled_by;
pub use error::{CreateRunError, LedgerError, LostRow};
pub use event::{EventKind, EventRecord, NewEvent};
pub use event_detail::{StopRuleDetail, WaitDetail};
pub use forgotten::{KeptOrders, NewForgetting};
pub use known_orders::{KnownOrders, OnRecord};
pub use ledger_info::LedgerInfo;
pub use location::{LedgerLocation, SharedLedgerTimeouts};
pub use misplaced::{Misplaced, Saved};
pub use order_history::OrderHistory;
pub use order_standing::{InFlight, LastSent, OrderStanding};
pub use postgres::{Postgres, PostgresOptions};
pub use request::{NewRequest, RequestKind, RequestRecord};
pub use resolution::{Resolution, ResolutionError};
pub use row_record::RowRecord;
pub(crate) use row_record::after_lost_answer;
pub use run::{NewRun, Run, StartOptions, StartedRun};
pub use run_lock::RunLock;
pub use seal_record::{BlockTexts, NewSeal, SealHead, SealRecord};
pub use sqlite::Sqlite;
pub use start_record::{Purpose, StartRecord};

/// The ledger. Its methods block; the engine calls it from a thread of its own.
pub trait Ledger: Send {
    /// The newest run with this key.
    fn find_by_key(&mut self, key: &str) -> Result<Option<Run>, LedgerError>;

    /// The run with this identifier.
    fn run(&mut self, id: &str) -> Result<Option<Run>, LedgerError>;

    /// Every run, newest first.
    fn runs(&mut self) -> Result<Vec<Run>, LedgerError>;

    /// The runs at this endpoint that another process may join, oldest first: they were started,
    /// have rows left, and were not stopped for every process. Empty if the ledger is not shared.
    fn joinable(&mut self, _endpoint: &str) -> Result<Vec<Run>, LedgerError> {
        Ok(Vec::new())
    }

    /// Counts what other runs at the endpoint know of a file's orders that would be sent.
    /// `by_order` are the file's rows, sorted by order. If there is a run of the file, only those
    /// of its rows count that have not ended.
    fn known_orders(
        &mut self,
        endpoint: &str,
        run: Option<&Run>,
        by_order: &[OrderKey],
    ) -> Result<KnownOrders, LedgerError>;

    /// For each of these orders, in the same sequence, the rows of runs at the endpoint that
    /// carry it and were not decided by another row.
    fn on_record(
        &mut self,
        endpoint: &str,
        orders: &[Order],
    ) -> Result<Vec<Vec<OnRecord>>, LedgerError>;

    /// For each of these orders, in the same sequence, how it stands at the endpoint.
    fn standings(
        &mut self,
        endpoint: &str,
        orders: &[Order],
    ) -> Result<Vec<OrderStanding>, LedgerError>;

    /// Creates a run in which evidence decides rows, with its one start, which has finished, and
    /// ends the doubts of their orders at the endpoint: all of it, or nothing. If another process
    /// created a run with the key since this one called `find_by_key`, that run is returned.
    ///
    /// # Errors
    /// [`ResolutionError::Changed`] if one of the orders no longer stands as it did.
    fn create_resolution(&mut self, new: Resolution<'_>) -> Result<Run, ResolutionError>;

    /// Creates a run with all of its rows, or nothing. Other runs continue meanwhile. If it is
    /// interrupted, a repetition with the same key resumes it. If another process created a run
    /// with the key since this one called `find_by_key`, that run is returned, which may have
    /// another identifier.
    fn create_run(
        &mut self,
        new: NewRun,
        rows: &mut dyn Iterator<Item = Result<PlannedRow, InputError>>,
        by_order: &[OrderKey],
    ) -> Result<Run, CreateRunError>;

    /// Locks the runs with this key for this process, until the lock is dropped or the process
    /// dies. It must be taken before the run is looked up, so that two processes cannot both
    /// create it. A shared ledger locks nothing.
    ///
    /// # Errors
    /// [`LedgerError::Locked`] if another process holds the lock.
    fn lock_run(&mut self, key: &str) -> Result<RunLock, LedgerError>;

    /// Whether a process holds the lock of the runs with this key.
    fn is_locked(&mut self, key: &str) -> Result<bool, LedgerError>;

    /// Starts a run that this process has locked; later commits belong to it. Attempts left
    /// incomplete by a dead process are completed as lost. On a shared ledger a later commit does
    /// that, once the lease of that process has expired.
    fn start(&mut self, run: &Run, start: StartOptions) -> Result<StartedRun, LedgerError>;

    /// Completes and claims in one transaction: both become durable, or neither.
    fn commit(
        &mut self,
        commit: CommitRequest,
        allocate: &mut AllocateSlots<'_>,
    ) -> Result<CommitOutcome, LedgerError>;

    /// Records that this start is finished. The run has ended if every row has; otherwise it is
    /// recorded as stopped.
    fn finish(&mut self, finish: FinishOptions) -> Result<Run, LedgerError>;

    /// Records a request to the processes that work on a run. Returns its number: later requests,
    /// and starts of the run that know of it, have seen it.
    fn add_request(&mut self, run: &Run, new: &NewRequest) -> Result<i64, LedgerError>;

    /// The requests about a run with numbers above `after`, in their order. Those of a kind that
    /// this version does not know are left out.
    fn requests(&mut self, run: &Run, after: i64) -> Result<Vec<RequestRecord>, LedgerError>;

    /// Calls `each` with every row of a run, in order. The record is reused for the next row, so
    /// `each` may take its content.
    fn rows(
        &mut self,
        run: &Run,
        each: &mut dyn FnMut(&mut RowRecord) -> anyhow::Result<()>,
    ) -> anyhow::Result<()>;

    /// Calls `each` with every row of a run that [is open](RowRecord::is_open), in order, without
    /// reading the others one by one.
    fn open_rows(
        &mut self,
        run: &Run,
        each: &mut dyn FnMut(&mut RowRecord) -> anyhow::Result<()>,
    ) -> anyhow::Result<()>;

    /// The orders of a run by row. Invalid rows have none.
    fn orders(&mut self, run: &Run) -> Result<BTreeMap<RowNumber, Order>, LedgerError>;

    /// Records that a results file with this unique mark is about to be written for the run.
    fn note_results(&mut self, run: &Run, mark: &str, path: &str) -> Result<(), LedgerError>;

    /// The results files that were written for a run, as mark and path.
    fn results_files(&mut self, run: &Run) -> Result<Vec<(String, String)>, LedgerError>;

    /// The identity of the ledger, which its copies share.
    fn ledger_id(&mut self) -> Result<String, LedgerError>;

    /// The starts of a run, in the order of their numbers.
    fn starts(&mut self, run: &Run) -> Result<Vec<StartRecord>, LedgerError>;

    /// The text of the configuration with this digest.
    fn configuration(&mut self, digest: &str) -> Result<Option<String>, LedgerError>;

    /// Calls `each` with every row of a run, in order, and its attempts, including one in flight.
    /// The records are reused for the next row, so `each` may take their content.
    fn rows_with_attempts(
        &mut self,
        run: &Run,
        each: &mut dyn FnMut(&mut RowRecord, &mut [AttemptRecord]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()>;

    /// What happened to a run as a whole, in the order of time.
    fn events(&mut self, run: &Run) -> Result<Vec<EventRecord>, LedgerError>;

    /// All that is recorded of an order: each row of each run that carries it, oldest run first.
    fn history(&mut self, order: Order) -> anyhow::Result<Vec<OrderHistory>>;

    /// All seals, in the order of their numbers.
    fn seals(&mut self) -> Result<Vec<SealRecord>, LedgerError>;

    /// The last seal of a run.
    fn last_seal(&mut self, run: &Run) -> Result<Option<SealRecord>, LedgerError>;

    /// The runs that were started since they were last sealed, oldest first. Some may be in
    /// progress.
    fn unsealed(&mut self) -> Result<Vec<Run>, LedgerError>;

    /// Whether a run is at rest, so that it can be sealed: it has no call in flight, and no process
    /// works on it. On a ledger that is not shared, the caller holds the run's lock. On a shared
    /// one, a process whose lease has expired works on it no longer: if it goes on, what it records
    /// belongs to a later start, which the seal does not cover.
    fn bring_to_rest(&mut self, run: &Run) -> Result<bool, LedgerError>;

    /// Appends a seal of a run to the chain. If another process has sealed the same starts
    /// meanwhile, returns that seal; `None` if the run was started again meanwhile.
    fn append_seal(
        &mut self,
        run: &Run,
        new: &NewSeal<'_>,
    ) -> Result<Option<SealRecord>, LedgerError>;

    /// Every seal without its text, from number 1.
    fn seal_heads(&mut self) -> Result<Vec<SealHead>, LedgerError>;

    /// The text of the seal with this number.
    fn seal_text(&mut self, number: u64) -> Result<Option<String>, LedgerError>;

    /// Records what the command of `[seal]` answered when it was given this seal. The first answer
    /// stays.
    fn add_receipt(&mut self, seal: u64, at: Timestamp, answer: &[u8]) -> Result<(), LedgerError>;

    /// The recorded answer for this seal.
    fn receipt(&mut self, seal: u64) -> Result<Option<Vec<u8>>, LedgerError>;

    /// Removes the rows of a run that its newest seal covers, with their attempts, the run's events
    /// and its results files, but for the orders that it cancelled: it records that with a seal, all
    /// of it or nothing. What is removed goes with [`Ledger::remove_forgotten`]. On a ledger that is
    /// not shared, the caller holds the run's lock. `None` if the run is not as it was sealed: a
    /// process works on it, or started or sealed it meanwhile.
    fn forget(
        &mut self,
        run: &Run,
        new: &NewForgetting<'_>,
    ) -> Result<Option<SealRecord>, LedgerError>;

    /// Removes what forgotten runs still have, in small steps, between which other processes go on.
    /// It can be interrupted anywhere, and repeated.
    fn remove_forgotten(&mut self) -> Result<(), LedgerError>;

    /// Gives the space of what was removed back to the system. Returns whether that was done: a
    /// database does it by itself.
    fn give_space_back(&mut self) -> Result<bool, LedgerError> {
        Ok(false)
    }

    /// The orders that a forgotten run is known to have cancelled.
    fn kept_orders(&mut self, run: &Run) -> Result<KeptOrders, LedgerError>;

    /// The forgotten runs that cancelled an order, oldest first, each with the row that carried it.
    fn forgotten_with(&mut self, order: Order) -> Result<Vec<(Run, RowNumber)>, LedgerError>;

    /// How large it is, and what is in it.
    fn info(&mut self) -> Result<LedgerInfo, LedgerError>;

    /// What is damaged in its file; a database has tools of its own for that.
    fn damage(&mut self) -> Result<Vec<String>, LedgerError> {
        Ok(Vec::new())
    }

    /// The runs for which a file with this mark was written.
    fn results_of(&mut self, mark: &str) -> Result<Vec<String>, LedgerError>;
}
