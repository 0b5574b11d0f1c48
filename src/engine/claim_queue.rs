//! The rows that are claimed and wait for their slots.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::ledger::ClaimedRow;
use crate::model::RowNumber;

/// Claimed rows in the order in which they are sent. Times are since the start of the run.
#[derive(Debug, Default)]
pub struct ClaimQueue {
    /// Each with the time from which it may be sent, if there is a pace to keep.
    rows: VecDeque<(Option<Duration>, ClaimedRow)>,
    /// How often rows expired before their calls began, those that have not been sent since.
    expired: BTreeMap<RowNumber, u32>,
}

impl ClaimQueue {
    /// How many rows wait.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no row waits.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds a row after all others, that may be sent from its slot on.
    pub fn push(&mut self, slot: Option<Duration>, claimed: ClaimedRow) {
        self.rows.push_back((slot, claimed));
    }

    /// Adds a row before all others, that may be sent from now on.
    pub fn push_first(&mut self, claimed: ClaimedRow, now: Duration) {
        self.rows.push_front((Some(now), claimed));
    }

    /// The slot of the first row; `None` in it where there is no pace to keep.
    pub fn first_slot(&self) -> Option<Option<Duration>> {
        self.rows.front().map(|(slot, _)| *slot)
    }

    /// Takes the first row, with its slot.
    pub fn pop(&mut self) -> Option<(Option<Duration>, ClaimedRow)> {
        self.rows.pop_front()
    }

    /// Drops every row: another process has them.
    pub fn clear(&mut self) {
        self.rows.clear();
    }

    /// A row's call did not begin in time.
    pub fn on_expired(&mut self, row: RowNumber) {
        *self.expired.entry(row).or_default() += 1;
    }

    /// A row's call ended.
    pub fn on_ended(&mut self, row: RowNumber) {
        self.expired.remove(&row);
    }

    /// How long after its slot a row's call may begin, where it is `grace` as a rule. A row that
    /// expired is given longer each time, or one whose connections take long would never be
    /// sent where the pace is so slow that they are closed before its next slot.
    pub fn grace(&self, row: RowNumber, grace: Duration) -> Duration {
        let expired = self.expired.get(&row).copied().unwrap_or_default();
        grace.saturating_mul(1 << expired.min(8))
    }
}
