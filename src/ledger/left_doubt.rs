//! The attempt that left a row in doubt: a row that ends in doubt is told by it, and
//! not by a later attempt that surely did nothing.

use super::RowRecord;
use crate::model::Status;

/// What the last attempt of a row came to that left doubt.
#[derive(Default)]
pub(super) struct LeftDoubt {
    /// Whether there is one. Else another run left the doubt, if there is any.
    is_known: bool,
    /// Whether the last attempt left none.
    is_behind: bool,
    error_code: String,
    message: String,
    http_status: Option<u16>,
}

/// The message of a row whose order is in doubt from another run, and that by itself would
/// have had this message.
pub(crate) fn after_lost_answer(message: &str) -> String {
    match message {
        "" => "an earlier answer was lost".to_owned(),
        _ => format!("an earlier answer was lost; then: {message}"),
    }
}

impl LeftDoubt {
    /// Another row begins.
    pub fn begin(&mut self) {
        self.is_known = false;
        self.is_behind = false;
    }

    /// An attempt has just been told in the record.
    pub fn after_attempt(&mut self, record: &RowRecord, left_doubt: bool) {
        self.is_behind = !left_doubt;
        if left_doubt {
            self.is_known = true;
            self.error_code.clone_from(&record.error_code);
            self.message.clone_from(&record.message);
            self.http_status = record.http_status;
        }
    }

    /// All attempts of the row are told.
    pub fn tell(&self, record: &mut RowRecord) {
        if record.status != Status::InDoubt || !self.is_behind || record.error_code.is_empty() {
            return;
        }
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
