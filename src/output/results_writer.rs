//! Writes the lines of the results: the columns of the input, then those of the outcome.

use std::fmt;
use std::io::Write;

use anyhow::{Context, bail};
use csv::ByteRecord;

use super::background_writer::{BackgroundWriter, CHUNK_BYTES};
use super::outcome_fields::{EarlierFields, OutcomeFields};
use super::row_prefetch::{RowObserver, for_each_row};
use super::rows;
use crate::input::{BYTE_ORDER_MARK, ColumnMap, Input, RerunPlan};
use crate::ledger::{Ledger, RowRecord, Run, after_lost_answer};
use crate::model::{Counts, Order, ReasonCode, RowNumber, Status, card_numbers, result_columns};

/// What the results are made of, beside the ledger.
pub struct ResultsInput<'a> {
    /// The run.
    pub run: &'a Run,
    /// Its input.
    pub input: &'a Input,
    /// Where the input's columns are.
    pub columns: &'a ColumnMap,
    /// How the results file that is run again was read, if it is one.
    pub plan: Option<&'a RerunPlan>,
}

/// Rows for which the ledger has another order than their lines of the input. The results
/// name the ledger's order, since that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misnamed {
    /// How many there are.
    pub rows: u64,
    /// The first of them, and its order in the ledger.
    pub first: (RowNumber, Order),
}

impl fmt::Display for Misnamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (row, order) = self.first;
        let rows = rows(self.rows);
        write!(
            f,
            "the ledger and the input have different orders in {rows}, first in row {row}, where the ledger has {order}: one of them was changed. The results have the orders of the ledger, which were sent; check it with `cardcancel ledger check`"
        )
    }
}

/// Counts of the rows that were written.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RowTally {
    pub(super) ended: Counts,
    pub(super) open: Counts,
    pub(super) may_be_cut_short: bool,
    pub(super) misnamed: Option<Misnamed>,
}

impl RowTally {
    fn add_misnamed(&mut self, row: RowNumber, order: Order) {
        self.misnamed.get_or_insert(Misnamed { rows: 0, first: (row, order) }).rows += 1;
    }

    fn add(&mut self, record: &RowRecord) {
        let counts = if record.has_ended { &mut self.ended } else { &mut self.open };
        counts.add_row(record.status, record.doubt);
    }
}

/// Writes every line, and counts the rows.
pub(super) fn write_lines(
    source: &ResultsInput<'_>,
    ledger: &mut dyn Ledger,
    observer: RowObserver<'_>,
    mut file: BackgroundWriter,
) -> anyhow::Result<RowTally> {
    if source.input.has_byte_order_mark() {
        file.write_all(BYTE_ORDER_MARK)?;
    }
    let mut writer = ResultsWriter::new(source, file);
    writer.header()?;
    let mut rows = source.input.rows(source.columns)?;
    let mut tally = RowTally::default();
    let unfinished = ReasonCode::UnfinishedLine.to_string();
    for_each_row(ledger, source.run, observer, |record| {
        tally.add(record);
        tally.may_be_cut_short |= record.error_code == unfinished;
        let line = rows.next()?.context("the input has fewer rows than the run")?;
        let other = record.order.filter(|order| !source.columns.holds(line.fields, *order));
        other.iter().for_each(|order| tally.add_misnamed(record.row, *order));
        Ok(writer.line(record, line.fields, other)?)
    })?;
    if rows.next()?.is_some() {
        bail!("the input has more rows than the run");
    }
    writer.csv.flush()?;
    Ok(tally)
}

/// Writes a row of the ledger and its line of the input as a line of results.
struct ResultsWriter<'a> {
    source: &'a ResultsInput<'a>,
    csv: csv::Writer<BackgroundWriter>,
    outcome: OutcomeFields,
}

impl<'a> ResultsWriter<'a> {
    fn new(source: &'a ResultsInput<'a>, to: BackgroundWriter) -> Self {
        ResultsWriter {
            source,
            csv: csv::WriterBuilder::new()
                .delimiter(source.columns.delimiter())
                .buffer_capacity(CHUNK_BYTES)
                .from_writer(to),
            outcome: OutcomeFields::new(),
        }
    }

    fn header(&mut self) -> csv::Result<()> {
        self.write_passthrough(self.source.columns.header(), true, KeyFields::FromInput)?;
        self.csv.write_record(result_columns::RESULTS)
    }

