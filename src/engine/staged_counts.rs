//! Counts of the rows that ended, by how far they are recorded in the ledger.

use crate::model::{Counts, Status};

/// Counts of rows, by how far their end is recorded.
#[derive(Debug, Default)]
pub struct StagedCounts {
    /// Recorded in the ledger.
    durable: Counts,
    /// Part of the commit in progress.
    committing: Counts,
    /// Part of the next commit.
    pending: Counts,
}

impl StagedCounts {
    /// The counts of a run with these counts in the ledger.
    pub fn new(durable: Counts) -> StagedCounts {
        StagedCounts { durable, ..StagedCounts::default() }
    }

    /// The counts of all rows that ended.
    pub fn total(&self) -> Counts {
        self.durable.plus(self.committing).plus(self.pending)
    }

    /// Counts a row that ended and is not part of a commit yet.
    pub fn add(&mut self, status: Status, doubt: bool) {
        self.pending.add_row(status, doubt);
    }

    /// Records that a commit begins, which records all pending rows.
    pub fn begin_commit(&mut self) {
        self.committing = std::mem::take(&mut self.pending);
    }

    /// Records that the commit ended. `durable` are the counts in the ledger, including rows that
    /// other processes ended.
    pub fn committed(&mut self, durable: Counts) {
        (self.durable, self.committing) = (durable, Counts::default());
    }
}
