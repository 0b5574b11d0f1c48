//! The parameters of a commit's statements, column by column.

use jiff::{SignedDuration, Timestamp};
use tokio_postgres::types::ToSql;

use crate::ledger::claim::{Completion, EndedAttempt};
use crate::ledger::postgres::text::storable;
use crate::ledger::{CompletedClaim, codes};
use crate::model::Verdict;

/// Completed claims in the database's time. A verdict of `None` means that the claim was released.
#[derive(Default)]
pub(super) struct ParamColumns {
    row: Vec<i64>,
    attempt: Vec<i32>,
    worker: Vec<i64>,
    sent_at: Vec<Option<Timestamp>>,
    ended_at: Vec<Option<Timestamp>>,
    verdict: Vec<Option<i16>>,
    status: Vec<Option<i16>>,
    http_status: Vec<Option<i16>>,
    error_code: Vec<Option<String>>,
    message: Vec<Option<String>>,
    doubt: Vec<bool>,
}

/// Orders for which an answer was lost.
#[derive(Default)]
pub(super) struct Lost {
    admin_number: Vec<i64>,
    sequence_number: Vec<i32>,
}

impl Lost {
    /// The lost orders among these claims; `None` if there are none.
    pub fn from_completed(completed: &[CompletedClaim]) -> Option<Lost> {
        let mut lost = Lost::default();
        for CompletedClaim { order, .. } in completed.iter().filter(|its| its.means(Verdict::Doubt))
        {
            lost.admin_number.push(order.admin_number);
            lost.sequence_number.push(order.sequence_number);
        }
        (!lost.admin_number.is_empty()).then_some(lost)
    }

    /// The parameters of `note_doubt.sql`.
    pub fn values<'v>(&'v self, run: &'v i64) -> [&'v (dyn ToSql + Sync); 3] {
        [run, &self.admin_number, &self.sequence_number]
    }
}

/// Orders that were in doubt and are cancelled now.
#[derive(Default)]
pub(super) struct Certain {
    orders: Lost,
    row: Vec<i64>,
    attempt: Vec<i32>,
}

impl Certain {
    /// The certain orders among these claims; `None` if there are none.
    pub fn from_completed(completed: &[CompletedClaim]) -> Option<Certain> {
        let mut certain = Certain::default();
        let is_one = |its: &&CompletedClaim| its.doubt && its.means(Verdict::Cancelled);
        for CompletedClaim { row, order, attempt, .. } in completed.iter().filter(is_one) {
            certain.orders.admin_number.push(order.admin_number);
            certain.orders.sequence_number.push(order.sequence_number);
            certain.row.push(row.0.into());
            certain.attempt.push(*attempt as i32);
        }
        (!certain.row.is_empty()).then_some(certain)
    }

    /// The parameters of `end_doubt.sql`.
    pub fn values<'v>(&'v self, run: &'v i64, worker: &'v i64) -> [&'v (dyn ToSql + Sync); 6] {
        let Lost { admin_number, sequence_number } = &self.orders;
        [run, admin_number, sequence_number, &self.row, &self.attempt, worker]
    }
}

impl ParamColumns {
    /// `ahead` is how far the database's clock is ahead of the one used for the claims.
    pub fn new(completed: &[CompletedClaim], ahead: SignedDuration) -> ParamColumns {
        let mut columns = ParamColumns::default();
        for CompletedClaim { row, attempt, doubt, lease, completion, .. } in completed {
            columns.row.push(row.0.into());
            columns.attempt.push(*attempt as i32);
            columns.worker.push(*lease);
            columns.doubt.push(*doubt);
            columns.completion(completion, ahead);
        }
        columns
    }

    fn completion(&mut self, completion: &Completion, ahead: SignedDuration) {
        let ended = match completion {
            Completion::Released(_) => None,
            Completion::Attempted(ended) => Some(ended),
        };
        let of = |ended: Option<&EndedAttempt>, time: fn(&EndedAttempt) -> Option<Timestamp>| {
            ended.and_then(time).map(|time| time.saturating_add(ahead).unwrap_or(time))
        };
        self.sent_at.push(of(ended, |ended| ended.outcome.sent.then_some(ended.sent_at)));
        self.ended_at.push(of(ended, |ended| Some(ended.ended_at)));
        let outcome = ended.map(|ended| &ended.outcome);
        let status = ended.and_then(|ended| ended.status);
        self.verdict.push(outcome.map(|outcome| codes::of_verdict(outcome.verdict) as i16));
        self.status.push(status.map(|status| codes::of_status(status) as i16));
        let http_status = outcome.and_then(|outcome| outcome.http_status);
        self.http_status.push(http_status.map(|status| status as i16));
        self.error_code.push(outcome.map(|outcome| storable(&outcome.error_code)));
        self.message.push(outcome.map(|outcome| storable(&outcome.message)));
    }

    /// The parameters of `complete.sql`.
    pub fn values<'v>(
        &'v self,
        run: &'v i64,
        stop: &'v Option<String>,
        worker: &'v i64,
    ) -> [&'v (dyn ToSql + Sync); 14] {
        [
            run,
            &self.row,
            &self.attempt,
            &self.worker,
            &self.sent_at,
            &self.ended_at,
            &self.verdict,
            &self.status,
            &self.http_status,
            &self.error_code,
            &self.message,
            &self.doubt,
            stop,
            worker,
        ]
    }

    /// The number of claims held by this worker.
    pub fn of_worker(&self, worker: i64) -> usize {
        self.worker.iter().filter(|claimed_by| **claimed_by == worker).count()
    }

    /// The rows of all claims.
    pub fn rows(&self) -> &[i64] {
        &self.row
    }
}

/// The slots at which nothing was sent, in the database's time.
pub(super) fn unused(completed: &[CompletedClaim], ahead: SignedDuration) -> Vec<Timestamp> {
    let released = completed.iter().filter_map(|completed| match completed.completion {
        Completion::Released(slot) => slot,
        Completion::Attempted(_) => None,
    });
    released.map(|slot| slot.saturating_add(ahead).unwrap_or(slot)).collect()
}
