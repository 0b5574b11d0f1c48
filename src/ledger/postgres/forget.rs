//! Forgets runs: a short transaction records it, together with what stays; what is removed then goes
//! in small steps.

use tokio_postgres::Row;

use super::connection::DatabaseConnection;
use super::error::DbError;
use super::session::Session;
use super::{read, seals};
use crate::ledger::forgotten::{KeptOrders, KeptOrdersHasher, NewForgetting};
use crate::ledger::{LedgerError, Run, SealRecord};
use crate::model::{Order, RowNumber};

/// The number of rows that one transaction reads or removes.
const AT_ONCE: i64 = 20_000;

/// A row that stays, since its order is cancelled.
type KeptRow = (Order, RowNumber);

/// Records that a run is forgotten, unless it was started or sealed since. If it was forgotten
/// meanwhile, returns the seal that says so.
pub(super) fn forget(
    connection: &mut DatabaseConnection,
    run: &Run,
    new: &NewForgetting<'_>,
) -> Result<Option<SealRecord>, LedgerError> {
    // The run is sealed and at rest, so what is read here does not change.
    let kept = kept_orders(connection, run)?;
    connection.with_retry(async |session| record(session, run, new, kept).await)
}

async fn record(
    session: &mut Session,
    run: &Run,
    new: &NewForgetting<'_>,
    kept: KeptOrders,
) -> Result<Option<SealRecord>, DbError> {
    seals::begin(session).await?;
    // A start of the run locks the same row.
    let lock = "SELECT forgotten_at IS NOT NULL FROM run WHERE number = $1 FOR UPDATE";
    let is_forgotten: bool = session.client.query_one(lock, &[&run.number]).await?.try_get(0)?;
    let last = seals::last_of_run(session, run.number).await?;
    if is_forgotten {
        session.client.batch_execute("ROLLBACK").await?;
        return Ok(last);
    }
    let find = "SELECT max(number), coalesce(bool_or(at_work), false)
                    OR EXISTS (SELECT FROM open_row WHERE run = $1 AND in_flight)
                FROM worker WHERE run = $1";
    let start = session.client.query_one(find, &[&run.number]).await?;
    let (last_start, is_in_progress): (Option<i64>, bool) = (start.try_get(0)?, start.try_get(1)?);
    let is_as_it_was = last.is_some_and(|last| last.digest == new.sealed.digest);
    if !is_as_it_was || last_start != Some(new.sealed.start) || is_in_progress {
        session.client.batch_execute("ROLLBACK").await?;
        return Ok(None);
    }
    session.client.execute(include_str!("sql/forget_rows.sql"), &[&run.number]).await?;
    let mark = "UPDATE run SET forgotten_at = $2 WHERE number = $1";
    session.client.execute(mark, &[&run.number, &new.at]).await?;
    let SealRecord { start, blocks, .. } = new.sealed;
    let text = |number, previous| (new.text)(number, previous, kept);
    let sealed = seals::insert(session, run, *start, blocks, &text).await?;
    session.client.batch_execute("COMMIT").await?;
    Ok(Some(sealed))
}

/// The orders that a run cancelled, or that a forgotten one is known to have cancelled.
pub(super) fn kept_orders(
    connection: &mut DatabaseConnection,
    run: &Run,
) -> Result<KeptOrders, LedgerError> {
    let mut kept: Vec<KeptRow> = Vec::new();
    let mut first = 0;
    while first <= i64::try_from(run.rows).unwrap_or(i64::MAX) {
        kept.extend(
            connection.with_retry(async |session| kept_rows(session, run.number, first).await)?,
        );
        first += AT_ONCE;
    }
    kept.sort_unstable();
    let mut hasher = KeptOrdersHasher::default();
    kept.into_iter().for_each(|(order, row)| hasher.add(order, row));
    Ok(hasher.finish())
}

async fn kept_rows(session: &mut Session, run: i64, first: i64) -> Result<Vec<KeptRow>, DbError> {
    let find = session.statement(include_str!("sql/kept_rows.sql")).await?;
    let found = session.client.query(&find, &[&run, &first, &(first + AT_ONCE)]).await?;
    let kept = |row: &Row| {
        let order = Order { admin_number: row.try_get(1)?, sequence_number: row.try_get(2)? };
        Ok((order, read::row_number(row, 0)?))
    };
    found.iter().map(kept).collect()
}

/// Removes what forgotten runs still have. It can be interrupted anywhere, and repeated.
pub(super) fn remove(connection: &mut DatabaseConnection) -> Result<(), LedgerError> {
    let runs = connection.with_retry(async |session| {
        let found = session.client.query(include_str!("sql/still_to_remove.sql"), &[]).await?;
        let run = |row: &Row| Ok::<_, DbError>((row.try_get(0)?, row.try_get(1)?));
        found.iter().map(run).collect::<Result<Vec<(i64, i64)>, _>>()
    })?;
    for (run, rows) in runs {
        let mut first = 0;
        while first <= rows {
            let end = first + AT_ONCE;
            connection.with_retry(async |session| {
                for sql in [
                    "DELETE FROM attempt WHERE run = $1 AND row >= $2 AND row < $3",
                    "DELETE FROM place WHERE run = $1 AND place >= $2 AND place < $3",
                ] {
                    session.client.execute(sql, &[&run, &first, &end]).await?;
                }
                Ok(())
            })?;
            first = end;
        }
        connection.with_retry(async |session| {
            for table in ["open_row", "event", "results"] {
                let sql = format!("DELETE FROM {table} WHERE run = $1");
                session.client.execute(&sql, &[&run]).await?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// The forgotten runs that cancelled the order, oldest first, with its row.
pub(super) async fn forgotten_with(
    session: &mut Session,
    order: Order,
) -> Result<Vec<(Run, RowNumber)>, DbError> {
    let find = include_str!("sql/forgotten_rows_of_order.sql");
    let Order { admin_number, sequence_number } = order;
    let mut forgotten = Vec::new();
    for row in session.client.query(find, &[&admin_number, &sequence_number]).await? {
        let number = read::row_number(&row, 1)?;
        let run = read::run_by_number(session, row.try_get(0)?).await?;
        forgotten.extend(run.map(|run| (run, number)));
    }
    Ok(forgotten)
}
