//! How the database fails: what passes by itself, and what does not.

use std::error::Error;

use tokio_postgres::error::SqlState;

use super::super::LedgerError;

/// Why something could not be done.
#[derive(Debug)]
pub(super) enum DbError {
    /// The database said so, or the way to it broke.
    Database(tokio_postgres::Error),
    /// It did not answer in time.
    Silent,
    /// It makes no sense to retry.
    Ledger(LedgerError),
}

impl From<tokio_postgres::Error> for DbError {
    fn from(cause: tokio_postgres::Error) -> Self {
        DbError::Database(cause)
    }
}

impl From<LedgerError> for DbError {
    fn from(cause: LedgerError) -> Self {
        DbError::Ledger(cause)
    }
}

/// What the database says of itself when it is only busy, or going away, or coming back.
const PASSING: [SqlState; 12] = [
    SqlState::T_R_SERIALIZATION_FAILURE,
    SqlState::T_R_DEADLOCK_DETECTED,
    SqlState::LOCK_NOT_AVAILABLE,
    SqlState::QUERY_CANCELED,
    SqlState::ADMIN_SHUTDOWN,
    SqlState::CRASH_SHUTDOWN,
    SqlState::CANNOT_CONNECT_NOW,
    SqlState::TOO_MANY_CONNECTIONS,
    SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    // It has become a standby: the other host is asked next.
    SqlState::READ_ONLY_SQL_TRANSACTION,
    // A failed transaction that went on: what failed it is told elsewhere.
    SqlState::IN_FAILED_SQL_TRANSACTION,
    SqlState::OUT_OF_MEMORY,
];

impl DbError {
    /// Whether it may go well if it is tried again.
    pub fn is_transient(&self) -> bool {
        match self {
            DbError::Silent => true,
            DbError::Ledger(_) => false,
            DbError::Database(cause) => match cause.code() {
                Some(code) => PASSING.contains(code) || code.code().starts_with("08"),
                None => cause.is_closed() || is_connection_error(cause),
            },
        }
    }

    /// Whether another session had locked what was needed.
    pub fn is_lock(&self) -> bool {
        matches!(self, DbError::Database(cause) if cause.code() == Some(&SqlState::LOCK_NOT_AVAILABLE))
    }

    /// In words, without secrets.
    pub fn message(&self) -> String {
        match self {
            DbError::Database(_) if self.is_lock() => {
                "another session of the database keeps it locked".to_owned()
            }
            DbError::Database(cause) => message(cause),
            DbError::Silent => "it does not answer".to_owned(),
            DbError::Ledger(cause) => cause.to_string(),
        }
    }

    /// As whoever asked is told.
    pub fn into_ledger_error(self, path: &str) -> LedgerError {
        let path = path.to_owned();
        match self {
            DbError::Ledger(cause) => cause,
            DbError::Silent => LedgerError::Unreachable { path, cause: self.message() },
            DbError::Database(cause) if cause.code() == Some(&SqlState::DISK_FULL) => {
                LedgerError::DiskFull { path }
            }
            DbError::Database(cause) if is_of_another_session(&cause) => {
                LedgerError::Pooled { path }
            }
            DbError::Database(cause) => {
                LedgerError::Database { path, cause: message(&cause).into() }
            }
        }
    }
}

/// Whether the connection is served by another session of the database than the one in which
/// it prepared its statements.
fn is_of_another_session(cause: &tokio_postgres::Error) -> bool {
    cause.code().is_some_and(|code| {
        [SqlState::INVALID_SQL_STATEMENT_NAME, SqlState::DUPLICATE_PSTATEMENT].contains(code)
    })
}

/// Whether it was the connection that failed.
fn is_connection_error(cause: &tokio_postgres::Error) -> bool {
    causes(cause).any(|cause| cause.is::<std::io::Error>())
        || matches!(
            cause.to_string().as_str(),
            "timeout waiting for server" | "error connecting to server"
        )
}

fn causes(error: &tokio_postgres::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |&cause| cause.source())
}

/// What it says, down to the last cause.
pub(super) fn message(cause: &tokio_postgres::Error) -> String {
    if let Some(told) = cause.as_db_error() {
        return format!("{}, SQLSTATE {}", told.message(), told.code().code());
    }
    let causes: Vec<String> = causes(cause).map(|cause| cause.to_string()).collect();
    match causes.is_empty() {
        true => cause.to_string(),
        false => causes.join(": "),
    }
}
