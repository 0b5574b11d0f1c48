//! What can go wrong with the ledger. Every message says where, and what to do.

use super::misplaced::{Misplaced, Saved};
use crate::input::InputError;
use crate::private_file::PermissionError;

/// What can go wrong with the ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another process works on the run.
    #[error(
        "this file is in use by {by}: wait until it has finished, or stop it first; `cardcancel runs` shows its progress"
    )]
    Locked {
        /// Process, host and since when.
        by: String,
    },
    /// The ledger was written by a newer program.
    #[error(
        "the ledger {path} has version {found}, and this program knows versions up to {known}: use the cardcancel that wrote it, or a newer one"
    )]
    Newer {
        /// Where it is.
        path: String,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// Others may have written the file.
    #[error(transparent)]
    Shared(#[from] PermissionError),
    /// It is no whole ledger, or cannot be kept whole where it is.
    #[error(transparent)]
    Misplaced(#[from] Misplaced),
    /// The ledger was written by an older program.
    #[error(
        "the ledger {path} has version {found}, and this program knows version {known} only: use the cardcancel that wrote it, or name another file with --ledger"
    )]
    Older {
        /// Where it is.
        path: String,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The file is something else.
    #[error("{path} is not a cardcancel ledger: name another file with --ledger")]
    NotALedger {
        /// Where it is.
        path: String,
    },
    /// The disk is full.
    #[error(
        "the disk that holds the ledger {path} is full: make room and start the same command again to resume"
    )]
    DiskFull {
        /// Where it is.
        path: String,
    },
    /// The file could not be opened or made.
    #[error(
        "cannot open the ledger {path} ({cause}): correct that, or name another file with --ledger"
    )]
    Open {
        /// Where it is.
        path: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The file was removed, moved or replaced while it was used.
    #[error(
        "the ledger {path} was removed, moved or replaced while this process used it: nothing more is sent. {saved} Until then, a new start does not know what this one sent"
    )]
    Gone {
        /// Where it was.
        path: String,
        /// What became of what it held.
        saved: Saved,
    },
    /// A copy of the ledger could not be made.
    #[error("the copy {path} cannot be written ({cause}): choose another path")]
    Copy {
        /// Where it was to be.
        path: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// Anything else that the database said.
    #[error("the ledger {path} failed ({cause}): correct that, and start the same command again")]
    Database {
        /// Where it is.
        path: String,
        /// What it said.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database cannot be reached, or went away.
    #[error(
        "the ledger {path} cannot be reached ({cause}): check that the database is running, and start the same command again to resume"
    )]
    Unreachable {
        /// Where it is.
        path: String,
        /// What was tried last, and how it failed.
        cause: String,
    },
    /// What the ledger had confirmed is not there any more.
    #[error(
        "the ledger {path} has lost what it had confirmed ({what}): it is back in an earlier state, after a failover to a standby that lagged behind, or from a backup. Rows that this process may have sent since are marked as in doubt there, as far as they are known. Look them up in CoreCARD before you start the same command again"
    )]
    Rewound {
        /// Where it is.
        path: String,
        /// What is missing.
        what: String,
    },
    /// The URL of the ledger is wrong. It is not repeated: it may hold a password.
    #[error("--ledger: {0}")]
    BadUrl(String),
    /// The database server would forget what it has confirmed.
    #[error(
        "the ledger {path} is on a server with {setting} = {value}, which can lose what it has confirmed, and calls would be made twice: turn it on, or name another server with --ledger"
    )]
    Forgetful {
        /// Where it is.
        path: String,
        /// Which setting is not on.
        setting: String,
        /// What it is instead.
        value: String,
    },
    /// A failover would forget what was confirmed.
    #[error(
        "the ledger {path} {why}, and commits wait for none of them: a failover would lose some, and calls would be made twice. Set synchronous_standby_names on the server, or add ?allow_async=1 to the URL to accept that"
    )]
    Asynchronous {
        /// Where it is.
        path: String,
        /// Which servers may take over.
        why: String,
    },
    /// The connection has no session of the database to itself.
    #[error(
        "the ledger {path} is reached through a pooler that serves one connection by several sessions of the database (PgBouncer with pool_mode = transaction or statement), which would lose what a run needs: set pool_mode = session there, or name the database's own address with --ledger"
    )]
    Pooled {
        /// Where it is.
        path: String,
    },
    /// The database cannot hold every character.
    #[error(
        "the ledger {path} is in a database with the encoding {encoding}, which cannot hold every character: name one with the encoding UTF8 with --ledger"
    )]
    Encoding {
        /// Where it is.
        path: String,
        /// Its encoding.
        encoding: String,
    },
    /// The database server is too old.
    #[error("the ledger {path} is on PostgreSQL {found}: version {needed} or newer is needed")]
    OldServer {
        /// Where it is.
        path: String,
        /// Its version.
        found: String,
        /// The oldest that will do.
        needed: u32,
    },
    /// The schema is not there, and this user may not make it.
    #[error(
        "the ledger {path} is not set up, and this user is not allowed to do that ({cause}): run `cardcancel runs` once as a user who can create a schema in the database"
    )]
    NotSetUp {
        /// Where it is.
        path: String,
        /// What the database said.
        cause: String,
    },
}

/// Why a run could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum CreateRunError {
    /// The input could not be read to its end.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The ledger could not record it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}
