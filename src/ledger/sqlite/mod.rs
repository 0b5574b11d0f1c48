//! The embedded ledger: one SQLite file, private to its owner. WAL with
//! `synchronous=FULL`: a committed turn outlives a power cut.

mod enrol;
mod known_orders;
mod many;
mod open;
mod other_runs;
mod outcomes;
mod read;
mod stakes;
mod staking;
mod start;
mod turn;

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, params};

use outcomes::Outcomes;
use stakes::Stakes;

use super::{
    Allot, Begun, Counts, EnrolError, Hold, KnownOrders, Ledger, LedgerError, NewRun, RowRecord,
    Run, Start, Turn, Turned, Waiting,
};
use crate::intake::{Enrolment, IntakeError, Keyed};
use crate::order::{Order, OwnCode, RowNumber};

/// The embedded ledger.
pub struct Sqlite {
    connection: Connection,
    /// As the user named it, for messages.
    path: String,
    /// Where the file really is.
    real: PathBuf,
    started: Option<Started>,
}

/// The run whose turns are being taken.
struct Started {
    run: i64,
    endpoint: String,
    again: bool,
    /// Whether there are other runs at the endpoint.
    has_others: bool,
    /// Whether rows have places that are not their numbers.
    has_places: bool,
    /// The next rows that were never staked; none only if there are no more.
    ahead: VecDeque<Fresh>,
    /// The first place that was not read ahead.
    read_to: u32,
    /// One past the last row, and the last place.
    end: u32,
    /// Rows that were staked and have not ended.
    stakes: Stakes,
    /// What attempts came to.
    outcomes: Outcomes,
    /// How many attempts were staked.
    attempts: u64,
    /// How the rows that ended stand.
    counts: Counts,
}

/// A row that was never staked.
struct Fresh {
    place: u32,
    row: Waiting,
}

impl Started {
    /// Whether every row was staked once, or decided without a call.
    fn is_exhausted(&self) -> bool {
        self.ahead.is_empty()
    }

    /// The first place whose row was never staked.
    fn first_fresh(&self) -> u32 {
        self.ahead.front().map_or(self.end, |next| next.place)
    }
}

impl Sqlite {
    /// Whether a living process works on the runs with this key. One of which that cannot
    /// be told may be alive.
    fn is_worked_on(real: &Path, key: &str) -> bool {
        Hold::is_held(&lock_path(real, key)).unwrap_or(true)
    }

    fn fail(&self, cause: rusqlite::Error) -> LedgerError {
        failure(&self.path, cause)
    }
}

/// The file whose lock says that a process works on the runs with this key.
fn lock_path(real: &Path, key: &str) -> PathBuf {
    let mut path = real.to_owned().into_os_string();
    path.push(format!(".{}.lock", &key[..key.len().min(16)]));
    path.into()
}

fn failure(path: &str, cause: rusqlite::Error) -> LedgerError {
    let path = path.to_owned();
    match cause.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => LedgerError::Full { path },
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
        by_order: &[Keyed],
    ) -> Result<KnownOrders, LedgerError> {
        let question =
            known_orders::Question { endpoint, run: run.map(|run| run.number), by_order };
        let is_held = |key: &str| Self::is_worked_on(&self.real, key);
        let open = || open::read_only(&self.real);
        known_orders::count(&self.connection, &open, &question, &is_held)
            .map_err(|cause| self.fail(cause))
    }

    fn enrol(
        &mut self,
        new: NewRun,
        rows: &mut dyn Iterator<Item = Result<Enrolment, IntakeError>>,
        by_order: &[Keyed],
    ) -> Result<Run, EnrolError> {
        enrol::enrol(&mut self.connection, &new, rows, by_order).map_err(|failed| match failed {
            enrol::Failed::Intake(cause) => EnrolError::Intake(cause),
            enrol::Failed::Database(cause) => EnrolError::Ledger(self.fail(cause)),
        })
    }

    fn hold(&mut self, key: &str) -> Result<Hold, LedgerError> {
        let path = lock_path(&self.real, key);
        match Hold::claim(&path) {
            Ok(Ok(hold)) => Ok(hold),
            Ok(Err(by)) => Err(LedgerError::Held { by }),
            Err(cause) => Err(LedgerError::Open { path: path.display().to_string(), cause }),
        }
    }

    fn is_held(&mut self, key: &str) -> Result<bool, LedgerError> {
        let path = lock_path(&self.real, key);
        let failed = |cause| LedgerError::Open { path: path.display().to_string(), cause };
        Hold::is_held(&path).map_err(failed)
    }

    fn start(&mut self, run: &Run, start: Start) -> Result<Begun, LedgerError> {
        let is_held = |key: &str| Self::is_worked_on(&self.real, key);
        let (started, begun) = start::start(&mut self.connection, run, start, &is_held)
            .map_err(|cause| failure(&self.path, cause))?;
        self.started = Some(started);
        Ok(begun)
    }

    fn turn(&mut self, turn: Turn, allot: &mut Allot<'_>) -> Result<Turned, LedgerError> {
        let started = self.started.as_mut().ok_or_else(|| not_started(&self.path))?;
        let is_held = |key: &str| Self::is_worked_on(&self.real, key);
        turn::turn(&mut self.connection, started, turn, allot, &is_held)
            .map_err(|cause| failure(&self.path, cause))
    }

    fn rest(&mut self, at: Timestamp, stop: Option<OwnCode>) -> Result<Run, LedgerError> {
        let started = self.started.take().ok_or_else(|| not_started(&self.path))?;
        let is_held = |key: &str| Self::is_worked_on(&self.real, key);
        turn::rest(&mut self.connection, started.run, at, stop, &is_held)
            .map_err(|cause| failure(&self.path, cause))
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
        assert!(matches!(ledger.fail(cause), LedgerError::Full { .. }));
    }
}
