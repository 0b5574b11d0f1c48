//! Reading the ledger back: runs, and the rows of one in order.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, Rows, Statement, params};

use super::super::left_doubt::LeftDoubt;
use super::super::{NewRun, RowRecord, Run, codes};
use crate::model::{Counts, Order, ReasonCode, RowNumber, Status};

/// A run with its latest start.
const RUN: &str = "SELECT number, id, key, command, input_name, input_digest, endpoint, program,
        opened_at, rows, attempts, started_at, cut_off, finished_at, stop,
        cancelled, already_cancelled, rejected, failed, in_doubt, invalid, duplicate, not_sent,
        rejected_with_doubt
    FROM run JOIN progress ON progress.run = run.number LEFT JOIN start
        ON start.rowid = (SELECT max(latest.rowid) FROM start AS latest WHERE latest.run = run.number)";

pub(super) fn run_by_key(connection: &Connection, key: &str) -> rusqlite::Result<Option<Run>> {
    let sql = format!("{RUN} WHERE key = ?1 AND rows IS NOT NULL ORDER BY number DESC LIMIT 1");
    connection.query_row(&sql, [key], run_from).optional()
}

pub(super) fn run_by_id(connection: &Connection, id: &str) -> rusqlite::Result<Option<Run>> {
    connection
        .query_row(&format!("{RUN} WHERE id = ?1 AND rows IS NOT NULL"), [id], run_from)
        .optional()
}

pub(super) fn run_by_number(connection: &Connection, number: i64) -> rusqlite::Result<Run> {
    connection.query_row(&format!("{RUN} WHERE number = ?1"), [number], run_from)
}

pub(super) fn runs(connection: &Connection) -> rusqlite::Result<Vec<Run>> {
    let mut find =
        connection.prepare(&format!("{RUN} WHERE rows IS NOT NULL ORDER BY number DESC"))?;
    find.query_map([], run_from)?.collect()
}

pub(super) fn results_of(connection: &Connection, mark: &str) -> rusqlite::Result<Vec<String>> {
    let mut find = connection
        .prepare("SELECT id FROM results JOIN run ON run.number = results.run WHERE mark = ?1")?;
    find.query_map([mark], |row| row.get(0))?.collect()
}

fn run_from(row: &Row<'_>) -> rusqlite::Result<Run> {
    let mut counts = Counts::default();
    for (position, status) in Status::ALL.into_iter().enumerate() {
        counts.add(status, row.get(15 + position)?);
    }
    counts.add_rejected_with_doubt(row.get(15 + Status::ALL.len())?);
    Ok(Run {
        number: row.get(0)?,
        opened: NewRun {
            id: row.get(1)?,
            key: row.get(2)?,
            command: row.get(3)?,
            input_name: row.get(4)?,
            input_digest: row.get(5)?,
            endpoint: row.get(6)?,
            program: row.get(7)?,
            opened_at: time(row.get(8)?),
        },
        rows: row.get(9)?,
        attempts: row.get(10)?,
        started_at: row.get::<_, Option<i64>>(11)?.map(time),
        cut_off: row.get::<_, Option<i64>>(12)?.map(time),
        rates: None,
        finished_at: row.get::<_, Option<i64>>(13)?.map(time),
        stop: row.get(14)?,
        counts,
    })
}

fn time(microseconds: i64) -> Timestamp {
    Timestamp::from_microsecond(microseconds).unwrap_or(Timestamp::MIN)
}

