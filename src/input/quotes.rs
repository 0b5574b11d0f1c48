//! Watches the quotes of a CSV text on its way to the parser. A quote that is
//! never closed would swallow rows in silence: the parser takes any text.

/// No row is longer; what is, is a mistake, and must not fill the memory.
pub(super) const LONGEST_ROW: u64 = 1024 * 1024;

/// Why the text cannot be taken apart into rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QuoteError {
    /// The quote at this offset is not closed, or not where a field ends.
    Unclosed(u64),
    /// The row at this offset has no end in sight.
    Long(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum QuoteState {
    /// Where a field begins: a quote here opens.
    FieldStart,
    /// In a plain field: a quote here is text.
    Field,
    /// In a quoted field.
    Quoted { from: u64, lines: bool },
    /// After a quote in a quoted field: it closes, or is the first of a doubled one.
    Quote { from: u64, lines: bool },
}

/// Knows where rows begin, piece of text after piece.
#[derive(Debug)]
pub(super) struct QuoteScanner {
    delimiter: u8,
    place: QuoteState,
    offset: u64,
    row_start: u64,
    suspicious: bool,
}

impl QuoteScanner {
    pub fn new(delimiter: u8) -> Self {
        QuoteScanner {
            delimiter,
            place: QuoteState::FieldStart,
            offset: 0,
            row_start: 0,
            suspicious: false,
        }
    }

    /// Whether a line end within a quoted field, a digit after a closing quote or a NUL byte was
    /// seen so far: rows have to be looked at one by one.
    pub fn is_suspicious(&self) -> bool {
        self.suspicious
    }

    /// The offset at which the row begins that the last piece ended in. What comes
    /// before it is whole rows, even where the quotes after it are tangled.
    pub fn row_start(&self) -> u64 {
        self.row_start
    }

    /// Follows the next piece of the text, which is no longer than the longest row.
    pub fn pass(&mut self, text: &[u8]) -> Result<(), QuoteError> {
        let is_plain = memchr::memchr2(b'"', 0, text).is_none();
        self.suspicious |= !is_plain && text.contains(&0);
        match self.place {
            QuoteState::FieldStart | QuoteState::Field if is_plain => self.skip(text)?,
            _ => self.follow(text)?,
        }
        self.offset += text.len() as u64;
        if self.offset - self.row_start <= LONGEST_ROW {
            return Ok(());
        }
        match self.place {
            QuoteState::Quoted { from, .. } => Err(QuoteError::Unclosed(from)),
            _ => Err(QuoteError::Long(self.row_start)),
        }
    }

    /// The text ends here.
    pub fn end(&self) -> Result<(), QuoteError> {
        match self.place {
            QuoteState::Quoted { from, .. } => Err(QuoteError::Unclosed(from)),
            _ => Ok(()),
        }
    }

    /// Without quotes, only where the last row began and a field begins matters, and how long the
    /// row is that ends here first.
    fn skip(&mut self, text: &[u8]) -> Result<(), QuoteError> {
        if let Some(end) = text.iter().position(|byte| ends_row(*byte)) {
            self.end_row(self.offset + end as u64)?;
        }
        if let Some(end) = text.iter().rposition(|byte| ends_row(*byte)) {
            // The rows between are shorter than this piece, which is shorter than the longest row.
            self.row_start = self.offset + end as u64 + 1;
        }
        self.place = match text.last() {
            Some(&byte) if byte == self.delimiter || ends_row(byte) => QuoteState::FieldStart,
            _ => QuoteState::Field,
        };
        Ok(())
    }

    /// A row ends at this offset.
    fn end_row(&mut self, end: u64) -> Result<(), QuoteError> {
        if end - self.row_start > LONGEST_ROW {
            return Err(QuoteError::Long(self.row_start));
        }
        self.row_start = end + 1;
        Ok(())
    }

    fn follow(&mut self, text: &[u8]) -> Result<(), QuoteError> {
        for (at, &byte) in (self.offset..).zip(text) {
            self.place = match (self.place, byte) {
                (QuoteState::FieldStart, b'"') => QuoteState::Quoted { from: at, lines: false },
                (QuoteState::Quoted { from, lines }, b'"') => QuoteState::Quote { from, lines },
                (QuoteState::Quoted { from, lines }, _) => {
                    let lines = lines || ends_row(byte);
                    self.suspicious |= lines;
                    QuoteState::Quoted { from, lines }
                }
                (QuoteState::Quote { from, lines }, b'"') => QuoteState::Quoted { from, lines },
                (_, _) if ends_row(byte) => {
                    self.end_row(at)?;
                    QuoteState::FieldStart
                }
                (_, _) if byte == self.delimiter => QuoteState::FieldStart,
                // Text after a closing quote: harmless within a line, but over
                // several lines this quote was meant to open another field.
                (QuoteState::Quote { from, lines: true }, _) => {
                    return Err(QuoteError::Unclosed(from));
                }
                (QuoteState::Quote { .. }, b'0'..=b'9') => {
                    self.suspicious = true;
                    QuoteState::Field
                }
                _ => QuoteState::Field,
            };
        }
        Ok(())
    }
}

pub(super) fn ends_row(byte: u8) -> bool {
    byte == b'\n' || byte == b'\r'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn watched(text: &str) -> Option<QuoteError> {
        let whole = pass(text.as_bytes(), text.len() + 1);
        assert_eq!(pass(text.as_bytes(), 1), whole, "byte by byte");
        whole
    }

    fn pass(text: &[u8], chunk: usize) -> Option<QuoteError> {
        let mut watch = QuoteScanner::new(b',');
        let passed = text.chunks(chunk).try_for_each(|piece| watch.pass(piece));
        passed.and_then(|()| watch.end()).err()
    }

    #[test]
    fn proper_quotes_pass() {
        for text in
            ["", "a,b\n", "\"a\",\"b\"\r\n\"c\"", "a,\"x\ny\"\n", "\"a\"\"b\",\"\"\n", "\"\""]
        {
            assert_eq!(watched(text), None, "{text}");
        }
    }

    #[test]
    fn a_quote_within_a_plain_field_is_text() {
        assert_eq!(watched("a,5\" disk\n1,2\n"), None);
    }

    #[test]
    fn text_after_a_closing_quote_is_harmless_within_a_line() {
        assert_eq!(watched("\"a\" ,b\n\"c\"d\",e\n"), None);
    }

    #[test]
    fn a_quote_open_at_the_end_is_found_where_it_opens() {
        assert_eq!(watched("a,b\n1,\"x\n3,4\n"), Some(QuoteError::Unclosed(6)));
    }

    #[test]
    fn a_quote_closed_by_another_rows_opening_quote_is_found() {
        assert_eq!(watched("1,\"x\n3,4\n5,\"y\"\n"), Some(QuoteError::Unclosed(2)));
    }

    #[test]
    fn neither_a_field_nor_a_row_may_fill_the_memory() {
        let long = "x".repeat(LONGEST_ROW as usize + 1);
        assert_eq!(pass(format!("a\n\"{long}").as_bytes(), 4096), Some(QuoteError::Unclosed(2)));
        assert_eq!(pass(format!("a\n{long}").as_bytes(), 4096), Some(QuoteError::Long(2)));
        let lines = "\"\n\",".repeat(LONGEST_ROW as usize / 4 + 1);
        assert_eq!(pass(format!("a\n{lines}").as_bytes(), 4096), Some(QuoteError::Long(2)));
    }

    #[test]
    fn a_row_is_as_long_as_it_is_wherever_the_text_is_cut() {
        let row = |length: u64| format!("a\n{}\n1,2\n", "x".repeat(length as usize));
        for quote in ["", "\"y\"\n"] {
            for chunk in [4096, 300_000, LONGEST_ROW as usize] {
                let passes = |length| pass((row(length) + quote).as_bytes(), chunk);
                assert_eq!(passes(LONGEST_ROW), None, "{chunk}");
                assert_eq!(passes(LONGEST_ROW + 1), Some(QuoteError::Long(2)), "{chunk}");
                assert_eq!(passes(LONGEST_ROW + 250_000), Some(QuoteError::Long(2)), "{chunk}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_found_does_not_depend_on_how_the_text_is_cut(
            text in "[a,\"\r\n]{0,40}", chunk in 1usize..10
        ) {
            prop_assert_eq!(pass(text.as_bytes(), chunk), pass(text.as_bytes(), 100));
        }

        #[test]
        fn whatever_a_csv_writer_writes_passes(
            rows in prop::collection::vec(prop::collection::vec("[a,\"\r\n ]{0,6}", 3), 0..6)
        ) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            for row in rows {
                writer.write_record(&row).unwrap();
            }
            let text = writer.into_inner().unwrap();
            prop_assert_eq!(pass(&text, 7), None);
        }
    }
}
