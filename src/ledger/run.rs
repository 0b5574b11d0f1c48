//! A recorded run, and how one is started.

use jiff::{SignedDuration, Timestamp};

use super::claim::PendingRow;
use super::start_record::Purpose;
use crate::identity::Identity;
use crate::model::{Counts, OnDoubt};

/// The properties of a run that are known when it is created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRun {
    /// Its identifier, unique in the ledger, which is displayed and typed.
    pub id: String,
    /// The key by which the same command on the same file finds the same run.
    pub key: String,
    /// `run`, `rerun` or `resolve`.
    pub command: String,
    /// The input's name, for display.
    pub input_name: String,
    /// SHA-256 of the input's bytes, in hexadecimal.
    pub input_digest: String,
    /// The URL of the calls.
    pub endpoint: String,
    /// The program and its version.
    pub program: String,
    /// When it was created.
    pub opened_at: Timestamp,
}

impl NewRun {
    /// The identifier, followed by alternatives for the case that another run has it. Runs
    /// created in the same second differ in four hexadecimal digits only.
    pub(super) fn ids(&self) -> impl Iterator<Item = String> + '_ {
        let (second, digits) = self.id.rsplit_once('-').unwrap_or((&self.id, ""));
        let digits = u16::from_str_radix(digits, 16).unwrap_or_default();
        let others = (1..=u16::MAX).map(move |step| digits.wrapping_add(step));
        let others = others.map(move |digits| format!("{second}-{digits:04x}"));
        std::iter::once(self.id.clone()).chain(others)
    }
}

/// A run and its progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its number in the ledger.
    pub(super) number: i64,
    /// Its properties.
    pub opened: NewRun,
    /// When it was last started.
    pub started_at: Option<Timestamp>,
    /// The cut-off of that start.
    pub cut_off: Option<Timestamp>,
    /// The rates of that start as text, if they are recorded.
    pub rates: Option<String>,
    /// When its last row ended, or it stopped; `None` while it is in progress, or if it died.
    pub finished_at: Option<Timestamp>,
    /// Why it stopped before its last row; `None` if it did not.
    pub stop: Option<String>,
    /// The number of its rows.
    pub rows: u64,
    /// The number of attempts that were claimed.
    pub attempts: u64,
    /// The counts of the rows that ended; `not_sent` are those that a rerun carried over.
    pub counts: Counts,
    /// The rate to which the run is held by request, as text; `None` if it has its own.
    pub pace: Option<String>,
    /// When its rows were removed from the ledger; `None` if they are in it.
    pub forgotten_at: Option<Timestamp>,
}

impl Run {
    /// The identifier.
    pub fn id(&self) -> &str {
        &self.opened.id
    }

    /// Whether it was created before another one.
    pub fn is_before(&self, other: &Run) -> bool {
        self.number < other.number
    }

    /// Whether every row has ended: such a run never sends anything again.
    pub fn has_ended(&self) -> bool {
        self.counts.total() == self.rows
    }

    /// The number of rows that have not ended.
    pub fn left(&self) -> u64 {
        self.rows.saturating_sub(self.counts.total())
    }
}

/// How to start a run, or to start it again.
#[derive(Debug, Clone)]
pub struct StartOptions {
    /// The current time.
    pub at: Timestamp,
    /// The time at and after which no attempt may start.
    pub cut_off: Option<Timestamp>,
    /// The rates as text.
    pub rates: String,
    /// Whether this process joins others that work on the run, so that a recorded reason to stop
    /// still applies. Otherwise the run is started anew.
    pub joins: bool,
    /// Whether to send orders even if another run cancelled them.
    pub again: bool,
    /// What to do with rows that were in flight when the last process died.
    pub on_doubt: OnDoubt,
    /// Who starts it.
    pub by: Identity,
    /// Why it is started.
    pub purpose: Purpose,
    /// The settings in force, without secrets.
    pub configuration: String,
}

/// The work to do in a started run.
#[derive(Debug, Default)]
pub struct StartedRun {
    /// Rows that were claimed before and have not ended.
    pub waiting: Vec<PendingRow>,
    /// Whether every other row has been claimed or decided.
    pub exhausted: bool,
    /// How far the ledger's clock is ahead of this machine's.
    pub clock_ahead: SignedDuration,
    /// Requests to stop count if their numbers are above this one.
    pub last_request: i64,
    /// The rate to which the run is held by request, as text; `None` if it has its own.
    pub pace: Option<String>,
}
