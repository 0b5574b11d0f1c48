//! Why a file cannot be the ledger, or not at its location. Each reason is detected before
//! anything is sent.

use std::fmt;

/// A file that is not a whole ledger, or that SQLite cannot keep consistent at its location.
#[derive(Debug, thiserror::Error)]
pub enum Misplaced {
    /// The file has no schema: this program never creates such a file.
    #[error(
        "the ledger {path} is empty: it was emptied, or it is a copy made without the file {path}-wal beside it. It has no record of earlier runs, and everything would be sent again: restore the whole ledger (both files, or a copy made with `cardcancel ledger backup`), or name another file with --ledger to start a new one"
    )]
    Empty {
        /// The ledger.
        path: String,
    },
    /// There is a log, but the ledger's file is missing.
    #[error(
        "there is no ledger {path}, but {left} exists: the file was removed or moved while a run used it. Put it back; or move {left} away to start a new ledger, which has no record of earlier runs"
    )]
    Orphaned {
        /// Where the ledger should be.
        path: String,
        /// The log that is left.
        left: String,
    },
    /// The file has several hard links.
    #[error(
        "the ledger {path} has {links} names (hard links): two processes that use different ones would send every order twice. Remove all names but one"
    )]
    Linked {
        /// One of its names.
        path: String,
        /// The number of its names.
        links: u64,
    },
    /// The file itself is a mount point.
    #[error(
        "the ledger {path} is mounted as a single file: SQLite keeps files beside it, which other processes that use it would not see, and every order would be sent twice. Mount the folder that holds it"
    )]
    Mounted {
        /// The ledger.
        path: String,
    },
    /// The file is on a network file system.
    #[error(
        "the ledger {path} is on a network file system ({kind}), where SQLite cannot exclude other machines: name a file on a local disk with --ledger, or for several machines a PostgreSQL database"
    )]
    Network {
        /// The ledger.
        path: String,
        /// The kind of the file system.
        kind: &'static str,
    },
    /// The file system does not support a write-ahead log.
    #[error(
        "the ledger {path} cannot have a write-ahead log where it is (journal_mode stays {mode}): name a file on a local disk with --ledger"
    )]
    NoLog {
        /// The ledger.
        path: String,
        /// The journal mode that SQLite uses instead.
        mode: String,
    },
    /// Nothing can be written beside the ledger, and the log is not empty.
    #[error(
        "the ledger {path} cannot be read by a user who cannot write beside it, since a part of it is in {path}-wal: read it as its owner, or copy both files to a writable folder, and name the copy with --ledger"
    )]
    Unreadable {
        /// The ledger.
        path: String,
    },
    /// A process began to work on the ledger while it was read without locks.
    #[error(
        "a process began to write to the ledger {path} while it was read: start the same command again"
    )]
    Changed {
        /// The ledger.
        path: String,
    },
}

/// Whether the content of a removed ledger was saved, and where.
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
