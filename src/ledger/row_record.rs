//! The record of one row, and how it is assembled from the stored row and its attempts. Both
//! adapters use it, so that the same attempts yield the same record.

use jiff::Timestamp;

use super::attempt_record::AttemptRecord;
use super::codes;
use super::interrupted::CODE_TEXT as INTERRUPTED;
use crate::model::{Order, RowNumber, Status, status_when_stopped};

/// A row as recorded in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowRecord {
    /// Its number in the input.
    pub row: RowNumber,
    /// The order that was or would be sent; `None` if the row is invalid.
    pub order: Option<Order>,
    /// Its status; `not_sent` or `in_doubt` if it has not ended.
    pub status: Status,
    /// Whether it has ended.
    pub has_ended: bool,
    /// Whether its status was carried over from the results file that it came from.
    pub carried_over: bool,
    /// CoreCARD's error code, or one of ours.
    pub error_code: String,
    /// CoreCARD's message, or ours.
    pub message: String,
    /// The HTTP status of the last attempt, if it was answered.
    pub http_status: Option<u16>,
    /// The number of attempts in this run.
    pub attempts: u32,
    /// Whether the answer of any attempt was lost.
    pub doubt: bool,
    /// When the first attempt was sent; for an interrupted attempt, when it was claimed.
    pub first_sent_at: Option<Timestamp>,
    /// When the row got its status.
    pub ended_at: Option<Timestamp>,
}

impl RowRecord {
    /// Whether it still needs work: it is `failed`, `in_doubt` or `not_sent`, or rejected with
    /// doubt.
    pub fn is_open(&self) -> bool {
        match self.status {
            Status::Failed | Status::InDoubt | Status::NotSent => true,
            Status::Rejected => self.doubt,
            Status::Cancelled | Status::AlreadyCancelled | Status::Invalid | Status::Duplicate => {
                false
            }
        }
    }

    /// A row about which nothing else is known.
    pub(crate) fn unsent(row: RowNumber) -> RowRecord {
        RowRecord {
            row,
            order: None,
            status: Status::NotSent,
            has_ended: false,
            carried_over: false,
            error_code: String::new(),
            message: String::new(),
            http_status: None,
            attempts: 0,
            doubt: false,
            first_sent_at: None,
            ended_at: None,
        }
    }
}

/// An attempt as it is stored. One in flight has neither an end nor a code: its answer is not
/// known, and it may have been sent.
pub(super) struct StoredAttempt<'a> {
    pub sent_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    /// What the answer meant; `None` while it is in flight.
    pub verdict: Option<i64>,
    /// The status of the row, if this attempt ended it.
    pub status: Option<Status>,
    pub http_status: Option<u16>,
    pub error_code: &'a str,
    pub message: &'a str,
}

/// How an attempt came about, as it is stored.
#[derive(Clone, Copy)]
pub(super) struct StoredClaim {
    /// Which attempt of the row it is.
    pub attempt: u32,
    /// The number of the start that made it, if that is recorded.
    pub start: Option<i64>,
    pub claimed_at: Timestamp,
}

impl StoredAttempt<'_> {
    /// Whether the answer was lost, or is still to come.
    fn leaves_doubt(&self) -> bool {
        self.verdict.is_none_or(|verdict| verdict == codes::DOUBT)
    }

    /// Whether it ended unseen. Then it may have been sent from when it was claimed.
    fn is_interrupted(&self) -> bool {
        self.verdict.is_none() || self.error_code == INTERRUPTED
    }
}

/// Calls `each` with the rows that are open, of those that are assembled.
pub(super) fn open_ones<'e>(
    each: &'e mut dyn FnMut(&mut RowRecord) -> anyhow::Result<()>,
) -> impl FnMut(&mut RecordBuilder) -> anyhow::Result<()> + 'e {
    move |builder| match builder.finish() {
        row if row.is_open() => each(row),
        _ => Ok(()),
    }
}

/// Assembles one record after another; its buffers are reused.
pub(super) struct RecordBuilder {
    record: RowRecord,
    /// The row's attempts, if they are collected. Those beyond `collected` are left from earlier
    /// rows, and are overwritten.
    attempts: Vec<AttemptRecord>,
    collected: usize,
    collects: bool,
    /// The last attempt that left doubt. A row that ends in doubt is described by it, and not by
    /// a later attempt that surely did nothing.
    doubt: LastDoubt,
}

#[derive(Default)]
struct LastDoubt {
    /// Whether there is such an attempt. If not, a doubt comes from another run.
    is_known: bool,
    /// Whether a later attempt left no doubt.
    is_behind: bool,
    error_code: String,
    message: String,
    http_status: Option<u16>,
}

impl RecordBuilder {
    pub fn new() -> RecordBuilder {
        RecordBuilder {
            record: RowRecord::unsent(RowNumber(0)),
            attempts: Vec::new(),
            collected: 0,
            collects: false,
            doubt: LastDoubt::default(),
        }
    }

    /// A builder that also collects the attempts of each row.
    pub fn collecting_attempts() -> RecordBuilder {
        RecordBuilder { collects: true, ..RecordBuilder::new() }
    }

