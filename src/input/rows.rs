//! The rows of an input: each an order, or the reason why it cannot be sent.

use csv::ByteRecord;

use crate::model::{Order, ReasonCode, Row, RowError, RowNumber, card_numbers};

use super::blocks::Block;
use super::columns::ColumnMap;
use super::damage;
use super::error::{InputError, InputErrorKind};
use super::excerpt::{excerpt, whole};
use super::priority::PriorityKey;
use super::records::Records;
use super::source::Input;
use crate::model::invisible::is_blank;

/// The most rows that can be numbered.
pub(super) const MOST_ROWS: u32 = u32::MAX - 1;

/// Reads an input's rows one after another.
pub struct Rows<'i> {
    input: &'i Input,
    columns: &'i ColumnMap,
    records: Records<'i>,
    fields: ByteRecord,
    count: u32,
    most: u32,
    blank: u32,
    unfinished: Option<u64>,
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

/// One line of the input.
pub struct Record<'r> {
    /// Its number: the first row after the header is 1.
    pub row: RowNumber,
    /// Its fields, byte for byte.
    pub fields: &'r ByteRecord,
    input: &'r Input,
    columns: &'r ColumnMap,
    records: &'r Records<'r>,
}

impl Record<'_> {
    /// What it carries.
    #[inline]
    pub fn content(&self) -> Row {
        match self.order() {
            Ok(order) => Row::Order(order),
            Err(error) => Row::Invalid(error),
        }
    }

    /// What stands in the file for it, without its line end.
    pub fn raw(&self) -> &[u8] {
        self.records.raw(self.fields)
    }

    #[inline]
    fn order(&self) -> Result<Order, RowError> {
        let Record { fields, columns, .. } = self;
        if card_numbers::may_hold_card(fields.as_slice()) {
            self.refuse_card_numbers()?;
        }
        if self.records.is_unfinished() && self.input.proof().is_none() {
            let what = "the file ends in this line without a line end, so it may be cut short";
            return Err(self.error(ReasonCode::UnfinishedLine, what));
        }
        if self.records.are_suspicious()
            && let Some(what) = damage::find(self.raw(), fields, columns)
        {
            return Err(self.error(ReasonCode::MalformedRow, &what));
        }
        if fields.len() != columns.header().len() && !columns.may_end_after(fields.len()) {
            return Err(self.wrong_count());
        }
        columns.order(fields)
    }

    fn refuse_card_numbers(&self) -> Result<(), RowError> {
        let Record { fields, columns, .. } = self;
        let exempt = columns.is_admin_exempt().then(|| columns.admin());
        let is_card = |(column, field): &(usize, &[u8])| {
            Some(*column) != exempt && card_numbers::looks_like_card_number(field)
        };
        let Some((column, _)) = fields.iter().enumerate().find(is_card) else {
            return if card_numbers::fields_hold_card_number(fields.iter()) {
                let what = "neighbouring fields look like a card number";
                Err(self.error(ReasonCode::CardNumber, what))
            } else {
                Ok(())
            };
        };
        let what = match columns.header().get(column) {
            Some(name) => format!("field {} looks like a card number", excerpt(name)),
            None => "a surplus field looks like a card number".to_owned(),
        };
        Err(self.error(ReasonCode::CardNumber, &what))
    }

    #[cold]
    fn wrong_count(&self) -> RowError {
        let (is, wanted) = (self.fields.len(), self.columns.header().len());
        let plural = if is == 1 { "" } else { "s" };
        let what = format!("{is} field{plural} where the header has {wanted}");
        self.error(ReasonCode::WrongFieldCount, &what)
    }

    /// An error in which more than a number is shown: the results do not repeat the key
    /// fields of such a row, so the message holds the whole line.
    #[cold]
    fn error(&self, code: ReasonCode, what: &str) -> RowError {
        RowError { code, message: format!("{what}; the line: {}", whole(self.raw())) }
    }

    /// When its turn to be sent comes, where there is a column for that.
    pub(super) fn priority_key(&self) -> Option<PriorityKey> {
        let column = self.columns.priority()?;
        Some(PriorityKey::parse(self.fields.get(column).unwrap_or_default()))
    }

    /// The line of the file in which it starts.
    pub fn line(&self) -> u64 {
        self.records.line_of(self.fields)
    }
}

