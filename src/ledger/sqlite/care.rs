//! Looking after the file: what it is, whether it is whole, and copies of it.

use std::io::{self, ErrorKind};
use std::path::Path;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::{LedgerError, Sqlite, failure, new_file, open};

/// What there is to know about a ledger's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// The version of its schema.
    pub version: i64,
    /// How large the file is, in bytes.
    pub bytes: u64,
    /// How large the write-ahead log beside it is, in bytes.
    pub log_bytes: u64,
    /// How many runs it has, those included that are being opened.
    pub runs: u64,
    /// How many rows of runs it has.
    pub rows: u64,
    /// How many attempts that ended.
    pub attempts: u64,
}

impl Sqlite {
    /// What there is to know about the file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn info(&self) -> Result<Info, LedgerError> {
        let count = |table: &str| {
            let sql = format!("SELECT count(*) FROM {table}");
            self.connection.query_row(&sql, [], |row| row.get(0)).map_err(|cause| self.fail(cause))
        };
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
        Ok(Info {
            version: open::VERSION,
            bytes: size(self.file.path()),
            log_bytes: size(&self.file.log()),
            runs: count("run")?,
            rows: count("row")?,
            attempts: count("attempt")?,
        })
    }

    /// Reads the whole file, and says what is wrong with it; nothing if it is whole.
    ///
    /// # Errors
    /// When it cannot be read at all.
    pub fn check(&self) -> Result<Vec<String>, LedgerError> {
        let fail = |cause| self.fail(cause);
        let mut find = self.connection.prepare("PRAGMA integrity_check").map_err(fail)?;
        let told = find.query_map([], |row| row.get::<_, String>(0)).map_err(fail)?;
        let mut wrong = told.collect::<rusqlite::Result<Vec<_>>>().map_err(fail)?;
        wrong.retain(|line| line != "ok");
        let mut find = self.connection.prepare("PRAGMA foreign_key_check").map_err(fail)?;
        let told = find.query_map([], |row| row.get::<_, String>(0)).map_err(fail)?;
        for table in told.collect::<rusqlite::Result<Vec<_>>>().map_err(fail)? {
            wrong.push(format!("a row of the table {table} belongs to a run that does not exist"));
        }
        Ok(wrong)
    }

    /// Copies the ledger, as it is at one moment, into a new file that needs none beside
    /// it. Runs go on meanwhile.
    ///
    /// # Errors
    /// When something is there already, or the copy cannot be written.
    pub fn back_up(&self, to: &Path) -> Result<(), LedgerError> {
        copy(&self.connection, &self.path, to)
    }
}

/// Copies a ledger page by page.
pub(super) fn copy(from: &Connection, name: &str, to: &Path) -> Result<(), LedgerError> {
    let unwritten = |cause| LedgerError::Copy { path: to.display().to_string(), cause };
    if std::fs::symlink_metadata(to).is_ok() {
        return Err(unwritten(ErrorKind::AlreadyExists.into()));
    }
    let new = new_file::begin(to).map_err(unwritten)?;
    let fail = |cause| match failure(name, cause) {
        LedgerError::DiskFull { .. } => unwritten(ErrorKind::StorageFull.into()),
        other => other,
    };
    let mut into = Connection::open(new.path()).map_err(fail)?;
    // All at once: a copy in parts begins again whenever the ledger changes.
    let copied = Backup::new(from, &mut into).and_then(|copying| copying.step(-1)).map_err(fail)?;
    if copied != StepResult::Done {
        return Err(unwritten(io::Error::other("the ledger is busy: try again")));
    }
    into.close().map_err(|(_, cause)| fail(cause))?;
    match new_file::put_in_place(new, to).map_err(unwritten)? {
        true => Ok(()),
        false => Err(unwritten(ErrorKind::AlreadyExists.into())),
    }
}