    /// Begins the next row. `doubt` is whether an answer for its order was lost before.
    pub fn begin(&mut self, row: RowNumber, order: Option<Order>, doubt: bool) {
        let record = &mut self.record;
        (record.row, record.order, record.doubt) = (row, order, doubt);
        (record.status, record.carried_over) = (Status::NotSent, false);
        record.error_code.clear();
        record.message.clear();
        (record.http_status, record.attempts) = (None, 0);
        (record.first_sent_at, record.ended_at) = (None, None);
        (self.doubt.is_known, self.doubt.is_behind) = (false, false);
        self.collected = 0;
    }

    /// Sets the status of a row that was decided without a call or carried over from an earlier
    /// run.
    pub fn decide(&mut self, status: Status, carried_over: bool, error_code: &str, message: &str) {
        (self.record.status, self.record.carried_over) = (status, carried_over);
        error_code.clone_into(&mut self.record.error_code);
        message.clone_into(&mut self.record.message);
    }

    /// Adds the row's next attempt. Its claim is read only where it is needed: most rows are read
    /// for their results, which do not have it.
    ///
    /// # Errors
    /// Those of `claim`.
    pub fn add_attempt<E>(
        &mut self,
        attempt: &StoredAttempt<'_>,
        claim: impl Fn() -> Result<StoredClaim, E>,
    ) -> Result<(), E> {
        if self.collects {
            self.collect(attempt, &claim()?);
        }
        let record = &mut self.record;
        record.attempts += 1;
        if record.first_sent_at.is_none() {
            record.first_sent_at = match attempt.sent_at {
                None if attempt.is_interrupted() => Some(claim()?.claimed_at),
                sent_at => sent_at,
            };
        }
        let leaves_doubt = attempt.leaves_doubt();
        record.doubt |= leaves_doubt;
        let was_decided = record.status != Status::NotSent;
        if !was_decided {
            record.ended_at = attempt.ended_at;
            record.http_status = attempt.http_status;
            attempt.error_code.clone_into(&mut record.error_code);
            attempt.message.clone_into(&mut record.message);
            record.status = attempt.status.unwrap_or(record.status);
        }
        self.doubt.is_behind = !leaves_doubt;
        if leaves_doubt {
            self.doubt.is_known = true;
            self.doubt.error_code.clone_from(&record.error_code);
            self.doubt.message.clone_from(&record.message);
            self.doubt.http_status = record.http_status;
        }
        Ok(())
    }

    fn collect(&mut self, attempt: &StoredAttempt<'_>, claim: &StoredClaim) {
        let Some(order) = self.record.order else { return };
        if self.collected == self.attempts.len() {
            self.attempts.push(AttemptRecord::unsent(self.record.row, order));
        }
        let Some(collected) = self.attempts.get_mut(self.collected) else { return };
        self.collected += 1;
        (collected.row, collected.order) = (self.record.row, order);
        (collected.attempt, collected.start) = (claim.attempt, claim.start);
        (collected.claimed_at, collected.sent_at) = (claim.claimed_at, attempt.sent_at);
        collected.ended_at = attempt.ended_at;
        collected.verdict = attempt.verdict.and_then(codes::verdict_word).unwrap_or_default();
        (collected.status, collected.http_status) = (attempt.status, attempt.http_status);
        attempt.error_code.clone_into(&mut collected.error_code);
        attempt.message.clone_into(&mut collected.message);
    }

    /// The record and the collected attempts, after all attempts were added.
    pub fn finish_with_attempts(&mut self) -> (&mut RowRecord, &mut [AttemptRecord]) {
        self.finish();
        (&mut self.record, self.attempts.get_mut(..self.collected).unwrap_or_default())
    }

    /// Completes the record after all attempts were added. A row without a status has not ended,
    /// and gets the status that it would have if the run stopped now.
    pub fn finish(&mut self) -> &mut RowRecord {
        let record = &mut self.record;
        record.has_ended = record.carried_over || record.status != Status::NotSent;
        if !record.has_ended {
            record.status = status_when_stopped(record.doubt);
        }
        let is_in_doubt = record.status == Status::InDoubt && !record.error_code.is_empty();
        if is_in_doubt && self.doubt.is_behind {
            self.doubt.describe(record);
        }
        &mut self.record
    }
}

impl LastDoubt {
    /// Describes the row by the attempt that left doubt, followed by the later one.
    fn describe(&self, record: &mut RowRecord) {
        if !self.is_known {
            record.message = after_lost_answer(&record.message);
            return;
        }
        let later = std::mem::replace(&mut record.error_code, self.error_code.clone());
        record.message = if record.message.is_empty() {
            format!("{}; then: {later}", self.message)
        } else {
            format!("{}; then: {later}, {}", self.message, record.message)
        };
        record.http_status = self.http_status;
    }
}

/// The message of a row whose order is in doubt from another run, and that by itself would
/// have had this message.
pub(crate) fn after_lost_answer(message: &str) -> String {
    match message {
        "" => "an earlier answer was lost".to_owned(),
        _ => format!("an earlier answer was lost; then: {message}"),
    }
}
