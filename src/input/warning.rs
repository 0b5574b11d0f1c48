//! What makes a file look as if it did not hold the orders that were meant.

use std::fmt;

use super::columns::ColumnMap;
use super::duplicates::OrderKey;
use super::error::InputErrorKind;
use super::excerpt::excerpt;
use super::proof::Proof;

/// What a person should see before anything is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// The last line has no line end, and nothing shows that the file is whole.
    Unfinished {
        /// That line.
        line: u64,
    },
    /// The last line has no line end, and all that was shown is the number of rows.
    Unproven {
        /// That line.
        line: u64,
    },
    /// The column taken for the sequence number counts the rows.
    Counter {
        /// Its name, in quotes.
        column: String,
    },
    /// Long admin numbers all end in zeros.
    Rounded {
        /// How many rows have one.
        rows: usize,
    },
}

/// How many rows a column must count to look like a counter of rows.
const COUNTED: usize = 3;
/// How many it must count to be one.
const SURELY_COUNTED: usize = 10;
/// How many digits of a number a spreadsheet keeps.
const KEPT_DIGITS: u32 = 15;
/// How many digits must be zeros where a spreadsheet would have put them, to look rounded.
const ZEROS: u32 = 2;
/// How many must be to be so: one in a million files has them by chance.
const SURE_ZEROS: u32 = 6;

impl Warning {
    /// What the orders of a file look like, sorted by order.
    ///
    /// # Errors
    /// When it is so sure that they are not what was meant that none may be sent.
    pub(super) fn of_orders(
        orders: &[OrderKey],
        columns: &ColumnMap,
        proof: Option<Proof>,
    ) -> Result<Vec<Warning>, InputErrorKind> {
        let mut warnings = Vec::new();
        if columns.guesses_sequence() && counts_rows(orders) {
            let column = excerpt(columns.header().get(columns.sequence()).unwrap_or_default());
            if orders.len() >= SURELY_COUNTED {
                return Err(InputErrorKind::Counter { column });
            }
            warnings.push(Warning::Counter { column });
        }
        match rounded(orders) {
            Some((rows, zeros)) if zeros >= SURE_ZEROS && proof != Some(Proof::Digest) => {
                return Err(InputErrorKind::Rounded { rows });
            }
            Some((rows, zeros)) if zeros >= ZEROS => warnings.push(Warning::Rounded { rows }),
            _ => {}
        }
        Ok(warnings)
    }
}

/// Whether the sequence numbers are those of the rows, from whatever number on. The cards of
/// one account may have such numbers.
fn counts_rows(orders: &[OrderKey]) -> bool {
    let step =
        |keyed: &OrderKey| i64::from(keyed.order().sequence_number) - i64::from(keyed.row().0);
    let admin = |keyed: &OrderKey| keyed.order().admin_number;
    let (Some(first), Some(last)) = (orders.first(), orders.last()) else { return false };
    orders.len() >= COUNTED
        && admin(first) != admin(last)
        && orders.iter().all(|keyed| step(keyed) == step(first))
}

/// How many rows have an admin number that is longer than a spreadsheet keeps, and how many
/// zeros stand there in all numbers; nothing unless all of them have zeros there.
fn rounded(orders: &[OrderKey]) -> Option<(usize, u32)> {
    let (mut rows, mut zeros, mut before) = (0, 0u32, None);
    let admin = |keyed: &OrderKey| keyed.order().admin_number;
    let short = orders.partition_point(|keyed| admin(keyed) < 10_i64.pow(KEPT_DIGITS));
    for admin in orders.iter().skip(short).map(admin) {
        let digits = admin.checked_ilog10().map_or(1, |log| log + 1);
        let more = digits.saturating_sub(KEPT_DIGITS);
        if admin % 10_i64.pow(more) != 0 {
            return None;
        }
        rows += 1;
        if before.replace(admin) != Some(admin) {
            zeros = zeros.saturating_add(more);
        }
    }
    (rows > 0).then_some((rows, zeros))
}

