//! The first pass over an input: what is in it, before anything is sent.

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use crate::model::{ReasonCode, RowError, RowNumber};

use super::block_summary::Portion;
use super::blocks::{Block, Blocks};
use super::columns::Layout;
use super::duplicates::{self, Duplicates, OrderKey};
use super::error::{Fault, InputError};
use super::priority::{Places, Priorities, Ranks};
use super::proof::Proof;
use super::rerun::RerunPlan;
use super::rows::MOST_ROWS;
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
    /// In which places rows go, if the input says so. 8 bytes a row.
    pub places: Option<Places>,
    /// How many rows to be sent have which priority, if there is a column for that.
    pub priorities: Option<Priorities>,
    /// The first rows that cannot be sent.
    pub first_invalid: Vec<InvalidRow>,
}

/// A row that cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidRow {
    /// The row.
    pub row: RowNumber,
    /// The line of the file in which it starts.
    pub line: u64,
    /// What is wrong with it.
    pub error: RowError,
}

/// Goes through the rows, and remembers the first `keep` that cannot be sent. A rerun
/// has a plan, a run has none.
pub fn scan(
    input: &Input,
    layout: &Layout,
    plan: Option<&RerunPlan>,
    keep: usize,
) -> Result<InputSummary, InputError> {
    let mut first = Vec::new();
    let survey = scan_each_invalid(input, layout, plan, |bad| {
        if first.len() < keep {
            first.push(bad);
        }
    })?;
    Ok(InputSummary { first_invalid: first, ..survey })
}

/// Goes through the rows, and hands over each that cannot be sent, in order.
pub fn scan_each_invalid(
    input: &Input,
    layout: &Layout,
    plan: Option<&RerunPlan>,
    on_invalid: impl FnMut(InvalidRow),
) -> Result<InputSummary, InputError> {
    let blocks = input.blocks(layout.delimiter())?;
    let portion = |block| Portion::of(input, layout, plan, block);
    let mut survey = survey_blocks(input, blocks, portion, on_invalid)?;
    if !survey.warnings.is_empty() {
        input.completed()?;
    }
    let more = Warning::of_orders(&survey.orders, layout, input.proof());
    survey.warnings.extend(more.map_err(|fault| input.refuse(fault))?);
    Ok(survey)
}

/// Takes blocks apart on all processors while the next ones are read.
fn survey_blocks(
    input: &Input,
    mut blocks: Blocks<'_>,
    portion: impl Fn(Result<Block, InputError>) -> Portion + Sync,
    mut on_invalid: impl FnMut(InvalidRow),
) -> Result<InputSummary, InputError> {
    let at_once = BLOCKS_A_THREAD * rayon::current_num_threads();
    let mut some = || blocks.by_ref().take(at_once).collect::<Vec<_>>();
    let mut survey = InputSummary::empty();
    let mut ranks = Ranks::default();
    let mut selected = 0;
    let mut next_look = LOOKED_AT;
    let mut batch = some();
    while !batch.is_empty() {
        let portions = || batch.into_par_iter().map(&portion).collect::<Vec<_>>();
        let (next, portions) = rayon::join(&mut some, portions);
        for mut portion in portions {
            if portion.rows > MOST_ROWS - survey.rows {
                return Err(input.refuse(Fault::TooManyRows(MOST_ROWS)));
            }
            selected += portion.selected;
            ranks.extend(std::mem::take(&mut portion.ranks));
            survey.add(portion, input.proof(), &mut on_invalid)?;
        }
        if survey.orders.len() > next_look
            && let Some(enough) = input.enough
        {
            if duplicates::to_send(&mut survey.orders) > enough {
                return Err(input.refuse(Fault::Enough { rows: survey.rows }));
            }
            next_look = 2 * survey.orders.len();
        }
        batch = next;
    }
    if survey.rows == 0 {
        return Err(input.refuse(Fault::NoRows));
    }
    survey.orders.shrink_to_fit();
    survey.duplicates = duplicates::find(&mut survey.orders);
    if ranks.are_given() {
        let (places, priorities) = ranks.sort(&survey.duplicates);
        (survey.places, survey.priorities) = (Some(places), Some(priorities));
    }
    survey.to_send = selected - survey.duplicates.len() as u32;
    Ok(survey)
}

