//! The durable record of runs, rows and attempts: the only truth. Every file this program
//! writes is a view of it.
//!
//! [`Ledger`] is the trait, [`Sqlite`] and [`Postgres`] are its adapters, and the conformance
//! suite in the tests holds both to the same behaviour. The heart is [`Ledger::commit`]: one
//! transaction completes what ended and claims what comes next, together with the rate budget
//! that it uses. A crash falls before or after a commit, never inside.
//!
//! ```text
//! planned row ──claim──▶ ClaimedRow ──complete──▶ CompletedClaim ──commit──▶ ended, or PendingRow
//!                            └───────release─────▶ PendingRow (nothing was sent)
//! ```
//!
//! A row that is claimed and not completed when a process dies may have been sent: it is sent
//! again with doubt. A row that was not claimed was surely never sent.

mod claim;
mod codes;
mod commit;
mod commit_latency;
mod database_url;
mod decision;
mod elsewhere;
mod error;
mod interrupted;
mod known_orders;
mod location;
mod misplaced;
mod postgres;
mod row_record;
mod run;
mod run_lock;
mod send_order;
mod sqlite;

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::input::{InputError, OrderKey, PlannedRow};
use crate::model::{AllocateSlots, Order, ReasonCode, RowNumber};

pub use claim::{AttemptEnd, ClaimedRow, CompletedClaim, PendingRow};
pub use commit::{CommitOutcome, CommitRequest};
pub use commit_latency::CommitLatency;
pub use database_url::{DatabaseUrl, DatabaseUrlError};
pub use error::{CreateRunError, LedgerError};
pub use known_orders::{KnownOrders, OnRecord};
pub use location::{LedgerLocation, SharedLedgerTimeouts};
pub use misplaced::{Misplaced, Saved};
pub use postgres::{Postgres, PostgresOptions};
pub use row_record::RowRecord;
pub(crate) use row_record::after_lost_answer;
pub use run::{NewRun, Run, StartOptions, StartedRun};
pub use run_lock::RunLock;
pub use sqlite::{LedgerInfo, Sqlite};

/// The ledger. Methods block; the engine gives it a thread of its own.
pub trait Ledger: Send {
    /// The newest run with this key, if there is one.
    fn find_by_key(&mut self, key: &str) -> Result<Option<Run>, LedgerError>;

    /// The run with this identifier, if there is one.
    fn run(&mut self, id: &str) -> Result<Option<Run>, LedgerError>;

    /// Every run, newest first.
    fn runs(&mut self) -> Result<Vec<Run>, LedgerError>;

    /// The runs at this endpoint that others may join, the oldest first: those that were
    /// started, have rows left, and were not stopped for all. None where nobody else can.
    fn joinable(&mut self, _endpoint: &str) -> Result<Vec<Run>, LedgerError> {
        Ok(Vec::new())
    }

    /// Counts what other runs at the endpoint know of the orders that would be sent for the
    /// rows of a file, which are sorted by order. Where a run of the file goes on, only
    /// those of its rows count that have not ended.
    fn known_orders(
        &mut self,
        endpoint: &str,
        run: Option<&Run>,
        by_order: &[OrderKey],
    ) -> Result<KnownOrders, LedgerError>;

    /// For each of these orders, in turn, the rows that were to be sent for it by the runs at
    /// the endpoint.
    fn on_record(
        &mut self,
        endpoint: &str,
        orders: &[Order],
    ) -> Result<Vec<Vec<OnRecord>>, LedgerError>;

    /// Opens a run with all its rows, or nothing at all. Other runs go on meanwhile;
    /// cut short, it goes on where it was when it is asked for again with the same key.
    /// Where others may open the same run, the one that another opened since this process
    /// looked for it is the run: it may have another identifier.
    fn create_run(
        &mut self,
        new: NewRun,
        rows: &mut dyn Iterator<Item = Result<PlannedRow, InputError>>,
        by_order: &[OrderKey],
    ) -> Result<Run, CreateRunError>;

    /// Locks the runs with this key for this process, until the lock is dropped
    /// or the process dies. Locked before the run is looked for, so that two
    /// processes cannot both open it. Where many may work on a run, nothing is locked.
    ///
    /// # Errors
    /// [`LedgerError::Locked`] if another process has it.
    fn lock_run(&mut self, key: &str) -> Result<RunLock, LedgerError>;

    /// Whether a process has locked the runs with this key.
    fn is_locked(&mut self, key: &str) -> Result<bool, LedgerError>;

    /// Starts a run that this process holds: from here on, commits are for it.
    /// Attempts that a dead process left not completed are completed as lost; where others may
    /// be alive, by a later commit, once it is sure that it is dead.
    fn start(&mut self, run: &Run, start: StartOptions) -> Result<StartedRun, LedgerError>;

    /// Completes and claims in one commit: after it both are durable, before it neither.
    fn commit(
        &mut self,
        commit: CommitRequest,
        allocate: &mut AllocateSlots<'_>,
    ) -> Result<CommitOutcome, LedgerError>;

    /// Records that the started run has come to rest: ended if every row ended,
    /// whatever the reason to stop, else stopped for this reason.
    fn finish(&mut self, at: Timestamp, stop: Option<ReasonCode>) -> Result<Run, LedgerError>;

    /// Every row of a run, in order. What is left in the record does not matter: it
    /// serves for the next row.
    fn rows(
        &mut self,
        run: &Run,
        each: &mut dyn FnMut(&mut RowRecord) -> anyhow::Result<()>,
    ) -> anyhow::Result<()>;

    /// The orders of a run by their rows, all at once. Rows that are invalid have none.
    fn orders(&mut self, run: &Run) -> Result<BTreeMap<RowNumber, Order>, LedgerError>;

    /// Remembers that a file is about to be put in place for the run, by a mark that
    /// no other file has.
    fn note_results(&mut self, run: &Run, mark: &str, path: &str) -> Result<(), LedgerError>;

    /// The runs for which a file with this mark was written.
    fn results_of(&mut self, mark: &str) -> Result<Vec<String>, LedgerError>;
}
