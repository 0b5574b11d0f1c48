//! Requests to the processes that work on a run.

use tokio_postgres::{GenericClient, Row};

use super::error::DbError;
use super::register;
use super::session::Session;
use super::text::storable;
use crate::ledger::request::{NewRequest, RequestKind, RequestRecord};

/// Records a request by the database's clock, and returns its number. The run is locked, so that
/// requests become visible in the order of their numbers, and each start of the run has either seen
/// it or not.
pub(super) async fn add(session: &mut Session, run: i64, new: &NewRequest) -> Result<i64, DbError> {
    let transaction = session.client.transaction().await?;
    register::lock_run(&transaction, run).await?;
    let insert = "INSERT INTO request (run, at, made_by, kind, rates, reason)
                  VALUES ($1, clock_timestamp(), $2, $3, $4, $5) RETURNING number";
    let (by, reason) = (storable(&new.by), new.reason.as_deref().map(storable));
    let added = transaction
        .query_one(insert, &[&run, &by, &new.kind.as_str(), &new.rates, &reason])
        .await?;
    transaction.commit().await?;
    Ok(added.try_get(0)?)
}

/// The requests about a run above this number.
pub(super) async fn after(
    session: &mut Session,
    run: i64,
    after: i64,
) -> Result<Vec<RequestRecord>, DbError> {
    let find = "SELECT number, at, made_by, kind, rates, reason FROM request
                WHERE run = $1 AND number > $2 ORDER BY number";
    let find = session.statement(find).await?;
    let found = session.client.query(&find, &[&run, &after]).await?;
    found.iter().filter_map(|row| request_from(row).transpose()).collect()
}

fn request_from(row: &Row) -> Result<Option<RequestRecord>, DbError> {
    let kind: &str = row.try_get(3)?;
    let Some(kind) = RequestKind::from_name(kind) else { return Ok(None) };
    let request = NewRequest {
        at: row.try_get(1)?,
        by: row.try_get(2)?,
        kind,
        rates: row.try_get(4)?,
        reason: row.try_get(5)?,
    };
    Ok(Some(RequestRecord { number: row.try_get(0)?, request }))
}

/// The pace that was last asked for; `None` if the run has its own rate.
pub(super) async fn pace(client: &impl GenericClient, run: i64) -> Result<Option<String>, DbError> {
    let find = "SELECT rates FROM request WHERE run = $1 AND kind = 'pace'
                ORDER BY number DESC LIMIT 1";
    let found = client.query_opt(find, &[&run]).await?;
    Ok(found.map(|row| row.try_get(0)).transpose()?.flatten())
}
