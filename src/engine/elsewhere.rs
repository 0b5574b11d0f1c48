//! Rows whose orders another run has in flight: how many, and since when.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::RowNumber;

/// What waits for calls of other runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowsElsewhere {
    /// How many rows.
    pub rows: usize,
    /// For how long the first of them has.
    pub longest: Duration,
}

/// The rows that were found to be in flight elsewhere, by when after the start of the run.
/// The ledger is asked for each again and again, and says each time whether it still is.
#[derive(Debug, Default)]
pub struct ElsewhereTracker {
    found: BTreeMap<RowNumber, Duration>,
    /// Those that the commit under way asks for.
    asked: BTreeMap<RowNumber, Duration>,
}

impl ElsewhereTracker {
    /// The next commit asks for this row.
    pub fn ask(&mut self, row: RowNumber) {
        if let Some(since) = self.found.remove(&row) {
            self.asked.insert(row, since);
        }
    }

    /// A commit says that these rows are in flight elsewhere, and no others that it asked for.
    pub fn found(&mut self, rows: impl IntoIterator<Item = RowNumber>, now: Duration) {
        let asked = std::mem::take(&mut self.asked);
        let since = |row| (row, asked.get(&row).copied().unwrap_or(now));
        self.found.extend(rows.into_iter().map(since));
    }

    /// Other processes have the rows now.
    pub fn on_lease_lost(&mut self) {
        *self = ElsewhereTracker::default();
    }

    /// What waits now, if anything does.
    pub fn waiting(&self, now: Duration) -> Option<RowsElsewhere> {
        let since = self.found.values().chain(self.asked.values());
        let longest = now.saturating_sub(*since.min()?);
        Some(RowsElsewhere { rows: self.found.len() + self.asked.len(), longest })
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
        elsewhere.ask(RowNumber(1));
        assert_eq!(
            elsewhere.waiting(seconds(3)),
            Some(RowsElsewhere { rows: 2, longest: seconds(2) })
        );
        elsewhere.found([RowNumber(1), RowNumber(3)], seconds(4));
        elsewhere.ask(RowNumber(1));
        elsewhere.ask(RowNumber(2));
        elsewhere.found([], seconds(6));
        assert_eq!(
            elsewhere.waiting(seconds(7)),
            Some(RowsElsewhere { rows: 1, longest: seconds(3) }),
            "row 3 was not asked for"
        );
    }
}
