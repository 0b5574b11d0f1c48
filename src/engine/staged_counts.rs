//! How the rows that ended stand, on their way into the ledger.

use crate::model::{Counts, Status};

/// Counts of rows by how far their end is recorded.
#[derive(Debug, Default)]
pub struct StagedCounts {
    /// As the ledger has it.
    durable: Counts,
    /// What the commit under way records.
    committing: Counts,
    /// What the next commit will record.
    pending: Counts,
}

impl StagedCounts {
    /// The counts of a run that stands so in the ledger.
    pub fn new(durable: Counts) -> StagedCounts {
        StagedCounts { durable, ..StagedCounts::default() }
    }

    /// All rows that ended.
    pub fn total(&self) -> Counts {
        self.durable.plus(self.committing).plus(self.pending)
    }

    /// A row ended, and no commit has been asked to record it yet.
    pub fn add(&mut self, status: Status, doubt: bool) {
        self.pending.add_row(status, doubt);
    }

    /// A commit begins, which records all that is pending.
    pub fn begin_commit(&mut self) {
        self.committing = std::mem::take(&mut self.pending);
    }

    /// The commit ended; this is how the rows stand in the ledger, whoever ended them.
    pub fn committed(&mut self, durable: Counts) {
        (self.durable, self.committing) = (durable, Counts::default());
    }
}
