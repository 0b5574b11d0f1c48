//! The queue of claimed rows that wait for their slots.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::ledger::ClaimedRow;
use crate::model::RowNumber;

/// Claimed rows in the order in which they will be sent. Times are since the start of the run.
#[derive(Debug, Default)]
pub struct ClaimQueue {
    /// Each row with its slot; `None` if there is no rate to keep.
    rows: VecDeque<(Option<Duration>, ClaimedRow)>,
    /// For each row that has not been called since, how often its call expired unstarted.
    expired: BTreeMap<RowNumber, u32>,
}

impl ClaimQueue {
    /// The number of waiting rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether the queue is empty.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Appends a row that may be sent from its slot on.
    pub fn push(&mut self, slot: Option<Duration>, claimed: ClaimedRow) {
        self.rows.push_back((slot, claimed));
    }

    /// Puts a row first that may be sent from now on.
    pub fn push_first(&mut self, claimed: ClaimedRow, now: Duration) {
        self.rows.push_front((Some(now), claimed));
    }

    /// The slot of the first row. The inner `None` means that there is no rate to keep.
    pub fn first_slot(&self) -> Option<Option<Duration>> {
        self.rows.front().map(|(slot, _)| *slot)
    }

    /// Removes the first row and returns it with its slot.
    pub fn pop(&mut self) -> Option<(Option<Duration>, ClaimedRow)> {
        self.rows.pop_front()
    }

    /// Removes every row, because another process has them.
    pub fn clear(&mut self) {
        self.rows.clear();
    }

    /// Records that a row's call did not start in time.
    pub fn on_expired(&mut self, row: RowNumber) {
        *self.expired.entry(row).or_default() += 1;
    }

    /// Records that a row's call ended.
    pub fn on_ended(&mut self, row: RowNumber) {
        self.expired.remove(&row);
    }

    /// How long after its slot a row's call may start; `grace` unless it expired before. It
    /// doubles each time a row expires. Otherwise a row whose connection takes long to open would
    /// never be sent when the rate is so slow that idle connections are closed before its next
    /// slot.
    pub fn grace(&self, row: RowNumber, grace: Duration) -> Duration {
        let expired = self.expired.get(&row).copied().unwrap_or_default();
        grace.saturating_mul(1 << expired.min(8))
    }
}
