//! A results file run again: which of its rows are sent, and which keep their result.

use csv::ByteRecord;

use crate::outcome::Status;

use super::error::{Fault, IntakeError};
use super::excerpt::excerpt;
use super::layout::Layout;
use super::prior::ResultCells;
use super::source::Input;

pub use super::prior::Prior;
pub use super::selection::Selection;

/// How a results file is run again.
#[derive(Debug, Clone)]
pub struct Plan {
    cells: ResultCells,
    selection: Selection,
}

/// What a rerun does with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It is run again.
    Selected {
        /// Whether an answer for it was lost.
        doubt: bool,
    },
    /// It keeps its result.
    Kept {
        /// How it stood.
        status: Status,
        /// Whether an answer for it was lost.
        doubt: bool,
    },
}

impl Plan {
    /// Refuses a file that is not a results file.
    pub fn new(input: &Input, layout: &Layout, selection: Selection) -> Result<Plan, IntakeError> {
        layout.unambiguous().map_err(|fault| input.refuse(fault))?;
        let cells = ResultCells::of(layout).ok_or_else(|| input.refuse(Fault::NotResults))?;
        Ok(Plan { cells, selection })
    }

    /// What the earlier run wrote about a row.
    pub fn prior<'r>(&self, fields: &'r ByteRecord) -> Prior<'r> {
        self.cells.read(fields)
    }

    /// What is done with a row; without a status it belongs to no results file.
    pub(super) fn claim(
        &self,
        fields: &ByteRecord,
        line: impl FnOnce() -> u64,
    ) -> Result<Claim, Fault> {
        let prior = self.prior(fields);
        let doubt = prior.doubt;
        match prior.status {
            None => Err(self.no_status(line(), fields)),
            Some(_) if self.selection.selects(&prior) => Ok(Claim::Selected { doubt }),
            Some(status) => Ok(Claim::Kept { status, doubt }),
        }
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
