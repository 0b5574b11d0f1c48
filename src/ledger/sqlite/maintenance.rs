//! Looking after the file: what it is, whether it is whole, and copies of it.

use std::io::{self, ErrorKind};
use std::path::Path;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::super::LedgerError;
use super::failure::failure;
use super::file::SqliteFile;
use super::{connection, new_file};

/// What there is to know about a ledger's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerInfo {
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

/// What there is to know about a ledger's file.
pub(super) fn info(ledger: &Connection, file: &SqliteFile) -> rusqlite::Result<LedgerInfo> {
    let count = |table: &str| {
        let sql = format!("SELECT count(*) FROM {table}");
        ledger.query_row(&sql, [], |row| row.get(0))
    };
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    Ok(LedgerInfo {
        version: connection::VERSION,
        bytes: size(file.path()),
        log_bytes: size(&file.log()),
        runs: count("run")?,
        rows: count("row")?,
        attempts: count("attempt")?,
    })
}

/// Reads a whole ledger, and returns what is wrong with it.
pub(super) fn check(ledger: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut find = ledger.prepare("PRAGMA integrity_check")?;
    let found = find.query_map([], |row| row.get::<_, String>(0))?;
    let mut wrong = found.collect::<rusqlite::Result<Vec<_>>>()?;
    wrong.retain(|line| line != "ok");
    let mut find = ledger.prepare("PRAGMA foreign_key_check")?;
    let found = find.query_map([], |row| row.get::<_, String>(0))?;
    for table in found.collect::<rusqlite::Result<Vec<_>>>()? {
        wrong.push(format!("a row of the table {table} belongs to a run that does not exist"));
    }
    Ok(wrong)
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
