//! Tracks the rows whose orders another run has in flight.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::RowNumber;

/// Rows that wait for calls of other runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowsElsewhere {
    /// The number of rows.
    pub rows: usize,
    /// How long the first of them has waited.
    pub longest: Duration,
}

/// The rows found to be in flight elsewhere, each with the time since the start of the run at
/// which it was found. The ledger is queried for each of them repeatedly, and reports each time
/// whether it still is.
#[derive(Debug, Default)]
pub struct ElsewhereTracker {
    found: BTreeMap<RowNumber, Duration>,
    /// The rows that are part of the commit in progress.
    requested: BTreeMap<RowNumber, Duration>,
}

impl ElsewhereTracker {
    /// Records that the next commit requests this row.
    pub fn on_requested(&mut self, row: RowNumber) {
        if let Some(since) = self.found.remove(&row) {
            self.requested.insert(row, since);
        }
    }

    /// Takes in the rows that a commit found to be in flight elsewhere. Those that it requested
    /// but did not report are no longer.
    pub fn found(&mut self, rows: impl IntoIterator<Item = RowNumber>, now: Duration) {
        let requested = std::mem::take(&mut self.requested);
        let since = |row| (row, requested.get(&row).copied().unwrap_or(now));
        self.found.extend(rows.into_iter().map(since));
    }

    /// Removes every row, because another process has them.
    pub fn on_lease_lost(&mut self) {
        *self = ElsewhereTracker::default();
    }

    /// The rows that wait now, or `None` if there are none.
    pub fn waiting(&self, now: Duration) -> Option<RowsElsewhere> {
        let since = self.found.values().chain(self.requested.values());
        let longest = now.saturating_sub(*since.min()?);
        Some(RowsElsewhere { rows: self.found.len() + self.requested.len(), longest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_waits_from_when_it_was_found_until_a_commit_no_longer_finds_it() {
        let seconds = Duration::from_secs;
        let mut elsewhere = ElsewhereTracker::default();
        assert_eq!(elsewhere.waiting(seconds(1)), None);
        elsewhere.found([RowNumber(1), RowNumber(2)], seconds(1));
        elsewhere.on_requested(RowNumber(1));
        assert_eq!(
            elsewhere.waiting(seconds(3)),
            Some(RowsElsewhere { rows: 2, longest: seconds(2) })
        );
        elsewhere.found([RowNumber(1), RowNumber(3)], seconds(4));
        elsewhere.on_requested(RowNumber(1));
        elsewhere.on_requested(RowNumber(2));
        elsewhere.found([], seconds(6));
        assert_eq!(
            elsewhere.waiting(seconds(7)),
            Some(RowsElsewhere { rows: 1, longest: seconds(3) }),
            "row 3 was not requested"
        );
    }
}
