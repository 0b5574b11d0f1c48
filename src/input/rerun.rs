//! A results file run again: which of its rows are sent, and which keep their result.

use csv::ByteRecord;

use crate::model::{Order, ReasonCode, Row, RowError, Status};

use super::columns::ColumnMap;
use super::duplicates::Role;
use super::error::{InputError, InputErrorKind};
use super::excerpt::excerpt;
use super::prior_result::ResultColumns;
use super::rows::Record;
use super::source::Input;
use crate::model::invisible::is_blank;
use crate::model::result_columns;

pub use super::prior_result::PriorResult;
pub use super::row_filter::RowFilter;

/// How a results file is run again.
#[derive(Debug, Clone)]
pub struct RerunPlan {
    cells: ResultColumns,
    filter: RowFilter,
    keys: [usize; 2],
    /// The orders whose doubts evidence has ended since the file was written, sorted.
    ended_doubts: Vec<Order>,
}

/// Refuses a results file where a file of orders is wanted: all of its orders would be sent
/// again, and its doubts forgotten.
pub fn refuse_results(input: &Input, columns: &ColumnMap) -> Result<(), InputError> {
    match columns.lacks_of_results() {
        Some(_) => Ok(()),
        None => Err(input.refuse(InputErrorKind::Results)),
    }
}

/// What a rerun does with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RerunAction {
    /// It is run again.
    Retry {
        /// Whether an answer for it was lost.
        doubt: bool,
    },
    /// It keeps its result.
    Keep {
        /// How it stood.
        status: Status,
        /// Whether an answer for it was lost.
        doubt: bool,
    },
}

impl RerunAction {
    /// The role of such a row among the rows with its order, if it has one.
    pub(super) fn role(self) -> Option<Role> {
        match self {
            RerunAction::Retry { doubt: false } => Some(Role::Sent),
            RerunAction::Retry { doubt: true } => Some(Role::SentInDoubt),
            RerunAction::Keep { status, .. } if status.is_cancelled() => Some(Role::Cancelled),
            RerunAction::Keep { doubt: true, .. } => Some(Role::KeptInDoubt),
            RerunAction::Keep { .. } => None,
        }
    }
}

/// What is done with a row. Without a plan, in a run, every row is sent that can be.
// It is called for every row, and without a plan there is nothing to it.
#[inline(always)]
pub(super) fn action(
    input: &Input,
    plan: Option<&RerunPlan>,
    record: &Record<'_>,
) -> Result<RerunAction, InputError> {
    match plan {
        None => Ok(RerunAction::Retry { doubt: false }),
        Some(plan) => plan.action(record).map_err(|kind| input.refuse(kind)),
    }
}

impl RerunPlan {
    /// Refuses a file that is not a results file.
    pub fn new(
        input: &Input,
        columns: &ColumnMap,
        filter: RowFilter,
    ) -> Result<RerunPlan, InputError> {
        columns.unambiguous().map_err(|kind| input.refuse(kind))?;
        let missing = columns.lacks_of_results();
        let cells = ResultColumns::find(columns).filter(|_| missing.is_none());
        let missing = missing.unwrap_or(result_columns::STATUS);
        let cells = cells.ok_or_else(|| input.refuse(InputErrorKind::NotResults { missing }))?;
        let keys = [columns.admin(), columns.sequence()];
        Ok(RerunPlan { cells, filter, keys, ended_doubts: Vec::new() })
    }

    /// Takes the orders whose doubts evidence has ended since the file was written: they are in doubt
    /// no longer, whatever the file says.
    pub fn end_doubts(&mut self, mut orders: Vec<Order>) {
        orders.sort_unstable();
        self.ended_doubts = orders;
    }

    /// What the earlier run wrote about a row.
    pub fn prior<'r>(&self, fields: &'r ByteRecord) -> PriorResult<'r> {
        self.cells.read(fields)
    }

    /// Whether a row is run again.
    pub fn selects(&self, fields: &ByteRecord) -> bool {
        self.filter.selects(&self.prior(fields))
    }

    /// What is done with a row; without a status it belongs to no results file.
    pub(super) fn action(&self, record: &Record<'_>) -> Result<RerunAction, InputErrorKind> {
        let fields = record.fields;
        let prior = self.prior(fields);
        let Some(doubt) = prior.doubt else {
            let found = self.cells.doubt.and_then(|column| fields.get(column));
            let found = excerpt(found.unwrap_or_default());
            return Err(InputErrorKind::UnknownDoubt { line: record.line(), found });
        };
        let doubt = doubt && !self.has_ended_doubt(record);
        match prior.status {
            None => Err(self.no_status(record.line(), fields)),
            Some(_) if self.filter.selects(&prior) => Ok(RerunAction::Retry { doubt }),
            Some(status) => Ok(RerunAction::Keep { status, doubt }),
        }
    }

    fn has_ended_doubt(&self, record: &Record<'_>) -> bool {
        if self.ended_doubts.is_empty() {
            return false;
        }
        match record.content() {
            Row::Order(order) => self.ended_doubts.binary_search(&order).is_ok(),
            Row::Invalid(_) => false,
        }
    }

    /// What was wrong with a row whose key fields were not repeated: its whole line, which
    /// stands in no other place.
    pub(super) fn error_before(&self, fields: &ByteRecord) -> Option<RowError> {
        let is_empty = |column: &usize| fields.get(*column).is_none_or(is_blank);
        let prior = self.prior(fields);
        let is_meant = prior.status == Some(Status::Invalid) && self.keys.iter().all(is_empty);
        let code = prior.error_code.parse::<ReasonCode>().ok().filter(|_| is_meant)?;
        Some(RowError { code, message: prior.message.into_owned() })
    }

    fn no_status(&self, line: u64, fields: &ByteRecord) -> InputErrorKind {
        let found = fields.get(self.cells.status).unwrap_or_default().trim_ascii();
        if found.is_empty() {
            return InputErrorKind::NoStatus { line };
        }
        let known = Status::ALL.map(Status::as_str).join(", ");
        InputErrorKind::UnknownStatus { line, found: excerpt(found), known }
    }
}