/// Walks the rows and the attempts side by side, both in order, so that nothing is held but the row at hand, what attempts come
/// to, and what is in flight.
pub(super) fn rows(
    connection: &Connection,
    run: &Run,
    each: &mut dyn FnMut(&mut RowRecord) -> anyhow::Result<()>,
    fail: &dyn Fn(rusqlite::Error) -> anyhow::Error,
) -> anyhow::Result<()> {
    // All of it as it is at one moment.
    let ledger = connection.unchecked_transaction().map_err(fail)?;
    let mut in_flight = in_flight(&ledger, run.number).map_err(fail)?.into_iter().peekable();
    let mut told = Tell::new(&ledger).map_err(fail)?;
    let mut rows = ledger
        .prepare(
            "SELECT row, status, kept, doubt, error_code, message, admin_number, sequence_number
             FROM row WHERE run = ?1 ORDER BY row",
        )
        .map_err(fail)?;
    let mut attempts = ledger
        .prepare(
            "SELECT row, outcome, sent_at, ended_at, claimed_at
             FROM attempt WHERE run = ?1 ORDER BY row, attempt",
        )
        .map_err(fail)?;
    let mut rows = rows.query([run.number]).map_err(fail)?;
    let mut attempts = attempts.query([run.number]).map_err(fail)?;
    let mut row = next(&mut rows).map_err(fail)?;
    let mut attempt = next(&mut attempts).map_err(fail)?;
    let mut record = RowRecord::of(RowNumber(0));
    let mut left_doubt = LeftDoubt::default();
    for number in (1..=u32::try_from(run.rows).unwrap_or(u32::MAX)).map(RowNumber) {
        begin(&mut record, number);
        left_doubt.begin();
        let Some((_, at_hand)) = row.filter(|(of, _)| *of == number) else {
            anyhow::bail!("the ledger has lost row {number} of run {}", run.id());
        };
        add_row(&mut record, at_hand).map_err(fail)?;
        row = next(&mut rows).map_err(fail)?;
        while let Some((_, at_hand)) = attempt.filter(|(of, _)| *of == number) {
            let outcome = told.outcome(at_hand.get(1).map_err(fail)?).map_err(fail)?;
            add_attempt(&mut record, at_hand, outcome).map_err(fail)?;
            left_doubt.after_attempt(&record, outcome.is_doubt);
            attempt = next(&mut attempts).map_err(fail)?;
        }
        if let Some((_, claimed_at)) = in_flight.next_if(|(row, _)| *row == number) {
            add_call_in_flight(&mut record, claimed_at);
        }
        record.complete();
        left_doubt.tell(&mut record);
        each(&mut record)?;
    }
    Ok(())
}

/// The next row of what was asked for, and the number of the run's row that it is about.
fn next<'r>(rows: &'r mut Rows<'_>) -> rusqlite::Result<Option<(RowNumber, &'r Row<'r>)>> {
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some((RowNumber(row.get(0)?), row)))
}

pub(super) fn orders(
    connection: &Connection,
    run: i64,
) -> rusqlite::Result<BTreeMap<RowNumber, Order>> {
    let mut find = connection.prepare(
        "SELECT row, admin_number, sequence_number FROM row
         WHERE run = ?1 AND admin_number IS NOT NULL",
    )?;
    find.query_map([run], |row| {
        let order = Order { admin_number: row.get(1)?, sequence_number: row.get(2)? };
        Ok((RowNumber(row.get(0)?), order))
    })?
    .collect()
}

/// The rows in flight, in order, with the times at which they were claimed.
fn in_flight(ledger: &Connection, run: i64) -> rusqlite::Result<Vec<(RowNumber, Timestamp)>> {
    let mut find =
        ledger.prepare("SELECT row, claimed_at FROM in_flight WHERE run = ?1 ORDER BY row")?;
    find.query_map([run], |row| Ok((RowNumber(row.get(0)?), time(row.get(1)?))))?.collect()
}

/// Tells what attempts came to.
struct Tell<'l> {
    find: Statement<'l>,
    /// What was told last: much is told again and again.
    number: i64,
    outcome: Outcome,
}

/// What an attempt came to.
#[derive(Default)]
struct Outcome {
    is_doubt: bool,
    was_interrupted: bool,
    status: Option<Status>,
    http_status: Option<u16>,
    error_code: String,
    message: String,
}

