//! Maintenance of the ledger's file: its properties, integrity check and copies.

use std::io::{self, ErrorKind};
use std::path::Path;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ErrorCode};

use super::failure::failure;
use super::file::SqliteFile;
use super::{new_file, schema};
use crate::ledger::{LedgerError, LedgerInfo};

/// Reads the properties of a ledger's file.
pub(super) fn info(ledger: &Connection, file: &SqliteFile) -> rusqlite::Result<LedgerInfo> {
    let count = |table: &str| {
        let sql = format!("SELECT count(*) FROM {table}");
        ledger.query_row(&sql, [], |row| row.get(0))
    };
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    Ok(LedgerInfo {
        version: schema::VERSION,
        bytes: size(file.path()),
        log_bytes: Some(size(&file.log())),
        runs: count("run")?,
        rows: count("row")?,
        attempts: count("attempt")?,
    })
}

/// Checks the whole ledger, and returns the problems found.
pub(super) fn check(ledger: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut wrong = Vec::new();
    let broken = find(ledger, "PRAGMA integrity_check", &mut wrong)?;
    wrong.retain(|line| line != "ok");
    let mut tables = Vec::new();
    let unreadable = find(ledger, "PRAGMA foreign_key_check", &mut tables)?;
    wrong.extend(
        tables.into_iter().map(|table| {
            format!("a row of the table {table} belongs to a run that does not exist")
        }),
    );
    wrong.extend(broken.or(unreadable));
    Ok(wrong)
}

/// Collects what a check finds. Returns why it could not be completed, if the damage is so great.
fn find(
    ledger: &Connection,
    check: &str,
    found: &mut Vec<String>,
) -> rusqlite::Result<Option<String>> {
    let mut collect = || -> rusqlite::Result<()> {
        let mut check = ledger.prepare(check)?;
        let mut lines = check.query([])?;
        while let Some(line) = lines.next()? {
            found.push(line.get(0)?);
        }
        Ok(())
    };
    match collect() {
        Ok(()) => Ok(None),
        Err(cause) if cause.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
            Ok(Some(cause.to_string()))
        }
        Err(cause) => Err(cause),
    }
}

fn already_exists() -> io::Error {
    io::Error::new(ErrorKind::AlreadyExists, "a file of this name already exists")
}

/// Copies a ledger page by page.
pub(super) fn copy(from: &Connection, name: &str, to: &Path) -> Result<(), LedgerError> {
    let unwritten = |cause| LedgerError::Copy { path: to.display().to_string(), cause };
    if std::fs::symlink_metadata(to).is_ok() {
        return Err(unwritten(already_exists()));
    }
    let new = new_file::begin(to).map_err(unwritten)?;
    let fail = |cause| match failure(name, cause) {
        LedgerError::DiskFull { .. } => unwritten(ErrorKind::StorageFull.into()),
        other => other,
    };
    let mut into = Connection::open(new.path()).map_err(fail)?;
    // In one step: a copy in several steps restarts whenever the ledger changes.
    let copied = Backup::new(from, &mut into).and_then(|copying| copying.step(-1)).map_err(fail)?;
    if copied != StepResult::Done {
        return Err(unwritten(io::Error::other("the ledger is busy: try again")));
    }
    into.close().map_err(|(_, cause)| fail(cause))?;
    if !new_file::put_in_place(new, to).map_err(unwritten)? {
        return Err(unwritten(already_exists()));
    }
    Ok(())
}
