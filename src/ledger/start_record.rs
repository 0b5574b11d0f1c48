//! A recorded start of a run: one process that began to work on it, who and why.

use jiff::Timestamp;

use crate::identity::Identity;

/// Why a run was started, in the words of the person who did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Purpose {
    /// The reason (`--reason`).
    pub reason: Option<String>,
    /// The person who asked for it (`--requested-by`).
    pub requested_by: Option<String>,
    /// The ticket (`--ticket`).
    pub ticket: Option<String>,
}

/// A start as recorded in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartRecord {
    /// Its number, unique in the ledger and increasing. A process whose lease expired continues
    /// under another number.
    pub number: i64,
    /// When it began.
    pub started_at: Timestamp,
    /// Who started it; `None` if it was recorded by a version that did not know more than
    /// `worker`.
    pub by: Option<Identity>,
    /// User, host and process in words.
    pub worker: String,
    /// Why it was started.
    pub purpose: Purpose,
    /// The SHA-256 of the configuration in force, in hexadecimal.
    pub configuration: Option<String>,
    /// The program and its version; `None` if it was not recorded.
    pub program: Option<String>,
    /// The rates as text; `None` if they were not recorded.
    pub rates: Option<String>,
    /// The cut-off.
    pub cut_off: Option<Timestamp>,
    /// When it finished; `None` while it is in progress, or if its process died.
    pub finished_at: Option<Timestamp>,
    /// Why it stopped before the last row; `None` if it did not.
    pub stop: Option<String>,
}
