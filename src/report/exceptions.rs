//! The rows that a person must look at: the first of them, the most urgent before the others.

use super::error_codes::CODE_BYTES;
use super::text::{safe, time};
use crate::ledger::RowRecord;
use crate::model::Status;

/// The most rows that are shown.
pub(super) const MAX_EXCEPTIONS: usize = 300;

/// The longest message that is shown, in bytes.
const MESSAGE_BYTES: usize = 160;

/// A row that a person must look at.
pub(super) struct ExceptionLine {
    pub row: u32,
    pub order: String,
    pub status: Status,
    pub doubt: bool,
    pub code: String,
    pub message: String,
    pub http_status: String,
    pub attempts: u32,
    pub first_sent_at: String,
}

/// Collects the rows that a person must look at.
#[derive(Default)]
pub(super) struct Exceptions {
    /// The first rows of each urgency, the most urgent first.
    lines: [Vec<ExceptionLine>; URGENCIES],
    rows: u64,
}

/// How many urgencies there are.
const URGENCIES: usize = 5;

/// How urgent a row is, from 0; `None` if nobody must look at it.
fn urgency(status: Status, doubt: bool) -> Option<usize> {
    match status {
        Status::Cancelled | Status::AlreadyCancelled | Status::Duplicate => None,
        Status::InDoubt => Some(0),
        Status::Rejected if doubt => Some(0),
        Status::Failed => Some(1),
        Status::Rejected => Some(2),
        Status::Invalid => Some(3),
        Status::NotSent => Some(4),
    }
}

impl Exceptions {
    /// Adds a row, if a person must look at it.
    pub fn add(&mut self, row: &RowRecord) {
        let Some(urgency) = urgency(row.status, row.doubt) else { return };
        self.rows += 1;
        let lines = &mut self.lines[urgency];
        if lines.len() < MAX_EXCEPTIONS {
            lines.push(ExceptionLine {
                row: row.row.0,
                order: row.order.map_or_else(String::new, |order| order.to_string()),
                status: row.status,
                doubt: row.doubt,
                code: safe(&row.error_code, CODE_BYTES),
                message: safe(&row.message, MESSAGE_BYTES),
                http_status: row.http_status.map_or_else(String::new, |http| http.to_string()),
                attempts: row.attempts,
                first_sent_at: row.first_sent_at.map_or_else(String::new, time),
            });
        }
    }

    /// The first rows, and how many there are in all.
    pub fn finish(self) -> (Vec<ExceptionLine>, u64) {
        (self.lines.into_iter().flatten().take(MAX_EXCEPTIONS).collect(), self.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::is_exception;
    use crate::model::RowNumber;

    #[test]
    fn these_are_the_rows_of_exceptions_csv() {
        for status in Status::ALL {
            for doubt in [false, true] {
                assert_eq!(urgency(status, doubt).is_some(), is_exception(status), "{status}");
            }
        }
    }

    #[test]
    fn the_urgent_rows_are_shown_even_if_they_come_last() {
        let mut exceptions = Exceptions::default();
        for number in 1..=2_000 {
            let mut row = RowRecord::unsent(RowNumber(number));
            row.status = if number < 2_000 { Status::NotSent } else { Status::InDoubt };
            exceptions.add(&row);
        }
        let (lines, rows) = exceptions.finish();
        assert_eq!((lines.len(), rows), (MAX_EXCEPTIONS, 2_000));
        assert_eq!((lines[0].row, lines[1].row), (2_000, 1));
    }
}
