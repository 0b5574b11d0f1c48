//! The canary: the first rows of a start go one at a time, and must do well
//! before the rest begin.

use std::collections::BTreeSet;

use crate::model::RowNumber;

/// Of so many rows of the canary one may fail: a file with a printed card among
/// its first rows is no reason to call the night off.
const ONE_IN: u32 = 10;

/// The first rows of a start.
#[derive(Debug, Clone)]
pub struct Canary {
    /// How many rows it is.
    rows: u32,
    begun: BTreeSet<RowNumber>,
    failed: u32,
    is_active: bool,
}

impl Canary {
    /// A canary of this many rows, or none at all.
    pub fn new(rows: Option<u32>) -> Canary {
        Canary {
            rows: rows.unwrap_or(0),
            begun: BTreeSet::new(),
            failed: 0,
            is_active: rows.is_some_and(|rows| rows > 0),
        }
    }

    /// Whether it still goes on.
    pub fn is_active(&self) -> bool {
        self.is_active
    }

    /// How many calls may be in flight, of this many that may be without it.
    pub fn concurrency(&self, without: u32) -> u32 {
        if self.is_active { 1 } else { without }
    }

    /// Whether a row that was never begun may begin.
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

    /// This row is about to be sent.
    pub fn add(&mut self, row: RowNumber) {
        if self.is_active {
            self.begun.insert(row);
        }
    }

    /// A row failed. Gives the number of the canary's rows if it fails by that.
    pub fn row_failed(&mut self) -> Option<u32> {
        self.failed = self.failed.saturating_add(1);
        (self.is_active && self.failed > self.rows / ONE_IN).then_some(self.rows)
    }

    /// None of the rows that have begun is under way any more: it is over, if that
    /// is all of them.
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
