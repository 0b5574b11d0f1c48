//! When the scheduler must be asked again, and whether there is anything left to do.

use std::time::Duration;

use super::{Scheduler, earliest};
use crate::engine::events::Now;

impl Scheduler {
    pub(super) fn wake_at(&mut self, now: Now) -> Option<Duration> {
        let blocked_until = self.rate_guard.blocked_until(now.since_start);
        // Without room, the end of a call wakes the scheduler.
        let has_room = self.server.limits.can_dispatch(self.in_flight);
        let first = self.claimed.first_slot().filter(|_| has_room);
        let next_dispatch = first.and_then(|slot| slot.max(blocked_until));
        // The end of the commit in progress wakes the scheduler.
        let may_claim = !self.commits.is_committing() && !self.stop.is_stopping();
        let next_retry = self.retries.next_ready_at().filter(|_| may_claim);
        let claims_at = self.claims_paused_until();
        let has_rows = !self.exhausted || !self.retries.ready().is_empty();
        let wants_claim = may_claim && has_rows && claims_at > now.since_start;
        let next_claim = wants_claim.then_some(claims_at);
        let commit_by = earliest([self.commits.deadline(), self.renew_lease_at()]);
        let next_commit = commit_by.filter(|_| !self.commits.is_committing());
        let next_refresh = self.refresh.wake_at().filter(|_| !self.stop.is_stopping());
        let has_work = self.has_work();
        let cut_off = self.cut_off.wake_at(now).filter(|_| has_work);
        let outage_ends = self.server.breaker.deadline().filter(|_| has_work);
        earliest([
            next_dispatch,
            next_retry,
            next_claim,
            next_commit,
            next_refresh,
            cut_off,
            outage_ends,
        ])
    }

    /// Whether nothing may be sent, temporarily or for the rest of the run.
    pub(super) fn is_paused_or_stopped(&self, now: Now) -> bool {
        self.stop.is_stopping()
            || self.refresh.blocks_sending()
            || now.since_start < self.server.retry_after.until()
    }

    /// Whether there is work that a stop would leave undone.
    pub(super) fn has_work(&self) -> bool {
        !self.stop.is_stopping()
            && (!self.exhausted || !self.retries.is_empty() || !self.claimed.is_empty())
    }

    pub(super) fn is_finished(&self) -> bool {
        let is_idle = !self.commits.is_committing()
            && self.in_flight == 0
            && self.claimed.is_empty()
            && self.completed.is_empty();
        is_idle && (self.stop.is_stopping() || (self.exhausted && self.retries.is_empty()))
    }
}