impl Warning {
    /// The warning about a last line without a line end.
    pub(super) fn unfinished(line: u64, proof: Option<Proof>) -> Option<Warning> {
        match proof {
            None => Some(Warning::Unfinished { line }),
            Some(Proof::Rows) => Some(Warning::Unproven { line }),
            Some(Proof::Digest) => None,
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::Unfinished { line } => write!(
                f,
                "THE FILE MAY BE CUT SHORT: its last line, line {line}, has no line end. That row \
                 is not sent, and rows after it may be missing. If the file is complete, end that line, or prove it with --expect-rows, --expect-sha256 or a .sha256 file beside it"
            ),
            Warning::Unproven { line } => write!(
                f,
                "the last line, line {line}, has no line end. It is sent because the file has the rows that --expect-rows requires; only a SHA-256 (--expect-sha256) proves that the line itself is complete"
            ),
            Warning::Counter { column } => write!(
                f,
                "column {column}, taken for the sequence number by its name, only counts the rows. If it is the wrong column, name the right one with --sequence-column"
            ),
            Warning::Rounded { rows } => write!(
                f,
                "all admin numbers of more than {KEPT_DIGITS} digits, in {rows} rows, end in zeros: \
                 a spreadsheet may have rounded them, and other orders would be cancelled"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::duplicates::Role;
    use crate::input::read_options::ReadOptions;
    use crate::input::scan::scan;
    use crate::input::testing::input;
    use crate::model::{Order, RowNumber};

    fn warnings(text: &str, options: &ReadOptions) -> String {
        let input = input(text.as_bytes());
        let summary = input.columns(options).and_then(|columns| scan(&input, &columns, None, 0));
        match summary {
            Ok(summary) => summary.warnings.iter().map(ToString::to_string).collect(),
            Err(refusal) => refusal.to_string(),
        }
    }

    fn counting(name: &str, rows: u32, named: bool) -> String {
        let rows: String = (1..=rows).map(|row| format!("{row},{}\n", 129_409 + row)).collect();
        let sequence_column = named.then(|| name.to_owned());
        let options = ReadOptions { sequence_column, ..ReadOptions::default() };
        warnings(&format!("{name},admin\n{rows}"), &options)
    }

    #[test]
    fn a_column_that_counts_rows_is_reported_and_not_taken_for_many() {
        insta::assert_snapshot!(counting("Seq", 3, false), @r#"column "Seq", taken for the sequence number by its name, only counts the rows. If it is the wrong column, name the right one with --sequence-column"#);
        insta::assert_snapshot!(counting("Seq", 10, false), @r#"orders.csv: column "Seq", taken for the sequence number by its name, only counts the rows; name the right one with --sequence-column, or this one if it is right"#);
        for warned in [
            counting("Seq", 2, false),
            counting("Seq", 10, true),
            counting("CardSequenceNumber", 10, false),
            warnings("seq,admin\n1,1\n2,1\n3,1\n", &ReadOptions::default()),
            warnings("seq,admin\n1,1\n2,2\n2,3\n", &ReadOptions::default()),
        ] {
            assert_eq!(warned, "");
        }
    }

    #[test]
    fn numbers_that_a_spreadsheet_rounded_are_reported_and_not_sent_if_that_is_sure() {
        let warned = |numbers: &[&str]| {
            let rows: String = numbers.iter().map(|number| format!("{number},1\n")).collect();
            warnings(&format!("admin,seq\n{rows}"), &ReadOptions::default())
        };
        insta::assert_snapshot!(warned(&["9912140633506420", "8812140633507130", "1"]), @"all admin numbers of more than 15 digits, in 2 rows, end in zeros: a spreadsheet may have rounded them, and other orders would be cancelled");
        insta::assert_snapshot!(warned(&["991214063350642000", "881214063350713000"]), @"orders.csv: all admin numbers of more than 15 digits, in 2 rows, end in zeros: a spreadsheet has rounded them, and other orders would be cancelled; fetch the file again from its source, or prove with --expect-sha256 that it is the right one");
        for fine in [
            &["9912140633506420"][..],
            &["9912140633506420", "9912140633506420"],
            &["9912140633506420", "8812140633507131", "7712140633507000"],
            &["100", "991214063350640"],
        ] {
            assert_eq!(warned(fine), "", "{fine:?}");
        }
    }

    #[test]
    fn rounded_numbers_are_counted_once_an_account() {
        let keyed = |admin_number, row| {
            OrderKey::new(Order { admin_number, sequence_number: 1 }, RowNumber(row), Role::Sent)
        };
        let orders = [keyed(991_214_063_350_642_000, 1), keyed(991_214_063_350_642_000, 2)];
        assert_eq!(rounded(&orders), Some((2, 3)));
        assert_eq!(rounded(&[keyed(0, 1)]), None);
    }
}
