//! Counts what other runs know of all orders of a file, before the run begins. For a large file,
//! the other runs are read completely, in parts, and looked up in the file; the orders of a small
//! one are looked up in the database.

use tokio_postgres::{Row, Statement};

use super::connection::DatabaseConnection;
use super::error::DbError;
use super::session::Session;
use crate::input::{OrderKey, rows_to_send, to_send_of};
use crate::ledger::LedgerError;
use crate::ledger::known_orders::{Known, KnownOrders, KnownOrdersQuery};
use crate::model::Order;

/// The number of orders per look-up.
const LOOKED_UP_AT_ONCE: usize = 10_000;

/// A look-up takes about as long as reading this many rows.
const LOOK_UP: u64 = 12;

/// The number of rows of runs read at a time, which takes some tenths of a second.
const READ_AT_ONCE: i64 = 100_000;

/// The number of orders in doubt read at a time.
const DOUBTS_AT_ONCE: i64 = 20_000;

/// Counts what other runs at the endpoint know of the orders that would be sent. Of the file's
/// own run, only rows that have not ended count.
pub(super) fn count(
    connection: &mut DatabaseConnection,
    endpoint: &str,
    run: Option<i64>,
    by_order: &[OrderKey],
) -> Result<KnownOrders, LedgerError> {
    let query = KnownOrdersQuery { endpoint, run, by_order };
    let runs = connection.with_retry(async |session| runs(session, endpoint).await)?;
    let (own, others): (Vec<_>, Vec<_>) =
        runs.into_iter().partition(|(number, _)| run == Some(*number));
    if others.is_empty() {
        return Ok(KnownOrders::default());
    }
    let rows = |runs: &[(i64, i64)]| runs.iter().map(|(_, rows)| rows.unsigned_abs()).sum::<u64>();
    if by_order.len() as u64 * LOOK_UP < rows(&own) + rows(&others) {
        return look_up(connection, &query);
    }
    let known = read(connection, &query, &others)?;
    let ended = ended(connection, &own)?;
    Ok(counted(by_order, &known, &ended))
}

