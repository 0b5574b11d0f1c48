//! The canary: the first rows of a start are sent one at a time, and must succeed before other
//! rows are sent.

use std::collections::BTreeSet;

use crate::model::RowNumber;

/// One in this many rows of the canary may fail: a printed card among the first rows of a file is
/// no reason to stop the run.
const ONE_IN: u32 = 10;

/// The first rows of a start.
#[derive(Debug, Clone)]
pub struct Canary {
    /// The number of rows in the canary; 0 if there is none.
    rows: u32,
    begun: BTreeSet<RowNumber>,
    failed: u32,
    is_active: bool,
}

impl Canary {
    /// A canary of this many rows; `None` or 0 means none.
    pub fn new(rows: Option<u32>) -> Canary {
        Canary {
            rows: rows.unwrap_or(0),
            begun: BTreeSet::new(),
            failed: 0,
            is_active: rows.is_some_and(|rows| rows > 0),
        }
    }

    /// Whether the canary is in progress.
    pub fn is_active(&self) -> bool {
        self.is_active
    }

    /// The most calls in flight: 1 during the canary, otherwise `without`.
    pub fn concurrency(&self, without: u32) -> u32 {
        if self.is_active { 1 } else { without }
    }

    /// Whether a row that has not begun may begin.
    pub fn has_room(&self) -> bool {
        !self.is_active || self.begun.len() < self.rows as usize
    }

    /// Whether this row may be sent.
    pub fn admits(&self, row: RowNumber) -> bool {
        self.has_room() || self.contains(row)
    }

    /// Whether this row has begun as one of the canary's.
    pub fn contains(&self, row: RowNumber) -> bool {
        self.begun.contains(&row)
    }

    /// Records that this row is about to be sent.
    pub fn add(&mut self, row: RowNumber) {
        if self.is_active {
            self.begun.insert(row);
        }
    }

    /// Records that a row failed. Returns the size of the canary if it fails because of that.
    pub fn row_failed(&mut self) -> Option<u32> {
        self.failed = self.failed.saturating_add(1);
        (self.is_active && self.failed > self.rows / ONE_IN).then_some(self.rows)
    }

    /// Records that every row that has begun has ended. The canary is over if those are all of
    /// its rows.
    pub fn complete(&mut self) {
        self.is_active &= self.has_room();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_one_nothing_waits() {
        let canary = Canary::new(None);
        assert_eq!(canary.concurrency(256), 256);
        assert!(canary.admits(RowNumber(7)));
    }

    #[test]
    fn its_rows_go_one_at_a_time_and_no_other_begins() {
        let mut canary = Canary::new(Some(2));
        canary.add(RowNumber(1));
        canary.complete();
        assert_eq!(canary.concurrency(256), 1);
        assert!(canary.admits(RowNumber(2)));
        canary.add(RowNumber(2));
        assert!(canary.admits(RowNumber(1)), "it may be tried again");
        assert!(!canary.admits(RowNumber(3)));
    }

    #[test]
    fn it_is_over_when_all_its_rows_have_ended() {
        let mut canary = Canary::new(Some(1));
        canary.add(RowNumber(1));
        assert!(!canary.has_room());
        canary.complete();
        assert!(canary.has_room());
        assert_eq!(canary.concurrency(256), 256);
        assert_eq!(canary.row_failed(), None);
    }

    #[test]
    fn one_row_in_ten_may_fail_and_of_fewer_none() {
        let fails_at = |rows| {
            let mut canary = Canary::new(Some(rows));
            (1..=rows).find(|_| canary.row_failed().is_some())
        };
        assert_eq!([1, 9, 10, 19, 20].map(fails_at), [1, 1, 2, 2, 3].map(Some));
    }
}
