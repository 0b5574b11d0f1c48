//! The embedded ledger: one SQLite file, private to its owner. It uses a write-ahead log with
//! `synchronous=FULL`, so that a commit survives a power failure.

mod active_run;
mod audit;
mod bulk_insert;
mod claim_ranges;
mod claimer;
mod commit;
mod connection;
mod create_resolution;
mod create_run;
mod failure;
mod file;
mod forget;
mod known_orders;
mod maintenance;
mod new_file;
mod on_record;
mod open_rows;
mod other_runs;
mod outcome_table;
mod packed;
mod read;
mod requests;
mod schema;
mod seals;
mod standings;
mod start;
mod upgrade;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::{Connection, params};

use active_run::ActiveRun;
use connection::Opened;
use create_resolution::CreateError;
use failure::failure;
use file::{FileState, SqliteFile};
use read::RowsQuery;
#[cfg(test)]
pub(super) use schema::in_memory;

use super::known_orders::KnownOrdersQuery;
use super::misplaced::Misplaced;
use super::row_record::{RecordBuilder, open_ones};
use super::{
    AttemptRecord, CommitOutcome, CommitRequest, CreateRunError, EventRecord, FinishOptions,
    KeptOrders, KnownOrders, Ledger, LedgerError, LedgerInfo, NewForgetting, NewRequest, NewRun,
    NewSeal, OnRecord, OrderHistory, OrderStanding, RequestRecord, Resolution, ResolutionError,
    RowRecord, Run, RunLock, SealHead, SealRecord, StartOptions, StartRecord, StartedRun,
};
use crate::input::{InputError, OrderKey, PlannedRow};
use crate::model::{AllocateSlots, Order, RowNumber};

/// The embedded ledger.
pub struct Sqlite {
    connection: Connection,
    /// The path as the user wrote it, for messages.
    path: String,
    /// The identity of the file.
    file: SqliteFile,
    /// How the file was as it was opened, if SQLite does not lock it: once it has changed, what
    /// was read of it may be wrong.
    unlocked: Option<FileState>,
    /// The run that was started.
    active: Option<ActiveRun>,
    /// When the log was last moved into the file.
    written_back: Instant,
}

/// How often the log is moved into the file during a run, so that a copy of the file alone has
/// most of the content.
const WRITTEN_BACK_EVERY: Duration = Duration::from_secs(30);

impl Sqlite {
    /// Opens the ledger at `path`, and creates it if it does not exist.
    ///
    /// # Errors
    /// If the path cannot be written, or the file is something else, has been emptied, or has
    /// another version.
    pub fn open(path: &Path) -> Result<Sqlite, LedgerError> {
        connection::open(path).map(Sqlite::new)
    }

    /// Opens the ledger at `path` for reading; `None` if it does not exist. Nothing is written,
    /// so the location may be read-only.
    ///
    /// # Errors
    /// As for [`Sqlite::open`].
    pub fn open_existing(path: &Path) -> Result<Option<Sqlite>, LedgerError> {
        Ok(connection::open_existing(path)?.map(Sqlite::new))
    }

    fn new(opened: Opened) -> Sqlite {
        let Opened { connection, path, file, unlocked } = opened;
        let written_back = Instant::now();
        Sqlite { connection, path, file, unlocked, active: None, written_back }
    }

    /// Copies a consistent snapshot of the ledger into a new file that needs no log beside it.
    /// Runs may go on meanwhile.
    ///
    /// # Errors
    /// If a file exists there already, or the copy cannot be written.
    pub fn back_up(&self, to: &Path) -> Result<(), LedgerError> {
        maintenance::copy(&self.connection, &self.path, to)
    }

    /// Moves the log into the file, up to the oldest snapshot that is being read.
    fn write_back(&mut self, mode: &str) {
        // Do not wait for other processes; what cannot be moved now is moved later.
        let _ = self.connection.busy_timeout(Duration::ZERO);
        let sql = format!("PRAGMA wal_checkpoint({mode})");
        let _ = self.connection.query_row(&sql, [], |_| Ok(()));
        let _ = self.connection.busy_handler(Some(connection::ask_again));
        self.written_back = Instant::now();
    }

    /// Refuses to continue in a file that the next start would not find.
    fn be_there(&self) -> Result<(), LedgerError> {
        if self.file.is_there() { Ok(()) } else { Err(self.gone()) }
    }

