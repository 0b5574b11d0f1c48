//! The errors of the ledger. Each message says where the error is and what to do about it.

use super::misplaced::{Misplaced, Saved};
use crate::input::InputError;
use crate::model::RowNumber;
use crate::private_file::PermissionError;

/// An error of the ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another process works on the run.
    #[error(
        "this file is in use by {by}: wait until it has finished, or stop it first; `cardcancel runs` shows its progress"
    )]
    Locked {
        /// Process, host and start time.
        by: String,
    },
    /// The ledger was written by a newer version of the program.
    #[error(
        "the ledger {path} has version {found}, and this program knows versions up to {known}: use the cardcancel that wrote it, or a newer one"
    )]
    Newer {
        /// The ledger.
        path: String,
        /// Its version.
        found: i64,
        /// The newest supported version.
        known: i64,
    },
    /// Another user may have written the file.
    #[error(transparent)]
    Shared(#[from] PermissionError),
    /// The file is not a whole ledger, or its location is unsuitable.
    #[error(transparent)]
    Misplaced(#[from] Misplaced),
    /// The ledger was written by an older version of the program.
    #[error(
        "the ledger {path} has version {found}, which was never released, and this program knows version {known}: use the cardcancel that wrote it, or name another file with --ledger"
    )]
    Older {
        /// The ledger.
        path: String,
        /// Its version.
        found: i64,
        /// The newest supported version.
        known: i64,
    },
    /// The ledger was written by an older version of the program, and was opened for reading.
    #[error(
        "the ledger {path} has the older version {found}: the next `cardcancel run` that uses it upgrades it, and leaves a copy of it as it was; to look into an old copy, use the cardcancel that wrote it"
    )]
    NotUpgraded {
        /// The ledger.
        path: String,
        /// Its version.
        found: i64,
    },
    /// The ledger cannot be upgraded while a process works on one of its runs.
    #[error(
        "the ledger {path} is of an older version, and another process works on one of its runs: wait until it has finished, then start the same command again to upgrade the ledger"
    )]
    UpgradeInUse {
        /// The ledger.
        path: String,
    },
    /// The file is not a ledger.
    #[error("{path} is not a cardcancel ledger: name another file with --ledger")]
    NotALedger {
        /// The file.
        path: String,
    },
    /// The disk is full.
    #[error(
        "the disk that holds the ledger {path} is full: make room and start the same command again to resume"
    )]
    DiskFull {
        /// The ledger.
        path: String,
    },
    /// The file could not be opened or created.
    #[error(
        "cannot open the ledger {path} ({cause}): correct that, or name another file with --ledger"
    )]
    Open {
        /// The ledger.
        path: String,
        /// The system's error.
        cause: std::io::Error,
    },
    /// The file was removed, moved or replaced while it was used.
    #[error(
        "the ledger {path} was removed, moved or replaced while this process used it: nothing more is sent. {saved} Until then, a new start does not know what this one sent"
    )]
    Gone {
        /// The ledger's former path.
        path: String,
        /// Whether its content was saved.
        saved: Saved,
    },
    /// A copy of the ledger could not be written.
    #[error("the copy {path} cannot be written ({cause}): choose another path")]
    Copy {
        /// The copy.
        path: String,
        /// The system's error.
        cause: std::io::Error,
    },
    /// The file's content is damaged.
    #[error(
        "the ledger {path} is damaged ({cause}): keep the file, and restore a backup, which does not know what ran after it; `cardcancel ledger check` lists what is wrong"
    )]
    Damaged {
        /// The ledger.
        path: String,
        /// The database's error.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Any other error of the database.
    #[error("the ledger {path} failed ({cause}): correct that, and start the same command again")]
    Database {
        /// The ledger.
        path: String,
        /// The database's error.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database cannot be reached, or the connection was lost for too long.
    #[error(
        "the ledger {path} cannot be reached ({cause}): check that the database is running, and start the same command again to resume"
    )]
    Unreachable {
        /// The ledger.
        path: String,
        /// The last error.
        cause: String,
    },
    /// Something that the ledger had confirmed is missing.
    #[error(
        "the ledger {path} has lost what it had confirmed ({what}): it is back in an earlier state, after a failover to a standby that lagged behind, or from a backup. Rows that this process may have sent since are marked as in doubt there, as far as they are known. Look them up in CoreCARD before you start the same command again"
    )]
    Rewound {
        /// The ledger.
        path: String,
        /// What is missing.
        what: String,
    },
    /// The URL of the ledger is wrong. It is not repeated, because it may contain a password.
    #[error("--ledger: {0}")]
    InvalidUrl(String),
    /// The database server may lose what it has confirmed.
    #[error(
        "the ledger {path} is on a server with {setting} = {value}, which can lose what it has confirmed, and calls would be made twice: turn it on, or name another server with --ledger"
    )]
    Forgetful {
        /// The ledger.
        path: String,
        /// The setting that is off.
        setting: String,
        /// Its value.
        value: String,
    },
    /// A failover would lose what was confirmed.
    #[error(
        "the ledger {path} {why}, and commits wait for none of them: a failover would lose some, and calls would be made twice. Set synchronous_standby_names on the server, or add ?allow_async=1 to the URL to accept that"
    )]
    Asynchronous {
        /// The ledger.
        path: String,
        /// Which servers may take over.
        why: String,
    },
    /// The connection has no database session of its own.
    #[error(
        "the ledger {path} is reached through a pooler that serves one connection by several sessions of the database (PgBouncer with pool_mode = transaction or statement), which would lose what a run needs: set pool_mode = session there, or name the database's own address with --ledger"
    )]
    Pooled {
        /// The ledger.
        path: String,
    },
    /// The database's encoding cannot represent every character.
    #[error(
        "the ledger {path} is in a database with the encoding {encoding}, which cannot hold every character: name one with the encoding UTF8 with --ledger"
    )]
    Encoding {
        /// The ledger.
        path: String,
        /// Its encoding.
        encoding: String,
    },
    /// The database server is too old.
    #[error("the ledger {path} is on PostgreSQL {found}: version {needed} or newer is needed")]
    OldServer {
        /// The ledger.
        path: String,
        /// Its version.
        found: String,
        /// The oldest supported version.
        needed: u32,
    },
    /// The schema does not exist, and this user may not create it.
    #[error(
        "the ledger {path} is not set up, and this user is not allowed to do that ({cause}): run `cardcancel runs` once as a user who can create a schema in the database"
    )]
    NotSetUp {
        /// The ledger.
        path: String,
        /// The database's error.
        cause: String,
    },
}

/// A row of a run is not recorded any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the ledger has lost row {row} of run {run}")]
pub struct LostRow {
    /// The number of the row.
    pub row: RowNumber,
    /// The identifier of the run.
    pub run: String,
}

/// A run could not be created.
#[derive(Debug, thiserror::Error)]
pub enum CreateRunError {
    /// The input could not be read to its end.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The ledger could not record it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}
