//! Registers workers of a run. The numbers of a run's workers are given in the order in which they
//! become visible, because a seal covers all numbers up to one.

use std::time::Duration;

use tokio_postgres::GenericClient;

use super::error::DbError;
use super::text::storable;
use crate::hash::Digest;
use crate::ledger::StartOptions;
use crate::process;

/// Locks a run, before a worker of it is registered. Returns whether there is such a run.
pub(super) async fn lock_run(client: &impl GenericClient, run: i64) -> Result<bool, DbError> {
    let lock = "SELECT FROM run WHERE number = $1 FOR NO KEY UPDATE";
    Ok(client.query_opt(lock, &[&run]).await?.is_some())
}

/// Registers a worker of the run. Returns its number, whether it sends orders again that other
/// runs cancelled, and the number above which requests to stop count.
pub(super) async fn register(
    client: &impl GenericClient,
    run: i64,
    start: &StartOptions,
    lease: Duration,
) -> Result<(i64, bool, i64), DbError> {
    let digest = Digest::new(&start.configuration).to_string();
    let StartOptions { by, purpose, .. } = start;
    let [uid, process_id] = [by.uid, by.process].map(i64::from);
    let login_uid = by.login_uid.map(i64::from);
    client
        .execute(
            "INSERT INTO configuration VALUES ($1, $2) ON CONFLICT DO NOTHING",
            &[&digest, &storable(&start.configuration)],
        )
        .await?;
    let worker = client
        .query_one(
            include_str!("sql/register.sql"),
            &[
                &run,
                &lease.as_secs_f64(),
                &by.to_string(),
                &process::PROGRAM,
                &start.rates,
                &start.cut_off,
                &(!start.joins).then_some(start.again),
                &uid,
                &by.user,
                &login_uid,
                &by.login,
                &by.host,
                &process_id,
                &by.unit,
                &by.ssh_connection,
                &purpose.reason,
                &purpose.requested_by,
                &purpose.ticket,
                &digest,
            ],
        )
        .await?;
    Ok((worker.try_get(0)?, worker.try_get(1)?, worker.try_get(2)?))
}

/// Registers a worker again that is no longer at work, with a lease. `commit` is its last commit,
/// which holds the lock of the run. Returns the new number.
pub(super) async fn register_again(
    client: &impl GenericClient,
    worker: i64,
    lease: Duration,
    commit: i64,
) -> Result<i64, DbError> {
    let register = include_str!("sql/register_again.sql");
    let row = client.query_one(register, &[&worker, &lease.as_secs_f64(), &commit]).await?;
    Ok(row.try_get(0)?)
}
