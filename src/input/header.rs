//! Reads the header of a file, and finds its columns and delimiter.

use csv::ByteRecord;

use super::columns::ColumnMap;
use super::error::{InputError, InputErrorKind};
use super::header_key::HeaderKey;
use super::read_options::ReadOptions;
use super::records::Records;
use super::source::Input;

/// The delimiters that are recognised by themselves.
const DELIMITERS: [u8; 4] = *b",;\t|";

impl Input {
    /// Reads the header and finds the columns.
    pub fn columns(&self, options: &ReadOptions) -> Result<ColumnMap, InputError> {
        let delimiter = match options.delimiter {
            Some(delimiter) => delimiter,
            None => self.likely_delimiter(options)?,
        };
        let mut records = Records::new(self, delimiter)?;
        let mut header = ByteRecord::new();
        if !records.read(&mut header)? {
            return Err(self.refuse(InputErrorKind::Empty));
        }
        let columns = ColumnMap::new(delimiter, header, options).map_err(|kind| {
            let is_below = matches!(
                kind,
                InputErrorKind::NoColumn { .. }
                    | InputErrorKind::NoSuchColumn { .. }
                    | InputErrorKind::NotAHeader
            );
            let line = if is_below { self.header_below(options) } else { None };
            self.refuse(line.map_or(kind, |line| InputErrorKind::HeaderBelow { line }))
        })?;
        if !records.read(&mut ByteRecord::new())? {
            return Err(self.refuse(InputErrorKind::NoRows));
        }
        Ok(columns)
    }

    /// The same for one of several files that come from different places: the columns named for
    /// another of them may have their usual names in this one, and its delimiter may be another one.
    ///
    /// # Errors
    /// As for the columns that are named.
    pub fn named_or_usual_columns(&self, options: &ReadOptions) -> Result<ColumnMap, InputError> {
        self.columns(options).or_else(|refused| {
            let usual = ReadOptions {
                exempt_admin_column: options.exempt_admin_column,
                ..ReadOptions::default()
            };
            self.columns(&usual).map_err(|_| refused)
        })
    }

    /// The delimiter with which most key columns are found, then most columns.
    fn likely_delimiter(&self, options: &ReadOptions) -> Result<u8, InputError> {
        if let Some(delimiter) = self.declared_delimiter() {
            return Ok(delimiter);
        }
        let mut best = None;
        let mut refusal = None;
        for delimiter in DELIMITERS {
            let mut header = ByteRecord::new();
            // Quotes tangled for one delimiter may be in order for another.
            match Records::new(self, delimiter)?.read(&mut header) {
                Ok(_) => {}
                Err(error) => {
                    refusal = refusal.or(Some(error));
                    continue;
                }
            }
            let keys = [HeaderKey::ADMIN, HeaderKey::SEQUENCE, HeaderKey::PRIORITY];
            let found = keys.iter().filter(|key| key.columns(&header, options).next().is_some());
            let score = (found.count(), header.len());
            if best.is_none_or(|(highest, _)| score > highest) {
                best = Some((score, delimiter));
            }
        }
        match (best, refusal) {
            // The names are in the header whose quotes are tangled.
            (Some(((0, _), _)), Some(error)) => Err(error),
            (Some((_, delimiter)), _) => Ok(delimiter),
            (None, Some(error)) => Err(error),
            (None, None) => Ok(b','),
        }
    }

    /// The line of a header that stands below other lines, as titles and comments do.
    fn header_below(&self, options: &ReadOptions) -> Option<u64> {
        let delimiters = options.delimiter.or(self.declared_delimiter());
        let delimiters = delimiters.map_or(DELIMITERS.to_vec(), |delimiter| vec![delimiter]);
        let keys = [HeaderKey::ADMIN, HeaderKey::SEQUENCE];
        delimiters.into_iter().find_map(|delimiter| {
            let mut records = Records::new(self, delimiter).ok()?;
            let mut record = ByteRecord::new();
            for nth in 0..TITLE_LINES {
                if !records.read(&mut record).ok()? {
                    return None;
                }
                let has = |key: &HeaderKey| key.columns(&record, options).next().is_some();
                if nth > 0 && keys.iter().all(has) {
                    return Some(records.line_of(&record));
                }
            }
            None
        })
    }
}

