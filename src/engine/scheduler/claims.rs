//! Claiming: when to commit, which rows the commit requests, and what it brings.

use std::time::Duration;

use jiff::Timestamp;

use super::Scheduler;
use crate::engine::events::Now;
use crate::ledger::{CommitOutcome, CommitRequest, PendingRow};

/// Rows that wait for another attempt are kept in memory. Once this many wait, no new rows are
/// claimed.
const MOST_WAITING: usize = 10_000;

/// When to claim a row again whose order another run has in flight: after about the time that
/// an answer takes.
const RETRY_ELSEWHERE_AFTER: Duration = Duration::from_millis(200);

impl Scheduler {
    /// The next commit; `None` if there is nothing to complete, claim or renew.
    pub(super) fn next_commit(&mut self, now: Now) -> Option<CommitRequest> {
        if self.commits.is_committing() {
            return None;
        }
        let (retries, max_new) = self.rows_to_claim(now);
        let must_renew = self.renew_lease_at().is_some_and(|at| now.since_start >= at);
        let must_commit = must_renew || self.commits.is_due(now.since_start);
        if !must_commit && retries.is_empty() && max_new == 0 {
            return None;
        }
        self.commits.begin(max_new > 0 || !retries.is_empty(), now.since_start);
        retries.iter().for_each(|waiting| self.elsewhere.on_requested(waiting.row()));
        let completed = std::mem::take(&mut self.completed);
        self.counts.begin_commit();
        let wait = self.server.retry_after.until().saturating_sub(now.since_start);
        Some(CommitRequest {
            at: now.wall,
            uptime: None,
            completed,
            retries,
            max_new,
            expected_latency: self.commits.expected_latency(),
            horizon: self.commits.horizon(),
            min_spacing: self.server.limits.min_spacing(),
            stop: self.stop.code(),
            retry_after_until: (!wait.is_zero())
                .then(|| now.wall.saturating_add(wait).unwrap_or(Timestamp::MAX)),
            events: self.event_log.take(),
        })
    }

    /// The rows to claim again, and the number of new rows to claim.
    fn rows_to_claim(&mut self, now: Now) -> (Vec<PendingRow>, u32) {
        self.retries.advance(now.since_start);
        let is_paused =
            self.is_paused_or_stopped(now) || now.since_start < self.claims_paused_until();
        if is_paused || !self.server.limits.can_dispatch(self.in_flight) {
            return (Vec::new(), 0);
        }
        let outstanding = self.outstanding();
        let has_many_waiting = self.retries.len() >= MOST_WAITING;
        let canary = self.stop_rules.canary();
        let waits = self.retries.ready().iter().any(|row| canary.contains(row.row()))
            || self.retries.next_ready_at().is_some();
        if canary.is_active() && outstanding == 0 && !waits {
            canary.complete();
        }
        let room = canary.concurrency(self.policy.concurrency) as usize;
        let room = room.saturating_sub(outstanding);
        let breaker = &self.server.breaker;
        let room = match breaker.permits(now.since_start) {
            Some(permits) => room.min((permits as usize).saturating_sub(self.claimed.len())),
            None => room,
        };
        let has_fresh = !self.exhausted && canary.has_room() && !has_many_waiting;
        let another = breaker.prefers_untried_row()
            && (has_fresh || self.retries.ready().iter().any(|row| !breaker.has_failed(row.row())));
        let retries = self.retries.take(room, |row| {
            canary.admits(row.row()) && !(another && breaker.has_failed(row.row()))
        });
        let max_new = if has_fresh { room - retries.len() } else { 0 };
        (retries, u32::try_from(max_new).unwrap_or(u32::MAX))
    }

    /// The number of rows that are claimed and have not ended.
    fn outstanding(&self) -> usize {
        self.in_flight as usize + self.claimed.len()
    }

    /// No more rows are claimed before this time.
    pub(super) fn claims_paused_until(&self) -> Duration {
        let are_needed = self.outstanding() * 2 <= self.policy.concurrency as usize;
        let probe_at = self.server.breaker.next_probe_at().unwrap_or_default();
        let commits = self.commits.claims_paused_until(are_needed);
        self.server.retry_after.until().max(commits).max(probe_at)
    }

    /// When the lease must be renewed; `None` if there is none. A process that has finished lets
    /// it expire.
    pub(super) fn renew_lease_at(&self) -> Option<Duration> {
        self.lease.renew_at().filter(|_| !self.is_finished())
    }

    pub(super) fn on_committed(&mut self, outcome: CommitOutcome, now: Now) {
        if let Some(began) = self.commits.end(now.since_start)
            && self.lease.on_granted(outcome.lease, began)
        {
            self.on_lease_lost();
        }
        let reach = self.commits.reach();
        let at = |slot: Timestamp| {
            let ahead = Duration::try_from(slot.duration_since(now.wall)).unwrap_or_default();
            let behind = Duration::try_from(now.wall.duration_since(slot)).unwrap_or_default();
            let at = now.since_start.saturating_add(ahead).saturating_sub(behind);
            (ahead <= reach).then_some(at)
        };
        self.exhausted = outcome.exhausted;
        if outcome.budget_shared {
            self.commits.shared(now.since_start);
        }
        self.counts.committed(outcome.counts);
        if let Some(code) = outcome.stop {
            self.stop.stop(code);
        }
        if let Some(until) = outcome.retry_after_until {
            let left = Duration::try_from(until.duration_since(now.wall)).unwrap_or_default();
            self.server.retry_after.on_reported(left, now.since_start);
        }
        outcome.deferred.into_iter().for_each(|row| self.retries.push(row));
        let elsewhere = outcome.in_flight_elsewhere.iter().map(PendingRow::row);
        self.elsewhere.found(elsewhere, now.since_start);
        let retry_at = now.since_start.saturating_add(RETRY_ELSEWHERE_AFTER);
        for row in outcome.in_flight_elsewhere {
            self.retries.push_delayed(row, retry_at);
        }
        let is_outdated = std::mem::take(&mut self.commit_is_outdated);
        for claimed in outcome.claimed {
            self.stop_rules.canary().add(claimed.row());
            let slot = claimed.slot().map(at);
            // A slot further ahead than any that was requested means that the clock was set back.
            // When it is by the clock as it is now is not known, so another one is requested.
            if is_outdated || slot == Some(None) {
                self.release_claim(claimed, now);
            } else {
                self.claimed.push(slot.flatten(), claimed);
            }
        }
        // The next slot may be another one at the pace as it is now.
        let next_slot_at = outcome.next_slot_at.filter(|_| !is_outdated);
        let ahead = next_slot_at.map(|at| at.duration_since(now.wall));
        let ahead = ahead.map(|ahead| Duration::try_from(ahead).unwrap_or_default());
        let min_spacing = self.server.limits.min_spacing();
        let has_rate = self.policy.max_per_second.is_some() || self.pace.is_some();
        let is_paced = has_rate || !min_spacing.is_zero();
        self.commits.plan(ahead, is_paced, now.since_start);
    }

    /// Another process has taken over the rows: drops all of them.
    fn on_lease_lost(&mut self) {
        self.claimed.clear();
        self.retries.clear();
        self.elsewhere.on_lease_lost();
    }
}