impl Input {
    /// The rows, from the first.
    pub fn rows<'i>(&'i self, columns: &'i ColumnMap) -> Result<Rows<'i>, InputError> {
        Rows::new(self, columns, Records::new(self, columns.delimiter())?).below_the_header()
    }

    /// The rows of one block, numbered from 1.
    pub(super) fn rows_of<'i>(
        &'i self,
        columns: &'i ColumnMap,
        block: Block,
    ) -> Result<Rows<'i>, InputError> {
        let first = block.first;
        let rows = Rows::new(self, columns, Records::from_block(self, columns.delimiter(), block));
        if first { rows.below_the_header() } else { Ok(rows) }
    }
}

impl<'i> Rows<'i> {
    fn new(input: &'i Input, columns: &'i ColumnMap, records: Records<'i>) -> Rows<'i> {
        Rows {
            input,
            columns,
            records,
            fields: ByteRecord::new(),
            count: 0,
            most: MOST_ROWS,
            blank: 0,
            unfinished: None,
        }
    }

    fn below_the_header(mut self) -> Result<Rows<'i>, InputError> {
        self.records.read(&mut self.fields)?;
        if self.fields == *self.columns.header() {
            Ok(self)
        } else {
            Err(self.input.refuse(InputErrorKind::Changed))
        }
    }
}

impl Rows<'_> {
    /// How many rows were passed over because they hold nothing.
    pub(super) fn blank(&self) -> u32 {
        self.blank
    }

    /// The line in which the text ended without a line end, if it did.
    pub(super) fn unfinished(&self) -> Option<u64> {
        self.unfinished
    }

    /// The next row; `None` at the end of the file. Rows that hold nothing, as spreadsheets
    /// write them for cleared ones, are passed over as blank lines are. Not an iterator: the
    /// fields are lent, so that reading a row takes no memory.
    // A call that is not inlined copies every record twice.
    #[inline(always)]
    #[expect(clippy::should_implement_trait, reason = "it lends")]
    pub fn next(&mut self) -> Result<Option<Record<'_>>, InputError> {
        loop {
            if !self.records.read(&mut self.fields)? {
                return Ok(None);
            }
            let blank = is_blank(self.fields.as_slice());
            let is_row = !blank || self.fields.len() > 1;
            if is_row && self.records.is_unfinished() {
                self.unfinished = Some(self.records.line_of(&self.fields));
            }
            if !blank {
                break;
            }
            self.blank += u32::from(is_row);
        }
        if self.count == self.most {
            return Err(self.input.refuse(InputErrorKind::TooManyRows(self.most)));
        }
        self.count += 1;
        Ok(Some(Record {
            row: RowNumber(self.count),
            fields: &self.fields,
            input: self.input,
            columns: self.columns,
            records: &self.records,
        }))
    }
}

#[cfg(test)]
mod tests {
    use crate::input::read_options::ReadOptions;
    use crate::input::testing::{input, lines};

    /// The rows as text: row number, line, and order or error.
    fn read(text: &str) -> String {
        read_with(text, &ReadOptions::default())
    }

    fn read_with(text: &str, options: &ReadOptions) -> String {
        lines(&input(text.as_bytes()), options).unwrap().join("\n")
    }

    fn refusal(text: &str) -> String {
        lines(&input(text.as_bytes()), &ReadOptions::default()).unwrap_err().to_string()
    }