/// How many lines may stand above a header that is looked for.
const TITLE_LINES: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::testing::input;
    use crate::model::result_columns;

    fn columns(text: &str) -> ColumnMap {
        input(text.as_bytes()).columns(&ReadOptions::default()).unwrap()
    }

    fn refusal(text: &str) -> String {
        refusal_of(text, &ReadOptions::default())
    }

    fn refusal_of(text: &str, options: &ReadOptions) -> String {
        input(text.as_bytes()).columns(options).unwrap_err().to_string()
    }

    fn keys(columns: &ColumnMap) -> (usize, usize) {
        (columns.admin(), columns.sequence())
    }

    #[test]
    fn key_columns_are_found_under_every_usual_name() {
        for admin in ["AdminNumber", "admin", "ADMIN_NUMBER", "Admin Number", " admin-number "] {
            for sequence in ["CardSequenceNumber", "sequence number", "SEQUENCE", "Seq"] {
                let columns = columns(&format!("note,{sequence},{admin}\nx,1,2\n"));
                assert_eq!(keys(&columns), (2, 1));
            }
        }
    }

    #[test]
    fn the_delimiter_is_found_by_the_key_columns() {
        for delimiter in [',', ';', '\t', '|'] {
            let text = "x y;admin;seq\n".replace(';', &delimiter.to_string()) + "1\n";
            assert_eq!(columns(&text).delimiter(), delimiter as u8);
        }
    }

    #[test]
    fn a_delimiter_that_was_given_is_taken() {
        let options = ReadOptions { delimiter: Some(b':'), ..ReadOptions::default() };
        let columns = input(b"admin:seq\n1:2\n").columns(&options).unwrap();
        assert_eq!((columns.delimiter(), keys(&columns)), (b':', (0, 1)));
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_name() {
        assert_eq!(keys(&columns("\u{feff}admin,seq\n1,2\n")), (0, 1));
        assert_eq!(keys(&columns("\u{feff}\"admin\",\"seq\"\n1,2\n")), (0, 1));
    }

    #[test]
    fn a_named_column_wins_over_the_usual_one() {
        let options =
            ReadOptions { admin_column: Some("konto nr".to_owned()), ..ReadOptions::default() };
        let columns = input(b"admin;Konto_Nr;seq\n1;2;3\n").columns(&options).unwrap();
        assert_eq!(keys(&columns), (1, 2));
    }

    #[test]
    fn a_priority_is_looked_for_only_where_its_column_was_named() {
        let text = "admin;Priority;seq\n1;2;3\n";
        assert_eq!(columns(text).priority(), None);
        let options =
            ReadOptions { priority_column: Some("priority".to_owned()), ..ReadOptions::default() };
        let columns = input(text.as_bytes()).columns(&options).unwrap();
        assert_eq!((columns.priority(), columns.passthrough()), (Some(1), &[0, 1, 2][..]));
        insta::assert_snapshot!(refusal_of("admin,seq\n1,2\n", &options), @r#"orders.csv: no column is named "priority"; the header has "admin", "seq"; correct --priority-column"#);
    }

    #[test]
    fn result_columns_are_not_carried() {
        let columns = columns("note,Row,admin,STATUS,seq,Doubt\nx,1,2,failed,3,\n");
        assert_eq!(columns.results(), [1, 3, 5]);
        assert_eq!(columns.passthrough(), [0, 2, 4]);
        assert_eq!(columns.result(result_columns::STATUS), Some(3));
        assert_eq!(columns.result(result_columns::MESSAGE), None);
    }

    #[test]
    fn a_key_column_is_carried_whatever_its_name() {
        let options =
            ReadOptions { sequence_column: Some("row".to_owned()), ..ReadOptions::default() };
        let columns = input(b"admin,row\n1,2\n").columns(&options).unwrap();
        assert_eq!(columns.passthrough(), [0, 1]);
    }

    #[test]
    fn a_missing_column_is_explained_with_the_header() {
        insta::assert_snapshot!(refusal("account;card\n1;2\n"), @r#"orders.csv: there is no column for the admin number (AdminNumber or admin); the header has "account", "card"; name the column with --admin-column"#);
        insta::assert_snapshot!(refusal("admin#seq\n1#2\n"), @r#"orders.csv: there is no column for the admin number (AdminNumber or admin); the header has "admin#seq"; name the column with --admin-column; fields are separated by , or ; or | or a tab, and this line has none of them"#);
        let options =
            ReadOptions { sequence_column: Some("nr".to_owned()), ..ReadOptions::default() };
        insta::assert_snapshot!(refusal_of("admin,seq\n1,2\n", &options), @r#"orders.csv: no column is named "nr"; the header has "admin", "seq"; correct --sequence-column"#);
    }

    #[test]
    fn data_in_the_first_line_is_called_so_and_not_repeated() {
        insta::assert_snapshot!(refusal("129409,1\n129410,1\n"), @"orders.csv: the first line looks like data, not a header; put a line such as AdminNumber,CardSequenceNumber above it");
    }

    #[test]
    fn a_card_number_in_the_header_is_refused_and_not_repeated() {
        insta::assert_snapshot!(refusal("admin,seq,PAN 4111111111111111\n1,2,3\n"), @"orders.csv: the name of column 3 looks like a card number; give the file a proper header");
        insta::assert_snapshot!(refusal("PAN 4111111111111111,seq\n1,2\n"), @r#"orders.csv: there is no column for the admin number (AdminNumber or admin); the header has "PAN [card number removed]", "seq"; name the column with --admin-column"#);
    }

    #[test]
    fn two_candidates_are_both_named() {
        insta::assert_snapshot!(refusal("admin,AdminNumber,seq\n1,2,3\n"), @r#"orders.csv: columns "admin" and "AdminNumber" could both be the admin number; name the right one with --admin-column"#);
        insta::assert_snapshot!(refusal("admin,seq,seq\n1,2,3\n"), @r#"orders.csv: columns "seq" and "seq" could both be the sequence number; rename one of them"#);
    }

    #[test]
    fn a_name_that_says_little_beside_one_that_says_more_is_not_taken() {
        insta::assert_snapshot!(refusal("Sequence,Admin Number,Card Seq No,Branch\n1,129409,1,Boise\n"), @r#"orders.csv: columns "Sequence" and "Card Seq No" could both be the sequence number; name the right one with --sequence-column"#);
        insta::assert_snapshot!(refusal("admin,Admin-Nr.,seq\nx,1,1\n"), @r#"orders.csv: columns "admin" and "Admin-Nr." could both be the admin number; name the right one with --admin-column"#);
        assert_eq!(keys(&columns("AdminNumber,Admin Id,Seq,Admin Note\n1,2,3,4\n")), (0, 2));
        let options =
            ReadOptions { sequence_column: Some("seq".to_owned()), ..ReadOptions::default() };
        assert_eq!(
            keys(&input(b"admin,seq,CardSeqNo\n1,2,3\n").columns(&options).unwrap()),
            (0, 1)
        );
    }

    #[test]
    fn a_header_below_other_lines_is_pointed_to() {
        insta::assert_snapshot!(refusal("Cancellations;;\nof 2026-11-22;;\nadmin;seq;note\n129409;1;x\n"), @"orders.csv: the header seems to be line 3; remove what is above it");
        for above in ["Orders of 25 November,\n", "# export\n", "1,2\n", "sep,\n"] {
            let error = refusal(&format!("{above}AdminNumber,CardSequenceNumber\n1,1\n"));
            assert!(error.contains("the header seems to be line 2"), "{error}");
        }
    }

    #[test]
    fn a_header_with_numbers_among_its_names_is_one() {
        assert!(
            refusal("AdminNo,SeqNo,2024,2025\n1,1,3,4\n")
                .contains("there is no column for the admin number")
        );
        let options =
            ReadOptions { admin_column: Some("AdminNo".to_owned()), ..ReadOptions::default() };
        let error = refusal_of("AdminNo,SeqNo,2024,2025\n1,1,3,4\n", &options);
        assert!(error.contains("there is no column for the sequence number"), "{error}");
    }

    #[test]
    fn a_quote_that_is_not_closed_in_the_header_is_reported() {
        insta::assert_snapshot!(refusal("AdminNumber,CardSequenceNumber,\"Note\n1,1,x\n"), @"orders.csv: a quote that opens in line 1 is not closed, so the rows after it cannot be separated; close it, or double it if it is part of the text");
    }

    #[test]
    fn what_nobody_sees_in_a_name_makes_no_difference() {
        assert_eq!(keys(&columns("\u{feff}\u{feff}\u{a0}admin\u{200b},seq\n1,2\n")), (0, 1));
    }

    #[test]
    fn names_that_differ_in_case_alone_can_be_distinguished() {
        let options =
            ReadOptions { admin_column: Some("ADMIN".to_owned()), ..ReadOptions::default() };
        let columns = input(b"admin,ADMIN,seq\n1,2,3\n").columns(&options).unwrap();
        assert_eq!(columns.admin(), 1);
    }

    #[test]
    fn one_column_cannot_be_both_keys() {
        let options =
            ReadOptions { admin_column: Some("seq".to_owned()), ..ReadOptions::default() };
        insta::assert_snapshot!(refusal_of("seq,x\n1,2\n", &options), @r#"orders.csv: column "seq" cannot hold both the admin number and the sequence number; correct --admin-column or --sequence-column"#);
    }

    #[test]
    fn a_header_without_rows_is_refused() {
        insta::assert_snapshot!(refusal("admin,seq\n\n"), @"orders.csv: has a header but no rows: there is nothing to cancel");
    }
}
