//! The embedded ledger: one SQLite file, private to its owner. WAL with
//! `synchronous=FULL`: a commit outlives a power cut.

mod care;
mod claim_ranges;
mod claimer;
mod commit;
mod create_run;
mod file;
mod known_orders;
mod many;
mod new_file;
mod on_record;
mod open;
mod other_runs;
mod outcomes;
mod packed;
mod read;
mod start;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, params};

pub use care::Info;
use claim_ranges::ClaimRanges;
use file::LedgerFile;
use outcomes::Outcomes;

use super::{
    CommitOutcome, CommitRequest, CreateRunError, KnownOrders, Ledger, LedgerError, NewRun,
    OnRecord, PendingRow, RowRecord, Run, RunLock, StartOptions, StartedRun,
};
use crate::input::{InputError, OrderKey, PlannedRow};
use crate::model::{AllocateSlots, Counts, Order, ReasonCode, RowNumber};

/// The embedded ledger.
pub struct Sqlite {
    connection: Connection,
    /// As the user named it, for messages.
    path: String,
    /// Which file it is.
    file: LedgerFile,
    started: Option<Started>,
    /// When the log was last written into the file.
    written_back: Instant,
}

/// How often the log is written into the file while a run goes on: whoever copies the
/// file alone has most of it.
const WRITTEN_BACK_EVERY: Duration = Duration::from_secs(30);

/// The run whose commits are being taken.
struct Started {
    run: i64,
    endpoint: String,
    again: bool,
    /// Whether there are other runs at the endpoint.
    has_others: bool,
    /// Whether rows have places that are not their numbers.
    has_places: bool,
    /// The next rows that were never claimed; none only if there are no more.
    ahead: VecDeque<Fresh>,
    /// The first place that was not read ahead.
    read_to: u32,
    /// One past the last row, and the last place.
    end: u32,
    /// Rows that were claimed and have not ended.
    claims: ClaimRanges,
    /// What attempts came to.
    outcomes: Outcomes,
    /// How many attempts were claimed.
    attempts: u64,
    /// How the rows that ended stand.
    counts: Counts,
}

/// A row that was never claimed.
struct Fresh {
    place: u32,
    row: PendingRow,
}

impl Started {
    /// Whether every row was claimed once, or decided without a call.
    fn is_exhausted(&self) -> bool {
        self.ahead.is_empty()
    }

    /// The first place whose row was never claimed.
    fn first_fresh(&self) -> u32 {
        self.ahead.front().map_or(self.end, |next| next.place)
    }
}

impl Sqlite {
    fn new(connection: Connection, path: String, file: LedgerFile) -> Sqlite {
        Sqlite { connection, path, file, started: None, written_back: Instant::now() }
    }

    /// Writes the log into the file, as far as nobody reads it.
    fn write_back(&mut self, mode: &str) {
        // Nobody is waited for, and what cannot be done now is done later.
        let _ = self.connection.busy_timeout(Duration::ZERO);
        let sql = format!("PRAGMA wal_checkpoint({mode})");
        let _ = self.connection.query_row(&sql, [], |_| Ok(()));
        let _ = self.connection.busy_handler(Some(open::ask_again));
        self.written_back = Instant::now();
    }

    /// Refuses to go on in a file that the next start would not find.
    fn be_there(&self) -> Result<(), LedgerError> {
        match self.file.is_there() {
            true => Ok(()),
            false => Err(self.gone()),
        }
    }

    /// The file was taken away. What it holds can still be read, and is saved.
    fn gone(&self) -> LedgerError {
        let saved = self.file.rescue(Timestamp::now());
        let is_saved = care::copy(&self.connection, &self.path, &saved).is_ok();
        let saved = is_saved.then(|| saved.display().to_string());
        LedgerError::Gone { path: self.path.clone(), saved: saved.into() }
    }

    fn fail(&self, cause: rusqlite::Error) -> LedgerError {
        failure(&self.path, cause)
    }
}

/// Whether a living process works on the runs with this key. One of which that cannot
/// be told may be alive.
fn is_worked_on(file: &LedgerFile, key: &str) -> bool {
    RunLock::is_locked(&file.lock(key)).unwrap_or(true)
}

fn failure(path: &str, cause: rusqlite::Error) -> LedgerError {
    let path = path.to_owned();
    match cause.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => LedgerError::DiskFull { path },
        Some(ErrorCode::NotADatabase) => LedgerError::NotALedger { path },
        _ => LedgerError::Database { path, cause: plain(cause) },
    }
}

/// What the database said, or what we said of what it holds.
fn plain(cause: rusqlite::Error) -> Box<dyn std::error::Error + Send + Sync> {
    match cause {
        rusqlite::Error::FromSqlConversionFailure(_, _, cause) => cause,
        cause => cause.into(),
    }
}

impl Ledger for Sqlite {
    fn find(&mut self, key: &str) -> Result<Option<Run>, LedgerError> {
        read::run_by_key(&self.connection, key).map_err(|cause| self.fail(cause))
    }

    fn run(&mut self, id: &str) -> Result<Option<Run>, LedgerError> {
        read::run_by_id(&self.connection, id).map_err(|cause| self.fail(cause))
    }

    fn runs(&mut self) -> Result<Vec<Run>, LedgerError> {
        read::runs(&self.connection).map_err(|cause| self.fail(cause))
    }

