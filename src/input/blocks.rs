//! Cuts the text of an input into blocks of whole rows: several can be taken apart
//! at the same time, and each in a buffer that does not move.

use std::io::{self, Read};

use super::error::InputError;
use super::line_ends::line_ends;
use super::quotes::{QuoteError, QuoteScanner, ends_row};
use super::reader::DecodedReader;
use super::source::Input;

/// How much text a block holds, unless a row is longer.
const BLOCK: usize = 256 * 1024;

/// Whole rows, one after another.
#[derive(Debug, Default)]
pub(super) struct Block {
    /// A line end, then the rows: at the very start of a text, the parser would
    /// take the first bytes of a row for a byte order mark.
    pub text: Vec<u8>,
    /// The line in which the first row starts.
    pub line: u64,
    /// Whether the text before ended in a CR, which an LF at the start belongs to.
    pub after_cr: bool,
    /// Whether the rows begin with the header.
    pub first: bool,
    /// Whether the last row is the last of all and has no line end.
    pub unfinished: bool,
    /// Whether a quoted field may be damaged: see [`QuoteScanner::is_suspicious`].
    pub suspicious: bool,
}

/// The blocks of an input from its start. Ends after an error.
pub(super) struct Blocks<'i> {
    input: &'i Input,
    stream: DecodedReader<'i>,
    quotes: QuoteScanner,
    size: usize,
    /// What was read and is not yet in a block, after a line end.
    ahead: Vec<u8>,
    /// The offset in the text of the first byte of `ahead` after the line end.
    offset: u64,
    /// The line of that byte.
    line: u64,
    after_cr: bool,
    end: Option<BlockEnd>,
}

/// How the text ends.
enum BlockEnd {
    /// As it should.
    Proper,
    /// The rows before are whole.
    Unbalanced(QuoteError),
    Failed(io::Error),
    /// The error was returned.
    Reported,
}

impl Input {
    /// The blocks, from the first.
    pub(super) fn blocks(&self, delimiter: u8) -> Result<Blocks<'_>, InputError> {
        self.blocks_of(delimiter, BLOCK)
    }

    pub(super) fn blocks_of(&self, delimiter: u8, size: usize) -> Result<Blocks<'_>, InputError> {
        self.unchanged()?;
        Ok(Blocks {
            input: self,
            stream: self.text()?,
            quotes: QuoteScanner::new(delimiter),
            size,
            ahead: vec![b'\n'],
            offset: 0,
            line: self.first_line(),
            after_cr: false,
            end: None,
        })
    }
}

impl Blocks<'_> {
    /// How many bytes of `ahead` are a line end and whole rows.
    fn whole(&self) -> usize {
        match self.end {
            // The last row needs no line end.
            Some(BlockEnd::Proper) => self.ahead.len(),
            Some(BlockEnd::Reported) => 1,
            _ => 1 + usize::try_from(self.quotes.row_start() - self.offset).unwrap_or_default(),
        }
    }

    fn read_on(&mut self) {
        let filled = self.ahead.len();
        self.ahead.resize(filled + self.size, 0);
        let read = self.stream.read(self.ahead.get_mut(filled..).unwrap_or_default());
        self.ahead.truncate(filled + read.as_ref().copied().unwrap_or_default());
        let passed = match read {
            Ok(0) => self.quotes.end().map(|()| self.end = Some(BlockEnd::Proper)),
            Ok(_) => self.quotes.pass(self.ahead.get(filled..).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => {
                self.end = Some(BlockEnd::Failed(error));
                Ok(())
            }
        };
        if let Err(error) = passed {
            self.end = Some(BlockEnd::Unbalanced(error));
        }
    }

    fn cut(&mut self, whole: usize) -> Block {
        let (first, line, after_cr) = (self.offset == 0, self.line, self.after_cr);
        let mut ahead = Vec::with_capacity(self.size + self.ahead.len() - whole + 1);
        ahead.push(b'\n');
        ahead.extend(self.ahead.drain(whole..));
        let text = std::mem::replace(&mut self.ahead, ahead);
        self.offset += text.len() as u64 - 1;
        self.line += line_ends(text.get(1..).unwrap_or_default(), after_cr);
        self.after_cr = text.last() == Some(&b'\r');
        let is_last = self.ahead.len() == 1 && matches!(self.end, Some(BlockEnd::Proper));
        let unfinished = is_last && !text.last().is_some_and(|byte| ends_row(*byte));
        let suspicious = self.quotes.is_suspicious();
        Block { text, line, after_cr, first, unfinished, suspicious }
    }
}

impl Iterator for Blocks<'_> {
    type Item = Result<Block, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.whole() <= self.size && self.end.is_none() {
            self.read_on();
        }
        let whole = self.whole();
        if whole > 1 {
            return Some(Ok(self.cut(whole)));
        }
        match self.end.replace(BlockEnd::Reported)? {
            BlockEnd::Proper => self.input.unchanged().err().map(Err),
            BlockEnd::Unbalanced(error) => Some(Err(self.input.quote_error(error))),
            BlockEnd::Failed(error) => Some(Err(self.input.explain(error))),
            BlockEnd::Reported => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_line_end_counts_once() {
        for (text, ends) in [("", 0), ("a", 0), ("a\nb\r\nc\rd", 3), ("\r\r\n\n", 3), ("\r", 1)] {
            assert_eq!(line_ends(text.as_bytes(), false), ends, "{text:?}");
            for cut in 0..=text.len() {
                let (before, after) = text.as_bytes().split_at(cut);
                let after_cr = before.last() == Some(&b'\r');
                assert_eq!(line_ends(before, false) + line_ends(after, after_cr), ends, "{text:?}");
            }
        }
    }
}
