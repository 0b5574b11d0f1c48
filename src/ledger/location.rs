//! Where a ledger is: a file for one machine, or a database for several.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::{DatabaseUrl, Ledger, LedgerError, Postgres, PostgresOptions, Sqlite};

/// Where a ledger is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// An SQLite file on a local disk.
    File(PathBuf),
    /// A PostgreSQL database, which several machines share.
    Database(DatabaseUrl),
}

/// How long things are waited for that only a shared ledger has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long a process that is not heard of keeps its rows.
    pub lease: Duration,
    /// How long a database that is away is waited for.
    pub max_outage: Duration,
}

impl Location {
    /// Opens the ledger, made new if nothing is there.
    ///
    /// # Errors
    /// Whatever keeps the ledger from being used.
    pub fn open(&self, patience: Patience) -> Result<Box<dyn Ledger>, LedgerError> {
        match self {
            Location::File(path) => Ok(Box::new(Sqlite::open(path)?)),
            Location::Database(address) => database(address, patience),
        }
    }

    /// Opens the ledger to look into it; a file only if it is there.
    ///
    /// # Errors
    /// As for [`Location::open`].
    pub fn open_existing(
        &self,
        patience: Patience,
    ) -> Result<Option<Box<dyn Ledger>>, LedgerError> {
        match self {
            Location::File(path) => Ok(match Sqlite::open_existing(path)? {
                Some(ledger) => Some(Box::new(ledger)),
                None => None,
            }),
            Location::Database(address) => database(address, patience).map(Some),
        }
    }
}

fn database(address: &DatabaseUrl, patience: Patience) -> Result<Box<dyn Ledger>, LedgerError> {
    let Patience { lease, max_outage } = patience;
    Ok(Box::new(Postgres::open(PostgresOptions { url: address.expose(), lease, max_outage })?))
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::File(path) => path.display().fmt(f),
            Location::Database(address) => address.fmt(f),
        }
    }
}
