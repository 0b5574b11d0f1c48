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
mod commit_latency;
mod database_url;
mod decided;
mod elsewhere;
mod left_doubt;
mod location;
mod misplaced;
mod places;
mod postgres;
mod run;
mod run_lock;
mod sqlite;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::input::{InputError, OrderKey, PlannedRow};
use crate::model::{
    AllocateSlots, Counts, Lease, OnDoubt, Order, ReasonCode, RowNumber, Status, Uptime,
    status_when_stopped,
};
use crate::private_file::PermissionError;

pub use claim::{AttemptEnd, ClaimedRow, CompletedClaim, PendingRow};
pub use commit_latency::CommitLatency;
pub use database_url::{DatabaseUrl, DatabaseUrlError};
pub(crate) use left_doubt::after_lost_answer;
pub use location::{Location, Patience};
pub use misplaced::{Misplaced, Saved};
pub use postgres::{Postgres, PostgresOptions};
pub use run::{NewRun, Run};
pub use run_lock::RunLock;
pub use sqlite::{Info, Sqlite};

/// The rate budget of an endpoint is damaged. To take it for empty would pass the rate.
#[derive(Debug, thiserror::Error)]
#[error("the rate budget of {endpoint} in it cannot be read: {cause}")]
pub(crate) struct UnreadableBudget {
    /// Whose budget it is.
    pub endpoint: String,
    /// What is wrong with it.
    pub cause: serde_json::Error,
}

/// One commit of the ledger: completes what ended, claims what comes next.
#[derive(Debug)]
pub struct CommitRequest {
    /// Now, by the clock of whoever asks.
    pub at: Timestamp,
    /// The uptime of the machine at that moment, if it is known.
    pub uptime: Option<Uptime>,
    /// What attempts came to.
    pub completed: Vec<CompletedClaim>,
    /// Rows to claim once more; they go before fresh ones.
    pub again: Vec<PendingRow>,
    /// The most rows to claim that were never claimed before.
    pub fresh: u32,
    /// How long this commit is likely to take.
    pub lead: Duration,
    /// How far ahead of its end calls may be planned.
    pub horizon: Duration,
    /// How far apart calls are planned at least, whatever the contract allows.
    pub spacing: Duration,
    /// Why this process stops, once it does: others that work on the run may have to know.
    pub stop: Option<ReasonCode>,
    /// Until when nobody may call, as the server told this process.
    pub quiet_until: Option<Timestamp>,
}

/// What a commit brought.
#[derive(Debug, Default)]
pub struct CommitOutcome {
    /// Rows that may now be sent, each at its slot.
    pub claimed: Vec<ClaimedRow>,
    /// Rows of `again` for which there was no budget; nothing was claimed.
    pub deferred: Vec<PendingRow>,
    /// Rows whose orders another run has in flight; nothing was claimed. They can be claimed
    /// once that run knows what became of its call.
    pub in_flight_elsewhere: Vec<PendingRow>,
    /// How the run's rows that ended stand, whoever ended them.
    pub counts: Counts,
    /// Whether there will be no more fresh rows: each was claimed once, and none of them
    /// is held by a process that may have to give it up.
    pub exhausted: bool,
    /// When more can be claimed, if not now.
    pub next_slot_at: Option<Timestamp>,
    /// Until when nobody may call, as the server told any process.
    pub quiet_until: Option<Timestamp>,
    /// Whether another process takes of the same budget, or may have of late.
    pub shared: bool,
    /// How long what is claimed may be held; none where one process has the whole run.
    pub lease: Option<Lease>,
    /// Why another process that works on the run has stopped it.
    pub stop: Option<ReasonCode>,
}

/// How a run is started, or started again.
#[derive(Debug, Clone)]
pub struct StartOptions {
    /// Now.
    pub at: Timestamp,
    /// When the last attempt may start, if there is a cut-off.
    pub cut_off: Option<Timestamp>,
    /// The rates in force, as the user writes them.
    pub rates: String,
    /// Whether it joins those who work on the run already: a reason for which the run
    /// was stopped stands. Else it is started anew.
    pub joins: bool,
    /// Send orders even if another run cancelled them.
    pub again: bool,
    /// What is done with rows that were in flight when the last process died.
    pub on_doubt: OnDoubt,
}

