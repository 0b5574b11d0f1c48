//! The records of an input one after another, header included, each with its line.

use std::cell::Cell;
use std::io::Cursor;

use csv::ByteRecord;

use super::blocks::{Block, Blocks};
use super::error::{InputError, InputErrorKind};
use super::line_ends::line_ends;
use super::quotes::ends_row;
use super::source::Input;

const BUFFER: usize = 64 * 1024;

pub(super) struct Records<'i> {
    input: &'i Input,
    delimiter: u8,
    /// What comes after the block at hand.
    blocks: Option<Blocks<'i>>,
    reader: csv::Reader<Cursor<Vec<u8>>>,
    /// The block at hand, without its text.
    block: Block,
    /// Up to where in its text lines were counted, and how many there are before that.
    counted: Cell<(usize, u64)>,
}

impl<'i> Records<'i> {
    /// All records of an input.
    pub fn new(input: &'i Input, delimiter: u8) -> Result<Self, InputError> {
        let blocks = input.blocks(delimiter)?;
        let records = Records::from_block(input, delimiter, Block::default());
        Ok(Records { blocks: Some(blocks), ..records })
    }

    /// The records of one block.
    pub fn from_block(input: &'i Input, delimiter: u8, block: Block) -> Self {
        let mut block = block;
        let text = std::mem::take(&mut block.text);
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .buffer_capacity(text.len().clamp(1, BUFFER))
            .from_reader(Cursor::new(text));
        // The text has a line end before its first row.
        let counted = Cell::new((1, 0));
        Records { input, delimiter, blocks: None, reader, block, counted }
    }

    /// Reads the next record; false if there is none.
    // One copy, so that the parser's own step is inlined in it rather than called for each record.
    #[inline(never)]
    pub fn read(&mut self, record: &mut ByteRecord) -> Result<bool, InputError> {
        loop {
            match self.reader.read_byte_record(record) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                // Bytes in records of any length leave nothing to go wrong.
                Err(error) => return Err(self.input.refuse(InputErrorKind::Read(error.into()))),
            }
            let Some(block) = self.blocks.as_mut().and_then(Iterator::next) else {
                return Ok(false);
            };
            let next = Records::from_block(self.input, self.delimiter, block?);
            (self.reader, self.block, self.counted) = (next.reader, next.block, next.counted);
        }
    }

    /// What stands in the file for the record, read last, without its line end.
    pub fn raw(&self, record: &ByteRecord) -> &[u8] {
        let mut raw = self.text().get(self.start_of(record)..self.passed()).unwrap_or_default();
        while let [rest @ .., b'\n' | b'\r'] = raw {
            raw = rest;
        }
        raw
    }

    /// Whether the record, read last, is the last of all and has no line end.
    #[inline]
    pub fn is_unfinished(&self) -> bool {
        self.block.unfinished && self.passed() >= self.text().len()
    }

    /// Whether quotes of the block at hand may be damaged.
    pub fn are_suspicious(&self) -> bool {
        self.block.suspicious
    }

    /// The line in which the record, read last, starts.
    pub fn line_of(&self, record: &ByteRecord) -> u64 {
        let start = self.start_of(record);
        let (from, before) = self.counted.get();
        let text = self.text().get(from..start).unwrap_or_default();
        let after_cr = match from {
            1 => self.block.after_cr,
            _ => self.text().get(from - 1) == Some(&b'\r'),
        };
        let before = before + line_ends(text, after_cr);
        self.counted.set((start.max(from), before));
        self.block.line + before
    }

    /// The reader stops before the LF of a CRLF, and passes over blank lines only when it
    /// reads what follows them.
    fn start_of(&self, record: &ByteRecord) -> usize {
        let from = record.position().map_or(0, csv::Position::byte);
        let from = usize::try_from(from).unwrap_or_default();
        let text = self.text().get(from..).unwrap_or_default();
        from + text.iter().take_while(|byte| ends_row(**byte)).count()
    }

    #[inline]
    fn passed(&self) -> usize {
        usize::try_from(self.reader.position().byte()).unwrap_or_default()
    }

    fn text(&self) -> &[u8] {
        self.reader.get_ref().get_ref()
    }
}
