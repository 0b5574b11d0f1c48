//! The first pass over an input: what is in it, before anything is sent.

use crate::order::{Flaw, OwnCode, Row, RowNumber};

use super::duplicates::{self, Duplicates, Keyed};
use super::enrolment::{claim, part};
use super::error::IntakeError;
use super::layout::Layout;
use super::rerun::{Claim, Plan};
use super::source::Input;

/// What is in an input.
#[derive(Debug, Clone)]
pub struct Survey {
    /// Rows after the header.
    pub rows: u32,
    /// Rows whose order is to be sent.
    pub to_send: u32,
    /// Rows that cannot be sent.
    pub invalid: u32,
    /// The same by code, in the order in which the codes first occur.
    pub invalid_by_code: Vec<(OwnCode, u32)>,
    /// Rows that a rerun leaves as they stood.
    pub kept: u32,
    /// Rows that another row decides for.
    pub duplicates: Duplicates,
    /// Every order that takes part, sorted by order, then row. 16 bytes a row: take
    /// it away when it is no longer needed.
    pub orders: Vec<Keyed>,
    /// The first rows that cannot be sent.
    pub first_invalid: Vec<BadRow>,
}

/// A row that cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// The row.
    pub row: RowNumber,
    /// The line of the file in which it starts.
    pub line: u64,
    /// What is wrong with it.
    pub flaw: Flaw,
}

/// Goes through the rows, and remembers the first `keep` that cannot be sent. A rerun
/// has a plan, a run has none.
pub fn survey(
    input: &Input,
    layout: &Layout,
    plan: Option<&Plan>,
    keep: usize,
) -> Result<Survey, IntakeError> {
    let mut first = Vec::new();
    let survey = survey_each(input, layout, plan, |bad| {
        if first.len() < keep {
            first.push(bad);
        }
    })?;
    Ok(Survey { first_invalid: first, ..survey })
}

/// Goes through the rows, and hands over each that cannot be sent, in order.
pub fn survey_each(
    input: &Input,
    layout: &Layout,
    plan: Option<&Plan>,
    mut on_invalid: impl FnMut(BadRow),
) -> Result<Survey, IntakeError> {
    let mut survey = Survey::empty();
    let mut selected = 0;
    let mut rows = input.rows(layout)?;
    while let Some(record) = rows.next()? {
        survey.rows += 1;
        let claim = claim(input, plan, &record)?;
        survey.kept += u32::from(matches!(claim, Claim::Kept { .. }));
        match (record.content, part(claim)) {
            (Row::Order(order), Some(part)) => {
                selected += u32::from(matches!(claim, Claim::Selected { .. }));
                survey.orders.push(Keyed::new(order, record.row, part));
            }
            (Row::Invalid(flaw), _) if matches!(claim, Claim::Selected { .. }) => {
                survey.count(flaw.code);
                on_invalid(BadRow { row: record.row, line: record.place.line(), flaw });
            }
            _ => {}
        }
    }
    survey.orders.shrink_to_fit();
    survey.duplicates = duplicates::find(&mut survey.orders);
    survey.to_send = selected - survey.duplicates.len() as u32;
    Ok(survey)
}

impl Survey {
    fn empty() -> Survey {
        Survey {
            rows: 0,
            to_send: 0,
            invalid: 0,
            invalid_by_code: Vec::new(),
            kept: 0,
            duplicates: Duplicates::default(),
            orders: Vec::new(),
            first_invalid: Vec::new(),
        }
    }

    fn count(&mut self, code: OwnCode) {
        self.invalid += 1;
        match self.invalid_by_code.iter_mut().find(|(known, _)| *known == code) {
            Some((_, count)) => *count += 1,
            None => self.invalid_by_code.push((code, 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::Reading;
    use super::super::properties::input;
    use super::super::rerun::Selection;
    use super::*;

    #[test]
    fn every_row_is_counted_once() {
        let input = input(b"admin,seq\n5,1\nx,1\n1,1\n5,1\n1\n,\n4111111111111111,1\n");
        let layout = input.layout(&Reading::default()).unwrap();
        let survey = survey(&input, &layout, None, 2).unwrap();
        assert_eq!((survey.rows, survey.to_send, survey.invalid, survey.kept), (7, 2, 4, 0));
        assert_eq!(survey.duplicates.len(), 1);
        assert_eq!(
            survey.invalid_by_code,
            [
                (OwnCode::InvalidAdminNumber, 2),
                (OwnCode::WrongFieldCount, 1),
                (OwnCode::CardNumber, 1)
            ]
        );
        let lines: Vec<u64> = survey.first_invalid.iter().map(|bad| bad.line).collect();
        assert_eq!(lines, [3, 6]);
        let orders: Vec<String> =
            survey.orders.iter().map(|key| format!("{}@{}", key.order(), key.row())).collect();
        assert_eq!(orders, ["1/1@3", "5/1@1", "5/1@4"]);
    }

    #[test]
    fn a_rerun_counts_what_it_keeps() {
        let input =
            input(b"admin,seq,status\n1,1,cancelled\n2,1,failed\n1,1,failed\nx,1,invalid\n");
        let layout = input.layout(&Reading::default()).unwrap();
        let plan = Plan::new(&input, &layout, Selection::default()).unwrap();
        let survey = survey(&input, &layout, Some(&plan), 2).unwrap();
        assert_eq!((survey.rows, survey.to_send, survey.invalid, survey.kept), (4, 1, 0, 2));
        assert_eq!(survey.duplicates.len(), 1);
    }
}
