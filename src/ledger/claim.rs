//! The states of a row between commits. The types ensure that only a claimed row is sent, that an
//! attempt is completed once, and that a row in flight is not claimed again.

use jiff::Timestamp;

use crate::model::{Order, Outcome, RowNumber, RowTransition, Status, Verdict};

/// A row that is durably recorded as about to be sent. Only a ledger creates it.
#[derive(Debug, PartialEq, Eq)]
pub struct ClaimedRow {
    row: RowNumber,
    order: Order,
    attempt: u32,
    counted_attempts: u32,
    doubt: bool,
    claimed_at: Timestamp,
    slot: Option<Timestamp>,
    lease: i64,
}

/// A row that was claimed before, has not ended, and may be claimed again.
#[derive(Debug, PartialEq, Eq)]
pub struct PendingRow {
    pub(super) row: RowNumber,
    pub(super) order: Order,
    /// Attempts recorded so far.
    pub(super) attempts: u32,
    /// The attempts among them that count against the limit. Those that were interrupted do not,
    /// nor do those whose answer stopped the run.
    pub(super) counted_attempts: u32,
    pub(super) doubt: bool,
}

/// A completed or released claim, to be recorded by a commit.
#[derive(Debug, PartialEq, Eq)]
pub struct CompletedClaim {
    pub(super) row: RowNumber,
    pub(super) order: Order,
    pub(super) attempt: u32,
    /// Whether an earlier answer for the order was lost.
    pub(super) doubt: bool,
    /// When it was claimed.
    pub(super) claimed_at: Timestamp,
    /// The lease under which it was claimed.
    pub(super) lease: i64,
    pub(super) completion: Completion,
}

/// How a claim ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Completion {
    /// Nothing was sent: the row's slot, if it has one, returns to the budget.
    Released(Option<Timestamp>),
    /// The request was sent, or sending it was attempted.
    Attempted(EndedAttempt),
}

/// The recorded part of an attempt's end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EndedAttempt {
    pub sent_at: Timestamp,
    pub ended_at: Timestamp,
    pub outcome: Outcome,
    pub status: Option<Status>,
}

/// How and when an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptEnd {
    /// When the request was handed to the network.
    pub sent_at: Timestamp,
    /// When its answer arrived or was given up.
    pub ended_at: Timestamp,
    /// Its outcome.
    pub outcome: Outcome,
}

impl ClaimedRow {
    /// `lease` is 0 where there are no leases.
    pub(super) fn new(
        waiting: PendingRow,
        claimed_at: Timestamp,
        slot: Option<Timestamp>,
        lease: i64,
    ) -> Self {
        let PendingRow { row, order, attempts, counted_attempts, doubt } = waiting;
        ClaimedRow {
            row,
            order,
            attempt: attempts + 1,
            counted_attempts,
            doubt,
            claimed_at,
            slot,
            lease,
        }
    }

    /// The row.
    pub fn row(&self) -> RowNumber {
        self.row
    }

    /// The order to send.
    pub fn order(&self) -> Order {
        self.order
    }

    /// The number of this attempt of the row, from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The number of counted attempts, this one included.
    pub fn counted_attempts(&self) -> u32 {
        self.counted_attempts + 1
    }

    /// Whether an earlier answer of the row was lost.
    pub fn doubt(&self) -> bool {
        self.doubt
    }

    /// The slot at which the call may start, by the ledger's clock; `None` if there is no rate to
    /// keep.
    pub fn slot(&self) -> Option<Timestamp> {
        self.slot
    }

    /// The fencing number of the lease under which it is held; 0 where there are no leases.
    pub fn lease(&self) -> i64 {
        self.lease
    }

    /// Completes the attempt. Returns the row as pending unless it ended.
    pub fn complete(
        self,
        ending: AttemptEnd,
        transition: RowTransition,
    ) -> (CompletedClaim, Option<PendingRow>) {
        let AttemptEnd { sent_at, ended_at, outcome } = ending;
        let status = match transition {
            RowTransition::End(status) => Some(status),
            RowTransition::Retry | RowTransition::Unsent => None,
        };
        let waiting = status.is_none().then_some(PendingRow {
            row: self.row,
            order: self.order,
            attempts: self.attempt,
            counted_attempts: self.counted_attempts
                + u32::from(!matches!(outcome.verdict, Verdict::Stop(_))),
            doubt: self.doubt || outcome.verdict.leaves_doubt(),
        });
        let completion = Completion::Attempted(EndedAttempt { sent_at, ended_at, outcome, status });
        (self.completed(completion), waiting)
    }

    /// Completes an attempt that failed because of an outage of the server: it does not count
    /// against the limit.
    pub fn complete_refunded(
        self,
        ending: AttemptEnd,
        transition: RowTransition,
    ) -> (CompletedClaim, Option<PendingRow>) {
        let (completed, mut waiting) = self.complete(ending, transition);
        waiting.iter_mut().for_each(PendingRow::refund_attempt);
        (completed, waiting)
    }

    /// Releases the claim: nothing was sent.
    pub fn release(self) -> (CompletedClaim, PendingRow) {
        let completion = Completion::Released(self.slot);
        let completed = self.completed(completion);
        let waiting = PendingRow {
            row: self.row,
            order: self.order,
            attempts: self.attempt - 1,
            counted_attempts: self.counted_attempts,
            doubt: self.doubt,
        };
        (completed, waiting)
    }

    fn completed(&self, completion: Completion) -> CompletedClaim {
        let ClaimedRow { row, order, attempt, doubt, claimed_at, lease, .. } = *self;
        CompletedClaim { row, order, attempt, doubt, claimed_at, lease, completion }
    }
}

impl CompletedClaim {
    /// Whether an attempt was made and has this verdict.
    pub(super) fn means(&self, verdict: Verdict) -> bool {
        matches!(&self.completion, Completion::Attempted(ended) if ended.outcome.verdict == verdict)
    }
}

impl PendingRow {
    /// The row.
    pub fn row(&self) -> RowNumber {
        self.row
    }

    /// The number of attempts that count against the limit.
    pub fn counted_attempts(&self) -> u32 {
        self.counted_attempts
    }

    /// Refunds the last attempt, because it failed in an outage of the server.
    pub fn refund_attempt(&mut self) {
        self.counted_attempts = self.counted_attempts.saturating_sub(1);
    }
}
