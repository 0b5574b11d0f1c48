//! Summarizes one block of an input, whose rows are numbered from 1.

use crate::model::Row;

use super::blocks::Block;
use super::columns::ColumnMap;
use super::duplicates::OrderKey;
use super::error::{InputError, InputErrorKind};
use super::priority::PriorityKey;
use super::rerun::{RerunAction, RerunPlan, action};
use super::rows::InvalidRow;
use super::source::Input;

#[derive(Debug, Default)]
pub(super) struct BlockSummary {
    pub rows: u32,
    /// Rows that are to be sent unless another row decides.
    pub selected: u32,
    pub kept: u32,
    pub orders: Vec<OrderKey>,
    pub invalid: Vec<InvalidRow>,
    /// Where each row stands among all, if there is a column for that.
    pub priority_keys: Vec<PriorityKey>,
    /// Rows that hold nothing.
    pub blank: u32,
    /// The last line, if it has no line end.
    pub unfinished: Option<u64>,
    /// Why the rows after these cannot be read, if so.
    pub refusal: Option<InputError>,
}

impl BlockSummary {
    pub fn from_block(
        input: &Input,
        columns: &ColumnMap,
        plan: Option<&RerunPlan>,
        block: Result<Block, InputError>,
    ) -> BlockSummary {
        let mut summary = BlockSummary::default();
        let read = block.and_then(|block| summary.read(input, columns, plan, block));
        BlockSummary { refusal: read.err(), ..summary }
    }

    fn read(
        &mut self,
        input: &Input,
        columns: &ColumnMap,
        plan: Option<&RerunPlan>,
        block: Block,
    ) -> Result<(), InputError> {
        // Nearly every line is an order.
        self.orders.reserve(memchr::memchr_iter(b'\n', &block.text).count());
        let mut rows = input.rows_of(columns, block)?;
        while let Some(record) = rows.next()? {
            let action = action(input, plan, &record)?;
            self.rows += 1;
            self.kept += u32::from(matches!(action, RerunAction::Keep { .. }));
            let content = record.content();
            let is_sent = matches!((&content, action), (Row::Order(_), RerunAction::Retry { .. }));
            let priority_key = record
                .priority_key()
                .map(|priority_key| if is_sent { priority_key } else { PriorityKey::NOT_SENT });
            self.priority_keys.extend(priority_key);
            match (content, action.role()) {
                (Row::Order(order), Some(role)) => {
                    self.selected += u32::from(matches!(action, RerunAction::Retry { .. }));
                    self.orders.push(OrderKey::new(order, record.row, role));
                }
                (Row::Invalid(_), _) if columns.is_header(record.fields) => {
                    return Err(input.refuse(InputErrorKind::HeaderAgain { line: record.line() }));
                }
                (Row::Invalid(error), _) if matches!(action, RerunAction::Retry { .. }) => {
                    let (row, line) = (record.row, record.line());
                    self.invalid.push(InvalidRow { row, line, error });
                }
                _ => {}
            }
        }
        self.blank = rows.blank();
        self.unfinished = rows.unfinished();
        Ok(())
    }
}
