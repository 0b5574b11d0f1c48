//! How many rows have each status.

use super::Status;

/// How many rows stand how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    by_status: [u64; Status::ALL.len()],
    rejected_with_doubt: u64,
}

impl Counts {
    /// How many rows stand so.
    pub fn get(&self, status: Status) -> u64 {
        self.by_status[status as usize]
    }

    /// Counts more rows.
    pub fn add(&mut self, status: Status, rows: u64) {
        self.by_status[status as usize] += rows;
    }

    /// Counts a row that stands so, with doubt if an answer for its order was lost.
    pub fn add_row(&mut self, status: Status, doubt: bool) {
        self.add(status, 1);
        self.add_rejected_with_doubt((doubt && status == Status::Rejected).into());
    }

    /// Says of so many of the rejected rows that an answer for their orders was lost.
    pub fn add_rejected_with_doubt(&mut self, rows: u64) {
        self.rejected_with_doubt += rows;
    }

    /// How many of the rejected rows were rejected after an answer was lost: perhaps
    /// because that lost call had cancelled the order.
    pub fn rejected_with_doubt(&self) -> u64 {
        self.rejected_with_doubt
    }

    /// How many rows may or may not be cancelled: those in doubt, and those that were
    /// rejected with doubt.
    pub fn in_doubt(&self) -> u64 {
        self.get(Status::InDoubt) + self.rejected_with_doubt
    }

    /// Both together.
    pub fn plus(mut self, other: Counts) -> Counts {
        other.iter().for_each(|(status, rows)| self.add(status, rows));
        self.add_rejected_with_doubt(other.rejected_with_doubt);
        self
    }

    /// How many rows are counted.
    pub fn total(&self) -> u64 {
        self.by_status.iter().sum()
    }

    /// Each status that occurs, with its count.
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
