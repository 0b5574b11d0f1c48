//! Converts errors of SQLite to errors of the ledger.

use rusqlite::ErrorCode;

use crate::ledger::LedgerError;

/// Converts an error of SQLite to an error of the ledger at `path`.
pub(super) fn failure(path: &str, cause: rusqlite::Error) -> LedgerError {
    let path = path.to_owned();
    match cause.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => LedgerError::DiskFull { path },
        Some(ErrorCode::NotADatabase) => LedgerError::NotALedger { path },
        Some(ErrorCode::DatabaseCorrupt) => LedgerError::Damaged { path, cause: plain(cause) },
        _ => LedgerError::Database { path, cause: plain(cause) },
    }
}

/// The database's error, or ours about its content.
fn plain(cause: rusqlite::Error) -> Box<dyn std::error::Error + Send + Sync> {
    match cause {
        rusqlite::Error::FromSqlConversionFailure(_, _, cause) => cause,
        cause => cause.into(),
    }
}
