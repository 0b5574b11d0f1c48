//! The result columns of a row, as the ledger has them.

use std::io::Write;

use crate::ledger::{RowRecord, Run};
use crate::model::{ReasonCode, Status, TimestampFormatter, without_formula};

/// What a results file that is run again has about a row, and a new one keeps.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct EarlierFields<'f> {
    /// The row's number in the input of the first run.
    pub row: Option<&'f [u8]>,
    /// The attempts before this run.
    pub attempts: u32,
    /// When the first of them was sent.
    pub first_sent_at: Option<&'f str>,
}

/// Writes the result columns of one row after another.
pub(super) struct OutcomeFields {
    digits: itoa::Buffer,
    /// Calls begin and end at about the same time, but often not in the same second.
    first_sent_at: TimestampFormatter,
    ended_at: TimestampFormatter,
}

impl OutcomeFields {
    pub fn new() -> OutcomeFields {
        OutcomeFields {
            digits: itoa::Buffer::new(),
            first_sent_at: TimestampFormatter::milliseconds(),
            ended_at: TimestampFormatter::milliseconds(),
        }
    }

    /// Writes a number as a field.
    pub fn number(
        &mut self,
        csv: &mut csv::Writer<impl Write>,
        number: impl itoa::Integer,
    ) -> csv::Result<()> {
        csv.write_field(self.digits.format(number))
    }

    /// Writes the fields of a row of the run, after those that come before them.
    pub fn write(
        &mut self,
        csv: &mut csv::Writer<impl Write>,
        record: &RowRecord,
        run: &Run,
        earlier: EarlierFields<'_>,
    ) -> csv::Result<()> {
        match earlier.row {
            Some(row) => csv.write_field(row)?,
            None => self.number(csv, record.row.0)?,
        }
        csv.write_field(record.status.as_str())?;
        let (code, message) = code_and_message(record, run);
        csv.write_field(without_formula(code).as_bytes())?;
        csv.write_field(without_formula(message).as_bytes())?;
        match record.http_status {
            Some(status) => self.number(csv, status)?,
            None => csv.write_field("")?,
        }
        self.number(csv, record.attempts.saturating_add(earlier.attempts))?;
        csv.write_field(if record.doubt { "true" } else { "false" })?;
        match earlier.first_sent_at {
            Some(first) => csv.write_field(first.as_bytes())?,
            None => {
                let first = record.first_sent_at.map(|time| self.first_sent_at.format(time));
                csv.write_field(first.unwrap_or_default())?;
            }
        }
        let ended = record.ended_at.filter(|_| record.status != Status::NotSent);
        let ended = ended.map(|time| self.ended_at.format(time));
        csv.write_field(ended.unwrap_or_default())
    }
}

/// The error code and message of a row: those of the stop if this run never sent the row.
pub fn code_and_message<'r>(record: &'r RowRecord, run: &'r Run) -> (&'r str, &'r str) {
    // A row in doubt that has not ended is in doubt from another run.
    let was_left =
        record.status == Status::NotSent || (record.status == Status::InDoubt && !record.has_ended);
    match &run.stop {
        Some(stop) if was_left && record.error_code.is_empty() => (stop, stop_meaning(stop)),
        _ => (&record.error_code, &record.message),
    }
}

fn stop_meaning(stop: &str) -> &'static str {
    let known = ReasonCode::ALL.iter().find(|(code, _)| code.to_string() == stop);
    known.map_or("", |(_, meaning)| meaning)
}
