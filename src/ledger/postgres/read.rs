//! Reads the ledger: runs, and the rows of a run in order.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::connection::DatabaseConnection;
use super::error::DbError;
use super::session::Session;
use crate::ledger::row_record::{RecordBuilder, StoredAttempt, StoredClaim};
use crate::ledger::{LedgerError, NewRun, OnRecord, Run, codes};
use crate::model::{Counts, Order, RowNumber, Status};

const RUN: &str = include_str!("sql/run.sql");
const RUN_BY_NUMBER: &str =
    concat!(include_str!("sql/run.sql"), "WHERE run.number = $1 AND rows IS NOT NULL");

/// The number of rows read at a time.
const AT_ONCE: i64 = 10_000;

/// The number of rows in a page that lists them.
const LISTED_AT_ONCE: usize = 1000;

type SqlValue<'v> = &'v (dyn ToSql + Sync);

pub(super) async fn run_by_key(session: &mut Session, key: &str) -> Result<Option<Run>, DbError> {
    let rest = "WHERE key = $1 AND rows IS NOT NULL ORDER BY run.number DESC LIMIT 1";
    Ok(runs_where(session, rest, &[&key]).await?.pop())
}

pub(super) async fn run_by_id(session: &mut Session, id: &str) -> Result<Option<Run>, DbError> {
    Ok(runs_where(session, "WHERE id = $1 AND rows IS NOT NULL", &[&id]).await?.pop())
}

pub(super) async fn run_by_number(
    session: &mut Session,
    number: i64,
) -> Result<Option<Run>, DbError> {
    let rest = "WHERE run.number = $1 AND rows IS NOT NULL";
    Ok(runs_where(session, rest, &[&number]).await?.pop())
}

/// The runs at an endpoint that are in progress, oldest first. A run that all workers left more
/// than half a day ago may have been abandoned: it has to be started again by its command.
pub(super) async fn joinable(session: &mut Session, endpoint: &str) -> Result<Vec<Run>, DbError> {
    let rest = "WHERE endpoint = $1 AND run.stop IS NULL AND forgotten_at IS NULL
                  AND worker.leased_until > clock_timestamp() - interval '12 hours'
                  AND cancelled + already_cancelled + rejected + failed + in_doubt + invalid
                      + duplicate + not_sent < rows
                ORDER BY run.number";
    runs_where(session, rest, &[&endpoint]).await
}

pub(super) async fn runs(session: &mut Session) -> Result<Vec<Run>, DbError> {
    runs_where(session, "WHERE rows IS NOT NULL ORDER BY run.number DESC", &[]).await
}

/// The run of a worker, with how this worker finished rather than another.
pub(super) async fn run_by_worker(session: &mut Session, worker: i64) -> Result<Run, DbError> {
    let own = RUN.replace("WHERE worker.run = run.number ORDER", "WHERE number = $1 ORDER");
    let own = format!("{own} WHERE run.number = worker.run");
    run_from(&session.client.query_one(&own, &[&worker]).await?)
}

async fn runs_where(
    session: &mut Session,
    rest: &str,
    values: &[SqlValue<'_>],
) -> Result<Vec<Run>, DbError> {
    let found = session.client.query(&format!("{RUN}{rest}"), values).await?;
    found.iter().map(run_from).collect()
}

pub(super) async fn is_locked(session: &mut Session, key: &str) -> Result<bool, DbError> {
    let sql = "SELECT EXISTS (
                   SELECT FROM worker JOIN run ON run.number = worker.run
                   WHERE run.key = $1 AND worker.at_work AND leased_until > clock_timestamp())";
    Ok(session.client.query_one(sql, &[&key]).await?.try_get(0)?)
}

