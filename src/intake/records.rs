//! The records of an input one after another, header included, each with its line.

use csv::ByteRecord;

use super::error::{Fault, IntakeError};
use super::quotes::Watched;
use super::source::Input;
use super::stream::Stream;

const BUFFER: usize = 128 * 1024;

pub(super) struct Records<'i> {
    input: &'i Input,
    reader: csv::Reader<Watched<Stream<'i>>>,
}

impl<'i> Records<'i> {
    pub fn new(input: &'i Input, delimiter: u8) -> Result<Self, IntakeError> {
        input.unchanged()?;
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .buffer_capacity(BUFFER)
            .from_reader(Watched::new(input.text()?, delimiter));
        Ok(Records { input, reader })
    }

    /// Reads the next record; false if there is none.
    pub fn read(&mut self, record: &mut ByteRecord) -> Result<bool, IntakeError> {
        match self.reader.read_byte_record(record) {
            Ok(true) => Ok(true),
            Ok(false) => self.input.unchanged().map(|()| false),
            Err(error) => Err(self.explain(error)),
        }
    }

    /// The line in which the record, read last, starts. The reader knows only the
    /// line where it stands now, and stops before the LF of a CRLF.
    pub fn line_of(&self, record: &ByteRecord) -> u64 {
        let position = self.reader.position();
        let within = record.as_slice().iter().filter(|byte| **byte == b'\n').count() as u64;
        let passed = u64::from(self.reader.get_ref().line_ends_before(position.byte()));
        position.line().saturating_sub(within + passed)
    }

    fn explain(&self, error: csv::Error) -> IntakeError {
        match error.into_kind() {
            csv::ErrorKind::Io(error) => self.input.explain(error),
            // Bytes in records of any length leave nothing else to go wrong.
            other => {
                let error = std::io::Error::other(format!("{other:?}"));
                self.input.refuse(Fault::Read(error))
            }
        }
    }
}
