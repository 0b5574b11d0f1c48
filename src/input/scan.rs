//! The first pass over an input: what is in it, before anything is sent.

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use crate::model::{ReasonCode, RowNumber};

use super::block_summary::BlockSummary;
use super::blocks::{Block, Blocks};
use super::columns::ColumnMap;
use super::duplicates::{self, Duplicates, OrderKey};
use super::error::{InputError, InputErrorKind};
use super::priority::{PriorityCounts, PriorityKeys, SendPositions};
use super::proof::Proof;
use super::rerun::RerunPlan;
use super::rows::{InvalidRow, MOST_ROWS};
use super::source::Input;
use super::warning::Warning;

/// What is in an input.
#[derive(Debug, Clone)]
pub struct InputSummary {
    /// Rows after the header.
    pub rows: u32,
    /// Rows whose order is to be sent.
    pub to_send: u32,
    /// Rows that cannot be sent.
    pub invalid: u32,
    /// The same by code, in the order in which the codes first occur.
    pub invalid_by_code: Vec<(ReasonCode, u32)>,
    /// Rows that hold nothing, and are passed over.
    pub blank: u32,
    /// What makes the file look as if it did not hold the orders that were meant.
    pub warnings: Vec<Warning>,
    /// Rows that a rerun leaves as they stood.
    pub kept: u32,
    /// Rows that another row decides for.
    pub duplicates: Duplicates,
    /// Every order that takes part, sorted by order, then row. 16 bytes a row: take
    /// it away when it is no longer needed.
    pub orders: Vec<OrderKey>,
    /// The positions in which rows are sent, if there is a priority column. 8 bytes a row.
    pub places: Option<SendPositions>,
    /// How many rows to be sent have which priority, if there is a column for that.
    pub priorities: Option<PriorityCounts>,
    /// The first rows that cannot be sent.
    pub first_invalid: Vec<InvalidRow>,
}

/// Goes through the rows, and remembers the first `keep` that cannot be sent. A rerun
/// has a plan, a run has none.
pub fn scan(
    input: &Input,
    columns: &ColumnMap,
    plan: Option<&RerunPlan>,
    keep: usize,
) -> Result<InputSummary, InputError> {
    let mut first = Vec::new();
    let summary = scan_each_invalid(input, columns, plan, |bad| {
        if first.len() < keep {
            first.push(bad);
        }
    })?;
    Ok(InputSummary { first_invalid: first, ..summary })
}

/// Goes through the rows, and hands over each that cannot be sent, in order.
pub fn scan_each_invalid(
    input: &Input,
    columns: &ColumnMap,
    plan: Option<&RerunPlan>,
    on_invalid: impl FnMut(InvalidRow),
) -> Result<InputSummary, InputError> {
    let blocks = input.blocks(columns.delimiter())?;
    let summarize = |block| BlockSummary::from_block(input, columns, plan, block);
    let mut summary = scan_blocks(input, blocks, summarize, on_invalid)?;
    if !summary.warnings.is_empty() {
        input.completed()?;
    }
    let more = Warning::of_orders(&summary.orders, columns, input.proof());
    summary.warnings.extend(more.map_err(|kind| input.refuse(kind))?);
    Ok(summary)
}

