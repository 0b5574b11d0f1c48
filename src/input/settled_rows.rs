//! Plans every row of a results file in which evidence ends doubts: those rows are decided, those
//! whose doubts have ended since get the status that their orders have now, and all others are carried
//! over as they stood.

use crate::model::{Row, RowNumber};

use super::columns::ColumnMap;
use super::duplicates::Cursor;
use super::error::InputError;
use super::evidence::EvidenceKind;
use super::plan::{Disposition, EndedSince, PlannedRow};
use super::rerun::{RerunAction, RerunPlan};
use super::rows::{Record, Rows};
use super::scan::InputSummary;
use super::source::Input;
use super::until_error::until_error;

/// A row of a results file that does not stay as it stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The row.
    pub row: RowNumber,
    /// Why it does not.
    pub cause: SettlementCause,
}

/// Why a row of a results file does not stay as it stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettlementCause {
    /// Its order stands in evidence.
    Evidence {
        /// What the evidence says.
        kind: EvidenceKind,
        /// The row of the evidence.
        row: RowNumber,
    },
    /// The doubt of its order has ended since the file was written.
    Record(Box<EndedSince>),
}

/// Goes through the rows of a results file once more, after it was scanned with this plan, which
/// selects the rows that evidence can settle. `settlements` are sorted by row; `describe` returns
/// the message of a row that evidence decides, by what it says and its row.
///
/// # Errors
/// When the input cannot be read any more; the rows end with such an error too.
pub fn settled_rows<'i>(
    input: &'i Input,
    columns: &'i ColumnMap,
    summary: &'i InputSummary,
    plan: &'i RerunPlan,
    settlements: &'i [Settlement],
    describe: &'i dyn Fn(EvidenceKind, RowNumber) -> String,
) -> Result<impl Iterator<Item = Result<PlannedRow, InputError>> + use<'i>, InputError> {
    let rows = input.rows(columns)?;
    let cursor = summary.duplicates.cursor();
    let mut planner = SettledRowPlanner { input, rows, plan, cursor, settlements, describe };
    Ok(until_error(move || planner.plan_row()))
}

/// Plans one row after another.
struct SettledRowPlanner<'i> {
    input: &'i Input,
    rows: Rows<'i>,
    plan: &'i RerunPlan,
    cursor: Cursor<'i>,
    settlements: &'i [Settlement],
    describe: &'i dyn Fn(EvidenceKind, RowNumber) -> String,
}

impl SettledRowPlanner<'_> {
    fn plan_row(&mut self) -> Result<Option<PlannedRow>, InputError> {
        let Some(record) = self.rows.next()? else { return Ok(None) };
        let line = record.line();
        let action = self.plan.action(&record);
        let action = action.map_err(|kind| self.input.refuse(kind))?;
        let row = record.row;
        let order = match record.content() {
            Row::Order(order) => Some(order),
            Row::Invalid(_) => None,
        };
        let stood = stood(self.plan, &record, action);
        let is_selected = matches!(action, RerunAction::Retry { .. }) && order.is_some();
        let first = self.cursor.first_of(row).filter(|_| is_selected);
        let disposition = match (self.settlement(row), first) {
            (Some(settlement), _) if is_selected => self.settled(settlement),
            (None, Some(first)) if self.settlement(first).is_some() => {
                Disposition::Duplicate { first }
            }
            _ => stood,
        };
        Ok(Some(PlannedRow { row, line, order, disposition, place: row.0 }))
    }

    fn settlement(&self, row: RowNumber) -> Option<&Settlement> {
        let found = self.settlements.binary_search_by_key(&row, |settlement| settlement.row);
        found.ok().and_then(|index| self.settlements.get(index))
    }

    fn settled(&self, settlement: &Settlement) -> Disposition {
        match &settlement.cause {
            SettlementCause::Evidence { kind, row } => Disposition::Resolved {
                status: kind.status(),
                message: (self.describe)(*kind, *row),
            },
            SettlementCause::Record(ended) => Disposition::EndedSince(ended.clone()),
        }
    }
}

/// How the row stood in the file.
fn stood(plan: &RerunPlan, record: &Record<'_>, action: RerunAction) -> Disposition {
    match action {
        RerunAction::Keep { status, doubt } => Disposition::Kept { status, doubt },
        RerunAction::Retry { doubt } => {
            // A row is selected by its status.
            let status = plan.prior(record.fields).status;
            Disposition::Kept { status: status.unwrap_or(crate::model::Status::NotSent), doubt }
        }
    }
}
