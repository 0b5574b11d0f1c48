//! Starts this process's work on a run.

use std::time::{Duration, Instant};

use super::clock::DatabaseClock;
use super::commit;
use super::error::DbError;
use super::session::Session;
use super::worker::WorkerSession;
use super::{register, requests};
use crate::ledger::{CommitLatency, Run, StartOptions, codes, interrupted};

/// How often the clock is read for a first estimate; the fastest answer counts.
const READINGS: u32 = 5;

/// Reads the database's clock.
pub(super) async fn read_clock(
    session: &mut Session,
    clock: &mut DatabaseClock,
) -> Result<(), DbError> {
    let statement = session.statement("SELECT clock_timestamp()").await?;
    for _ in 0..READINGS {
        let asked = Instant::now();
        let clock_row = session.client.query_one(&statement, &[]).await?;
        clock.observe(clock_row.try_get(0)?, asked, Instant::now());
    }
    Ok(())
}

/// Registers this process as a worker of the run. Returns also the number above which requests to
/// stop count, and the pace that was asked for.
pub(super) async fn start(
    session: &mut Session,
    run: &Run,
    start: &StartOptions,
    lease: Duration,
) -> Result<(WorkerSession, i64, Option<String>), DbError> {
    commit::prepare_statements(session).await?;
    let endpoint = run.opened.endpoint.clone();
    let transaction = session.client.transaction().await?;
    register::lock_run(&transaction, run.number).await?;
    let (worker, again, last_request) =
        register::register(&transaction, run.number, start, lease).await?;
    transaction
        .execute(
            "INSERT INTO budget VALUES ($1, $2) ON CONFLICT DO NOTHING",
            &[&endpoint, &commit::NOTHING_SPENT],
        )
        .await?;
    if !start.joins {
        let go = "UPDATE run SET stop = NULL WHERE number = $1 AND stop IS NOT NULL";
        transaction.execute(go, &[&run.number]).await?;
    }
    transaction
        .execute(include_str!("sql/drop_ended_doubts.sql"), &[&run.number, &endpoint])
        .await?;
    transaction
        .execute(include_str!("sql/inherit_all_doubts.sql"), &[&run.number, &endpoint])
        .await?;
    let pace = requests::pace(&transaction, run.number).await?;
    transaction.commit().await?;
    session.is_known = true;
    let interrupted = interrupted::status(start.on_doubt);
    let worker_session = WorkerSession {
        run: run.number,
        endpoint,
        start: start.clone(),
        again,
        interrupted: interrupted.map(|status| codes::of_status(status) as i16),
        lease,
        worker,
        commit: 0,
        confirmed: 0,
        first_fresh: 0,
        copies: session.copies,
        timeline: session.timeline.clone(),
        finish: CommitLatency::default(),
        began: Instant::now(),
    };
    Ok((worker_session, last_request, pace))
}
