//! What is recorded of one order in one run.

use super::attempt_record::AttemptRecord;
use super::row_record::RowRecord;
use super::run::Run;

/// A row of a run that carries the order, with its attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderHistory {
    /// The run.
    pub run: Run,
    /// The row.
    pub row: RowRecord,
    /// Its attempts, including one in flight.
    pub attempts: Vec<AttemptRecord>,
}