/// Takes blocks apart on all processors while the next ones are read.
fn scan_blocks(
    input: &Input,
    mut blocks: Blocks<'_>,
    summarize: impl Fn(Result<Block, InputError>) -> BlockSummary + Sync,
    mut on_invalid: impl FnMut(InvalidRow),
) -> Result<InputSummary, InputError> {
    let at_once = BLOCKS_A_THREAD * rayon::current_num_threads();
    let mut some = || blocks.by_ref().take(at_once).collect::<Vec<_>>();
    let mut summary = InputSummary::empty();
    let mut priority_keys = PriorityKeys::default();
    let mut selected = 0;
    let mut next_check = FIRST_CHECK;
    let mut batch = some();
    while !batch.is_empty() {
        let summaries = || batch.into_par_iter().map(&summarize).collect::<Vec<_>>();
        let (next, summaries) = rayon::join(&mut some, summaries);
        for mut block in summaries {
            if block.rows > MOST_ROWS - summary.rows {
                return Err(input.refuse(InputErrorKind::TooManyRows(MOST_ROWS)));
            }
            selected += block.selected;
            priority_keys.extend(std::mem::take(&mut block.priority_keys));
            summary.add(block, input.proof(), &mut on_invalid)?;
        }
        if summary.orders.len() > next_check
            && let Some(enough) = input.enough
        {
            if duplicates::to_send(&mut summary.orders) > enough {
                return Err(input.refuse(InputErrorKind::Enough { rows: summary.rows }));
            }
            next_check = 2 * summary.orders.len();
        }
        batch = next;
    }
    if summary.rows == 0 {
        return Err(input.refuse(InputErrorKind::NoRows));
    }
    summary.orders.shrink_to_fit();
    summary.duplicates = duplicates::find(&mut summary.orders);
    if priority_keys.are_given() {
        let (places, priorities) = priority_keys.sort(&summary.duplicates);
        (summary.places, summary.priorities) = (Some(places), Some(priorities));
    }
    summary.to_send = selected - summary.duplicates.len() as u32;
    Ok(summary)
}

/// How many orders are taken in before it is looked whether they are too many.
const FIRST_CHECK: usize = 1_000_000;

/// Enough for the threads to even out, and little beside the orders.
const BLOCKS_A_THREAD: usize = 8;

impl InputSummary {
    fn empty() -> InputSummary {
        InputSummary {
            rows: 0,
            to_send: 0,
            invalid: 0,
            invalid_by_code: Vec::new(),
            blank: 0,
            warnings: Vec::new(),
            kept: 0,
            duplicates: Duplicates::default(),
            orders: Vec::new(),
            places: None,
            priorities: None,
            first_invalid: Vec::new(),
        }
    }

    /// Appends what is in the next block.
    fn add(
        &mut self,
        block: BlockSummary,
        proof: Option<Proof>,
        on_invalid: &mut impl FnMut(InvalidRow),
    ) -> Result<(), InputError> {
        let before = self.rows;
        self.rows += block.rows;
        self.kept += block.kept;
        self.blank += block.blank;
        let unfinished = block.unfinished.and_then(|line| Warning::unfinished(line, proof));
        self.warnings.extend(unfinished);
        self.orders.extend(block.orders.iter().map(|keyed| keyed.after(before)));
        for bad in block.invalid {
            self.count(bad.error.code);
            on_invalid(InvalidRow { row: RowNumber(bad.row.0 + before), ..bad });
        }
        block.refusal.map_or(Ok(()), Err)
    }