    #[test]
    fn a_plain_file_is_read() {
        insta::assert_snapshot!(read("admin,seq,note\n129409,1,x\n0129410, 2 ,\n"), @r"
        1 (line 2): 129409/1
        2 (line 3): 129410/2
        ");
    }

    #[test]
    fn lines_are_counted_over_blank_lines_and_lines_within_fields() {
        let text = "\nadmin,seq,note\n\n\n1,1,\"a\nb\"\n\n2,2,c\n3,3,\"\n\n\"\n4,4,\n";
        let expected = "1 (line 5): 1/1\n2 (line 8): 2/2\n3 (line 9): 3/3\n4 (line 12): 4/4";
        assert_eq!(read(text), expected);
        assert_eq!(read(&text.replace('\n', "\r\n")), expected);
        assert_eq!(read(&format!("{text}\r\n\r\n")), expected);
        assert_eq!(
            read("admin,seq,note\n1,1,\r2,1,\r\r3,1,\r\n"),
            "1 (line 2): 1/1\n2 (line 3): 2/1\n3 (line 5): 3/1"
        );
    }

    #[test]
    fn each_error_is_described() {
        insta::assert_snapshot!(read("admin,seq,note\nx\n1\n1,2,3,x\u{7},y\n,2,\n1,,\n1.0,2,\n1,-2,\n,,\n"), @r#"
        1 (line 2): WRONG_FIELD_COUNT 1 field where the header has 3; the line: "x"
        2 (line 3): WRONG_FIELD_COUNT 1 field where the header has 3; the line: "1"
        3 (line 4): WRONG_FIELD_COUNT 5 fields where the header has 3; the line: "1,2,3,x\u{7},y"
        4 (line 5): INVALID_ADMIN_NUMBER the admin number is missing
        5 (line 6): INVALID_SEQUENCE_NUMBER the sequence number is missing
        6 (line 7): INVALID_ADMIN_NUMBER the admin number "1.0" has a decimal point (a spreadsheet may have changed it); it must be a whole number from 0 to 9223372036854775807
        7 (line 8): INVALID_SEQUENCE_NUMBER the sequence number "-2" has a sign; it must be a whole number from 0 to 2147483647
        "#);
    }

    #[test]
    fn a_card_number_in_any_field_wins_over_other_errors_and_is_not_repeated() {
        insta::assert_snapshot!(read("admin,seq,note\n4111111111111111,1,\n0004111111111111111,1,\n1,1,is 4111 1111 1111 1111\n1,4111111111111111\n1,1,,4111111111111111\n"), @r#"
        1 (line 2): CARD_NUMBER field "admin" looks like a card number; the line: "[card number removed],1,"
        2 (line 3): CARD_NUMBER field "admin" looks like a card number; the line: "[card number removed],1,"
        3 (line 4): CARD_NUMBER field "note" looks like a card number; the line: "1,1,is [card number removed]"
        4 (line 5): CARD_NUMBER field "seq" looks like a card number; the line: "1,[card number removed]"
        5 (line 6): CARD_NUMBER a surplus field looks like a card number; the line: "1,1,,[card number removed]"
        "#);
    }

    #[test]
    fn the_admin_column_alone_can_be_exempted() {
        let options = ReadOptions { exempt_admin_column: true, ..ReadOptions::default() };
        let text = "admin,seq,note\n4111111111111111,1,\n1,1,4111111111111111\n";
        insta::assert_snapshot!(read_with(text, &options), @r#"
        1 (line 2): 4111111111111111/1
        2 (line 3): CARD_NUMBER field "note" looks like a card number; the line: "1,1,[card number removed]"
        "#);
    }

    #[test]
    fn a_last_line_without_a_line_end_is_invalid() {
        insta::assert_snapshot!(read("admin,seq\n1,1\n1,12940"), @r#"
        1 (line 2): 1/1
        2 (line 3): UNFINISHED_LINE the file ends in this line without a line end, so it may be cut short; the line: "1,12940"
        "#);
        for whole in ["admin,seq\n1,1\n\u{1a}", "admin,seq\n1,1\n ", "admin,seq\n1,1\r"] {
            assert_eq!(read(whole), "1 (line 2): 1/1", "{whole:?}");
        }
    }

    #[test]
    fn rows_that_hold_nothing_are_passed_over() {
        assert_eq!(
            read("admin,seq,note\n,,\n1,1,\n \u{a0},\t,\n2,1,\n,,\n"),
            "1 (line 3): 1/1\n2 (line 5): 2/1"
        );
    }

    #[test]
    fn a_row_may_lack_what_stands_after_both_keys_if_nothing_stands_before_them() {
        assert_eq!(read("admin,seq,a,b\n1,1\n2,1,x\n"), "1 (line 2): 1/1\n2 (line 3): 2/1");
        let other = "the line: \"12,2,3\"";
        assert!(read("amount,admin,seq,note\n12,2,3\n").contains(other));
        assert!(read("admin,amount,seq,note\n12,2,3\n").contains(other));
    }

    #[test]
    fn a_damaged_row_is_invalid_and_reported_whole() {
        insta::assert_snapshot!(read("admin,seq,note\n\"129409\"1,1,a\n129410,\"1\"2,b\n1,1,\"x\"y\n2,1,b\0c\n3,1,\"open\n4,1,closed\"\n5,1,\"two\nlines, 2\"\n"), @r#"
        1 (line 2): MALFORMED_ROW field "admin" continues after its closing quote; the line: ""129409"1,1,a"
        2 (line 3): MALFORMED_ROW field "seq" continues after its closing quote; the line: "129410,"1"2,b"
        3 (line 4): 1/1
        4 (line 5): MALFORMED_ROW the row holds a NUL byte; the line: "2,1,b\0c"
        5 (line 6): MALFORMED_ROW the quoted field "note" contains what looks like another row; the line: "3,1,"open\n4,1,closed""
        6 (line 8): 5/1
        "#);
    }

    #[test]
    fn a_quote_that_is_never_closed_refuses_the_file() {
        insta::assert_snapshot!(refusal("admin,seq,note\n1,1,\n2,2,\"oops\n3,3,\n"), @"orders.csv: a quote that opens in line 3 is not closed, so the rows after it cannot be separated; close it, or double it if it is part of the text");
        insta::assert_snapshot!(refusal("admin,seq,note\n1,1,\n2,2,\"oops\n3,3,\"x\"\n"), @"orders.csv: a quote that opens in line 3 is not closed, so the rows after it cannot be separated; close it, or double it if it is part of the text");
    }

    #[test]
    fn a_row_without_end_refuses_the_file() {
        let text = format!("admin,seq,note\n1,1,\n2,2,{}", "x".repeat(2_000_000));
        insta::assert_snapshot!(refusal(&text), @"orders.csv: the row that starts in line 3 is longer than 1 MiB; is this a CSV file?");
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_carried_untouched() {
        let input = input(b"admin,seq,n\xe4me\n1,1,\xff\xfe\n");
        let columns = input.columns(&ReadOptions::default()).unwrap();
        let mut rows = input.rows(&columns).unwrap();
        let record = rows.next().unwrap().unwrap();
        assert_eq!(record.fields.get(2), Some(&b"\xff\xfe"[..]));
        assert_eq!(columns.header().get(2), Some(&b"n\xe4me"[..]));
    }

    #[test]
    fn more_rows_than_can_be_numbered_are_refused() {
        let input = input(b"admin,seq\n1,1\n2,2\n");
        let columns = input.columns(&ReadOptions::default()).unwrap();
        let mut rows = input.rows(&columns).unwrap();
        rows.most = 1;
        assert!(rows.next().is_ok());
        insta::assert_snapshot!(rows.next().err().unwrap(), @"orders.csv: has more than 1 rows; split it");
    }
}
