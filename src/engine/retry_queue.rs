//! The rows that were claimed before and wait to be claimed again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::ledger::PendingRow;
use crate::model::RowNumber;
use crate::policy::backoff::Backoff;

/// The waits of a row between its attempts. They are cut by up to half, so that rows that failed
/// together do not return together.
const RETRIES: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30), 0.5);

/// Rows that wait: some can be claimed by the next commit, others only later.
#[derive(Debug, Default)]
pub struct RetryQueue {
    ready: Vec<PendingRow>,
    /// By when after the start of the run they are ready.
    delayed: BTreeMap<(Duration, RowNumber), PendingRow>,
}

impl RetryQueue {
    /// A queue of rows that can be claimed at once.
    pub fn new(ready: Vec<PendingRow>) -> RetryQueue {
        RetryQueue { ready, delayed: BTreeMap::new() }
    }

    /// How many rows wait.
    pub fn len(&self) -> usize {
        self.ready.len() + self.delayed.len()
    }

    /// Whether no row waits.
    pub fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.delayed.is_empty()
    }

    /// Adds a row that can be claimed at once.
    pub fn push(&mut self, row: PendingRow) {
        self.ready.push(row);
    }

    /// Adds a row that can be claimed from this time after the start on.
    pub fn push_delayed(&mut self, row: PendingRow, ready_at: Duration) {
        self.delayed.insert((ready_at, row.row()), row);
    }

    /// Adds a row whose attempt failed: it can be claimed once it has waited, and not before
    /// this time.
    pub fn schedule(&mut self, row: PendingRow, now: Duration, not_before: Duration) {
        let attempts = row.counted_attempts();
        let seed = u64::from(row.row().0) << 32 | u64::from(attempts);
        let wait = RETRIES.delay(attempts.saturating_sub(1), seed);
        self.push_delayed(row, now.saturating_add(wait).max(not_before));
    }

    /// Moves the rows whose time has come to those that can be claimed.
    pub fn advance(&mut self, now: Duration) {
        while let Some(entry) = self.delayed.first_entry() {
            if entry.key().0 > now {
                break;
            }
            self.ready.push(entry.remove());
        }
    }

    /// The rows that can be claimed.
    pub fn ready(&self) -> &[PendingRow] {
        &self.ready
    }

    /// When after the start the first delayed row is ready, if there is one.
    pub fn next_ready_at(&self) -> Option<Duration> {
        self.delayed.first_key_value().map(|((ready_at, _), _)| *ready_at)
    }

    /// Takes up to `most` of the rows that can be claimed and are admitted, the oldest first.
    pub fn take(
        &mut self,
        most: usize,
        mut admits: impl FnMut(&PendingRow) -> bool,
    ) -> Vec<PendingRow> {
        self.ready.extract_if(.., |row| admits(row)).take(most).collect()
    }

    /// The last attempts of these rows, as far as they wait, do not count after all.
    pub fn refund_attempts(&mut self, rows: &BTreeSet<RowNumber>) {
        let waiting = self.ready.iter_mut().chain(self.delayed.values_mut());
        waiting.filter(|row| rows.contains(&row.row())).for_each(PendingRow::refund_attempt);
    }

    /// Forgets every row: another process has them.
    pub fn clear(&mut self) {
        *self = RetryQueue::default();
    }
}
