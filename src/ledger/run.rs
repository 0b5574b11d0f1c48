//! A run as the ledger knows it, and how one is started.

use jiff::{SignedDuration, Timestamp};

use super::claim::PendingRow;
use crate::model::{Counts, OnDoubt};

/// What is known of a run when it is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRun {
    /// Its identifier, unique in the ledger, as the user sees and types it.
    pub id: String,
    /// What makes the same command on the same file the same run.
    pub key: String,
    /// `run` or `rerun`.
    pub command: String,
    /// The input's name, for people.
    pub input_name: String,
    /// SHA-256 of the input's bytes, in hexadecimal.
    pub input_digest: String,
    /// Where the calls go.
    pub endpoint: String,
    /// The program and its version.
    pub program: String,
    /// When it was opened.
    pub opened_at: Timestamp,
}

impl NewRun {
    /// Its identifier, and those to take if another run has it: runs that are opened in one
    /// second differ in four digits only.
    pub(super) fn ids(&self) -> impl Iterator<Item = String> + '_ {
        let (second, digits) = self.id.rsplit_once('-').unwrap_or((&self.id, ""));
        let digits = u16::from_str_radix(digits, 16).unwrap_or_default();
        let others = (1..=u16::MAX).map(move |step| digits.wrapping_add(step));
        let others = others.map(move |digits| format!("{second}-{digits:04x}"));
        std::iter::once(self.id.clone()).chain(others)
    }
}

/// A run and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its number in the ledger.
    pub(super) number: i64,
    /// What was known when it was opened.
    pub opened: NewRun,
    /// When it was last started.
    pub started_at: Option<Timestamp>,
    /// The cut-off of that start.
    pub cut_off: Option<Timestamp>,
    /// The rates in force at that start, as the user writes them, if they are recorded.
    pub rates: Option<String>,
    /// When its last row ended, or it stopped. Nothing while it runs, or if it died.
    pub finished_at: Option<Timestamp>,
    /// Why it stopped before its last row, if it did.
    pub stop: Option<String>,
    /// How many rows it has.
    pub rows: u64,
    /// How many attempts were claimed.
    pub attempts: u64,
    /// How the rows that ended stand; `not_sent` are those a rerun left so.
    pub counts: Counts,
}

impl Run {
    /// The identifier.
    pub fn id(&self) -> &str {
        &self.opened.id
    }

    /// Whether every row has ended: such a run never sends anything again.
    pub fn has_ended(&self) -> bool {
        self.counts.total() == self.rows
    }

    /// How many rows have not ended.
    pub fn left(&self) -> u64 {
        self.rows.saturating_sub(self.counts.total())
    }
}

/// How a run is started, or started again.
#[derive(Debug, Clone)]
pub struct StartOptions {
    /// Now.
    pub at: Timestamp,
    /// When the last attempt may start, if there is a cut-off.
    pub cut_off: Option<Timestamp>,
    /// The rates in force, as the user writes them.
    pub rates: String,
    /// Whether it joins those who work on the run already: a reason for which the run
    /// was stopped stands. Else it is started anew.
    pub joins: bool,
    /// Send orders even if another run cancelled them.
    pub again: bool,
    /// What is done with rows that were in flight when the last process died.
    pub on_doubt: OnDoubt,
}

/// A run that was started: what there is to do.
#[derive(Debug, Default)]
pub struct StartedRun {
    /// Rows that were claimed before and have not ended.
    pub waiting: Vec<PendingRow>,
    /// Whether no other row is left to be sent.
    pub exhausted: bool,
    /// How far the ledger's clock is ahead of this machine's.
    pub clock_ahead: SignedDuration,
}
