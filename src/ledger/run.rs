//! A run as the ledger knows it.

use jiff::Timestamp;

use crate::outcome::Status;

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
