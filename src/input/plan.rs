//! Plans every row before a run: whether it is sent, and if not, why not.

use crate::model::{Order, Row, RowError, RowNumber, Status};

use super::columns::ColumnMap;
use super::duplicates::Cursor;
use super::error::InputError;
use super::priority::SendPositions;
use super::rerun::{RerunAction, RerunPlan, action};
use super::rows::Rows;
use super::scan::InputSummary;
use super::source::Input;
use super::until_error::until_error;

/// How a row stands before the run begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disposition {
    /// Its order is to be sent.
    ToSend {
        /// Whether an earlier run lost an answer for the order.
        doubt: bool,
    },
    /// It cannot be sent.
    Invalid(RowError),
    /// Another row carries the same order, and decides.
    Duplicate {
        /// That row: the first, or one that an earlier run cancelled.
        first: RowNumber,
    },
    /// Evidence ended the doubt of its order, which is decided without a call.
    Resolved {
        /// What the evidence shows: `already_cancelled` or `failed`.
        status: Status,
        /// The evidence, in words.
        message: String,
    },
    /// A doubt of its order has ended since the results file was written.
    EndedSince(Box<EndedSince>),
    /// A rerun leaves it as it stood.
    Kept {
        /// How it stood.
        status: Status,
        /// Whether an answer for its order was lost.
        doubt: bool,
    },
}

/// How an order stands whose doubt has ended since a results file was written, by a later run or by
/// evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedSince {
    /// Its status.
    pub status: Status,
    /// The error code that goes with it.
    pub error_code: String,
    /// The message that goes with it.
    pub message: String,
}

/// A row and how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedRow {
    /// The row.
    pub row: RowNumber,
    /// The line of the file in which it starts.
    pub line: u64,
    /// Its order, unless it is not one that can be sent.
    pub order: Option<Order>,
    /// How it stands.
    pub disposition: Disposition,
    /// Its place in the order in which rows are sent, from 1: its number, unless the
    /// input has a priority column. No two rows have the same.
    pub place: u32,
}

/// Goes through the rows once more, after [`super::scan()`] found the duplicates
/// and who goes first, and gives each its verdict, in order. A rerun has a plan, a run has none.
///
/// # Errors
/// When the input cannot be read any more; the rows end with such an error too.
pub fn planned_rows<'i>(
    input: &'i Input,
    columns: &'i ColumnMap,
    summary: &'i InputSummary,
    plan: Option<&'i RerunPlan>,
) -> Result<impl Iterator<Item = Result<PlannedRow, InputError>> + use<'i>, InputError> {
    let rows = input.rows(columns)?;
    let (cursor, places) = (summary.duplicates.cursor(), summary.places.as_ref());
    let mut planner = RowPlanner { input, rows, plan, cursor, places };
    Ok(until_error(move || planner.plan_row()))
}

/// Plans one row after another.
struct RowPlanner<'i> {
    input: &'i Input,
    rows: Rows<'i>,
    plan: Option<&'i RerunPlan>,
    cursor: Cursor<'i>,
    places: Option<&'i SendPositions>,
}

impl RowPlanner<'_> {
    fn plan_row(&mut self) -> Result<Option<PlannedRow>, InputError> {
        let Some(record) = self.rows.next()? else { return Ok(None) };
        let action = action(self.input, self.plan, &record)?;
        let (row, line, content) = (record.row, record.line(), record.content());
        let order = match content {
            Row::Order(order) => Some(order),
            Row::Invalid(_) => None,
        };
        let disposition = match (action, content) {
            (RerunAction::Keep { status, doubt }, _) => Disposition::Kept { status, doubt },
            (_, Row::Invalid(error)) => {
                let before = self.plan.and_then(|plan| plan.error_before(record.fields));
                Disposition::Invalid(before.unwrap_or(error))
            }
            (RerunAction::Retry { doubt }, _) => match self.cursor.first_of(row) {
                Some(first) => Disposition::Duplicate { first },
                None => Disposition::ToSend { doubt: doubt || self.cursor.inherits_doubt(row) },
            },
        };
        let place = self.places.map_or(row.0, |places| places.position_of(row));
        Ok(Some(PlannedRow { row, line, order, disposition, place }))
    }
}

#[cfg(test)]
mod tests {
    use crate::input::rerun::RowFilter;
    use crate::input::testing::{created, created_again, refused_again};

