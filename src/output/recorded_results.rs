//! Results from the ledger alone: the order, then the result columns. Neither the input nor what
//! else it had is needed.

use std::io::Write;

use super::outcome_fields::{EarlierFields, OutcomeFields};
use crate::ledger::{RowRecord, Run};
use crate::model::result_columns;

/// The columns of the order. `run` and `rerun` find them by these names.
const KEYS: [&str; 2] = ["admin_number", "card_sequence_number"];

/// The columns that say where a row is from, if there are rows of several runs.
const SOURCE: [&str; 2] = ["run", "input"];

/// Writes rows of one run, or of several.
pub struct RecordedResults<W: Write> {
    csv: csv::Writer<W>,
    fields: OutcomeFields,
    names_run: bool,
}

impl<W: Write> RecordedResults<W> {
    /// Writes the header. With `names_run`, each line names its run and the input of that.
    ///
    /// # Errors
    /// Those of `to`.
    pub fn new(to: W, names_run: bool) -> csv::Result<RecordedResults<W>> {
        let mut csv = csv::WriterBuilder::new().buffer_capacity(1 << 16).from_writer(to);
        let source = if names_run { &SOURCE[..] } else { &[] };
        csv.write_record(KEYS.iter().chain(source).chain(&result_columns::RESULTS))?;
        Ok(RecordedResults { csv, fields: OutcomeFields::new(), names_run })
    }

    /// Writes a row of the run.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn line(&mut self, record: &RowRecord, run: &Run) -> csv::Result<()> {
        let csv = &mut self.csv;
        match record.order {
            Some(order) => {
                self.fields.number(csv, order.admin_number)?;
                self.fields.number(csv, order.sequence_number)?;
            }
            None => KEYS.iter().try_for_each(|_| csv.write_field(""))?,
        }
        if self.names_run {
            csv.write_field(run.id())?;
            csv.write_field(crate::model::without_formula(&run.opened.input_name).as_bytes())?;
        }
        self.fields.write(csv, record, run, EarlierFields::default())?;
        csv.write_record(&[] as &[&[u8]])
    }

    /// Writes what is buffered, and returns the writer.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn finish(self) -> std::io::Result<W> {
        self.csv.into_inner().map_err(csv::IntoInnerError::into_error)
    }
}
