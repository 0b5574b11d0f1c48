//! The request and the outcome of a commit.

use std::time::Duration;

use jiff::Timestamp;

use super::claim::{ClaimedRow, CompletedClaim, PendingRow};
use super::event::NewEvent;
use crate::model::{Counts, Lease, ReasonCode, Uptime};

/// One commit of the ledger: completes the calls that ended, and claims the next rows.
#[derive(Debug)]
pub struct CommitRequest {
    /// The current time by the clock of the caller.
    pub at: Timestamp,
    /// The uptime of the machine at that time, if it is known.
    pub uptime: Option<Uptime>,
    /// The completed and released claims.
    pub completed: Vec<CompletedClaim>,
    /// Rows to claim again; they are claimed before new ones.
    pub retries: Vec<PendingRow>,
    /// The most rows to claim that were never claimed before.
    pub max_new: u32,
    /// How long this commit is expected to take.
    pub expected_latency: Duration,
    /// How far ahead of its end slots may be.
    pub horizon: Duration,
    /// The least distance between two slots, whatever the contract allows.
    pub min_spacing: Duration,
    /// Why this process stops, once it does. Some reasons stop the run for every process.
    pub stop: Option<ReasonCode>,
    /// The end of the pause that the server requested from this process.
    pub retry_after_until: Option<Timestamp>,
    /// What happened to the run since the last commit.
    pub events: Vec<NewEvent>,
}

/// The end of a start.
#[derive(Debug)]
pub struct FinishOptions {
    /// The current time.
    pub at: Timestamp,
    /// Why this process stops; `None` if nothing stopped it. The run has ended if every row has,
    /// whatever this is.
    pub stop: Option<ReasonCode>,
    /// What happened to the run since the last commit.
    pub events: Vec<NewEvent>,
}

/// The outcome of a commit.
#[derive(Debug, Default)]
pub struct CommitOutcome {
    /// Rows that may now be sent, each at its slot.
    pub claimed: Vec<ClaimedRow>,
    /// Rows of `retries` that were not claimed because the budget had no slot.
    pub deferred: Vec<PendingRow>,
    /// Rows that were not claimed because another run has their orders in flight. They can be
    /// claimed once that run has completed its call.
    pub in_flight_elsewhere: Vec<PendingRow>,
    /// The counts of the run's rows that ended, by whichever process.
    pub counts: Counts,
    /// Whether there will be no new rows: each was claimed once, and none of them is held by a
    /// process that may have to release it.
    pub exhausted: bool,
    /// When more rows can be claimed, if not now.
    pub next_slot_at: Option<Timestamp>,
    /// The end of the pause that the server requested from any process.
    pub retry_after_until: Option<Timestamp>,
    /// Whether another process uses the same budget, or may have used it recently.
    pub budget_shared: bool,
    /// The lease of the claimed rows; `None` where one process owns the whole run.
    pub lease: Option<Lease>,
    /// Why another process that works on the run has stopped it.
    pub stop: Option<ReasonCode>,
}

/// The stored rate budget is damaged. Treating it as empty would exceed the rate.
#[derive(Debug, thiserror::Error)]
#[error("the rate budget of {endpoint} in it cannot be read: {cause}")]
pub(crate) struct UnreadableBudget {
    /// The endpoint of the budget.
    pub endpoint: String,
    /// The parse error.
    pub cause: serde_json::Error,
}
