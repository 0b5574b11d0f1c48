//! When the ledger is committed to, and how far ahead a commit plans. A commit costs a sync
//! of the disk, so that what ends within a few milliseconds shares one.

use std::time::Duration;

use crate::ledger::CommitLatency;

/// How far ahead calls are planned, however fast commits are.
const SHORTEST_HORIZON: Duration = Duration::from_millis(60);
const LONGEST_HORIZON: Duration = Duration::from_secs(5);

/// How long the end of a call may wait for others to share its commit.
const COMMITTED_WITHIN: Duration = Duration::from_millis(10);

/// How long after another process took slots of the budget it may still take some.
const SHARED_FOR: Duration = Duration::from_secs(2);

/// The times of commits, after the start of the run.
#[derive(Debug, Default)]
pub struct CommitTimer {
    /// When the commit under way began.
    started_at: Option<Duration>,
    /// Whether it asks for rows to send.
    claims: bool,
    latency: CommitLatency,
    /// When what was completed must be durable.
    deadline: Option<Duration>,
    /// Before this the budget has no more slots to give.
    next_slot_at: Duration,
    /// Before this no commit is made only to claim rows, unless they are needed.
    paused_until: Duration,
    /// How long the call that ended last had waited to be started.
    last_queueing_delay: Duration,
    /// Before this, other processes may take slots of the same budget.
    shared_until: Duration,
}

impl CommitTimer {
    /// Whether a commit is under way.
    pub fn is_committing(&self) -> bool {
        self.started_at.is_some()
    }

    /// Whether a commit has to be made, though no rows were asked for.
    pub fn is_due(&self, now: Duration) -> bool {
        self.deadline.is_some_and(|at| now >= at)
    }

    /// When what was completed must be durable, if anything was.
    pub fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// A commit begins. `claims` says whether it asks for rows to send.
    pub fn begin(&mut self, claims: bool, now: Duration) {
        (self.started_at, self.claims, self.deadline) = (Some(now), claims, None);
    }

    /// The commit ended. Returns when it began, if one was under way.
    pub fn end(&mut self, now: Duration) -> Option<Duration> {
        let began = self.started_at.take()?;
        self.latency.took(now.saturating_sub(began), now);
        Some(began)
    }

    /// Something was completed: it may wait a little for more.
    pub fn completed(&mut self, now: Duration) {
        self.deadline.get_or_insert(now.saturating_add(COMMITTED_WITHIN));
    }

    /// Something was released, which is committed at once: others may wait for it.
    pub fn released(&mut self, now: Duration) {
        self.deadline = Some(now);
    }

    /// How long a call that ended had waited to be started.
    pub fn queued(&mut self, delay: Duration) {
        self.last_queueing_delay = delay;
    }

    /// Other processes take slots of the same budget.
    pub fn shared(&mut self, now: Duration) {
        self.shared_until = now.saturating_add(SHARED_FOR);
    }

    /// Whether other processes may take slots of the same budget.
    pub fn is_shared(&self, now: Duration) -> bool {
        now < self.shared_until
    }

    /// The commit that ended was one that asked for rows: the next that does waits for the
    /// next slot, which is `ahead` of now if it is not there yet. Where there is no pace to
    /// keep, it waits a little, so that commits do not follow each other for a few rows each,
    /// which would then only wait to be called.
    pub fn plan(&mut self, ahead: Option<Duration>, is_paced: bool, now: Duration) {
        if !self.claims {
            return;
        }
        // Asked for early, so that the next slots are there when their time comes.
        let early = |ahead: Duration| ahead.saturating_sub(self.horizon() / 2);
        self.next_slot_at = now.saturating_add(ahead.map(early).unwrap_or_default());
        if !is_paced {
            let pause = self.latency.last().max(self.last_queueing_delay).min(COMMITTED_WITHIN);
            self.paused_until = now.saturating_add(pause);
        }
    }

    /// Before this time no more rows are claimed. Rows that are needed wait for slots alone.
    pub fn claims_paused_until(&self, are_needed: bool) -> Duration {
        let paused_until = if are_needed { Duration::ZERO } else { self.paused_until };
        self.next_slot_at.max(paused_until)
    }

    /// How long the next commit will take, at the longest of late.
    pub fn expected_latency(&self) -> Duration {
        self.latency.longest()
    }

    /// Long enough that a commit is done before its slots come, short enough
    /// that little is claimed that is not in flight.
    pub fn horizon(&self) -> Duration {
        self.latency.longest().saturating_mul(2).clamp(SHORTEST_HORIZON, LONGEST_HORIZON)
    }
}
