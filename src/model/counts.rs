//! The number of rows in each status.

use super::Status;

/// The number of rows in each status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    by_status: [u64; Status::ALL.len()],
    rejected_with_doubt: u64,
}

impl Counts {
    /// The number of rows in this status.
    pub fn get(&self, status: Status) -> u64 {
        self.by_status[status as usize]
    }

    /// Adds rows in this status.
    pub fn add(&mut self, status: Status, rows: u64) {
        self.by_status[status as usize] += rows;
    }

    /// Adds one row; `doubt` means that an answer for its order was lost.
    pub fn add_row(&mut self, status: Status, doubt: bool) {
        self.add(status, 1);
        self.add_rejected_with_doubt((doubt && status == Status::Rejected).into());
    }

    /// Marks this many of the rejected rows as rejected after an answer for their order was lost.
    pub fn add_rejected_with_doubt(&mut self, rows: u64) {
        self.rejected_with_doubt += rows;
    }

    /// The number of rejected rows for which an earlier answer was lost: that lost call may have
    /// cancelled the order, which is then why this one was rejected.
    pub fn rejected_with_doubt(&self) -> u64 {
        self.rejected_with_doubt
    }

    /// The number of rows that may or may not be cancelled: those in doubt and those rejected
    /// with doubt.
    pub fn in_doubt(&self) -> u64 {
        self.get(Status::InDoubt) + self.rejected_with_doubt
    }

    /// The sum of both.
    pub fn plus(mut self, other: Counts) -> Counts {
        other.iter().for_each(|(status, rows)| self.add(status, rows));
        self.add_rejected_with_doubt(other.rejected_with_doubt);
        self
    }

    /// The number of rows in all.
    pub fn total(&self) -> u64 {
        self.by_status.iter().sum()
    }

    /// Each status that occurs, with its number of rows.
    pub fn iter(&self) -> impl Iterator<Item = (Status, u64)> + '_ {
        Status::ALL.into_iter().map(|status| (status, self.get(status))).filter(|(_, n)| *n > 0)
    }
}

impl FromIterator<(Status, u64)> for Counts {
    fn from_iter<I: IntoIterator<Item = (Status, u64)>>(counts: I) -> Self {
        let mut all = Counts::default();
        for (status, rows) in counts {
            all.add(status, rows);
        }
        all
    }
}
