//! What SQLite reports, as an error of the ledger.

use rusqlite::ErrorCode;

use super::super::LedgerError;

/// The error of the ledger at `path` that SQLite reports as this.
pub(super) fn failure(path: &str, cause: rusqlite::Error) -> LedgerError {
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
