//! What other runs know of all orders of a file, counted before the run begins.

use tokio_postgres::Row;

use super::super::{KnownOrders, LedgerError};
use super::connection::{Connection, Session};
use super::error::DbError;
use crate::input::{OrderKey, rows_to_send};

/// How many orders are asked about at a time.
const AT_ONCE: usize = 10_000;

/// Counts what other runs at the endpoint know of the orders that would be sent; of those of
/// a run that goes on, if they have not ended.
pub(super) fn count(
    link: &mut Connection,
    endpoint: &str,
    run: Option<i64>,
    by_order: &[OrderKey],
) -> Result<KnownOrders, LedgerError> {
    let mut known = KnownOrders::default();
    if !link.work(async |session| has_others(session, endpoint, run).await)? {
        return Ok(known);
    }
    let mut wanted = rows_to_send(by_order);
    loop {
        let orders: Vec<OrderKey> = wanted.by_ref().take(AT_ONCE).collect();
        if orders.is_empty() {
            return Ok(known);
        }
        let more = link.work(async |session| known_of(session, endpoint, run, &orders).await)?;
        known.cancelled += more.cancelled;
        known.in_flight += more.in_flight;
        known.in_doubt += more.in_doubt;
    }
}

async fn has_others(
    session: &mut Session,
    endpoint: &str,
    run: Option<i64>,
) -> Result<bool, DbError> {
    let sql = "SELECT EXISTS (
                   SELECT FROM run
                   WHERE endpoint = $1 AND number IS DISTINCT FROM $2 AND rows IS NOT NULL)";
    Ok(session.client.query_one(sql, &[&endpoint, &run]).await?.try_get(0)?)
}

async fn known_of(
    session: &mut Session,
    endpoint: &str,
    run: Option<i64>,
    orders: &[OrderKey],
) -> Result<KnownOrders, DbError> {
    let statement = session.statement(include_str!("sql/known_orders.sql")).await?;
    let admins: Vec<i64> = orders.iter().map(|keyed| keyed.order().admin_number).collect();
    let sequences: Vec<i32> = orders.iter().map(|keyed| keyed.order().sequence_number).collect();
    let rows: Vec<i64> = orders.iter().map(|keyed| keyed.row().0.into()).collect();
    let found = session
        .client
        .query_one(&statement, &[&endpoint, &run, &admins, &sequences, &rows])
        .await?;
    Ok(KnownOrders {
        cancelled: number(&found, 0)?,
        in_flight: number(&found, 1)?,
        in_doubt: number(&found, 2)?,
    })
}

fn number(row: &Row, column: usize) -> Result<u64, DbError> {
    Ok(u64::try_from(row.try_get::<_, i64>(column)?).unwrap_or_default())
}