    fn count(&mut self, code: ReasonCode) {
        self.invalid += 1;
        match self.invalid_by_code.iter_mut().find(|(known, _)| *known == code) {
            Some((_, count)) => *count += 1,
            None => self.invalid_by_code.push((code, 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::input::read_options::ReadOptions;
    use crate::input::rerun::RowFilter;
    use crate::input::testing::{input, lines};

    #[test]
    fn every_row_is_counted_once() {
        let input = input(b"admin,seq\n5,1\nx,1\n1,1\n5,1\n1\n,1\n4111111111111111,1\n,\n");
        let columns = input.columns(&ReadOptions::default()).unwrap();
        let summary = scan(&input, &columns, None, 2).unwrap();
        assert_eq!((summary.rows, summary.to_send, summary.invalid, summary.kept), (7, 2, 4, 0));
        assert_eq!((summary.duplicates.len(), summary.blank), (1, 1));
        assert_eq!(
            summary.invalid_by_code,
            [
                (ReasonCode::InvalidAdminNumber, 2),
                (ReasonCode::WrongFieldCount, 1),
                (ReasonCode::CardNumber, 1)
            ]
        );
        let lines: Vec<u64> = summary.first_invalid.iter().map(|bad| bad.line).collect();
        assert_eq!(lines, [3, 6]);
        let orders: Vec<String> =
            summary.orders.iter().map(|key| format!("{}@{}", key.order(), key.row())).collect();
        assert_eq!(orders, ["1/1@3", "5/1@1", "5/1@4"]);
    }

    /// What a summary finds, one block of such a size after another, in words.
    fn described(text: &[u8], size: usize) -> String {
        let input = input(text);
        let columns = match input.columns(&ReadOptions::default()) {
            Ok(columns) => columns,
            Err(refusal) => return refusal.to_string(),
        };
        let mut bad_rows = Vec::new();
        let blocks = input.blocks_of(columns.delimiter(), size).unwrap();
        let summarize = |block| BlockSummary::from_block(&input, &columns, None, block);
        let summary = scan_blocks(&input, blocks, summarize, |bad| bad_rows.push(bad));
        format!("{summary:?} {bad_rows:?}")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_found_does_not_depend_on_the_blocks(
            text in "((\u{feff}|\"x\"|[0-9]{1,2},[12]|[0-9]{1,2},1,\"(\n|\r\n|\"\"|a)*\"|[0-9a\",])(\n|\r\n|\r|\n\n)){0,30}(5,1)?",
            size in 1usize..80,
        ) {
            for header in ["admin,seq\n", "\u{feff}admin,seq,note\r\n"] {
                let text = format!("{header}{text}");
                prop_assert_eq!(described(text.as_bytes(), size), described(text.as_bytes(), text.len()));
            }
        }

        #[test]
        fn the_rows_found_are_those_read_one_after_another(
            text in "(([0-9]{1,2},[12]|[0-9]{1,2},1,\"(\n|\r\n|\"\"|a)*\"|[0-9a,])(\n|\r\n|\r|\n\n)){1,30}(5,1)?",
            size in 1usize..80,
        ) {
            let input = input(format!("admin,seq,note\n{text}").as_bytes());
            let Ok(columns) = input.columns(&ReadOptions::default()) else { return Ok(()) };
            let mut found = Vec::new();
            let blocks = input.blocks_of(columns.delimiter(), size).unwrap();
            let summarize = |block| BlockSummary::from_block(&input, &columns, None, block);
            let summary = scan_blocks(&input, blocks, summarize, |InvalidRow { row, line, error }| {
                found.push((row, format!("{row} (line {line}): {} {}", error.code, error.message)));
            });
            // A file of blank rows alone is refused.
            let summary = match summary {
                Err(InputError { kind: InputErrorKind::NoRows, .. }) => return Ok(()),
                summary => summary.unwrap(),
            };
            for keyed in summary.orders {
                found.push((keyed.row(), format!("{}: {}", keyed.row(), keyed.order())));
            }
            found.sort();
            // The summary keeps no lines of rows that can be sent.
            let read = lines(&input, &ReadOptions::default()).unwrap();
            let read = read.into_iter().map(|line| match line.split_once(" (line ") {
                Some((row, rest)) if !rest.contains("_") => {
                    format!("{row}: {}", rest.split_once(": ").unwrap().1)
                }
                _ => line,
            });
            let found: Vec<String> = found.into_iter().map(|(_, described)| described).collect();
            prop_assert_eq!(found, read.collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_rerun_counts_what_it_keeps() {
        let input = input(
            b"admin,seq,status,doubt\n1,1,cancelled,\n2,1,failed,\n1,1,failed,\nx,1,invalid,\n",
        );
        let columns = input.columns(&ReadOptions::default()).unwrap();
        let plan = RerunPlan::new(&input, &columns, RowFilter::default()).unwrap();
        let summary = scan(&input, &columns, Some(&plan), 2).unwrap();
        assert_eq!((summary.rows, summary.to_send, summary.invalid, summary.kept), (4, 1, 0, 2));
        assert_eq!(summary.duplicates.len(), 1);
    }
}