impl<'l> Tell<'l> {
    fn new(ledger: &'l Connection) -> rusqlite::Result<Tell<'l>> {
        let find = ledger.prepare(
            "SELECT verdict, status, http_status, error_code, message, error_code = ?2
             FROM outcome WHERE number = ?1",
        )?;
        // SQLite numbers rows from 1.
        Ok(Tell { find, number: 0, outcome: Outcome::default() })
    }

    fn outcome(&mut self, number: i64) -> rusqlite::Result<&Outcome> {
        if self.number != number {
            let interrupted = ReasonCode::Interrupted.to_string();
            self.outcome = self.find.query_row(params![number, interrupted], |row| {
                Ok(Outcome {
                    is_doubt: row.get::<_, i64>(0)? == codes::DOUBT,
                    status: status(row, 1)?,
                    http_status: row.get(2)?,
                    error_code: row.get(3)?,
                    message: row.get(4)?,
                    was_interrupted: row.get(5)?,
                })
            })?;
            self.number = number;
        }
        Ok(&self.outcome)
    }
}

/// The same record serves for row after row: nothing is allocated for each.
fn begin(record: &mut RowRecord, row: RowNumber) {
    record.row = row;
    record.order = None;
    record.status = Status::NotSent;
    record.kept = false;
    record.error_code.clear();
    record.message.clear();
    record.http_status = None;
    record.attempts = 0;
    record.doubt = false;
    record.first_sent_at = None;
    record.ended_at = None;
}

/// The order, and what was decided without a call or known before the run.
fn add_row(record: &mut RowRecord, row: &Row<'_>) -> rusqlite::Result<()> {
    if let (Some(admin_number), Some(sequence_number)) = (row.get(6)?, row.get(7)?) {
        record.order = Some(Order { admin_number, sequence_number });
    }
    record.doubt = row.get(3)?;
    if let Some(status) = status(row, 1)? {
        record.status = status;
        record.kept = row.get(2)?;
        text(&mut record.error_code, row, 4)?;
        text(&mut record.message, row, 5)?;
    }
    Ok(())
}

fn add_attempt(
    record: &mut RowRecord,
    attempt: &Row<'_>,
    outcome: &Outcome,
) -> rusqlite::Result<()> {
    record.attempts += 1;
    let sent_at: Option<i64> = attempt.get(if outcome.was_interrupted { 4 } else { 2 })?;
    if let Some(sent_at) = sent_at {
        record.first_sent_at.get_or_insert(time(sent_at));
    }
    record.doubt |= outcome.is_doubt;
    let decided_without_call = record.status != Status::NotSent;
    if decided_without_call {
        return Ok(());
    }
    record.ended_at = Some(time(attempt.get(3)?));
    record.http_status = outcome.http_status;
    record.error_code.clone_from(&outcome.error_code);
    record.message.clone_from(&outcome.message);
    if let Some(status) = outcome.status {
        record.status = status;
    }
    Ok(())
}

/// It may have been sent, and its answer is not known.
fn add_call_in_flight(record: &mut RowRecord, claimed_at: Timestamp) {
    record.attempts += 1;
    record.first_sent_at.get_or_insert(claimed_at);
    record.doubt = true;
    record.ended_at = None;
    record.http_status = None;
    record.error_code.clear();
    record.message.clear();
}

pub(super) fn status(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Status>> {
    let code: Option<i64> = row.get(column)?;
    let Some(code) = code else { return Ok(None) };
    codes::status(code).map(Some).ok_or_else(|| {
        let cause = format!("{code} is the number of no status");
        rusqlite::Error::FromSqlConversionFailure(column, Type::Integer, cause.into())
    })
}

/// Puts a column's text, or nothing, in place of what is there.
fn text(into: &mut String, row: &Row<'_>, column: usize) -> rusqlite::Result<()> {
    into.clear();
    into.push_str(row.get_ref(column)?.as_str_or_null()?.unwrap_or_default());
    Ok(())
}
