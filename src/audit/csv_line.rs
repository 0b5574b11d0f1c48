//! One line of CSV: RFC 4180 with quotes only where they are needed, and LF at the end.

use std::borrow::Cow;

use jiff::Timestamp;

use crate::model::{TimestampFormatter, without_formula};

/// A line that is being written. Its buffer is reused for the next one.
#[derive(Default)]
pub(super) struct CsvLine {
    bytes: Vec<u8>,
    digits: itoa::Buffer,
}

impl CsvLine {
    /// Begins the next line with fields that are formatted already, without a comma at the end.
    pub fn begin(&mut self, fields: &[u8]) {
        self.bytes.clear();
        self.bytes.extend_from_slice(fields);
    }

    /// Adds fields that are formatted already, with a comma before each.
    pub fn formatted(&mut self, fields: &[u8]) {
        self.bytes.extend_from_slice(fields);
    }

    /// Adds a text, guarded against spreadsheets.
    pub fn text(&mut self, text: &str) {
        self.bytes.push(b',');
        push_text(&mut self.bytes, text);
    }

    /// Adds a word of this program, which needs neither quotes nor guard.
    pub fn word(&mut self, word: &str) {
        self.bytes.push(b',');
        self.bytes.extend_from_slice(word.as_bytes());
    }

    /// Adds a number, or an empty field.
    pub fn number(&mut self, number: Option<impl itoa::Integer>) {
        self.bytes.push(b',');
        if let Some(number) = number {
            self.bytes.extend_from_slice(self.digits.format(number).as_bytes());
        }
    }

    /// Adds a time, or an empty field.
    pub fn time(&mut self, time: Option<Timestamp>, formatter: &mut TimestampFormatter) {
        self.bytes.push(b',');
        if let Some(time) = time {
            self.bytes.extend_from_slice(formatter.format(time));
        }
    }

    /// Ends the line, and returns all of it with its LF.
    pub fn end(&mut self) -> &[u8] {
        self.bytes.push(b'\n');
        &self.bytes
    }
}

/// Appends a text as one field: guarded against spreadsheets, in quotes where it needs them. A
/// line break becomes a space, because a record is one line for every tool.
pub(super) fn push_text(line: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let has_break = memchr::memchr2(b'\n', b'\r', bytes).is_some();
    let text: Cow<'_, str> =
        if has_break { text.replace(['\n', '\r'], " ").into() } else { text.into() };
    let text = without_formula(&text);
    if memchr::memchr2(b',', b'"', text.as_bytes()).is_none() {
        line.extend_from_slice(text.as_bytes());
        return;
    }
    line.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(quote) = memchr::memchr(b'"', rest) {
        let (before, after) = rest.split_at(quote + 1);
        line.extend_from_slice(before);
        line.push(b'"');
        rest = after;
    }
    line.extend_from_slice(rest);
    line.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn field(text: &str) -> String {
        let mut line = Vec::new();
        push_text(&mut line, text);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn a_text_is_quoted_only_where_it_must_be() {
        assert_eq!(field("0012"), "0012");
        assert_eq!(field("a b"), "a b");
        assert_eq!(field(""), "");
        assert_eq!(field("a,b"), "\"a,b\"");
        assert_eq!(field("say \"no\""), "\"say \"\"no\"\"\"");
    }

    #[test]
    fn a_formula_is_guarded_inside_of_the_quotes() {
        assert_eq!(field("=1,2"), "\"'=1,2\"");
        assert_eq!(field("'quoted'"), "''quoted'");
        assert_eq!(field("＝1"), "'＝1");
    }

    #[test]
    fn a_line_break_becomes_a_space_before_the_guard_looks_at_the_text() {
        assert_eq!(field("a\nb\r\nc"), "a b  c");
        assert_eq!(field("\n=1"), "' =1");
    }

    proptest! {
        #[test]
        fn a_reader_of_csv_gets_every_text_back_after_one_apostrophe_is_taken_off(
            text in "[^\n\r]*"
        ) {
            let line = format!("run,{}\n", field(&text));
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
            let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
            prop_assert_eq!(records.len(), 1);
            prop_assert_eq!(records[0].len(), 2);
            let read = &records[0][1];
            prop_assert_eq!(read.strip_prefix('\'').unwrap_or(read), text);
        }
    }
}
