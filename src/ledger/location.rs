//! Where a ledger is: a file for one machine, or a database for several.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::{DatabaseUrl, Ledger, LedgerError, Postgres, PostgresOptions, Sqlite};

/// Where a ledger is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerLocation {
    /// An SQLite file on a local disk.
    File(PathBuf),
    /// A PostgreSQL database, which several machines share.
    Database(DatabaseUrl),
}

/// How long things are waited for that only a shared ledger has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SharedLedgerTimeouts {
    /// How long a process that is not heard of keeps its rows.
    pub lease: Duration,
    /// How long a database that is away is waited for.
    pub max_outage: Duration,
}

impl LedgerLocation {
    /// Opens the ledger, made new if nothing is there.
    ///
    /// # Errors
    /// Whatever keeps the ledger from being used.
    pub fn open(&self, timeouts: SharedLedgerTimeouts) -> Result<Box<dyn Ledger>, LedgerError> {
        match self {
            LedgerLocation::File(path) => Ok(Box::new(Sqlite::open(path)?)),
            LedgerLocation::Database(address) => database(address, timeouts),
        }
    }

    /// Opens the ledger to look into it; a file only if it is there.
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
            LedgerLocation::Database(address) => database(address, timeouts).map(Some),
        }
    }
}

fn database(
    address: &DatabaseUrl,
    timeouts: SharedLedgerTimeouts,
) -> Result<Box<dyn Ledger>, LedgerError> {
    let SharedLedgerTimeouts { lease, max_outage } = timeouts;
    Ok(Box::new(Postgres::open(PostgresOptions {
        url: address.expose_secret(),
        lease,
        max_outage,
    })?))
}

impl fmt::Display for LedgerLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LedgerLocation::File(path) => path.display().fmt(f),
            LedgerLocation::Database(address) => address.fmt(f),
        }
    }
}
