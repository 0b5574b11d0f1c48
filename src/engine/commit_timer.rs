//! Decides when to commit to the ledger and how far ahead a commit plans. A commit costs a sync
//! of the disk, so calls that end within a few milliseconds share one.

use std::time::Duration;

use crate::ledger::CommitLatency;

/// The range of how far ahead calls are planned, whatever the latency of commits.
const SHORTEST_HORIZON: Duration = Duration::from_millis(60);
const LONGEST_HORIZON: Duration = Duration::from_secs(5);

/// How long a completed call may wait for other completions to share its commit.
const COMMITTED_WITHIN: Duration = Duration::from_millis(10);

/// How much further ahead than requested a slot may seem to be, since clocks are read one after
/// the other.
const CLOCK_ERROR: Duration = Duration::from_millis(50);

/// How long after another process used the budget it counts as still using it.
const SHARED_FOR: Duration = Duration::from_secs(2);

/// The timing of commits. Times are since the start of the run.
#[derive(Debug, Default)]
pub struct CommitTimer {
    /// When the commit in progress began; `None` if there is none.
    started_at: Option<Duration>,
    /// Whether that commit claims rows.
    claims: bool,
    /// How far ahead of its end that commit, or the last one, may have been granted slots.
    reach: Duration,
    latency: CommitLatency,
    /// When what was completed must be committed.
    deadline: Option<Duration>,
    /// The budget has no slot before this time.
    next_slot_at: Duration,
    /// No commit is made before this time only to claim rows, unless they are needed.
    paused_until: Duration,
    /// How long the call that ended last had waited in the executor.
    last_queueing_delay: Duration,
    /// Other processes may use the same budget until this time.
    shared_until: Duration,
}

impl CommitTimer {
    /// Whether a commit is in progress.
    pub fn is_committing(&self) -> bool {
        self.started_at.is_some()
    }

    /// Whether a commit must be made even if there is nothing to claim.
    pub fn is_due(&self, now: Duration) -> bool {
        self.deadline.is_some_and(|at| now >= at)
    }

    /// When what was completed must be committed; `None` if nothing was completed.
    pub fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// Records that a commit begins. `claims` is whether it claims rows.
    pub fn begin(&mut self, claims: bool, now: Duration) {
        (self.started_at, self.claims, self.deadline) = (Some(now), claims, None);
        self.reach = self.expected_latency().saturating_add(self.horizon());
    }

    /// Records that the commit ended. Returns when it began; `None` if none was in progress.
    pub fn end(&mut self, now: Duration) -> Option<Duration> {
        let began = self.started_at.take()?;
        self.latency.record(now.saturating_sub(began), now);
        Some(began)
    }

    /// Records that a call was completed: a commit is due within 10 ms, so that others can share
    /// it.
    pub fn completed(&mut self, now: Duration) {
        self.deadline.get_or_insert(now.saturating_add(COMMITTED_WITHIN));
    }

    /// Records that a claim was released. It is committed at once, because other processes may
    /// wait for it.
    pub fn released(&mut self, now: Duration) {
        self.deadline = Some(now);
    }

    /// Records how long a call had waited in the executor before it started.
    pub fn queued(&mut self, delay: Duration) {
        self.last_queueing_delay = delay;
    }

    /// Records that other processes use the same budget.
    pub fn shared(&mut self, now: Duration) {
        self.shared_until = now.saturating_add(SHARED_FOR);
    }

    /// Whether other processes may use the same budget.
    pub fn is_shared(&self, now: Duration) -> bool {
        now < self.shared_until
    }

    /// Plans the next commit that claims rows, after one that did. It waits for the next slot,
    /// which is `ahead` of now if it is not free yet. Where there is no rate to keep, it waits up
    /// to 10 ms, so that commits do not follow one another for a few rows each, which would only
    /// queue in the executor.
    pub fn plan(&mut self, ahead: Option<Duration>, is_paced: bool, now: Duration) {
        if !self.claims {
            return;
        }
        // Claim half a horizon early, so that the rows are here when their slots come.
        let early = |ahead: Duration| ahead.saturating_sub(self.horizon() / 2);
        self.next_slot_at = now.saturating_add(ahead.map(early).unwrap_or_default());
        if !is_paced {
            let pause = self.latency.last().max(self.last_queueing_delay).min(COMMITTED_WITHIN);
            self.paused_until = now.saturating_add(pause);
        }
    }

    /// Forgets when the next slot is free: the budget has to be asked again.
    pub fn forget_plan(&mut self) {
        self.next_slot_at = Duration::ZERO;
    }

    /// No more rows are claimed before this time. Rows that are needed wait for slots only.
    pub fn claims_paused_until(&self, are_needed: bool) -> Duration {
        let paused_until = if are_needed { Duration::ZERO } else { self.paused_until };
        self.next_slot_at.max(paused_until)
    }

    /// The expected duration of the next commit: the longest of recent ones.
    pub fn expected_latency(&self) -> Duration {
        self.latency.max()
    }

    /// How far ahead of the end of the last commit a slot that it was granted can be.
    pub fn reach(&self) -> Duration {
        self.reach.saturating_add(CLOCK_ERROR)
    }

    /// How far ahead slots are requested: twice the expected latency, within 60 ms and 5 s. It
    /// must be long enough that a commit ends before its slots, and short enough that few rows
    /// are claimed that are not in flight.
    pub fn horizon(&self) -> Duration {
        self.latency.max().saturating_mul(2).clamp(SHORTEST_HORIZON, LONGEST_HORIZON)
    }
}