    #[test]
    fn a_run_sends_each_order_once() {
        insta::assert_snapshot!(created("admin,seq\n1,1\nx,1\n2,1\n1,1\n01,1\n"), @r#"
        1: 1/1 to send
        2: INVALID_ADMIN_NUMBER
        3: 2/1 to send
        4: 1/1 duplicate of 1
        5: 1/1 duplicate of 1
        "#);
    }

    const RESULTS: &str = "\
admin,seq,row,status,error_code,attempts,doubt
1,1,1,cancelled,ERR01160,1,false
2,1,2,failed,HTTP_503,3,false
3,1,3,rejected,ERR7,1,true
4,1,4,in_doubt,TIMEOUT,3,true
x,1,5,invalid,INVALID_ADMIN_NUMBER,0,false
6,1,6,not_sent,CUT_OFF,0,false
7,1,7,not_sent,CUT_OFF,1,true
";

    #[test]
    fn a_rerun_sends_the_rows_that_are_open_and_remembers_their_doubt() {
        insta::assert_snapshot!(created_again(RESULTS, RowFilter::default()), @r"
        1: 1/1 kept cancelled
        2: 2/1 to send
        3: 3/1 to send in doubt
        4: 4/1 to send in doubt
        5: kept invalid
        6: 6/1 to send
        7: 7/1 to send in doubt
        ");
    }

    #[test]
    fn a_rerun_can_be_of_certain_statuses_and_codes_only() {
        insta::assert_snapshot!(created_again(RESULTS, RowFilter::parse(["ERR7", "invalid", "cut_off"])), @r"
        1: 1/1 kept cancelled
        2: 2/1 kept failed
        3: 3/1 to send in doubt
        4: 4/1 kept in_doubt with doubt
        5: INVALID_ADMIN_NUMBER
        6: 6/1 kept not_sent
        7: 7/1 kept not_sent with doubt
        ");
    }

    #[test]
    fn what_a_spreadsheet_does_to_results_is_tolerated() {
        let text = "\
Admin;Seq;STATUS;Doubt
1;1; Not Sent ;FALSE
2;1;'FAILED;TRUE
3;1;In-Doubt;
4;1;failed;0
5;1;failed;1
6;1;failed;WAHR
7;1;Already_Cancelled;
";
        insta::assert_snapshot!(created_again(text, RowFilter::default()), @r"
        1: 1/1 to send
        2: 2/1 to send in doubt
        3: 3/1 to send in doubt
        4: 4/1 to send
        5: 5/1 to send in doubt
        6: 6/1 to send in doubt
        7: 7/1 kept already_cancelled
        ");
    }

    #[test]
    fn an_order_cancelled_in_a_kept_row_is_not_sent_again() {
        let text = "admin,seq,status,doubt\n1,1,failed,\n1,1,cancelled,\n2,1,already_cancelled,\n2,1,failed,\n";
        insta::assert_snapshot!(created_again(text, RowFilter::default()), @r"
        1: 1/1 duplicate of 2
        2: 1/1 kept cancelled
        3: 2/1 kept already_cancelled
        4: 2/1 duplicate of 3
        ");
    }

    #[test]
    fn of_the_rows_sent_again_the_first_decides_and_notes_every_doubt() {
        let text = "admin,seq,status,doubt\n1,1,duplicate,\n1,1,rejected,true\n1,1,failed,\n1,1,in_doubt,true\n";
        insta::assert_snapshot!(created_again(text, RowFilter::parse(["failed", "in_doubt"])), @r"
        1: 1/1 kept duplicate
        2: 1/1 kept rejected with doubt
        3: 1/1 to send in doubt
        4: 1/1 duplicate of 3
        ");
    }

    #[test]
    fn a_file_that_is_no_results_file_is_refused() {
        insta::assert_snapshot!(refused_again("admin,seq\n1,1\n"), @"orders.csv: has no status column, so it is not a results file; for a file of orders, use `cardcancel run`");
        insta::assert_snapshot!(refused_again("admin,seq,status,doubt\n1,1,failed,\n2,1, ,\n"), @"orders.csv: no status in line 3: is this a results file?");
        insta::assert_snapshot!(refused_again("admin,seq,status,doubt\n1,1,shipped,\n"), @r#"orders.csv: line 2 has the status "shipped", which is not one of cancelled, already_cancelled, rejected, failed, in_doubt, invalid, duplicate, not_sent"#);
        assert!(
            refused_again("admin,seq,status,doubt,error_code\n1,1,,,failed\n")
                .contains("no status in line 2")
        );
        insta::assert_snapshot!(refused_again("admin,seq,status,Status\n1,1,failed,failed\n"), @r#"orders.csv: columns "status" and "Status" could both be the status; remove one of them"#);
    }
}
