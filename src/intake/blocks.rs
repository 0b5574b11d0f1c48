//! Cuts the text of an input into blocks of whole rows: several can be taken apart
//! at the same time, and each in a buffer that does not move.

use std::io::{self, Read};

use super::error::IntakeError;
use super::quotes::{Tangle, Watch};
use super::source::Input;
use super::stream::Stream;

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
    /// Whether the rows begin with the header.
    pub first: bool,
}

/// The blocks of an input from its start. Ends after an error.
pub(super) struct Blocks<'i> {
    input: &'i Input,
    stream: Stream<'i>,
    watch: Watch,
    size: usize,
    /// What was read and is not yet in a block, after a line end.
    ahead: Vec<u8>,
    /// The offset in the text of the first byte of `ahead` after the line end.
    offset: u64,
    /// The line of that byte.
    line: u64,
    end: Option<End>,
}

/// How the text ends.
enum End {
    /// As it should.
    Proper,
    /// The rows before are whole.
    Tangled(Tangle),
    Failed(io::Error),
    /// And that was said.
    Told,
}

impl Input {
    /// The blocks, from the first.
    pub(super) fn blocks(&self, delimiter: u8) -> Result<Blocks<'_>, IntakeError> {
        self.blocks_of(delimiter, BLOCK)
    }

    pub(super) fn blocks_of(&self, delimiter: u8, size: usize) -> Result<Blocks<'_>, IntakeError> {
        self.unchanged()?;
        Ok(Blocks {
            input: self,
            stream: self.text()?,
            watch: Watch::new(delimiter),
            size,
            ahead: vec![b'\n'],
            offset: 0,
            line: 1,
            end: None,
        })
    }
}

impl Blocks<'_> {
    /// How many bytes of `ahead` are a line end and whole rows.
    fn whole(&self) -> usize {
        match self.end {
            // The last row needs no line end.
            Some(End::Proper) => self.ahead.len(),
            Some(End::Told) => 1,
            _ => 1 + usize::try_from(self.watch.row_start() - self.offset).unwrap_or_default(),
        }
    }

    fn read_on(&mut self) {
        let filled = self.ahead.len();
        self.ahead.resize(filled + self.size, 0);
        let read = self.stream.read(self.ahead.get_mut(filled..).unwrap_or_default());
        self.ahead.truncate(filled + read.as_ref().copied().unwrap_or_default());
        let passed = match read {
            Ok(0) => self.watch.end().map(|()| self.end = Some(End::Proper)),
            Ok(_) => self.watch.pass(self.ahead.get(filled..).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => {
                self.end = Some(End::Failed(error));
                Ok(())
            }
        };
        if let Err(tangle) = passed {
            self.end = Some(End::Tangled(tangle));
        }
    }

    fn cut(&mut self, whole: usize) -> Block {
        let (first, line) = (self.offset == 0, self.line);
        let mut ahead = Vec::with_capacity(self.size + self.ahead.len() - whole + 1);
        ahead.push(b'\n');
        ahead.extend(self.ahead.drain(whole..));
        let text = std::mem::replace(&mut self.ahead, ahead);
        self.offset += text.len() as u64 - 1;
        self.line += text.iter().skip(1).filter(|byte| **byte == b'\n').count() as u64;
        Block { text, line, first }
    }
}

impl Iterator for Blocks<'_> {
    type Item = Result<Block, IntakeError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.whole() <= self.size && self.end.is_none() {
            self.read_on();
        }
        let whole = self.whole();
        if whole > 1 {
            return Some(Ok(self.cut(whole)));
        }
        match self.end.replace(End::Told)? {
            End::Proper => self.input.unchanged().err().map(Err),
            End::Tangled(tangle) => Some(Err(self.input.tangled(tangle))),
            End::Failed(error) => Some(Err(self.input.explain(error))),
            End::Told => None,
        }
    }
}
