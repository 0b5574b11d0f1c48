//! How the database fails: what passes by itself, and what does not.

use std::error::Error;

use tokio_postgres::error::SqlState;

use super::super::LedgerError;

/// Why something could not be done.
#[derive(Debug)]
pub(super) enum Failed {
    /// The database said so, or the way to it broke.
    Database(tokio_postgres::Error),
    /// It did not answer in time.
    Silent,
    /// It makes no sense to try again.
    Ledger(LedgerError),
}

impl From<tokio_postgres::Error> for Failed {
    fn from(cause: tokio_postgres::Error) -> Self {
        Failed::Database(cause)
    }
}

impl From<LedgerError> for Failed {
    fn from(cause: LedgerError) -> Self {
        Failed::Ledger(cause)
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

impl Failed {
    /// Whether it may go well if it is tried again.
    pub fn passes(&self) -> bool {
        match self {
            Failed::Silent => true,
            Failed::Ledger(_) => false,
            Failed::Database(cause) => match cause.code() {
                Some(code) => PASSING.contains(code) || code.code().starts_with("08"),
                None => cause.is_closed() || is_of_the_way(cause),
            },
        }
    }

    /// Whether another session had locked what was needed.
    pub fn is_lock(&self) -> bool {
        matches!(self, Failed::Database(cause) if cause.code() == Some(&SqlState::LOCK_NOT_AVAILABLE))
    }

    /// In words, without secrets.
    pub fn words(&self) -> String {
        match self {
            Failed::Database(_) if self.is_lock() => {
                "another session of the database keeps it locked".to_owned()
            }
            Failed::Database(cause) => words(cause),
            Failed::Silent => "it does not answer".to_owned(),
            Failed::Ledger(cause) => cause.to_string(),
        }
    }

    /// As whoever asked is told.
    pub fn told(self, path: &str) -> LedgerError {
        let path = path.to_owned();
        match self {
            Failed::Ledger(cause) => cause,
            Failed::Silent => LedgerError::Unreachable { path, cause: self.words() },
            Failed::Database(cause) if cause.code() == Some(&SqlState::DISK_FULL) => {
                LedgerError::DiskFull { path }
            }
            Failed::Database(cause) if is_of_another_session(&cause) => {
                LedgerError::Pooled { path }
            }
            Failed::Database(cause) => LedgerError::Database { path, cause: words(&cause).into() },
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
fn is_of_the_way(cause: &tokio_postgres::Error) -> bool {
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
pub(super) fn words(cause: &tokio_postgres::Error) -> String {
    if let Some(told) = cause.as_db_error() {
        return format!("{}, SQLSTATE {}", told.message(), told.code().code());
    }
    let causes: Vec<String> = causes(cause).map(|cause| cause.to_string()).collect();
    match causes.is_empty() {
        true => cause.to_string(),
        false => causes.join(": "),
    }
}
