//! The records of an input one after another, header included, each with its line.

use std::io::Cursor;

use csv::ByteRecord;

use super::blocks::{Block, Blocks};
use super::error::{Fault, IntakeError};
use super::source::Input;

const BUFFER: usize = 64 * 1024;

pub(super) struct Records<'i> {
    input: &'i Input,
    delimiter: u8,
    /// What comes after the block at hand.
    blocks: Option<Blocks<'i>>,
    reader: csv::Reader<Cursor<Vec<u8>>>,
    /// The line in which the block at hand starts.
    line: u64,
}

impl<'i> Records<'i> {
    /// All records of an input.
    pub fn new(input: &'i Input, delimiter: u8) -> Result<Self, IntakeError> {
        let blocks = input.blocks(delimiter)?;
        let records = Records::of(input, delimiter, Block::default());
        Ok(Records { blocks: Some(blocks), ..records })
    }

    /// The records of one block.
    pub fn of(input: &'i Input, delimiter: u8, block: Block) -> Self {
        let Block { text, line, .. } = block;
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .buffer_capacity(text.len().clamp(1, BUFFER))
            .from_reader(Cursor::new(text));
        Records { input, delimiter, blocks: None, reader, line }
    }

    /// Reads the next record; false if there is none.
    pub fn read(&mut self, record: &mut ByteRecord) -> Result<bool, IntakeError> {
        loop {
            match self.reader.read_byte_record(record) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                // Bytes in records of any length leave nothing to go wrong.
                Err(error) => return Err(self.input.refuse(Fault::Read(error.into()))),
            }
            let Some(block) = self.blocks.as_mut().and_then(Iterator::next) else {
                return Ok(false);
            };
            let next = Records::of(self.input, self.delimiter, block?);
            (self.reader, self.line) = (next.reader, next.line);
        }
    }

    /// The line in which the record, read last, starts. The reader knows only the
    /// line where it stands now, and stops before the LF of a CRLF.
    pub fn line_of(&self, record: &ByteRecord) -> u64 {
        let position = self.reader.position();
        let text = self.reader.get_ref().get_ref();
        let last =
            usize::try_from(position.byte()).ok().and_then(|at| text.get(at.checked_sub(1)?));
        let passed = u64::from(last == Some(&b'\n'));
        let within = record.as_slice().iter().filter(|byte| **byte == b'\n').count() as u64;
        // Lines count from 1, and the block has a line end before its first.
        (self.line + position.line()).saturating_sub(2 + within + passed)
    }
}
