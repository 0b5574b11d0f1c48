//! The queue of rows that were claimed before and wait to be claimed again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::ledger::PendingRow;
use crate::model::RowNumber;
use crate::policy::backoff::Backoff;

/// The delays between the attempts of a row. Each is reduced by up to half at random, so that
/// rows that failed together do not return together.
const RETRIES: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30), 0.5);

/// Waiting rows: some can be claimed by the next commit, others only later.
#[derive(Debug, Default)]
pub struct RetryQueue {
    ready: Vec<PendingRow>,
    /// Keyed by the time since the start of the run at which they are ready.
    delayed: BTreeMap<(Duration, RowNumber), PendingRow>,
}

impl RetryQueue {
    /// A queue of rows that can be claimed at once.
    pub fn new(ready: Vec<PendingRow>) -> RetryQueue {
        RetryQueue { ready, delayed: BTreeMap::new() }
    }

    /// The number of waiting rows.
    pub fn len(&self) -> usize {
        self.ready.len() + self.delayed.len()
    }

    /// Whether the queue is empty.
    pub fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.delayed.is_empty()
    }

    /// Adds a row that can be claimed at once.
    pub fn push(&mut self, row: PendingRow) {
        self.ready.push(row);
    }

    /// Adds a row that can be claimed from `ready_at` on, a time since the start of the run.
    pub fn push_delayed(&mut self, row: PendingRow, ready_at: Duration) {
        self.delayed.insert((ready_at, row.row()), row);
    }

    /// Adds a row whose attempt failed. It can be claimed after its backoff, and not before
    /// `not_before`.
    pub fn schedule(&mut self, row: PendingRow, now: Duration, not_before: Duration) {
        let attempts = row.counted_attempts();
        let seed = u64::from(row.row().0) << 32 | u64::from(attempts);
        let wait = RETRIES.delay(attempts.saturating_sub(1), seed);
        self.push_delayed(row, now.saturating_add(wait).max(not_before));
    }

    /// Makes the delayed rows that are due ready.
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

    /// When the first delayed row is ready, since the start of the run; `None` if there is none.
    pub fn next_ready_at(&self) -> Option<Duration> {
        self.delayed.first_key_value().map(|((ready_at, _), _)| *ready_at)
    }

    /// Removes and returns up to `most` of the ready rows that `admits` accepts, the oldest first.
    pub fn take(
        &mut self,
        most: usize,
        mut admits: impl FnMut(&PendingRow) -> bool,
    ) -> Vec<PendingRow> {
        self.ready.extract_if(.., |row| admits(row)).take(most).collect()
    }

    /// Refunds the last attempt of each of these rows that is in the queue.
    pub fn refund_attempts(&mut self, rows: &BTreeSet<RowNumber>) {
        let waiting = self.ready.iter_mut().chain(self.delayed.values_mut());
        waiting.filter(|row| rows.contains(&row.row())).for_each(PendingRow::refund_attempt);
    }

    /// Removes every row, because another process has them.
    pub fn clear(&mut self) {
        *self = RetryQueue::default();
    }
}