    /// The file was removed. Its content can still be read through the open file, and is saved.
    fn gone(&self) -> LedgerError {
        let saved = self.file.rescue(Timestamp::now());
        let is_saved = maintenance::copy(&self.connection, &self.path, &saved).is_ok();
        let saved = is_saved.then(|| saved.display().to_string());
        LedgerError::Gone { path: self.path.clone(), saved: saved.into() }
    }

    fn fail(&self, cause: rusqlite::Error) -> LedgerError {
        self.be_unchanged().err().unwrap_or_else(|| failure(&self.path, cause))
    }

    /// Refuses what was read while another process may have written to the file.
    fn be_unchanged(&self) -> Result<(), LedgerError> {
        match self.unlocked {
            Some(state) if self.file.state() != state => {
                Err(Misplaced::Changed { path: self.path.clone() }.into())
            }
            _ => Ok(()),
        }
    }
}

/// Whether a living process works on the runs with this key. If that cannot be determined, it is
/// assumed.
fn is_worked_on(file: &SqliteFile, key: &str) -> bool {
    RunLock::is_locked(&file.lock(key)).unwrap_or(true)
}

impl Ledger for Sqlite {
    fn find_by_key(&mut self, key: &str) -> Result<Option<Run>, LedgerError> {
        read::run_by_key(&self.connection, key).map_err(|cause| self.fail(cause))
    }

    fn run(&mut self, id: &str) -> Result<Option<Run>, LedgerError> {
        read::run_by_id(&self.connection, id).map_err(|cause| self.fail(cause))
    }

    fn runs(&mut self) -> Result<Vec<Run>, LedgerError> {
        let runs = read::runs(&self.connection).map_err(|cause| self.fail(cause))?;
        self.be_unchanged()?;
        Ok(runs)
    }

    fn known_orders(
        &mut self,
        endpoint: &str,
        run: Option<&Run>,
        by_order: &[OrderKey],
    ) -> Result<KnownOrders, LedgerError> {
        let run = run.map(|run| run.number);
        let query = KnownOrdersQuery { endpoint, run, by_order };
        let is_locked = |key: &str| is_worked_on(&self.file, key);
        let open = || connection::read_only(&self.file);
        known_orders::count(&self.connection, &open, &query, &is_locked)
            .map_err(|cause| self.fail(cause))
    }

    fn on_record(
        &mut self,
        endpoint: &str,
        orders: &[Order],
    ) -> Result<Vec<Vec<OnRecord>>, LedgerError> {
        on_record::find(&self.connection, endpoint, orders).map_err(|cause| self.fail(cause))
    }

    fn standings(
        &mut self,
        endpoint: &str,
        orders: &[Order],
    ) -> Result<Vec<OrderStanding>, LedgerError> {
        let is_locked = |key: &str| is_worked_on(&self.file, key);
        standings::of_orders(&self.connection, endpoint, orders, &is_locked)
            .map_err(|cause| self.fail(cause))
    }

    fn create_resolution(&mut self, new: Resolution<'_>) -> Result<Run, ResolutionError> {
        self.be_there()?;
        let is_locked = |key: &str| is_worked_on(&self.file, key);
        let created = create_resolution::create(&mut self.connection, new, &is_locked);
        let run = created.map_err(|failed| match failed {
            CreateError::Input(cause) => ResolutionError::Input(cause),
            CreateError::Database(cause) => ResolutionError::Ledger(self.fail(cause)),
            CreateError::Changed(order) => ResolutionError::Changed(order),
        })?;
        self.be_there()?;
        self.write_back("PASSIVE");
        Ok(run)
    }

    fn create_run(
        &mut self,
        new: NewRun,
        rows: &mut dyn Iterator<Item = Result<PlannedRow, InputError>>,
        by_order: &[OrderKey],
    ) -> Result<Run, CreateRunError> {
        let created = create_run::create_run(&mut self.connection, &new, rows, by_order);
        let run = created.map_err(|failed| match failed {
            create_run::InsertError::Input(cause) => CreateRunError::Input(cause),
            create_run::InsertError::Database(cause) => CreateRunError::Ledger(self.fail(cause)),
        })?;
        self.write_back("PASSIVE");
        Ok(run)
    }