    fn known_orders(
        &mut self,
        endpoint: &str,
        run: Option<&Run>,
        by_order: &[OrderKey],
    ) -> Result<KnownOrders, LedgerError> {
        let question =
            known_orders::Question { endpoint, run: run.map(|run| run.number), by_order };
        let is_locked = |key: &str| is_worked_on(&self.file, key);
        let open = || open::read_only(&self.file);
        known_orders::count(&self.connection, &open, &question, &is_locked)
            .map_err(|cause| self.fail(cause))
    }

    fn on_record(
        &mut self,
        endpoint: &str,
        orders: &[Order],
    ) -> Result<Vec<Vec<OnRecord>>, LedgerError> {
        on_record::find(&self.connection, endpoint, orders).map_err(|cause| self.fail(cause))
    }

    fn create_run(
        &mut self,
        new: NewRun,
        rows: &mut dyn Iterator<Item = Result<PlannedRow, InputError>>,
        by_order: &[OrderKey],
    ) -> Result<Run, CreateRunError> {
        let created = create_run::create_run(&mut self.connection, &new, rows, by_order);
        let run = created.map_err(|failed| match failed {
            create_run::Failed::Input(cause) => CreateRunError::Input(cause),
            create_run::Failed::Database(cause) => CreateRunError::Ledger(self.fail(cause)),
        })?;
        self.write_back("PASSIVE");
        Ok(run)
    }

    fn lock_run(&mut self, key: &str) -> Result<RunLock, LedgerError> {
        let path = self.file.lock(key);
        match RunLock::lock(&path) {
            Ok(Ok(hold)) => Ok(hold),
            Ok(Err(by)) => Err(LedgerError::Locked { by }),
            Err(cause) => Err(LedgerError::Open { path: path.display().to_string(), cause }),
        }
    }

    fn is_locked(&mut self, key: &str) -> Result<bool, LedgerError> {
        let path = self.file.lock(key);
        let failed = |cause| LedgerError::Open { path: path.display().to_string(), cause };
        RunLock::is_locked(&path).map_err(failed)
    }

    fn start(&mut self, run: &Run, start: StartOptions) -> Result<StartedRun, LedgerError> {
        self.be_there()?;
        let is_locked = |key: &str| is_worked_on(&self.file, key);
        let (started, begun) = start::start(&mut self.connection, run, start, &is_locked)
            .map_err(|cause| failure(&self.path, cause))?;
        self.started = Some(started);
        Ok(begun)
    }

    fn commit(
        &mut self,
        mut commit: CommitRequest,
        allocate: &mut AllocateSlots<'_>,
    ) -> Result<CommitOutcome, LedgerError> {
        let is_there = self.file.is_there();
        if !is_there {
            // What ended is recorded, to be saved with the rest; nothing more is sent.
            commit.again.clear();
            commit.fresh = 0;
        }
        let started = self.started.as_mut().ok_or_else(|| not_started(&self.path))?;
        let is_locked = |key: &str| is_worked_on(&self.file, key);
        let outcome = commit::commit(&mut self.connection, started, commit, allocate, &is_locked)
            .map_err(|cause| failure(&self.path, cause))?;
        if !is_there {
            return Err(self.gone());
        }
        if self.written_back.elapsed() >= WRITTEN_BACK_EVERY {
            self.write_back("PASSIVE");
        }
        Ok(outcome)
    }

    fn finish(&mut self, at: Timestamp, stop: Option<ReasonCode>) -> Result<Run, LedgerError> {
        let started = self.started.take().ok_or_else(|| not_started(&self.path))?;
        let is_locked = |key: &str| is_worked_on(&self.file, key);
        let run = commit::rest(&mut self.connection, started.run, at, stop, &is_locked)
            .map_err(|cause| failure(&self.path, cause))?;
        self.be_there()?;
        self.write_back("TRUNCATE");
        Ok(run)
    }

    fn rows(
        &mut self,
        run: &Run,
        each: &mut dyn FnMut(&mut RowRecord) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        read::rows(&self.connection, run, each, &|cause| self.fail(cause).into())
    }

    fn orders(&mut self, run: &Run) -> Result<BTreeMap<RowNumber, Order>, LedgerError> {
        read::orders(&self.connection, run.number).map_err(|cause| self.fail(cause))
    }

    fn note_results(&mut self, run: &Run, mark: &str, path: &str) -> Result<(), LedgerError> {
        let sql = "INSERT OR IGNORE INTO results (mark, run, path) VALUES (?1, ?2, ?3)";
        match self.connection.execute(sql, params![mark, run.number, path]) {
            Ok(_) => Ok(()),
            Err(cause) => Err(self.fail(cause)),
        }
    }

    fn results_of(&mut self, mark: &str) -> Result<Vec<String>, LedgerError> {
        read::results_of(&self.connection, mark).map_err(|cause| self.fail(cause))
    }
}

fn not_started(path: &str) -> LedgerError {
    failure(path, rusqlite::Error::InvalidQuery)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_without_room_is_told_from_one_that_fails() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Sqlite::open(&folder.path().join("ledger.db")).unwrap();
        // No page more than there are.
        ledger.connection.pragma_update(None, "max_page_count", 1).unwrap();
        let grow = "CREATE TABLE more AS SELECT zeroblob(100000)";
        let cause = ledger.connection.execute(grow, []).unwrap_err();
        assert!(matches!(ledger.fail(cause), LedgerError::DiskFull { .. }));
    }
}