pub(super) async fn results_of(session: &mut Session, mark: &str) -> Result<Vec<String>, DbError> {
    let sql = "SELECT id FROM results JOIN run ON run.number = results.run WHERE mark = $1";
    let found = session.client.query(sql, &[&mark]).await?;
    found.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

fn run_from(row: &Row) -> Result<Run, DbError> {
    Ok(Run {
        number: row.try_get(0)?,
        opened: NewRun {
            id: row.try_get(1)?,
            key: row.try_get(2)?,
            command: row.try_get(3)?,
            input_name: row.try_get(4)?,
            input_digest: row.try_get(5)?,
            endpoint: row.try_get(6)?,
            program: row.try_get(7)?,
            opened_at: row.try_get(8)?,
        },
        rows: count(row, 9)?,
        attempts: count(row, 10)?,
        started_at: row.try_get(11)?,
        cut_off: row.try_get(12)?,
        rates: row.try_get(13)?,
        finished_at: row.try_get(14)?,
        stop: row.try_get(15)?,
        counts: counts_from(row, 16)?,
        pace: row.try_get(17 + Status::ALL.len())?,
        forgotten_at: row.try_get(18 + Status::ALL.len())?,
    })
}

/// The counts of each status, in eight columns from `first` on, followed by those rejected with
/// doubt.
pub(super) fn counts_from(row: &Row, first: usize) -> Result<Counts, DbError> {
    let mut counts = Counts::default();
    for (status, column) in Status::ALL.into_iter().zip(first..) {
        counts.add(status, count(row, column)?);
    }
    counts.add_rejected_with_doubt(count(row, first + Status::ALL.len())?);
    Ok(counts)
}

fn count(row: &Row, column: usize) -> Result<u64, DbError> {
    Ok(u64::try_from(row.try_get::<_, i64>(column)?).unwrap_or_default())
}

/// The number of a row.
pub(super) fn row_number(row: &Row, column: usize) -> Result<RowNumber, DbError> {
    let number: i64 = row.try_get(column)?;
    Ok(RowNumber(u32::try_from(number).unwrap_or(u32::MAX)))
}

/// Reads rows and attempts in parallel, both in order, a page at a time, so that a broken
/// connection costs one page at most. Calls `each` once all of a row was added.
pub(super) fn rows(
    connection: &mut DatabaseConnection,
    run: i64,
    mut builder: RecordBuilder,
    each: &mut dyn FnMut(&mut RecordBuilder) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut after = 0;
    loop {
        let page =
            connection.with_retry(async |session| page(session, run, after, AT_ONCE).await)?;
        let fail = |failed: DbError| failed.into_ledger_error(connection.path());
        let Some(last) = page.0.last() else { return Ok(()) };
        after = row_number(last, 0).map_err(fail)?.0.into();
        build(&page, &mut builder, each, &fail)?;
    }
}

/// Reads one row of each of these runs, by number, with its attempts. They are asked for at once.
pub(super) fn row_of_each(
    connection: &mut DatabaseConnection,
    rows: &[(i64, i64)],
    each: &mut dyn FnMut(&Run, &mut RecordBuilder) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let found = connection.with_retry(async |session| {
        let run_statement = session.statement(RUN_BY_NUMBER).await?;
        let rows_statement = session.statement(include_str!("sql/rows.sql")).await?;
        let attempts_statement = session.statement(include_str!("sql/attempts.sql")).await?;
        let snapshot = session.client.build_transaction().read_only(true);
        let snapshot = snapshot.isolation_level(tokio_postgres::IsolationLevel::RepeatableRead);
        let snapshot = snapshot.start().await?;
        let ask = async |(run, row): &(i64, i64)| {
            let (after, one) = (row - 1, 1_i64);
            let rows: [SqlValue<'_>; 3] = [run, &after, &one];
            let attempts: [SqlValue<'_>; 3] = [run, row, row];
            let run: [SqlValue<'_>; 1] = [run];
            tokio::try_join!(
                snapshot.query(&run_statement, &run),
                snapshot.query(&rows_statement, &rows),
                snapshot.query(&attempts_statement, &attempts),
            )
        };
        let found = try_join_all(rows.iter().map(ask)).await?;
        snapshot.commit().await?;
        Ok(found)
    })?;
    let fail = |failed: DbError| failed.into_ledger_error(connection.path());
    let mut builder = RecordBuilder::collecting_attempts();
    for (run, rows, attempts) in found {
        let Some(run) = run.first() else { continue };
        let run = run_from(run).map_err(fail)?;
        build(&(rows, attempts), &mut builder, &mut |builder| each(&run, builder), &fail)?;
    }
    Ok(())
}

/// Reads the rows of a run that may be open, in order.
pub(super) fn rows_that_may_be_open(
    connection: &mut DatabaseConnection,
    run: &Run,
    each: &mut dyn FnMut(&mut RecordBuilder) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    if !run.has_ended() {
        // No index has the rows that were never claimed.
        return rows(connection, run.number, RecordBuilder::new(), each);
    }
    let run = run.number;
    let numbers: Vec<i64> = connection.with_retry(async |session| {
        let find = session.statement(include_str!("sql/rows_that_may_be_open.sql")).await?;
        let found = session.client.query(&find, &[&run]).await?;
        found.iter().map(|row| Ok(row.try_get(0)?)).collect::<Result<_, DbError>>()
    })?;
    let mut builder = RecordBuilder::new();
    for numbers in numbers.chunks(LISTED_AT_ONCE) {
        let page = connection.with_retry(async |session| {
            let rows = session.statement(include_str!("sql/listed_rows.sql")).await?;
            let attempts = session.statement(include_str!("sql/listed_attempts.sql")).await?;
            let rows = session.client.query(&rows, &[&run, &numbers]).await?;
            let attempts = session.client.query(&attempts, &[&run, &numbers]).await?;
            Ok::<RowsPage, DbError>((rows, attempts))
        })?;
        let fail = |failed: DbError| failed.into_ledger_error(connection.path());
        build(&page, &mut builder, each, &fail)?;
    }
    Ok(())
}

/// Assembles the records of a page.
fn build(
    (rows, attempts): &RowsPage,
    builder: &mut RecordBuilder,
    each: &mut dyn FnMut(&mut RecordBuilder) -> anyhow::Result<()>,
    fail: &dyn Fn(DbError) -> LedgerError,
) -> anyhow::Result<()> {
    let mut attempts = attempts.iter().peekable();
    for row in rows {
        begin(builder, row).map_err(fail)?;
        let number = row_number(row, 0).map_err(fail)?;
        let is_its = |attempt: &&Row| row_number(attempt, 0).is_ok_and(|of| of == number);
        while let Some(attempt) = attempts.next_if(is_its) {
            add_attempt(builder, attempt).map_err(fail)?;
        }
        each(builder)?;
    }
    Ok(())
}

/// Rows and their attempts.
type RowsPage = (Vec<Row>, Vec<Row>);

/// The rows after this one and their attempts, from one snapshot.
async fn page(session: &mut Session, run: i64, after: i64, most: i64) -> Result<RowsPage, DbError> {
    let rows_statement = session.statement(include_str!("sql/rows.sql")).await?;
    let attempts_statement = session.statement(include_str!("sql/attempts.sql")).await?;
    let snapshot = session.client.build_transaction().read_only(true);
    let snapshot = snapshot.isolation_level(tokio_postgres::IsolationLevel::RepeatableRead);
    let snapshot = snapshot.start().await?;
    let rows = snapshot.query(&rows_statement, &[&run, &after, &most]).await?;
    let attempts = match (rows.first(), rows.last()) {
        (Some(first), Some(last)) => {
            let (first, last): (i64, i64) = (first.try_get(0)?, last.try_get(0)?);
            snapshot.query(&attempts_statement, &[&run, &first, &last]).await?
        }
        _ => Vec::new(),
    };
    snapshot.commit().await?;
    Ok((rows, attempts))
}

pub(super) async fn orders(
    session: &mut Session,
    run: i64,
) -> Result<BTreeMap<RowNumber, Order>, DbError> {
    let sql = "SELECT row, admin_number, sequence_number FROM row
               WHERE run = $1 AND admin_number IS NOT NULL";
    let found = session.client.query(sql, &[&run]).await?;
    let order = |row: &Row| {
        let order = Order { admin_number: row.try_get(1)?, sequence_number: row.try_get(2)? };
        Ok((row_number(row, 0)?, order))
    };
    found.iter().map(order).collect()
}

/// For each of these orders, in the same sequence, the rows at the endpoint that carry it.
pub(super) async fn on_record(
    session: &mut Session,
    endpoint: &str,
    orders: &[Order],
) -> Result<Vec<Vec<OnRecord>>, DbError> {
    let find = session.statement(include_str!("sql/on_record.sql")).await?;
    let (admin, sequence): (Vec<i64>, Vec<i32>) =
        orders.iter().map(|order| (order.admin_number, order.sequence_number)).unzip();
    let mut on_record = vec![Vec::new(); orders.len()];
    for found in session.client.query(&find, &[&endpoint, &admin, &sequence]).await? {
        let number: i64 = found.try_get(0)?;
        let of_order = usize::try_from(number - 1).ok().and_then(|at| on_record.get_mut(at));
        // Rows that were decided without a call do not count here.
        let its = OnRecord {
            run: found.try_get(3)?,
            row: row_number(&found, 1)?,
            carried_over: false,
            status: status(&found, 2)?,
            leaves_doubt: found.try_get(4)?,
            start: found.try_get(5)?,
        };
        if let Some(of_order) = of_order {
            of_order.push(its);
        }
    }
    Ok(on_record)
}

/// Begins the next row: its order, and its status if it was decided without a call or before the
/// run.
fn begin(builder: &mut RecordBuilder, row: &Row) -> Result<(), DbError> {
    let order = match (row.try_get(6)?, row.try_get(7)?) {
        (Some(admin_number), Some(sequence_number)) => {
            Some(Order { admin_number, sequence_number })
        }
        _ => None,
    };
    builder.begin(row_number(row, 0)?, order, row.try_get(3)?);
    if let Some(status) = status(row, 1)? {
        builder.decide(status, row.try_get(2)?, text(row, 4)?, text(row, 5)?);
    }
    Ok(())
}

fn add_attempt(builder: &mut RecordBuilder, attempt: &Row) -> Result<(), DbError> {
    // An attempt without an end may have been sent, and its answer is not known.
    let verdict: Option<i16> = attempt.try_get(4)?;
    let http_status: Option<i16> = attempt.try_get(6)?;
    let claim = || {
        let number: i32 = attempt.try_get(1)?;
        Ok(StoredClaim {
            attempt: u32::try_from(number).unwrap_or_default(),
            start: attempt.try_get(10)?,
            claimed_at: attempt.try_get(9)?,
        })
    };
    let stored = StoredAttempt {
        sent_at: attempt.try_get(2)?,
        ended_at: attempt.try_get(3)?,
        verdict: verdict.map(i64::from),
        status: status(attempt, 5)?,
        http_status: http_status.and_then(|status| u16::try_from(status).ok()),
        error_code: text(attempt, 7)?,
        message: text(attempt, 8)?,
    };
    builder.add_attempt(&stored, claim)
}

fn status(row: &Row, column: usize) -> Result<Option<Status>, DbError> {
    let code: Option<i16> = row.try_get(column)?;
    Ok(code.and_then(|code| codes::status(code.into())))
}

fn text(row: &Row, column: usize) -> Result<&str, DbError> {
    Ok(row.try_get::<_, Option<&str>>(column)?.unwrap_or_default())
}
