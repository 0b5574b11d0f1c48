//! The slots granted to a commit, in the database's time.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::{AllocateSlots, Budget, SlotGrant, SlotRequest};

/// The stored form of a budget that was never used.
pub(in crate::ledger::postgres) const NOTHING_SPENT: &str = "";

/// The slots granted to a commit, and the budget before and after.
pub(super) struct BudgetGrant {
    before: Budget,
    after: Budget,
    /// The slots; `None` for each if there is no rate to keep.
    pub slots: Vec<Option<Timestamp>>,
    pub next_slot_at: Option<Timestamp>,
    pub shared: bool,
    /// The end of the pause that the server requested.
    pub retry_after_until: Option<Timestamp>,
    spacing: Duration,
}

impl BudgetGrant {
    /// Allocates slots from the stored budget. `pause_until` is the end of the pause that the server
    /// requested from this process.
    pub fn allocate(
        state: &str,
        request: SlotRequest,
        pause_until: Option<Timestamp>,
        allocate: &mut AllocateSlots<'_>,
    ) -> serde_json::Result<BudgetGrant> {
        let before: Budget = match state {
            NOTHING_SPENT => Budget::default(),
            state => serde_json::from_str(state)?,
        };
        let mut after = before.clone();
        let (now, spacing) = (request.now, request.min_spacing);
        if let Some(until) = pause_until {
            after.hold_until(until, now);
        }
        let retry_after_until = after.held_until(now);
        let SlotGrant { slots, next_slot_at, shared, .. } =
            if request.wanted == 0 && request.unused.is_empty() {
                SlotGrant { shared: request.is_shared, ..SlotGrant::default() }
            } else {
                after.allocate(request, allocate)
            };
        Ok(BudgetGrant { before, after, slots, next_slot_at, shared, retry_after_until, spacing })
    }

    /// Returns all slots but the first `used` to the budget, because there are no rows for them.
    pub fn give_back(&mut self, used: usize, now: Timestamp, allocate: &mut AllocateSlots<'_>) {
        let surplus: Vec<Timestamp> =
            self.slots.drain(used.min(self.slots.len())..).flatten().collect();
        if !surplus.is_empty() {
            let back = SlotRequest {
                is_shared: self.shared,
                ..SlotRequest::returning(surplus, now, self.spacing)
            };
            allocate(&mut self.after, back);
        }
    }

    /// The new state of the budget; `None` if it is unchanged.
    pub fn changed(&self) -> Option<String> {
        let is_changed = self.after != self.before;
        is_changed.then(|| serde_json::to_string(&self.after).ok()).flatten()
    }
}