/// A run that was started: what there is to do.
#[derive(Debug, Default)]
pub struct StartedRun {
    /// Rows that were claimed before and have not ended.
    pub waiting: Vec<PendingRow>,
    /// Whether no other row is left to be sent.
    pub exhausted: bool,
    /// How far the ledger's clock is ahead of this machine's.
    pub clock_ahead: SignedDuration,
}

/// What the ledger knows of a file's orders before they are sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KnownOrders {
    /// CoreCARD answered another run with `Status` true.
    pub cancelled: u64,
    /// Another run that is being worked on has them in flight.
    pub in_flight: u64,
    /// Another run lost an answer for them.
    pub in_doubt: u64,
}

/// A row of a run that carries an order, as the ledger has it on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnRecord {
    /// The row.
    pub row: RowNumber,
    /// How it ended, if it did.
    pub status: Option<Status>,
}

/// One row as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowRecord {
    /// Its number in the input.
    pub row: RowNumber,
    /// What was or would be sent for it, if it can be.
    pub order: Option<Order>,
    /// How it stands; a row that has not ended is `not_sent` or `in_doubt`.
    pub status: Status,
    /// Whether it has ended.
    pub has_ended: bool,
    /// Whether its status was carried over from the results file it came from.
    pub kept: bool,
    /// CoreCARD's code, or one of ours.
    pub error_code: String,
    /// CoreCARD's message, or ours.
    pub message: String,
    /// The HTTP status of the last attempt, if it was answered.
    pub http_status: Option<u16>,
    /// Attempts in this run.
    pub attempts: u32,
    /// Whether any attempt's answer was lost.
    pub doubt: bool,
    /// When the first attempt left; for one that was cut short, when it was claimed.
    pub first_sent_at: Option<Timestamp>,
    /// When the row came to stand so.
    pub ended_at: Option<Timestamp>,
}

impl RowRecord {
    /// A row of which nothing else is known.
    pub(crate) fn of(row: RowNumber) -> RowRecord {
        RowRecord {
            row,
            order: None,
            status: Status::NotSent,
            has_ended: false,
            kept: false,
            error_code: String::new(),
            message: String::new(),
            http_status: None,
            attempts: 0,
            doubt: false,
            first_sent_at: None,
            ended_at: None,
        }
    }

    /// Once all that is known of the row is in the record: one that was not decided has not
    /// ended, and stands as it would if nothing more came.
    pub(crate) fn complete(&mut self) {
        self.has_ended = self.kept || self.status != Status::NotSent;
        if !self.has_ended {
            self.status = status_when_stopped(self.doubt);
        }
    }
}

