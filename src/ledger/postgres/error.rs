//! Errors of the database: which are transient, and how they are reported.

use std::error::Error;

use tokio_postgres::error::SqlState;

use crate::ledger::LedgerError;

/// Why an operation failed.
#[derive(Debug)]
pub(super) enum DbError {
    /// An error of the database or of the connection.
    Database(tokio_postgres::Error),
    /// The database did not answer in time.
    Silent,
    /// An error that a retry does not help.
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

/// The errors of a database that is busy, shutting down or starting.
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
    // The server has become a standby: the next try uses the other host.
    SqlState::READ_ONLY_SQL_TRANSACTION,
    // A statement in a failed transaction; the cause was reported by an earlier one.
    SqlState::IN_FAILED_SQL_TRANSACTION,
    SqlState::OUT_OF_MEMORY,
];

impl DbError {
    /// Whether a retry may succeed.
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

    /// Whether another session held a lock that was needed.
    pub fn is_lock(&self) -> bool {
        matches!(self, DbError::Database(cause) if cause.code() == Some(&SqlState::LOCK_NOT_AVAILABLE))
    }

    /// The error in words, without secrets.
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

    /// Converts it to an error of the ledger.
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

/// Whether the statement ran in another database session than the one that prepared it.
fn is_of_another_session(cause: &tokio_postgres::Error) -> bool {
    cause.code().is_some_and(|code| {
        [SqlState::INVALID_SQL_STATEMENT_NAME, SqlState::DUPLICATE_PSTATEMENT].contains(code)
    })
}

/// Whether the connection failed.
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

/// The message including all causes.
pub(super) fn message(cause: &tokio_postgres::Error) -> String {
    if let Some(reported) = cause.as_db_error() {
        return format!("{}, SQLSTATE {}", reported.message(), reported.code().code());
    }
    let causes: Vec<String> = causes(cause).map(|cause| cause.to_string()).collect();
    if causes.is_empty() { cause.to_string() } else { causes.join(": ") }
}
