//! The error codes of a run, each with samples: a bounded number of them.

use std::collections::BTreeMap;

use super::text::safe;
use crate::ledger::RowRecord;
use crate::model::{ReasonCode, Status};
use crate::output::human_count;

/// The most codes that are told apart at a time. If there are more, the rarest half is forgotten.
const MAX_CODES: usize = 1_000;

/// The most codes that are shown.
pub(super) const SHOWN_CODES: usize = 30;

/// The most rows that are named for a code.
const SAMPLES: usize = 3;

/// The longest code that is shown, in bytes.
pub(super) const CODE_BYTES: usize = 80;

/// The longest message of a sample, in bytes.
const MESSAGE_BYTES: usize = 300;

/// The rows with one code and one status.
pub(super) struct CodeSamples {
    /// How many there are.
    pub rows: u64,
    /// Whether there may be more, which were forgotten.
    pub may_be_more: bool,
    /// The first of them: row and order.
    pub samples: Vec<String>,
    /// The message of the first.
    pub message: String,
}

/// Counts rows by code and status.
#[derive(Default)]
pub(super) struct ErrorCodes {
    codes: BTreeMap<(String, Status), CodeSamples>,
    /// The rows of the codes that were forgotten.
    forgotten_rows: u64,
}

/// A line of the table of codes.
pub(super) struct CodeLine {
    pub code: String,
    pub status: Status,
    /// What a code of this program means; empty for CoreCARD's.
    pub meaning: &'static str,
    pub rows: u64,
    pub may_be_more: bool,
    pub samples: String,
    pub message: String,
}

impl CodeLine {
    /// The number of rows, for people.
    pub fn rows_text(&self) -> String {
        let least = if self.may_be_more { "at least " } else { "" };
        format!("{least}{}", human_count(self.rows))
    }
}

impl ErrorCodes {
    /// Adds a row, if it has a code.
    pub fn add(&mut self, row: &RowRecord) {
        if row.error_code.is_empty() {
            return;
        }
        let key = (safe(&row.error_code, CODE_BYTES), row.status);
        if !self.codes.contains_key(&key) && self.codes.len() >= MAX_CODES {
            self.forget_rarest();
        }
        let may_be_more = self.forgotten_rows > 0;
        let code = self.codes.entry(key).or_insert_with(|| CodeSamples {
            rows: 0,
            may_be_more,
            samples: Vec::new(),
            message: safe(&row.message, MESSAGE_BYTES),
        });
        code.rows += 1;
        if code.samples.len() < SAMPLES {
            let order = row.order.map_or_else(String::new, |order| format!(" ({order})"));
            code.samples.push(format!("{}{order}", row.row));
        }
    }

    /// Makes room for new codes. A code that is frequent is known again, if it comes again.
    fn forget_rarest(&mut self) {
        let mut codes: Vec<_> = std::mem::take(&mut self.codes).into_iter().collect();
        codes.sort_by_key(|(_, code)| std::cmp::Reverse(code.rows));
        let forgotten = codes.split_off(MAX_CODES / 2);
        self.forgotten_rows += forgotten.iter().map(|(_, code)| code.rows).sum::<u64>();
        self.codes = codes.into_iter().collect();
    }

    /// The most frequent codes, and the numbers of those left out: of codes, and of their rows.
    /// Codes that were forgotten are not counted as codes.
    pub fn finish(self) -> (Vec<CodeLine>, usize, u64) {
        let mut codes: Vec<_> = self.codes.into_iter().collect();
        // The sort is stable: codes with the same number of rows stay in the order of their names.
        codes.sort_by_key(|(_, code)| std::cmp::Reverse(code.rows));
        let left_out = codes.split_off(codes.len().min(SHOWN_CODES));
        let rows_left_out = left_out.iter().map(|(_, code)| code.rows).sum::<u64>();
        let line = |((code, status), of): ((String, Status), CodeSamples)| CodeLine {
            meaning: code.parse::<ReasonCode>().ok().map_or("", meaning),
            code,
            status,
            rows: of.rows,
            may_be_more: of.may_be_more,
            samples: of.samples.join(", "),
            message: of.message,
        };
        let lines = codes.into_iter().map(line).collect();
        (lines, left_out.len(), rows_left_out + self.forgotten_rows)
    }
}

/// What a code of this program means.
fn meaning(code: ReasonCode) -> &'static str {
    let known = ReasonCode::ALL.iter().find(|(known, _)| *known == code);
    known.map_or("", |(_, meaning)| meaning)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RowNumber;

    #[test]
    fn of_ever_more_codes_the_frequent_ones_are_counted_in_little_memory() {
        let mut codes = ErrorCodes::default();
        for number in 0..20_000 {
            let mut row = RowRecord::unsent(RowNumber(number + 1));
            let code = match number {
                0..100 => "FIRST".to_owned(),
                10_000.. if number % 2 == 0 => "LATE".to_owned(),
                _ => format!("E{number}"),
            };
            (row.status, row.error_code) = (Status::Rejected, code);
            codes.add(&row);
        }
        assert!(codes.codes.len() <= MAX_CODES);
        let (lines, left_out, rows) = codes.finish();
        assert_eq!(
            (lines[0].code.as_str(), lines[0].rows_text()),
            ("LATE", "at least 5,000".into())
        );
        assert_eq!((lines[1].code.as_str(), lines[1].rows_text()), ("FIRST", "100".into()));
        assert_eq!(lines[1].samples, "1, 2, 3");
        assert_eq!(lines.len(), SHOWN_CODES);
        assert!(left_out > 0);
        assert_eq!(rows + lines.iter().map(|line| line.rows).sum::<u64>(), 20_000);
    }
}
