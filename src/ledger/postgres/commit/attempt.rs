//! What a commit wants, and what became of the tries so far: a commit is tried again after a broken
//! connection, and may turn out to have been made.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::super::super::CommitRequest;
use super::budget::BudgetGrant;
use super::columns::{self, Certain, Lost, ParamColumns};
use super::fetch::FetchedRows;
use crate::model::{SlotRequest, Uptime};

/// What a commit wants, in the database's time, and what became of the tries so far.
pub(super) struct CommitAttempt<'t> {
    pub commit: &'t CommitRequest,
    pub completed: ParamColumns,
    /// Orders of which answers were lost, and those that no longer are in doubt.
    pub lost: Option<Lost>,
    pub certain: Option<Certain>,
    /// Slots at which nothing was sent.
    pub unused: Vec<Timestamp>,
    /// Why the run stops for all, if it does.
    pub stop: Option<String>,
    /// Until when nobody may call, as this process was told.
    pub retry_after_until: Option<Timestamp>,
    pub asked: Instant,
    /// The try whose commit was asked for, and not confirmed: there is never more than one
    /// of which it is not known whether it was done.
    pub unacknowledged: Option<CommitTry>,
}

/// What one try of a commit asked to be committed.
pub(super) struct CommitTry {
    pub worker: i64,
    /// When it claims what it does, in the database's time.
    pub claimed_at: Timestamp,
    pub fetched: FetchedRows,
    pub share: BudgetGrant,
    pub stop: Option<String>,
    /// When it knew the budget.
    pub budgeted: Instant,
}

impl<'t> CommitAttempt<'t> {
    /// A commit that was asked for at this time, where the database's clock is so far ahead.
    pub fn new(
        commit: &'t CommitRequest,
        asked: Instant,
        ahead: SignedDuration,
    ) -> CommitAttempt<'t> {
        CommitAttempt {
            completed: ParamColumns::new(&commit.completed, ahead),
            lost: Lost::of(&commit.completed),
            certain: Certain::of(&commit.completed),
            unused: columns::unused(&commit.completed, ahead),
            stop: commit.stop.filter(|stop| stop.stops_all()).map(|stop| stop.to_string()),
            retry_after_until: commit
                .retry_after_until
                .map(|until| until.saturating_add(ahead).unwrap_or(until)),
            commit,
            asked,
            unacknowledged: None,
        }
    }

    /// What is asked of the budget now. The rest of the commit takes about as long as `finish`.
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
