//! Reads the ledger: runs, and the rows of a run in order.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, Rows, Statement, params};

use crate::ledger::row_record::{RecordBuilder, StoredAttempt, StoredClaim};
use crate::ledger::{LostRow, NewRun, Run, codes};
use crate::model::{Counts, Order, RowNumber, Status};

/// A run with its latest start.
const RUN: &str = "SELECT run.number, id, key, command, input_name, input_digest, endpoint,
        run.program, opened_at, rows, attempts, started_at, cut_off, finished_at, start.stop,
        cancelled, already_cancelled, rejected, failed, in_doubt, invalid, duplicate, not_sent,
        rejected_with_doubt, start.rates,
        (SELECT request.rates FROM request WHERE request.run = run.number AND kind = 'pace'
         ORDER BY request.number DESC LIMIT 1), forgotten_at
    FROM run JOIN progress ON progress.run = run.number LEFT JOIN start
        ON start.number = (SELECT max(latest.number) FROM start AS latest WHERE latest.run = run.number)";

pub(super) fn run_by_key(connection: &Connection, key: &str) -> rusqlite::Result<Option<Run>> {
    let sql = format!("{RUN} WHERE key = ?1 AND rows IS NOT NULL ORDER BY run.number DESC LIMIT 1");
    connection.query_row(&sql, [key], run_from).optional()
}

pub(super) fn run_by_id(connection: &Connection, id: &str) -> rusqlite::Result<Option<Run>> {
    connection
        .query_row(&format!("{RUN} WHERE id = ?1 AND rows IS NOT NULL"), [id], run_from)
        .optional()
}

pub(super) fn run_by_number(connection: &Connection, number: i64) -> rusqlite::Result<Run> {
    connection.query_row(&format!("{RUN} WHERE run.number = ?1"), [number], run_from)
}

pub(super) fn runs(connection: &Connection) -> rusqlite::Result<Vec<Run>> {
    let mut find =
        connection.prepare(&format!("{RUN} WHERE rows IS NOT NULL ORDER BY run.number DESC"))?;
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
        rates: row.get(16 + Status::ALL.len())?,
        finished_at: row.get::<_, Option<i64>>(13)?.map(time),
        stop: row.get(14)?,
        counts,
        pace: row.get(17 + Status::ALL.len())?,
        forgotten_at: row.get::<_, Option<i64>>(18 + Status::ALL.len())?.map(time),
    })
}

pub(super) fn time(microseconds: i64) -> Timestamp {
    Timestamp::from_microsecond(microseconds).unwrap_or(Timestamp::MIN)
}

/// The range of rows to read, and whether their attempts are collected.
pub(super) struct RowsQuery {
    pub first: u32,
    pub last: u32,
    pub with_attempts: bool,
}

impl RowsQuery {
    /// All rows of the run.
    pub fn all(run: &Run, with_attempts: bool) -> RowsQuery {
        let last = u32::try_from(run.rows).unwrap_or(u32::MAX);
        RowsQuery { first: 1, last, with_attempts }
    }
}

/// Reads a range of a run's rows. Calls `each` once all of a row was added.
pub(super) fn rows(
    connection: &Connection,
    run: &Run,
    query: &RowsQuery,
    each: &mut dyn FnMut(&mut RecordBuilder) -> anyhow::Result<()>,
    fail: &dyn Fn(rusqlite::Error) -> anyhow::Error,
) -> anyhow::Result<()> {
    // One transaction, so that all of it is from one snapshot.
    let ledger = connection.unchecked_transaction().map_err(fail)?;
    let mut reader = RowReader::new(&ledger, run.number).map_err(fail)?;
    let mut builder = if query.with_attempts {
        RecordBuilder::collecting_attempts()
    } else {
        RecordBuilder::new()
    };
    reader.read(run, query.first, query.last, &mut builder, each, fail)
}

/// Reads rows of a run within one transaction, one range after another.
pub(super) struct RowReader<'l> {
    rows: Statement<'l>,
    attempts: Statement<'l>,
    outcomes: OutcomeReader<'l>,
    in_flight: Vec<CallInFlight>,
}

