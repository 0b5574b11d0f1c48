//! What a commit is asked for, and what it brings: one transaction completes what ended and claims
//! what comes next.

use std::time::Duration;

use jiff::Timestamp;

use super::claim::{ClaimedRow, CompletedClaim, PendingRow};
use crate::model::{Counts, Lease, ReasonCode, Uptime};

/// One commit of the ledger: completes what ended, claims what comes next.
#[derive(Debug)]
pub struct CommitRequest {
    /// Now, by the clock of whoever asks.
    pub at: Timestamp,
    /// The uptime of the machine at that moment, if it is known.
    pub uptime: Option<Uptime>,
    /// What attempts came to.
    pub completed: Vec<CompletedClaim>,
    /// Rows to claim once more; they go before fresh ones.
    pub retries: Vec<PendingRow>,
    /// The most rows to claim that were never claimed before.
    pub max_new: u32,
    /// How long this commit is likely to take.
    pub expected_latency: Duration,
    /// How far ahead of its end calls may be planned.
    pub horizon: Duration,
    /// How far apart calls are planned at least, whatever the contract allows.
    pub min_spacing: Duration,
    /// Why this process stops, once it does: others that work on the run may have to know.
    pub stop: Option<ReasonCode>,
    /// Until when nobody may call, as the server told this process.
    pub retry_after_until: Option<Timestamp>,
}

/// What a commit brought.
#[derive(Debug, Default)]
pub struct CommitOutcome {
    /// Rows that may now be sent, each at its slot.
    pub claimed: Vec<ClaimedRow>,
    /// Rows of `retries` for which there was no budget; nothing was claimed.
    pub deferred: Vec<PendingRow>,
    /// Rows whose orders another run has in flight; nothing was claimed. They can be claimed
    /// once that run knows what became of its call.
    pub in_flight_elsewhere: Vec<PendingRow>,
    /// How the run's rows that ended stand, whoever ended them.
    pub counts: Counts,
    /// Whether there will be no more fresh rows: each was claimed once, and none of them
    /// is held by a process that may have to give it up.
    pub exhausted: bool,
    /// When more can be claimed, if not now.
    pub next_slot_at: Option<Timestamp>,
    /// Until when nobody may call, as the server told any process.
    pub retry_after_until: Option<Timestamp>,
    /// Whether another process takes of the same budget, or may have of late.
    pub budget_shared: bool,
    /// How long what is claimed may be held; none where one process has the whole run.
    pub lease: Option<Lease>,
    /// Why another process that works on the run has stopped it.
    pub stop: Option<ReasonCode>,
}

/// The rate budget of an endpoint is damaged. To take it for empty would pass the rate.
#[derive(Debug, thiserror::Error)]
#[error("the rate budget of {endpoint} in it cannot be read: {cause}")]
pub(crate) struct UnreadableBudget {
    /// Whose budget it is.
    pub endpoint: String,
    /// What is wrong with it.
    pub cause: serde_json::Error,
}
