//! Why a file cannot be the ledger, or not where it is: each is found before anything
//! is sent.

use std::fmt;

/// A file that is no whole ledger, or one that SQLite cannot keep whole where it is.
#[derive(Debug, thiserror::Error)]
pub enum Misplaced {
    /// A file without a schema: this program makes none.
    #[error(
        "the ledger {path} is empty: it was emptied, or it is a copy made without the file {path}-wal that stood beside it. What ran is not in it, and everything would be sent again: put the whole ledger back (both files, or a copy made with `cardcancel ledger backup`), or name another file with --ledger to begin a new one"
    )]
    Empty {
        /// Where it is.
        path: String,
    },
    /// The log of a ledger whose file is gone.
    #[error(
        "there is no ledger {path}, but {left} is there: the file was removed or moved while a run used it. Put it back; or move {left} away to begin a new ledger, in which nothing is known of what ran"
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
        "the ledger {path} is mounted as a single file: SQLite keeps files beside it, which others that use it would not see, and every order would be sent twice. Mount the folder that holds it"
    )]
    Mounted {
        /// Where it is mounted.
        path: String,
    },
    /// On a file system that machines share.
    #[error(
        "the ledger {path} is on a network file system ({kind}), where SQLite cannot keep two machines apart: name a file on a local disk with --ledger, or for several machines a PostgreSQL database"
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
        "the ledger {path} cannot be read where nothing can be written, since a part of it is in {path}-wal: copy both files to a folder of your own, and name the copy with --ledger"
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
                    "All that it held is in {copy}: put that in its place, and start the same command again."
                )
            }
            None => f.write_str(
                "What it held could not be saved: put it back, and start the same command again.",
            ),
        }
    }
}