/// The ledger. Methods block; the engine gives it a thread of its own.
pub trait Ledger: Send {
    /// The newest run with this key, if there is one.
    fn find(&mut self, key: &str) -> Result<Option<Run>, LedgerError>;

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

/// What can go wrong with the ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another process works on the run.
    #[error(
        "this file is in use by {by}: wait until it has finished, or stop it first; `cardcancel runs` shows its progress"
    )]
    Locked {
        /// Process, host and since when.
        by: String,
    },
    /// The ledger was written by a newer program.
    #[error(
        "the ledger {path} has version {found}, and this program knows versions up to {known}: use the cardcancel that wrote it, or a newer one"
    )]
    Newer {
        /// Where it is.
        path: String,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// Others may have written the file.
    #[error(transparent)]
    Shared(#[from] PermissionError),
    /// It is no whole ledger, or cannot be kept whole where it is.
    #[error(transparent)]
    Misplaced(#[from] Misplaced),
    /// The ledger was written by an older program.
    #[error(
        "the ledger {path} has version {found}, and this program knows version {known} only: use the cardcancel that wrote it, or name another file with --ledger"
    )]
    Older {
        /// Where it is.
        path: String,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The file is something else.
    #[error("{path} is not a cardcancel ledger: name another file with --ledger")]
    NotALedger {
        /// Where it is.
        path: String,
    },
    /// The disk is full.
    #[error(
        "the disk that holds the ledger {path} is full: make room and start the same command again to resume"
    )]
    DiskFull {
        /// Where it is.
        path: String,
    },
    /// The file could not be opened or made.
    #[error(
        "cannot open the ledger {path} ({cause}): correct that, or name another file with --ledger"
    )]
    Open {
        /// Where it is.
        path: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The file was removed, moved or replaced while it was used.
    #[error(
        "the ledger {path} was removed, moved or replaced while this process used it: nothing more is sent. {saved} Until then, a new start does not know what this one sent"
    )]
    Gone {
        /// Where it was.
        path: String,
        /// What became of what it held.
        saved: Saved,
    },
    /// A copy of the ledger could not be made.
    #[error("the copy {path} cannot be written ({cause}): choose another path")]
    Copy {
        /// Where it was to be.
        path: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// Anything else that the database said.
    #[error("the ledger {path} failed ({cause}): correct that, and start the same command again")]
    Database {
        /// Where it is.
        path: String,
        /// What it said.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database cannot be reached, or went away.
    #[error(
        "the ledger {path} cannot be reached ({cause}): check that the database is running, and start the same command again to resume"
    )]
    Unreachable {
        /// Where it is.
        path: String,
        /// What was tried last, and how it failed.
        cause: String,
    },
    /// What the ledger had confirmed is not there any more.
    #[error(
        "the ledger {path} has lost what it had confirmed ({what}): it is back in an earlier state, after a failover to a standby that lagged behind, or from a backup. Rows that this process may have sent since are marked as in doubt there, as far as they are known. Look them up in CoreCARD before you start the same command again"
    )]
    Rewound {
        /// Where it is.
        path: String,
        /// What is missing.
        what: String,
    },
    /// The URL of the ledger is wrong. It is not repeated: it may hold a password.
    #[error("--ledger: {0}")]
    BadUrl(String),
    /// The database server would forget what it has confirmed.
    #[error(
        "the ledger {path} is on a server with {setting} = {value}, which can lose what it has confirmed, and calls would be made twice: turn it on, or name another server with --ledger"
    )]
    Forgetful {
        /// Where it is.
        path: String,
        /// Which setting is not on.
        setting: String,
        /// What it is instead.
        value: String,
    },
    /// A failover would forget what was confirmed.
    #[error(
        "the ledger {path} {why}, and commits wait for none of them: a failover would lose some, and calls would be made twice. Set synchronous_standby_names on the server, or add ?allow_async=1 to the URL to accept that"
    )]
    Asynchronous {
        /// Where it is.
        path: String,
        /// Which servers may take over.
        why: String,
    },
    /// The connection has no session of the database to itself.
    #[error(
        "the ledger {path} is reached through a pooler that serves one connection by several sessions of the database (PgBouncer with pool_mode = transaction or statement), which would lose what a run needs: set pool_mode = session there, or name the database's own address with --ledger"
    )]
    Pooled {
        /// Where it is.
        path: String,
    },
    /// The database cannot hold every character.
    #[error(
        "the ledger {path} is in a database with the encoding {encoding}, which cannot hold every character: name one with the encoding UTF8 with --ledger"
    )]
    Encoding {
        /// Where it is.
        path: String,
        /// Its encoding.
        encoding: String,
    },
    /// The database server is too old.
    #[error("the ledger {path} is on PostgreSQL {found}: version {needed} or newer is needed")]
    OldServer {
        /// Where it is.
        path: String,
        /// Its version.
        found: String,
        /// The oldest that will do.
        needed: u32,
    },
    /// The schema is not there, and this user may not make it.
    #[error(
        "the ledger {path} is not set up, and this user is not allowed to do that ({cause}): run `cardcancel runs` once as a user who can create a schema in the database"
    )]
    NotSetUp {
        /// Where it is.
        path: String,
        /// What the database said.
        cause: String,
    },
}

/// Why a run could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum CreateRunError {
    /// The input could not be read to its end.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The ledger could not record it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}