/// How many orders are taken in before it is looked whether they are too many.
const LOOKED_AT: usize = 1_000_000;

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
        portion: Portion,
        proof: Option<Proof>,
        on_invalid: &mut impl FnMut(InvalidRow),
    ) -> Result<(), InputError> {
        let before = self.rows;
        self.rows += portion.rows;
        self.kept += portion.kept;
        self.blank += portion.blank;
        let unfinished = portion.unfinished.and_then(|line| Warning::unfinished(line, proof));
        self.warnings.extend(unfinished);
        self.orders.extend(portion.orders.iter().map(|keyed| keyed.after(before)));
        for bad in portion.invalid {
            self.count(bad.error.code);
            on_invalid(InvalidRow { row: RowNumber(bad.row.0 + before), ..bad });
        }
        portion.refusal.map_or(Ok(()), Err)
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

    use super::super::columns::Reading;
    use super::super::rerun::Selection;
    use super::super::testing::{input, lines};
    use super::*;

    #[test]
    fn every_row_is_counted_once() {
        let input = input(b"admin,seq\n5,1\nx,1\n1,1\n5,1\n1\n,1\n4111111111111111,1\n,\n");
        let layout = input.layout(&Reading::default()).unwrap();
        let survey = scan(&input, &layout, None, 2).unwrap();
        assert_eq!((survey.rows, survey.to_send, survey.invalid, survey.kept), (7, 2, 4, 0));
        assert_eq!((survey.duplicates.len(), survey.blank), (1, 1));
        assert_eq!(
            survey.invalid_by_code,
            [
                (ReasonCode::InvalidAdminNumber, 2),
                (ReasonCode::WrongFieldCount, 1),
                (ReasonCode::CardNumber, 1)
            ]
        );
        let lines: Vec<u64> = survey.first_invalid.iter().map(|bad| bad.line).collect();
        assert_eq!(lines, [3, 6]);
        let orders: Vec<String> =
            survey.orders.iter().map(|key| format!("{}@{}", key.order(), key.row())).collect();
        assert_eq!(orders, ["1/1@3", "5/1@1", "5/1@4"]);
    }

    /// What a survey finds, one block of such a size after another, in words.
    fn told(text: &[u8], size: usize) -> String {
        let input = input(text);
        let layout = match input.layout(&Reading::default()) {
            Ok(layout) => layout,
            Err(refusal) => return refusal.to_string(),
        };
        let mut bad_rows = Vec::new();
        let blocks = input.blocks_of(layout.delimiter(), size).unwrap();
        let portion = |block| Portion::of(&input, &layout, None, block);
        let survey = survey_blocks(&input, blocks, portion, |bad| bad_rows.push(bad));
        format!("{survey:?} {bad_rows:?}")
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
                prop_assert_eq!(told(text.as_bytes(), size), told(text.as_bytes(), text.len()));
            }
        }

        #[test]
        fn the_rows_found_are_those_read_one_after_another(
            text in "(([0-9]{1,2},[12]|[0-9]{1,2},1,\"(\n|\r\n|\"\"|a)*\"|[0-9a,])(\n|\r\n|\r|\n\n)){1,30}(5,1)?",
            size in 1usize..80,
        ) {
            let input = input(format!("admin,seq,note\n{text}").as_bytes());
            let Ok(layout) = input.layout(&Reading::default()) else { return Ok(()) };
            let mut found = Vec::new();
            let blocks = input.blocks_of(layout.delimiter(), size).unwrap();
            let portion = |block| Portion::of(&input, &layout, None, block);
            let survey = survey_blocks(&input, blocks, portion, |InvalidRow { row, line, error }| {
                found.push((row, format!("{row} (line {line}): {} {}", error.code, error.message)));
            });
            for keyed in survey.unwrap().orders {
                found.push((keyed.row(), format!("{}: {}", keyed.row(), keyed.order())));
            }
            found.sort();
            // The survey keeps no lines of rows that can be sent.
            let read = lines(&input, &Reading::default()).unwrap();
            let read = read.into_iter().map(|line| match line.split_once(" (line ") {
                Some((row, rest)) if !rest.contains("_") => {
                    format!("{row}: {}", rest.split_once(": ").unwrap().1)
                }
                _ => line,
            });
            let found: Vec<String> = found.into_iter().map(|(_, told)| told).collect();
            prop_assert_eq!(found, read.collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_rerun_counts_what_it_keeps() {
        let input = input(
            b"admin,seq,status,doubt\n1,1,cancelled,\n2,1,failed,\n1,1,failed,\nx,1,invalid,\n",
        );
        let layout = input.layout(&Reading::default()).unwrap();
        let plan = RerunPlan::new(&input, &layout, Selection::default()).unwrap();
        let survey = scan(&input, &layout, Some(&plan), 2).unwrap();
        assert_eq!((survey.rows, survey.to_send, survey.invalid, survey.kept), (4, 1, 0, 2));
        assert_eq!(survey.duplicates.len(), 1);
    }
}
