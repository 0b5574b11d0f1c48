//! Reading the ledger back: runs, and the rows of one in order.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::super::{Counts, NewRun, RowRecord, Run};
use super::codes;
use crate::order::{Order, RowNumber};
use crate::outcome::{Status, unended};

/// A run with its latest start.
const RUN: &str = "SELECT number, id, key, command, input_name, input_digest, endpoint, program,
        opened_at, rows, attempts, started_at, cut_off, rested_at, stop,
        cancelled, already_cancelled, rejected, failed, in_doubt, invalid, duplicate, not_sent
    FROM run LEFT JOIN start
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
        rested_at: row.get::<_, Option<i64>>(13)?.map(time),
        stop: row.get(14)?,
        counts,
    })
}

fn time(microseconds: i64) -> Timestamp {
    Timestamp::from_microsecond(microseconds).unwrap_or(Timestamp::MIN)
}

/// Walks the rows and the attempts side by side, both in order, so that
/// nothing is held but the row at hand.
pub(super) fn rows(
    connection: &Connection,
    run: i64,
    each: &mut dyn FnMut(&mut RowRecord) -> anyhow::Result<()>,
    fail: &dyn Fn(rusqlite::Error) -> anyhow::Error,
) -> anyhow::Result<()> {
    let mut rows = connection
        .prepare(
            "SELECT row, admin_number, sequence_number, status, kept, doubt, error_code, message
             FROM row WHERE run = ?1 ORDER BY row",
        )
        .map_err(fail)?;
    let mut attempts = connection
        .prepare(
            "SELECT row,
                    coalesce(sent_at, CASE WHEN meaning IS NULL OR error_code = 'INTERRUPTED'
                                           THEN staked_at END),
                    ended_at, meaning, status, http_status, error_code, message
             FROM attempt WHERE run = ?1 ORDER BY row, attempt",
        )
        .map_err(fail)?;
    let mut rows = rows.query(params![run]).map_err(fail)?;
    let mut attempts = attempts.query(params![run]).map_err(fail)?;
    let mut attempt = attempts.next().map_err(fail)?;
    let mut record = RowRecord::of(RowNumber(0));
    while let Some(row) = rows.next().map_err(fail)? {
        begin(&mut record, row).map_err(fail)?;
        while let Some(at_hand) = attempt {
            if at_hand.get::<_, u32>(0).map_err(fail)? != record.row.0 {
                break;
            }
            add_attempt(&mut record, at_hand).map_err(fail)?;
            attempt = attempts.next().map_err(fail)?;
        }
        if record.status == Status::NotSent && !record.kept {
            record.status = unended(record.doubt);
        }
        each(&mut record)?;
    }
    Ok(())
}

/// The same record serves for row after row: nothing is allocated for each.
fn begin(record: &mut RowRecord, row: &Row<'_>) -> rusqlite::Result<()> {
    let admin_number: Option<i64> = row.get(1)?;
    let sequence_number: Option<i32> = row.get(2)?;
    let status = status(row, 3)?;
    record.row = RowNumber(row.get(0)?);
    record.order = admin_number
        .zip(sequence_number)
        .map(|(admin_number, sequence_number)| Order { admin_number, sequence_number });
    record.status = status.unwrap_or(Status::NotSent);
    record.doubt = row.get(5)?;
    record.kept = false;
    record.error_code.clear();
    record.message.clear();
    record.http_status = None;
    record.attempts = 0;
    record.first_sent_at = None;
    record.ended_at = None;
    if status.is_some() {
        record.kept = row.get(4)?;
        text(&mut record.error_code, row, 6)?;
        text(&mut record.message, row, 7)?;
    }
    Ok(())
}

fn add_attempt(record: &mut RowRecord, attempt: &Row<'_>) -> rusqlite::Result<()> {
    record.attempts += 1;
    if let Some(sent_at) = attempt.get::<_, Option<i64>>(1)? {
        record.first_sent_at.get_or_insert(time(sent_at));
    }
    // An attempt without an end may have been sent: its answer is not known.
    record.doubt |= attempt.get::<_, Option<i64>>(3)?.is_none_or(|meaning| meaning == codes::DOUBT);
    let decided_without_call = record.status != Status::NotSent;
    if decided_without_call {
        return Ok(());
    }
    record.ended_at = attempt.get::<_, Option<i64>>(2)?.map(time);
    record.http_status = attempt.get(5)?;
    text(&mut record.error_code, attempt, 6)?;
    text(&mut record.message, attempt, 7)?;
    if let Some(status) = status(attempt, 4)? {
        record.status = status;
    }
    Ok(())
}

fn status(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Status>> {
    let code: Option<i64> = row.get(column)?;
    code.map(|code| codes::status(column, code)).transpose()
}

/// Puts a column's text, or nothing, in place of what is there.
fn text(into: &mut String, row: &Row<'_>, column: usize) -> rusqlite::Result<()> {
    into.clear();
    into.push_str(row.get_ref(column)?.as_str_or_null()?.unwrap_or_default());
    Ok(())
}
