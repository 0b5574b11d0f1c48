//! Reads what audits need beside the rows of a run: starts, events, settings, and the history of
//! an order.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::read::{self, RowsQuery, time};
use crate::identity::Identity;
use crate::ledger::row_record::RecordBuilder;
use crate::ledger::timeline::timeline;
use crate::ledger::{EventRecord, OrderHistory, Purpose, Run, StartRecord};
use crate::model::Order;

pub(super) fn ledger_id(ledger: &Connection) -> rusqlite::Result<String> {
    ledger.query_row("SELECT id FROM ledger", [], |row| row.get(0))
}

pub(super) fn configuration(ledger: &Connection, digest: &str) -> rusqlite::Result<Option<String>> {
    let find = "SELECT text FROM configuration WHERE digest = ?1";
    ledger.query_row(find, [digest], |row| row.get(0)).optional()
}

pub(super) fn results_files(
    ledger: &Connection,
    run: i64,
) -> rusqlite::Result<Vec<(String, String)>> {
    let mut find =
        ledger.prepare("SELECT mark, path FROM results WHERE run = ?1 ORDER BY path, mark")?;
    find.query_map([run], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

pub(super) fn starts(ledger: &Connection, run: i64) -> rusqlite::Result<Vec<StartRecord>> {
    let mut find = ledger.prepare(
        "SELECT number, started_at, started_by, reason, requested_by, ticket, configuration,
                program, rates, cut_off, finished_at, stop,
                uid, user_name, login_uid, login_name, host, process, unit, ssh_connection
         FROM start WHERE run = ?1 ORDER BY number",
    )?;
    find.query_map([run], start_from)?.collect()
}

fn start_from(row: &Row<'_>) -> rusqlite::Result<StartRecord> {
    Ok(StartRecord {
        number: row.get(0)?,
        started_at: time(row.get(1)?),
        worker: row.get(2)?,
        purpose: Purpose { reason: row.get(3)?, requested_by: row.get(4)?, ticket: row.get(5)? },
        configuration: row.get(6)?,
        program: row.get(7)?,
        rates: row.get(8)?,
        cut_off: row.get::<_, Option<i64>>(9)?.map(time),
        finished_at: row.get::<_, Option<i64>>(10)?.map(time),
        stop: row.get(11)?,
        by: identity_from(row, 12)?,
    })
}

/// The identity in eight columns from `first` on; `None` if it was not recorded.
fn identity_from(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<Identity>> {
    let Some(uid) = row.get(first)? else { return Ok(None) };
    Ok(Some(Identity {
        uid,
        user: row.get(first + 1)?,
        login_uid: row.get(first + 2)?,
        login: row.get(first + 3)?,
        host: row.get(first + 4)?,
        process: row.get(first + 5)?,
        unit: row.get(first + 6)?,
        ssh_connection: row.get(first + 7)?,
    }))
}

pub(super) fn events(ledger: &Connection, run: &Run) -> rusqlite::Result<Vec<EventRecord>> {
    let mut find = ledger
        .prepare("SELECT at, kind, start, detail FROM event WHERE run = ?1 ORDER BY number")?;
    let recorded = find.query_map([run.number], |row| {
        Ok(EventRecord {
            at: time(row.get(0)?),
            kind: row.get(1)?,
            start: row.get(2)?,
            detail: row.get(3)?,
        })
    })?;
    let recorded = recorded.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(timeline(run, &starts(ledger, run.number)?, recorded))
}

/// The rows of all runs that carry the order.
pub(super) fn history(
    ledger: &Connection,
    order: Order,
    fail: &dyn Fn(rusqlite::Error) -> anyhow::Error,
) -> anyhow::Result<Vec<OrderHistory>> {
    let mut history = Vec::new();
    for (run, row) in rows_of(ledger, order).map_err(fail)? {
        let run = read::run_by_number(ledger, run).map_err(fail)?;
        let query = RowsQuery { first: row, last: row, with_attempts: true };
        let mut each = |builder: &mut RecordBuilder| {
            let (row, attempts) = builder.finish_with_attempts();
            let (row, attempts) = (row.clone(), attempts.to_vec());
            history.push(OrderHistory { run: run.clone(), row, attempts });
            Ok(())
        };
        read::rows(ledger, &run, &query, &mut each, fail)?;
    }
    Ok(history)
}

/// The runs and rows that carry the order, oldest run first.
fn rows_of(ledger: &Connection, order: Order) -> rusqlite::Result<Vec<(i64, u32)>> {
    let mut find = ledger.prepare(
        "SELECT its.run, its.row FROM (
             SELECT run, row FROM row_by_order WHERE admin_number = ?1 AND sequence_number = ?2
             UNION
             SELECT run, row FROM row
             WHERE admin_number = ?1 AND sequence_number = ?2 AND status = 6) AS its
         JOIN run ON run.number = its.run
         WHERE run.rows IS NOT NULL AND run.forgotten_at IS NULL ORDER BY its.run, its.row",
    )?;
    find.query_map(params![order.admin_number, order.sequence_number], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?
    .collect()
}