    /// The line of a row, with another order than the input's if the ledger has one.
    fn line(
        &mut self,
        record: &RowRecord,
        fields: &ByteRecord,
        other: Option<Order>,
    ) -> csv::Result<()> {
        // The guard looked at every field of a row that has an order already.
        let guarded = record.status == Status::Invalid || record.carried_over;
        let hidden = record.status == Status::Invalid
            && !record.carried_over
            && self.keys_may_mislead(record, fields);
        let keys = match other {
            Some(order) => KeyFields::FromLedger(order),
            None if hidden => KeyFields::Hidden,
            None => KeyFields::FromInput,
        };
        self.write_passthrough(fields, guarded, keys)?;
        // With a code, it is carried over from the ledger, which knows more than the file.
        if record.carried_over && record.error_code.is_empty() {
            self.write_carried_over(record, fields)?;
        } else {
            self.write_outcome(record, fields)?;
        }
        self.csv.write_record(END_OF_LINE)
    }

    /// Whether the key fields of an invalid row could be taken for an order: they are what
    /// made it invalid, or they may be another's. The message holds the whole line.
    fn keys_may_mislead(&self, record: &RowRecord, fields: &ByteRecord) -> bool {
        let of_a_key = [ReasonCode::InvalidAdminNumber, ReasonCode::InvalidSequenceNumber];
        !of_a_key.iter().any(|code| code.to_string() == record.error_code)
            || self.source.columns.carries_order(fields)
    }

    /// The input's own columns, untouched but for card numbers and for key fields.
    fn write_passthrough(
        &mut self,
        fields: &ByteRecord,
        guarded: bool,
        keys: KeyFields,
    ) -> csv::Result<()> {
        let columns = self.source.columns;
        let parted = guarded && card_numbers::fields_hold_card_number(fields.iter());
        for column in columns.passthrough() {
            let is_admin = *column == columns.admin();
            let field = match keys {
                KeyFields::FromLedger(order) if is_admin => {
                    self.number(order.admin_number)?;
                    continue;
                }
                KeyFields::FromLedger(order) if *column == columns.sequence() => {
                    self.number(order.sequence_number)?;
                    continue;
                }
                KeyFields::Hidden if is_admin || *column == columns.sequence() => &[][..],
                _ => fields.get(*column).unwrap_or_default(),
            };
            if parted && card_numbers::may_be_part(field) {
                self.csv.write_field(card_numbers::REMOVED)?;
                continue;
            }
            if guarded && card_numbers::looks_like_card_number(field) {
                let text = String::from_utf8_lossy(field);
                self.csv.write_field(card_numbers::redact(&text).as_bytes())?;
            } else {
                self.csv.write_field(field)?;
            }
        }
        Ok(())
    }

    /// The result columns as the results file had them, but for an answer for the order that
    /// was lost since.
    fn write_carried_over(&mut self, record: &RowRecord, fields: &ByteRecord) -> csv::Result<()> {
        let prior = self.source.plan.filter(|_| record.doubt).map(|plan| plan.prior(fields));
        let lost_since = prior.filter(|prior| prior.doubt == Some(false));
        for name in result_columns::RESULTS {
            let field = self.source.columns.result(name).and_then(|column| fields.get(column));
            match (name, field, &lost_since) {
                (result_columns::STATUS, ..) => self.csv.write_field(record.status.as_str())?,
                (result_columns::ROW, None | Some([]), _) => self.number(record.row.0)?,
                (result_columns::DOUBT, _, Some(_)) => self.csv.write_field("true")?,
                (result_columns::MESSAGE, _, Some(prior)) if record.status == Status::InDoubt => {
                    self.csv.write_field(after_lost_answer(&prior.message))?;
                }
                (_, field, _) => self.csv.write_field(field.unwrap_or_default())?,
            }
        }
        Ok(())
    }

    /// The result columns as the ledger knows them; a row that was sent by an
    /// earlier run keeps its number, its first time and its attempts.
    fn write_outcome(&mut self, record: &RowRecord, fields: &ByteRecord) -> csv::Result<()> {
        let prior = self.source.plan.map(|plan| plan.prior(fields));
        let row = self.source.plan.and(self.source.columns.result(result_columns::ROW));
        let earlier = EarlierFields {
            row: row.and_then(|column| fields.get(column)).filter(|row| !row.is_empty()),
            attempts: prior.as_ref().map_or(0, |prior| prior.attempts),
            first_sent_at: prior
                .as_ref()
                .map(|prior| &*prior.first_sent_at)
                .filter(|first| !first.is_empty()),
        };
        self.outcome.write(&mut self.csv, record, self.source.run, earlier)
    }

    fn number(&mut self, number: impl itoa::Integer) -> csv::Result<()> {
        self.outcome.number(&mut self.csv, number)
    }
}

/// What stands in the key fields of a line.
#[derive(Clone, Copy)]
enum KeyFields {
    /// What the input has there.
    FromInput,
    /// Nothing: it could be taken for an order that was not given.
    Hidden,
    /// The order that was sent, by the ledger.
    FromLedger(Order),
}

/// No more fields.
const END_OF_LINE: [&[u8]; 0] = [];