impl<'l> RowReader<'l> {
    pub fn new(ledger: &'l Connection, run: i64) -> rusqlite::Result<RowReader<'l>> {
        Ok(RowReader {
            rows: ledger.prepare(
                "SELECT row, status, kept, doubt, error_code, message, admin_number, sequence_number
                 FROM row WHERE run = ?1 AND row BETWEEN ?2 AND ?3 ORDER BY row",
            )?,
            attempts: ledger.prepare(
                "SELECT row, outcome, sent_at, ended_at, claimed_at, attempt, start
                 FROM attempt WHERE run = ?1 AND row BETWEEN ?2 AND ?3 ORDER BY row, attempt",
            )?,
            outcomes: OutcomeReader::new(ledger)?,
            in_flight: in_flight(ledger, run)?,
        })
    }

    /// Reads rows and attempts in parallel, both in order, so that memory holds only the current
    /// row, the last outcome, and the rows in flight.
    pub fn read(
        &mut self,
        run: &Run,
        first: u32,
        last: u32,
        builder: &mut RecordBuilder,
        each: &mut dyn FnMut(&mut RecordBuilder) -> anyhow::Result<()>,
        fail: &dyn Fn(rusqlite::Error) -> anyhow::Error,
    ) -> anyhow::Result<()> {
        let range = params![run.number, first, last];
        let mut in_flight = self.in_flight.iter().filter(|call| call.row.0 >= first).peekable();
        let mut rows = self.rows.query(range).map_err(fail)?;
        let mut attempts = self.attempts.query(range).map_err(fail)?;
        let mut row = next(&mut rows).map_err(fail)?;
        let mut attempt = next(&mut attempts).map_err(fail)?;
        for number in (first..=last).map(RowNumber) {
            let Some((_, at_hand)) = row.filter(|(of, _)| *of == number) else {
                let run = run.id().to_owned();
                anyhow::bail!(LostRow { row: number, run });
            };
            begin(builder, number, at_hand).map_err(fail)?;
            row = next(&mut rows).map_err(fail)?;
            while let Some((_, at_hand)) = attempt.filter(|(of, _)| *of == number) {
                let outcome = at_hand.get(1).map_err(fail)?;
                let outcome = self.outcomes.read(outcome).map_err(fail)?;
                add_attempt(builder, at_hand, outcome).map_err(fail)?;
                attempt = next(&mut attempts).map_err(fail)?;
            }
            if let Some(call) = in_flight.next_if(|call| call.row == number) {
                call.add_to(builder).map_err(fail)?;
            }
            each(builder)?;
        }
        Ok(())
    }
}

/// The next result row, and the number of the run's row that it belongs to.
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

/// A call in flight: it may have been sent, and its answer is not known.
struct CallInFlight {
    row: RowNumber,
    claim: StoredClaim,
}

impl CallInFlight {
    fn add_to(&self, builder: &mut RecordBuilder) -> rusqlite::Result<()> {
        let stored = StoredAttempt {
            sent_at: None,
            ended_at: None,
            verdict: None,
            status: None,
            http_status: None,
            error_code: "",
            message: "",
        };
        builder.add_attempt(&stored, || Ok(self.claim))
    }
}

/// The calls in flight, in the order of their rows. The last start of the run made them.
fn in_flight(ledger: &Connection, run: i64) -> rusqlite::Result<Vec<CallInFlight>> {
    let mut find = ledger.prepare(
        "SELECT row, attempt, claimed_at, (SELECT max(number) FROM start WHERE start.run = ?1)
         FROM in_flight WHERE run = ?1 ORDER BY row",
    )?;
    find.query_map([run], |row| {
        let claim =
            StoredClaim { attempt: row.get(1)?, claimed_at: time(row.get(2)?), start: row.get(3)? };
        Ok(CallInFlight { row: RowNumber(row.get(0)?), claim })
    })?
    .collect()
}

/// Reads the outcomes of attempts.
struct OutcomeReader<'l> {
    find: Statement<'l>,
    /// The outcome read last: consecutive attempts often have the same.
    number: i64,
    outcome: StoredOutcome,
}

/// The stored outcome of an attempt.
#[derive(Default)]
struct StoredOutcome {
    verdict: i64,
    status: Option<Status>,
    http_status: Option<u16>,
    error_code: String,
    message: String,
}

impl<'l> OutcomeReader<'l> {
    fn new(ledger: &'l Connection) -> rusqlite::Result<OutcomeReader<'l>> {
        let find = ledger.prepare(
            "SELECT verdict, status, http_status, error_code, message
             FROM outcome WHERE number = ?1",
        )?;
        // SQLite numbers rows from 1.
        Ok(OutcomeReader { find, number: 0, outcome: StoredOutcome::default() })
    }

    fn read(&mut self, number: i64) -> rusqlite::Result<&StoredOutcome> {
        if self.number != number {
            self.outcome = self.find.query_row([number], |row| {
                Ok(StoredOutcome {
                    verdict: row.get(0)?,
                    status: status(row, 1)?,
                    http_status: row.get(2)?,
                    error_code: row.get(3)?,
                    message: row.get(4)?,
                })
            })?;
            self.number = number;
        }
        Ok(&self.outcome)
    }
}

/// Begins the next row: its order, and its status if it was decided without a call or before the
/// run.
fn begin(builder: &mut RecordBuilder, number: RowNumber, row: &Row<'_>) -> rusqlite::Result<()> {
    let order = match (row.get(6)?, row.get(7)?) {
        (Some(admin_number), Some(sequence_number)) => {
            Some(Order { admin_number, sequence_number })
        }
        _ => None,
    };
    builder.begin(number, order, row.get(3)?);
    if let Some(status) = status(row, 1)? {
        builder.decide(status, row.get(2)?, text(row, 4)?, text(row, 5)?);
    }
    Ok(())
}

fn add_attempt(
    builder: &mut RecordBuilder,
    attempt: &Row<'_>,
    outcome: &StoredOutcome,
) -> rusqlite::Result<()> {
    let sent_at: Option<i64> = attempt.get(2)?;
    let claim = || {
        Ok(StoredClaim {
            attempt: attempt.get(5)?,
            start: attempt.get(6)?,
            claimed_at: time(attempt.get(4)?),
        })
    };
    let stored = StoredAttempt {
        sent_at: sent_at.map(time),
        ended_at: Some(time(attempt.get(3)?)),
        verdict: Some(outcome.verdict),
        status: outcome.status,
        http_status: outcome.http_status,
        error_code: &outcome.error_code,
        message: &outcome.message,
    };
    builder.add_attempt(&stored, claim)
}

pub(super) fn status(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Status>> {
    let code: Option<i64> = row.get(column)?;
    let Some(code) = code else { return Ok(None) };
    codes::status(code).map(Some).ok_or_else(|| {
        let cause = format!("{code} is the number of no status");
        rusqlite::Error::FromSqlConversionFailure(column, Type::Integer, cause.into())
    })
}

/// The text in a column; empty if it is NULL.
fn text<'r>(row: &'r Row<'_>, column: usize) -> rusqlite::Result<&'r str> {
    Ok(row.get_ref(column)?.as_str_or_null()?.unwrap_or_default())
}
