//! One row with all that the ledger knows of it, and how that is put together from the row and
//! its attempts. Both adapters tell the same of the same attempts.

use jiff::Timestamp;

use crate::model::{Order, RowNumber, Status, status_when_stopped};

/// One row as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowRecord {
    /// Its number in the input.
    pub row: RowNumber,
    /// What was or would be sent for it, if it can be.
    pub order: Option<Order>,
    /// How it stands; a row that has not ended is `not_sent` or `in_doubt`.
    pub status: Status,
    /// Whether it has ended.
    pub has_ended: bool,
    /// Whether its status was carried over from the results file it came from.
    pub carried_over: bool,
    /// CoreCARD's code, or one of ours.
    pub error_code: String,
    /// CoreCARD's message, or ours.
    pub message: String,
    /// The HTTP status of the last attempt, if it was answered.
    pub http_status: Option<u16>,
    /// Attempts in this run.
    pub attempts: u32,
    /// Whether any attempt's answer was lost.
    pub doubt: bool,
    /// When the first attempt left; for one that was cut short, when it was claimed.
    pub first_sent_at: Option<Timestamp>,
    /// When the row came to stand so.
    pub ended_at: Option<Timestamp>,
}

impl RowRecord {
    /// A row of which nothing else is known.
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
    pub leaves_doubt: bool,
    /// The status of the row, if it ended by this attempt.
    pub status: Option<Status>,
    pub http_status: Option<u16>,
    pub error_code: &'a str,
    pub message: &'a str,
}

/// Puts one record after another together. Its buffers serve for all of them.
pub(super) struct RecordBuilder {
    record: RowRecord,
    /// What the last attempt that left doubt came to. A row that ends in doubt is described by
    /// it, and not by a later attempt that surely did nothing.
    doubt: LastDoubt,
}

#[derive(Default)]
struct LastDoubt {
    /// Whether there is one. Else another run left the doubt, if there is any.
    is_known: bool,
    /// Whether a later attempt left none.
    is_behind: bool,
    error_code: String,
    message: String,
    http_status: Option<u16>,
}

impl RecordBuilder {
    pub fn new() -> RecordBuilder {
        RecordBuilder { record: RowRecord::unsent(RowNumber(0)), doubt: LastDoubt::default() }
    }

    /// Begins with another row. `doubt` says whether an answer for its order was lost before.
    pub fn begin(&mut self, row: RowNumber, order: Option<Order>, doubt: bool) {
        let record = &mut self.record;
        (record.row, record.order, record.doubt) = (row, order, doubt);
        (record.status, record.carried_over) = (Status::NotSent, false);
        record.error_code.clear();
        record.message.clear();
        (record.http_status, record.attempts) = (None, 0);
        (record.first_sent_at, record.ended_at) = (None, None);
        (self.doubt.is_known, self.doubt.is_behind) = (false, false);
    }

    /// The row was decided without a call, or carried over from an earlier run.
    pub fn decide(&mut self, status: Status, carried_over: bool, error_code: &str, message: &str) {
        (self.record.status, self.record.carried_over) = (status, carried_over);
        error_code.clone_into(&mut self.record.error_code);
        message.clone_into(&mut self.record.message);
    }

    /// Takes in the row's next attempt.
    pub fn add_attempt(&mut self, attempt: &StoredAttempt<'_>) {
        let record = &mut self.record;
        record.attempts += 1;
        if let Some(sent_at) = attempt.sent_at {
            record.first_sent_at.get_or_insert(sent_at);
        }
        record.doubt |= attempt.leaves_doubt;
        let was_decided = record.status != Status::NotSent;
        if !was_decided {
            record.ended_at = attempt.ended_at;
            record.http_status = attempt.http_status;
            attempt.error_code.clone_into(&mut record.error_code);
            attempt.message.clone_into(&mut record.message);
            record.status = attempt.status.unwrap_or(record.status);
        }
        self.doubt.is_behind = !attempt.leaves_doubt;
        if attempt.leaves_doubt {
            self.doubt.is_known = true;
            self.doubt.error_code.clone_from(&record.error_code);
            self.doubt.message.clone_from(&record.message);
            self.doubt.http_status = record.http_status;
        }
    }

    /// The record, once all attempts are taken in. A row that was not decided has not ended, and
    /// stands as it would if nothing more came.
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
    /// Describes the row by the attempt that left doubt, and the later one behind it.
    fn describe(&self, record: &mut RowRecord) {
        if !self.is_known {
            record.message = after_lost_answer(&record.message);
            return;
        }
        let later = std::mem::replace(&mut record.error_code, self.error_code.clone());
        record.message = match record.message.is_empty() {
            true => format!("{}; then: {later}", self.message),
            false => format!("{}; then: {later}, {}", self.message, record.message),
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
