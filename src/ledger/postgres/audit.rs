//! Reads what audits need beside the rows of a run: starts, events, settings, and the history of
//! an order.

use tokio_postgres::Row;

use super::connection::DatabaseConnection;
use super::error::DbError;
use super::read;
use super::session::Session;
use crate::identity::Identity;
use crate::ledger::timeline::timeline;
use crate::ledger::{EventRecord, OrderHistory, Purpose, Run, StartRecord};
use crate::model::Order;

pub(super) async fn ledger_id(session: &mut Session) -> Result<String, DbError> {
    Ok(session.client.query_one("SELECT id FROM ledger", &[]).await?.try_get(0)?)
}

pub(super) async fn configuration(
    session: &mut Session,
    digest: &str,
) -> Result<Option<String>, DbError> {
    let find = "SELECT text FROM configuration WHERE digest = $1";
    let found = session.client.query_opt(find, &[&digest]).await?;
    found.map(|row| Ok(row.try_get(0)?)).transpose()
}

pub(super) async fn results_files(
    session: &mut Session,
    run: i64,
) -> Result<Vec<(String, String)>, DbError> {
    let find = "SELECT mark, path FROM results WHERE run = $1 ORDER BY path, mark";
    let found = session.client.query(find, &[&run]).await?;
    found.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

pub(super) async fn starts(session: &mut Session, run: i64) -> Result<Vec<StartRecord>, DbError> {
    let find = session.statement(include_str!("sql/starts.sql")).await?;
    let found = session.client.query(&find, &[&run]).await?;
    found.iter().map(start_from).collect()
}

fn start_from(row: &Row) -> Result<StartRecord, DbError> {
    Ok(StartRecord {
        number: row.try_get(0)?,
        started_at: row.try_get(1)?,
        worker: row.try_get(2)?,
        purpose: Purpose {
            reason: row.try_get(3)?,
            requested_by: row.try_get(4)?,
            ticket: row.try_get(5)?,
        },
        configuration: row.try_get(6)?,
        program: row.try_get(7)?,
        rates: row.try_get(8)?,
        cut_off: row.try_get(9)?,
        finished_at: row.try_get(10)?,
        stop: row.try_get(11)?,
        by: identity_from(row, 12)?,
    })
}

/// The identity in eight columns from `first` on; `None` if it was not recorded.
fn identity_from(row: &Row, first: usize) -> Result<Option<Identity>, DbError> {
    let number = |column: usize| {
        let number: Option<i64> = row.try_get(first + column)?;
        Ok::<_, DbError>(number.and_then(|number| u32::try_from(number).ok()))
    };
    let text = |column: usize| {
        Ok::<_, DbError>(row.try_get::<_, Option<String>>(first + column)?.unwrap_or_default())
    };
    let Some(uid) = number(0)? else { return Ok(None) };
    Ok(Some(Identity {
        uid,
        user: text(1)?,
        login_uid: number(2)?,
        login: text(3)?,
        host: text(4)?,
        process: number(5)?.unwrap_or_default(),
        unit: text(6)?,
        ssh_connection: text(7)?,
    }))
}

pub(super) async fn events(session: &mut Session, run: &Run) -> Result<Vec<EventRecord>, DbError> {
    let find = "SELECT at, kind, worker, detail FROM event WHERE run = $1 ORDER BY number";
    let found = session.client.query(find, &[&run.number]).await?;
    let event = |row: &Row| {
        Ok::<_, DbError>(EventRecord {
            at: row.try_get(0)?,
            kind: row.try_get(1)?,
            start: row.try_get(2)?,
            detail: row.try_get(3)?,
        })
    };
    let recorded = found.iter().map(event).collect::<Result<Vec<_>, _>>()?;
    Ok(timeline(run, &starts(session, run.number).await?, recorded))
}

/// The rows of all runs that carry the order.
pub(super) fn history(
    connection: &mut DatabaseConnection,
    order: Order,
) -> anyhow::Result<Vec<OrderHistory>> {
    let rows = connection.with_retry(async |session| rows_of(session, order).await)?;
    let mut history = Vec::new();
    read::row_of_each(connection, &rows, &mut |run, builder| {
        let (row, attempts) = builder.finish_with_attempts();
        let (row, attempts) = (row.clone(), attempts.to_vec());
        history.push(OrderHistory { run: run.clone(), row, attempts });
        Ok(())
    })?;
    Ok(history)
}

/// The runs and rows that carry the order, oldest run first.
async fn rows_of(session: &mut Session, order: Order) -> Result<Vec<(i64, i64)>, DbError> {
    let find = session.statement(include_str!("sql/rows_of_order.sql")).await?;
    let found = session.client.query(&find, &[&order.admin_number, &order.sequence_number]).await?;
    found.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}