/// The runs at the endpoint with their numbers of rows.
async fn runs(session: &mut Session, endpoint: &str) -> Result<Vec<(i64, i64)>, DbError> {
    let sql = "SELECT number, rows FROM run WHERE endpoint = $1 AND rows IS NOT NULL";
    let found = session.client.query(sql, &[&endpoint]).await?;
    found.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Looks up each order.
fn look_up(
    connection: &mut DatabaseConnection,
    query: &KnownOrdersQuery<'_>,
) -> Result<KnownOrders, LedgerError> {
    let mut known = KnownOrders::default();
    let mut wanted = rows_to_send(query.by_order);
    loop {
        let orders: Vec<OrderKey> = wanted.by_ref().take(LOOKED_UP_AT_ONCE).collect();
        if orders.is_empty() {
            return Ok(known);
        }
        let more =
            connection.with_retry(async |session| known_of(session, query, &orders).await)?;
        known = known.plus(more);
    }
}

async fn known_of(
    session: &mut Session,
    query: &KnownOrdersQuery<'_>,
    orders: &[OrderKey],
) -> Result<KnownOrders, DbError> {
    let statement = session.statement(include_str!("sql/known_by_order.sql")).await?;
    let admins: Vec<i64> = orders.iter().map(|keyed| keyed.order().admin_number).collect();
    let sequences: Vec<i32> = orders.iter().map(|keyed| keyed.order().sequence_number).collect();
    let rows: Vec<i64> = orders.iter().map(|keyed| keyed.row().0.into()).collect();
    let KnownOrdersQuery { endpoint, run, .. } = query;
    let found =
        session.client.query_one(&statement, &[endpoint, run, &admins, &sequences, &rows]).await?;
    Ok(KnownOrders {
        cancelled: number(&found, 0)?,
        in_flight: number(&found, 1)?,
        in_doubt: number(&found, 2)?,
    })
}

fn number(row: &Row, column: usize) -> Result<u64, DbError> {
    Ok(u64::try_from(row.try_get::<_, i64>(column)?).unwrap_or_default())
}

/// What other runs know of each order, at the first row with it. What is in flight is read first,
/// so that a call that ends meanwhile is found either there or among those that ended.
fn read(
    connection: &mut DatabaseConnection,
    query: &KnownOrdersQuery<'_>,
    others: &[(i64, i64)],
) -> Result<Vec<Known>, LedgerError> {
    let by_order = query.by_order;
    let mut known = vec![Known::Nothing; by_order.len()];
    let in_flight = connection.with_retry(async |session| in_flight(session, query).await)?;
    mark(by_order, &mut known, in_flight);
    let mut after = Order { admin_number: -1, sequence_number: 0 };
    loop {
        let doubts =
            connection.with_retry(async |session| in_doubt(session, query, after).await)?;
        let Some(last) = doubts.last() else { break };
        after = *last;
        mark(
            by_order,
            &mut known,
            doubts.into_iter().map(|order| (order, Known::InDoubt)).collect(),
        );
    }
    for parts in parts(others) {
        let cancelled = connection.with_retry(async |session| cancelled(session, &parts).await)?;
        mark(by_order, &mut known, cancelled);
    }
    Ok(known)
}

/// Marks what is known of these orders, at the first row with each.
fn mark(by_order: &[OrderKey], marks: &mut [Known], mut orders: Vec<(Order, Known)>) {
    orders.sort_unstable();
    let mut from = 0;
    for (order, known) in orders {
        let rest = by_order.get(from..).unwrap_or_default();
        from += rest.partition_point(|keyed| keyed.order() < order);
        match (by_order.get(from), marks.get_mut(from)) {
            (Some(keyed), Some(mark)) if keyed.order() == order => *mark = known.max(*mark),
            (Some(_), _) => {}
            _ => return,
        }
    }
}

/// Counts what is known of the orders that are still to be sent.
fn counted(by_order: &[OrderKey], known: &[Known], ended: &[bool]) -> KnownOrders {
    let mut counts = KnownOrders::default();
    let mut first = 0;
    for group in by_order.chunk_by(OrderKey::same_order) {
        let known = known.get(first).copied();
        first += group.len();
        let has_ended =
            |keyed: &OrderKey| ended.get(keyed.row().0 as usize).copied().unwrap_or_default();
        if to_send_of(group).is_none_or(|keyed| has_ended(&keyed)) {
            continue;
        }
        counts.add(known.unwrap_or(Known::Nothing));
    }
    counts
}

async fn in_flight(
    session: &mut Session,
    query: &KnownOrdersQuery<'_>,
) -> Result<Vec<(Order, Known)>, DbError> {
    let find = session.statement(include_str!("sql/in_flight_in_other_runs.sql")).await?;
    let found = session.client.query(&find, &[&query.endpoint, &query.run]).await?;
    let known = |row: &Row| {
        let is_alive: bool = row.try_get(2)?;
        Ok((order(row)?, if is_alive { Known::InFlight } else { Known::InDoubt }))
    };
    found.iter().map(known).collect()
}

/// The next orders in doubt after this one, sorted.
async fn in_doubt(
    session: &mut Session,
    query: &KnownOrdersQuery<'_>,
    after: Order,
) -> Result<Vec<Order>, DbError> {
    let find = session.statement(include_str!("sql/in_doubt_in_other_runs.sql")).await?;
    let Order { admin_number, sequence_number } = after;
    let KnownOrdersQuery { endpoint, run, .. } = query;
    let found = session
        .client
        .query(&find, &[endpoint, run, &admin_number, &sequence_number, &DOUBTS_AT_ONCE])
        .await?;
    found.iter().map(order).collect()
}

fn order(row: &Row) -> Result<Order, DbError> {
    Ok(Order { admin_number: row.try_get(0)?, sequence_number: row.try_get(1)? })
}

/// The orders that were cancelled in these parts of runs.
async fn cancelled(session: &mut Session, parts: &Parts) -> Result<Vec<(Order, Known)>, DbError> {
    let find = session.statement(include_str!("sql/cancelled_by_row.sql")).await?;
    let mut orders = Vec::new();
    for part in parts.ask(session, &find).await? {
        let (rows, admins): (Vec<i64>, Vec<i64>) = (part.try_get(0)?, part.try_get(1)?);
        let (sequences, mut cancelled): (Vec<i32>, Vec<i64>) = (part.try_get(2)?, part.try_get(3)?);
        cancelled.sort_unstable();
        for ((row, admin_number), sequence_number) in rows.iter().zip(admins).zip(sequences) {
            if cancelled.binary_search(row).is_ok() {
                orders.push((Order { admin_number, sequence_number }, Known::Cancelled));
            }
        }
    }
    Ok(orders)
}

/// For each row of the file's own run, if there is one, whether it has ended.
fn ended(
    connection: &mut DatabaseConnection,
    own: &[(i64, i64)],
) -> Result<Vec<bool>, LedgerError> {
    let mut ended = Vec::new();
    for parts in parts(own) {
        let rows = connection.with_retry(async |session| ended_rows(session, &parts).await)?;
        for row in rows.into_iter().filter_map(|row| usize::try_from(row).ok()) {
            if row >= ended.len() {
                ended.resize(row + 1, false);
            }
            if let Some(ended) = ended.get_mut(row) {
                *ended = true;
            }
        }
    }
    Ok(ended)
}

async fn ended_rows(session: &mut Session, parts: &Parts) -> Result<Vec<i64>, DbError> {
    let find = session.statement(include_str!("sql/ended_rows.sql")).await?;
    let mut rows = Vec::new();
    for part in parts.ask(session, &find).await? {
        rows.extend(part.try_get::<_, Vec<i64>>(0)?);
    }
    Ok(rows)
}

/// Ranges of rows of runs that are read together.
#[derive(Debug, Default)]
struct Parts {
    run: Vec<i64>,
    first: Vec<i64>,
    last: Vec<i64>,
}

impl Parts {
    async fn ask(&self, session: &Session, statement: &Statement) -> Result<Vec<Row>, DbError> {
        Ok(session.client.query(statement, &[&self.run, &self.first, &self.last]).await?)
    }
}

/// Splits all rows of these runs into parts. Each run is given with its number of rows.
fn parts(runs: &[(i64, i64)]) -> Vec<Parts> {
    let mut all = Vec::new();
    let mut parts = Parts::default();
    let mut room = READ_AT_ONCE;
    for (run, rows) in runs {
        let mut first = 1;
        while first <= *rows {
            let last = (*rows).min(first + room - 1);
            parts.run.push(*run);
            parts.first.push(first);
            parts.last.push(last);
            room -= last - first + 1;
            first = last + 1;
            if room == 0 {
                all.push(std::mem::take(&mut parts));
                room = READ_AT_ONCE;
            }
        }
    }
    all.extend((!parts.run.is_empty()).then_some(parts));
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_row_of_every_run_is_read_once_and_never_too_many_at_once(
            rows in prop::collection::vec(0..3 * READ_AT_ONCE, 0..5),
        ) {
            let runs: Vec<_> = (1..).zip(rows).collect();
            let mut next = runs.iter().map(|(run, _)| (*run, 1)).collect::<Vec<_>>();
            for parts in parts(&runs) {
                let mut read = 0;
                for ((run, first), last) in parts.run.iter().zip(&parts.first).zip(&parts.last) {
                    let (_, expected) = next.iter_mut().find(|(number, _)| number == run).unwrap();
                    prop_assert_eq!(*first, *expected);
                    prop_assert!(last >= first);
                    read += last - first + 1;
                    *expected = last + 1;
                }
                prop_assert!((1..=READ_AT_ONCE).contains(&read));
            }
            for ((_, rows), (_, next)) in runs.iter().zip(next) {
                prop_assert_eq!(rows + 1, next);
            }
        }
    }
}
