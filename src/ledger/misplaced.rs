//! Why a file cannot be the ledger, or not where it is: each is found before anything
//! is sent.

use std::fmt;

/// A file that is no whole ledger, or one that SQLite cannot keep whole where it is.
#[derive(Debug, thiserror::Error)]
pub enum Misplaced {
    /// A file without a schema: this program makes none.
    #[error(
        "the ledger {path} is empty: it was emptied, or it is a copy made without the file {path}-wal beside it. It has no record of earlier runs, and everything would be sent again: restore the whole ledger (both files, or a copy made with `cardcancel ledger backup`), or name another file with --ledger to start a new one"
    )]
    Empty {
        /// Where it is.
        path: String,
    },
    /// The log of a ledger whose file is gone.
    #[error(
        "there is no ledger {path}, but {left} exists: the file was removed or moved while a run used it. Put it back; or move {left} away to start a new ledger, which has no record of earlier runs"
    )]
    Orphaned {
        /// Where it should be.
        path: String,
        /// What is left of it.
        left: String,
    },
    /// A hard link leads to it.
    #[error(
        "the ledger {path} has {links} names (hard links): two processes that use different ones would send every order twice. Remove all names but one"
    )]
    Linked {
        /// One of its names.
        path: String,
        /// How many it has.
        links: u64,
    },
    /// It is mounted alone.
    #[error(
        "the ledger {path} is mounted as a single file: SQLite keeps files beside it, which other processes that use it would not see, and every order would be sent twice. Mount the folder that holds it"
    )]
    Mounted {
        /// Where it is mounted.
        path: String,
    },
    /// On a file system that machines share.
    #[error(
        "the ledger {path} is on a network file system ({kind}), where SQLite cannot exclude other machines: name a file on a local disk with --ledger, or for several machines a PostgreSQL database"
    )]
    Network {
        /// Where it is.
        path: String,
        /// Which file system.
        kind: &'static str,
    },
    /// The file system cannot do what a write-ahead log needs.
    #[error(
        "the ledger {path} cannot have a write-ahead log where it is (journal_mode stays {mode}): name a file on a local disk with --ledger"
    )]
    NoLog {
        /// Where it is.
        path: String,
        /// What SQLite uses in its place.
        mode: String,
    },
    /// Nothing can be written where it is, and its log is not empty.
    #[error(
        "the ledger {path} cannot be read in a read-only folder, since a part of it is in {path}-wal: copy both files to a writable folder, and name the copy with --ledger"
    )]
    Unreadable {
        /// Where it is.
        path: String,
    },
}

/// What became of what a ledger held whose file was taken away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved(Option<String>);

impl From<Option<String>> for Saved {
    fn from(copy: Option<String>) -> Saved {
        Saved(copy)
    }
}

impl fmt::Display for Saved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(copy) => {
                write!(
                    f,
                    "Everything in it was saved to {copy}: put that in its place, and start the same command again."
                )
            }
            None => f.write_str(
                "Its content could not be saved: put it back, and start the same command again.",
            ),
        }
    }
}