    fn lock_run(&mut self, key: &str) -> Result<RunLock, LedgerError> {
        let path = self.file.lock(key);
        match RunLock::lock(&path) {
            Ok(Ok(lock)) => Ok(lock),
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
        let (active, started) = start::start(&mut self.connection, run, start, &is_locked)
            .map_err(|cause| failure(&self.path, cause))?;
        self.active = Some(active);
        Ok(started)
    }

    fn commit(
        &mut self,
        mut commit: CommitRequest,
        allocate: &mut AllocateSlots<'_>,
    ) -> Result<CommitOutcome, LedgerError> {
        let is_there = self.file.is_there();
        if !is_there {
            // Completed calls are recorded, to be saved with the rest; nothing more is claimed.
            commit.retries.clear();
            commit.max_new = 0;
        }
        let active = self.active.as_mut().ok_or_else(|| not_started(&self.path))?;
        let is_locked = |key: &str| is_worked_on(&self.file, key);
        let outcome = commit::commit(&mut self.connection, active, commit, allocate, &is_locked)
            .map_err(|cause| failure(&self.path, cause))?;
        if !is_there {
            return Err(self.gone());
        }
        if self.written_back.elapsed() >= WRITTEN_BACK_EVERY {
            self.write_back("PASSIVE");
        }
        Ok(outcome)
    }

    fn finish(&mut self, finish: FinishOptions) -> Result<Run, LedgerError> {
        let active = self.active.take().ok_or_else(|| not_started(&self.path))?;
        let is_locked = |key: &str| is_worked_on(&self.file, key);
        let start = (active.number, active.start);
        let run = commit::finish(&mut self.connection, start, &finish, &is_locked)
            .map_err(|cause| failure(&self.path, cause))?;
        self.be_there()?;
        self.write_back("TRUNCATE");
        Ok(run)
    }

    fn add_request(&mut self, run: &Run, new: &NewRequest) -> Result<i64, LedgerError> {
        requests::add(&self.connection, run.number, new).map_err(|cause| self.fail(cause))
    }

    fn requests(&mut self, run: &Run, after: i64) -> Result<Vec<RequestRecord>, LedgerError> {
        requests::after(&self.connection, run.number, after).map_err(|cause| self.fail(cause))
    }

    fn rows(
        &mut self,
        run: &Run,
        each: &mut dyn FnMut(&mut RowRecord) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let query = RowsQuery::all(run, false);
        let mut each = |builder: &mut RecordBuilder| each(builder.finish());
        read::rows(&self.connection, run, &query, &mut each, &|cause| self.fail(cause).into())?;
        Ok(self.be_unchanged()?)
    }

    fn open_rows(
        &mut self,
        run: &Run,
        each: &mut dyn FnMut(&mut RowRecord) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let fail = |cause| self.fail(cause).into();
        open_rows::candidates(&self.connection, run, &mut open_ones(each), &fail)?;
        Ok(self.be_unchanged()?)
    }

    fn rows_with_attempts(
        &mut self,
        run: &Run,
        each: &mut dyn FnMut(&mut RowRecord, &mut [AttemptRecord]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let query = RowsQuery::all(run, true);
        let mut each = |builder: &mut RecordBuilder| {
            let (row, attempts) = builder.finish_with_attempts();
            each(row, attempts)
        };
        read::rows(&self.connection, run, &query, &mut each, &|cause| self.fail(cause).into())?;
        Ok(self.be_unchanged()?)
    }

    fn ledger_id(&mut self) -> Result<String, LedgerError> {
        audit::ledger_id(&self.connection).map_err(|cause| self.fail(cause))
    }

    fn starts(&mut self, run: &Run) -> Result<Vec<StartRecord>, LedgerError> {
        audit::starts(&self.connection, run.number).map_err(|cause| self.fail(cause))
    }

    fn configuration(&mut self, digest: &str) -> Result<Option<String>, LedgerError> {
        audit::configuration(&self.connection, digest).map_err(|cause| self.fail(cause))
    }

    fn events(&mut self, run: &Run) -> Result<Vec<EventRecord>, LedgerError> {
        audit::events(&self.connection, run).map_err(|cause| self.fail(cause))
    }

    fn history(&mut self, order: Order) -> anyhow::Result<Vec<OrderHistory>> {
        let history = audit::history(&self.connection, order, &|cause| self.fail(cause).into())?;
        self.be_unchanged()?;
        Ok(history)
    }

    fn seals(&mut self) -> Result<Vec<SealRecord>, LedgerError> {
        seals::all(&self.connection).map_err(|cause| self.fail(cause))
    }

    fn last_seal(&mut self, run: &Run) -> Result<Option<SealRecord>, LedgerError> {
        seals::last_of_run(&self.connection, run.number).map_err(|cause| self.fail(cause))
    }

    fn unsealed(&mut self) -> Result<Vec<Run>, LedgerError> {
        let unsealed = seals::unsealed(&self.connection).map_err(|cause| self.fail(cause))?;
        self.be_unchanged()?;
        Ok(unsealed)
    }

    fn bring_to_rest(&mut self, run: &Run) -> Result<bool, LedgerError> {
        seals::is_at_rest(&self.connection, run.number).map_err(|cause| self.fail(cause))
    }

    fn append_seal(
        &mut self,
        run: &Run,
        new: &NewSeal<'_>,
    ) -> Result<Option<SealRecord>, LedgerError> {
        let appended = seals::append(&mut self.connection, run, new);
        appended.map_err(|cause| failure(&self.path, cause))
    }

    fn seal_heads(&mut self) -> Result<Vec<SealHead>, LedgerError> {
        seals::heads(&self.connection).map_err(|cause| self.fail(cause))
    }

    fn seal_text(&mut self, number: u64) -> Result<Option<String>, LedgerError> {
        seals::text(&self.connection, number).map_err(|cause| self.fail(cause))
    }

    fn add_receipt(&mut self, seal: u64, at: Timestamp, answer: &[u8]) -> Result<(), LedgerError> {
        let added = seals::add_receipt(&self.connection, seal, at, answer);
        added.map_err(|cause| self.fail(cause))
    }

    fn receipt(&mut self, seal: u64) -> Result<Option<Vec<u8>>, LedgerError> {
        seals::receipt(&self.connection, seal).map_err(|cause| self.fail(cause))
    }

    fn results_files(&mut self, run: &Run) -> Result<Vec<(String, String)>, LedgerError> {
        audit::results_files(&self.connection, run.number).map_err(|cause| self.fail(cause))
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

    fn forget(
        &mut self,
        run: &Run,
        new: &NewForgetting<'_>,
    ) -> Result<Option<SealRecord>, LedgerError> {
        let forgotten = forget::forget(&mut self.connection, run, new);
        forgotten.map_err(|cause| failure(&self.path, cause))
    }

    fn remove_forgotten(&mut self) -> Result<(), LedgerError> {
        forget::remove(&mut self.connection).map_err(|cause| failure(&self.path, cause))?;
        self.write_back("PASSIVE");
        Ok(())
    }

    fn give_space_back(&mut self) -> Result<bool, LedgerError> {
        forget::give_back(&self.connection).map_err(|cause| self.fail(cause))?;
        Ok(true)
    }

    fn kept_orders(&mut self, run: &Run) -> Result<KeptOrders, LedgerError> {
        forget::kept_orders(&self.connection, run.number).map_err(|cause| self.fail(cause))
    }

    fn forgotten_with(&mut self, order: Order) -> Result<Vec<(Run, RowNumber)>, LedgerError> {
        forget::forgotten_with(&self.connection, order).map_err(|cause| self.fail(cause))
    }

    fn info(&mut self) -> Result<LedgerInfo, LedgerError> {
        maintenance::info(&self.connection, &self.file).map_err(|cause| self.fail(cause))
    }

    fn damage(&mut self) -> Result<Vec<String>, LedgerError> {
        maintenance::check(&self.connection).map_err(|cause| self.fail(cause))
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
    fn a_disk_without_room_is_distinguished_from_one_that_fails() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Sqlite::open(&folder.path().join("ledger.db")).unwrap();
        // No page more than there are.
        ledger.connection.pragma_update(None, "max_page_count", 1).unwrap();
        let grow = "CREATE TABLE more AS SELECT zeroblob(100000)";
        let cause = ledger.connection.execute(grow, []).unwrap_err();
        assert!(matches!(ledger.fail(cause), LedgerError::DiskFull { .. }));
    }
}
