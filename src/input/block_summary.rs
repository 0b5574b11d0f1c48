//! What is in one block of an input; its rows are numbered from 1.

use crate::model::Row;

use super::blocks::Block;
use super::columns::Layout;
use super::duplicates::OrderKey;
use super::error::{Fault, InputError};
use super::plan::{action, part};
use super::priority::Rank;
use super::rerun::{RerunAction, RerunPlan};
use super::scan::InvalidRow;
use super::source::Input;

#[derive(Debug, Default)]
pub(super) struct Portion {
    pub rows: u32,
    /// Rows that are to be sent unless another row decides.
    pub selected: u32,
    pub kept: u32,
    pub orders: Vec<OrderKey>,
    pub invalid: Vec<InvalidRow>,
    /// Where each row stands among all, if there is a column for that.
    pub ranks: Vec<Rank>,
    /// Rows that hold nothing.
    pub blank: u32,
    /// The last line, if it has no line end.
    pub unfinished: Option<u64>,
    /// Why the rows after these cannot be read, if so.
    pub refusal: Option<InputError>,
}

impl Portion {
    pub fn of(
        input: &Input,
        layout: &Layout,
        plan: Option<&RerunPlan>,
        block: Result<Block, InputError>,
    ) -> Portion {
        let mut portion = Portion::default();
        let read = block.and_then(|block| portion.read(input, layout, plan, block));
        Portion { refusal: read.err(), ..portion }
    }

    fn read(
        &mut self,
        input: &Input,
        layout: &Layout,
        plan: Option<&RerunPlan>,
        block: Block,
    ) -> Result<(), InputError> {
        // Nearly every line is an order.
        self.orders.reserve(memchr::memchr_iter(b'\n', &block.text).count());
        let mut rows = input.rows_of(layout, block)?;
        while let Some(record) = rows.next()? {
            let action = action(input, plan, &record)?;
            self.rows += 1;
            self.kept += u32::from(matches!(action, RerunAction::Keep { .. }));
            let content = record.content();
            let is_sent = matches!((&content, action), (Row::Order(_), RerunAction::Retry { .. }));
            let rank = record.rank().map(|rank| if is_sent { rank } else { Rank::NOT_SENT });
            self.ranks.extend(rank);
            match (content, part(action)) {
                (Row::Order(order), Some(part)) => {
                    self.selected += u32::from(matches!(action, RerunAction::Retry { .. }));
                    self.orders.push(OrderKey::new(order, record.row, part));
                }
                (Row::Invalid(_), _) if layout.is_header(record.fields) => {
                    return Err(input.refuse(Fault::HeaderAgain { line: record.line() }));
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
