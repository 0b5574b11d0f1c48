//! Dispatching: sends claimed rows whose slots have come, and releases those that may no longer
//! be sent.

use std::time::Duration;

use jiff::Timestamp;

use super::{Scheduler, earliest};
use crate::engine::events::{Dispatch, Now};
use crate::ledger::ClaimedRow;
use crate::policy::pacer::{SHARED_SLOT_GRACE, SLOT_GRACE};

/// The latest start of a call that expired once, after its slot. It must be less than a second,
/// because the longer windows of the contract count the call within a second.
const LATEST_START: Duration = Duration::from_millis(900);

impl Scheduler {
    /// Dispatches the claimed rows that are due.
    pub(super) fn dispatch_due(&mut self, now: Now) -> Vec<Dispatch> {
        self.release_surplus(now);
        let mut dispatches = Vec::new();
        let is_blocked = self.is_paused_or_stopped(now);
        let is_shared = self.commits.is_shared(now.since_start);
        let grace = if is_shared { SHARED_SLOT_GRACE } else { SLOT_GRACE };
        let lease_expires_at = self.lease.expires_at();
        let is_away = self.server.is_away();
        while let Some(slot) = self.claimed.first_slot()
            && (is_blocked || self.may_start(slot, now))
            && let Some((slot, claimed)) = self.claimed.pop()
        {
            let grace = self.claimed.grace(claimed.row(), grace);
            let slot_ends = slot.map(|slot| slot.saturating_add(grace));
            let expires_at = earliest([slot_ends, lease_expires_at]);
            if is_blocked || expires_at.is_some_and(|at| now.since_start > at) {
                self.release_claim(claimed, now);
            } else {
                self.in_flight += 1;
                self.rate_guard.on_started(now.since_start);
                self.server.breaker.on_sent(now.since_start);
                let bypass_queue = slot.is_some() || is_away;
                dispatches.push(Dispatch { claimed, expires_at, bypass_queue });
            }
        }
        dispatches
    }

    /// Whether a row with this slot may start now by the rates and limits.
    fn may_start(&mut self, slot: Option<Duration>, now: Now) -> bool {
        slot.is_none_or(|at| now.since_start >= at)
            && self.rate_guard.blocked_until(now.since_start).is_none()
            && self.server.limits.can_dispatch(self.in_flight)
    }

    /// Releases claimed rows beyond the probes that an outage permits.
    fn release_surplus(&mut self, now: Now) {
        if let Some(permits) = self.server.breaker.permits(now.since_start) {
            while self.claimed.len() > permits as usize
                && let Some((_, claimed)) = self.claimed.pop()
            {
                self.release_claim(claimed, now);
            }
        }
    }

    /// A call did not start in time, usually because its connection took too long to open. The
    /// connection is open now, so the row is dispatched again if it is soon enough after its slot
    /// and no other process uses the budget; otherwise it is released.
    pub(super) fn on_call_expired(
        &mut self,
        claimed: ClaimedRow,
        dispatched_at: Duration,
        now: Now,
    ) {
        self.in_flight -= 1;
        self.rate_guard.on_expired(dispatched_at);
        self.server.breaker.on_expired(dispatched_at, now.since_start);
        self.claimed.on_expired(claimed.row());
        let late = |slot: Timestamp| Duration::try_from(now.wall.duration_since(slot));
        let is_late = claimed.slot().is_none_or(|slot| {
            now.since_start.saturating_sub(dispatched_at) >= LATEST_START
                || late(slot).is_ok_and(|late| late >= LATEST_START)
        });
        let is_unwanted = self.is_paused_or_stopped(now)
            || self.cancel_unstarted
            || dispatched_at <= self.cancelled_at
            || self.server.is_away()
            || self.commits.is_shared(now.since_start)
            || claimed.lease() != self.lease.fencing_number();
        if is_late || is_unwanted {
            self.release_claim(claimed, now);
        } else {
            self.claimed.push_first(claimed, now.since_start);
        }
    }

    /// Releases a row that was not sent, and queues it to be claimed again.
    pub(super) fn release_claim(&mut self, claimed: ClaimedRow, now: Now) {
        let (completed, waiting) = claimed.release();
        self.completed.push(completed);
        self.commits.released(now.since_start);
        self.retries.push(waiting);
    }
}
