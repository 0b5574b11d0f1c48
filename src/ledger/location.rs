//! The location of a ledger: a file for one machine, or a database for several.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::{DatabaseUrl, Ledger, LedgerError, Postgres, PostgresOptions, Sqlite};

/// The location of a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerLocation {
    /// An SQLite file on a local disk.
    File(PathBuf),
    /// A PostgreSQL database that several machines share.
    Database(DatabaseUrl),
}

/// The time-outs of a shared ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SharedLedgerTimeouts {
    /// How long a process keeps its rows without a commit.
    pub lease: Duration,
    /// How long an unreachable database is retried.
    pub max_outage: Duration,
}

impl LedgerLocation {
    /// Opens the ledger, and creates it if it does not exist.
    ///
    /// # Errors
    /// If the ledger cannot be used, for whatever reason.
    pub fn open(&self, timeouts: SharedLedgerTimeouts) -> Result<Box<dyn Ledger>, LedgerError> {
        match self {
            LedgerLocation::File(path) => Ok(Box::new(Sqlite::open(path)?)),
            LedgerLocation::Database(url) => database(url, timeouts),
        }
    }

    /// Opens the ledger for reading. A file is not created; the result is then `None`.
    ///
    /// # Errors
    /// As for [`LedgerLocation::open`].
    pub fn open_existing(
        &self,
        timeouts: SharedLedgerTimeouts,
    ) -> Result<Option<Box<dyn Ledger>>, LedgerError> {
        match self {
            LedgerLocation::File(path) => Ok(match Sqlite::open_existing(path)? {
                Some(ledger) => Some(Box::new(ledger)),
                None => None,
            }),
            LedgerLocation::Database(url) => database(url, timeouts).map(Some),
        }
    }
}

fn database(
    url: &DatabaseUrl,
    timeouts: SharedLedgerTimeouts,
) -> Result<Box<dyn Ledger>, LedgerError> {
    let (url, SharedLedgerTimeouts { lease, max_outage }) = (url.clone(), timeouts);
    Ok(Box::new(Postgres::open(PostgresOptions { url, lease, max_outage })?))
}

impl fmt::Display for LedgerLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LedgerLocation::File(path) => path.display().fmt(f),
            LedgerLocation::Database(url) => url.fmt(f),
        }
    }
}
