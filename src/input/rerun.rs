//! A results file run again: which of its rows are sent, and which keep their result.

use csv::ByteRecord;

use crate::model::{ReasonCode, RowError, Status};

use super::columns::Layout;
use super::error::{Fault, InputError};
use super::excerpt::excerpt;
use super::prior_result::ResultColumns;
use super::result_columns;
use super::source::Input;
use crate::model::invisible::is_blank;

pub use super::prior_result::PriorResult;
pub use super::row_filter::Selection;

/// How a results file is run again.
#[derive(Debug, Clone)]
pub struct RerunPlan {
    cells: ResultColumns,
    selection: Selection,
    keys: [usize; 2],
}

/// Refuses a results file where a file of orders is wanted: all of its orders would be sent
/// again, and its doubts forgotten.
pub fn refuse_results(input: &Input, layout: &Layout) -> Result<(), InputError> {
    match layout.lacks_of_results() {
        Some(_) => Ok(()),
        None => Err(input.refuse(Fault::Results)),
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

impl RerunPlan {
    /// Refuses a file that is not a results file.
    pub fn new(
        input: &Input,
        layout: &Layout,
        selection: Selection,
    ) -> Result<RerunPlan, InputError> {
        layout.unambiguous().map_err(|fault| input.refuse(fault))?;
        let missing = layout.lacks_of_results();
        let cells = ResultColumns::of(layout).filter(|_| missing.is_none());
        let missing = missing.unwrap_or(result_columns::STATUS);
        let cells = cells.ok_or_else(|| input.refuse(Fault::NotResults { missing }))?;
        let keys = [layout.admin(), layout.sequence()];
        Ok(RerunPlan { cells, selection, keys })
    }

    /// What the earlier run wrote about a row.
    pub fn prior<'r>(&self, fields: &'r ByteRecord) -> PriorResult<'r> {
        self.cells.read(fields)
    }

    /// Whether a row is run again.
    pub fn selects(&self, fields: &ByteRecord) -> bool {
        self.selection.selects(&self.prior(fields))
    }

    /// What is done with a row; without a status it belongs to no results file.
    pub(super) fn action(
        &self,
        fields: &ByteRecord,
        line: impl FnOnce() -> u64,
    ) -> Result<RerunAction, Fault> {
        let prior = self.prior(fields);
        let Some(doubt) = prior.doubt else {
            let found = self.cells.doubt.and_then(|column| fields.get(column));
            let found = excerpt(found.unwrap_or_default());
            return Err(Fault::UnknownDoubt { line: line(), found });
        };
        match prior.status {
            None => Err(self.no_status(line(), fields)),
            Some(_) if self.selection.selects(&prior) => Ok(RerunAction::Retry { doubt }),
            Some(status) => Ok(RerunAction::Keep { status, doubt }),
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

    fn no_status(&self, line: u64, fields: &ByteRecord) -> Fault {
        let found = fields.get(self.cells.status).unwrap_or_default().trim_ascii();
        if found.is_empty() {
            return Fault::NoStatus { line };
        }
        let known = Status::ALL.map(Status::as_str).join(", ");
        Fault::UnknownStatus { line, found: excerpt(found), known }
    }
}
