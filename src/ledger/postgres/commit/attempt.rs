//! The request of a commit, and the state of its attempts: a commit is attempted again after the
//! connection broke, and an earlier attempt may turn out to have been committed.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::budget::BudgetGrant;
use super::columns::{self, Certain, Lost, ParamColumns};
use super::fetch::FetchedRows;
use crate::ledger::CommitRequest;
use crate::model::{SlotRequest, Uptime};

/// The request of a commit in the database's time, and the state of its attempts.
pub(super) struct CommitAttempt<'t> {
    pub commit: &'t CommitRequest,
    pub completed: ParamColumns,
    /// Orders for which answers were lost, and those that are no longer in doubt.
    pub lost: Option<Lost>,
    pub certain: Option<Certain>,
    /// Slots at which nothing was sent.
    pub unused: Vec<Timestamp>,
    /// Why the run stops for every process; `None` if it does not.
    pub stop: Option<String>,
    /// The end of the pause that the server requested from this process.
    pub retry_after_until: Option<Timestamp>,
    pub asked: Instant,
    /// How far the database's clock is ahead of the one used for the request.
    pub ahead: SignedDuration,
    /// The attempt whose commit was requested and not confirmed. There is never more than one of
    /// which it is unknown whether it was committed.
    pub unacknowledged: Option<CommitTry>,
}

/// What one attempt requested to commit.
pub(super) struct CommitTry {
    pub worker: i64,
    /// The time of its claims, by the database's clock.
    pub claimed_at: Timestamp,
    pub fetched: FetchedRows,
    pub share: BudgetGrant,
    pub stop: Option<String>,
    /// When it had read the budget.
    pub budgeted: Instant,
}

impl<'t> CommitAttempt<'t> {
    /// A commit requested at `asked`; the database's clock is `ahead` of this machine's.
    pub fn new(
        commit: &'t CommitRequest,
        asked: Instant,
        ahead: SignedDuration,
    ) -> CommitAttempt<'t> {
        CommitAttempt {
            completed: ParamColumns::new(&commit.completed, ahead),
            lost: Lost::from_completed(&commit.completed),
            certain: Certain::from_completed(&commit.completed),
            unused: columns::unused(&commit.completed, ahead),
            stop: commit.stop.filter(|stop| stop.stops_all()).map(|stop| stop.to_string()),
            retry_after_until: commit
                .retry_after_until
                .map(|until| until.saturating_add(ahead).unwrap_or(until)),
            commit,
            asked,
            ahead,
            unacknowledged: None,
        }
    }

    /// The request to the budget. The rest of the commit is expected to take `finish`.
    pub fn request(
        &self,
        now: Timestamp,
        finish: Duration,
        others: bool,
        wanted: u32,
    ) -> SlotRequest {
        let gone_by = Instant::now().saturating_duration_since(self.asked);
        SlotRequest {
            unused: self.unused.clone(),
            now,
            uptime: Uptime::now(),
            expected_latency: self.commit.expected_latency.saturating_sub(gone_by).max(finish),
            horizon: self.commit.horizon,
            min_spacing: self.commit.min_spacing,
            is_shared: others,
            wanted,
        }
    }
}
