//! The statements of a commit, which are sent in three round trips.

use std::time::Instant;

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::attempt::{CommitAttempt, CommitTry};
use super::fetch;
use crate::ledger::postgres::clock::DatabaseClock;
use crate::ledger::postgres::error::DbError;
use crate::ledger::postgres::session::Session;
use crate::ledger::postgres::worker::{self, WorkerSession};

const BEGIN: &str = "BEGIN";
pub(super) const COMMIT: &str = "COMMIT";
const RENEW_LEASE: &str = include_str!("../sql/renew_lease.sql");
const COMPLETE: &str = include_str!("../sql/complete.sql");
const BUDGET: &str = include_str!("../sql/budget.sql");
const OTHERS: &str = include_str!("../sql/others.sql");
const NOTE_DOUBT: &str = include_str!("../sql/note_doubt.sql");
const END_DOUBT: &str = include_str!("../sql/end_doubt.sql");
const EXPIRE_WORKERS: &str = include_str!("../sql/expire_workers.sql");
pub(super) const EXPIRE_WORKERS_IN_OTHER_RUNS: &str =
    include_str!("../sql/expire_workers_in_other_runs.sql");
const PASS_OVER: &str = include_str!("../sql/pass_over.sql");
const INHERIT: &str = include_str!("../sql/inherit_doubt.sql");
const CLAIM: &str = include_str!("../sql/claim.sql");
const SAVE_BUDGET: &str = include_str!("../sql/save_budget.sql");
pub(super) const EXTEND_LEASE: &str = include_str!("../sql/extend_lease.sql");
pub(super) const COMMITTED: &str = include_str!("../sql/committed.sql");

/// Prepares the statements of every commit, so that none of them has to wait for it.
pub(in crate::ledger::postgres) async fn prepare_statements(
    session: &mut Session,
) -> Result<(), DbError> {
    let of_commits =
        [RENEW_LEASE, COMPLETE, BUDGET, OTHERS, CLAIM, SAVE_BUDGET, worker::LAST_COMMIT];
    session.prepare_all(of_commits.into_iter().chain(fetch::STATEMENTS)).await
}

/// The results of the first round trip.
pub(super) struct Prepared {
    pub renewed: Renewed,
    /// The columns of the run.
    pub run_row: Row,
    /// The stored budget.
    pub state: String,
    /// Whether there are other runs at the endpoint.
    pub elsewhere: bool,
}

/// The state of this worker and of others.
pub(super) struct Renewed {
    /// Whether this worker still holds its rows.
    pub is_ours: bool,
    /// Whether workers of the run have expired.
    pub has_expired: bool,
    /// Whether workers of other runs at the endpoint have expired.
    pub has_expired_in_other_runs: bool,
    /// Whether other workers share the budget.
    pub others: bool,
}

/// Renews the lease, completes, and reads the budget.
pub(super) async fn prepare(
    session: &mut Session,
    worker_session: &WorkerSession,
    clock: &mut DatabaseClock,
    attempt: &CommitAttempt<'_>,
) -> Result<Prepared, DbError> {
    let renew = session.statement(RENEW_LEASE).await?;
    let complete = session.statement(COMPLETE).await?;
    let budget = session.statement(BUDGET).await?;
    let others = session.statement(OTHERS).await?;
    let note_doubt = session.statement_if(attempt.lost.is_some(), NOTE_DOUBT).await?;
    let end_doubt = session.statement_if(attempt.certain.is_some(), END_DOUBT).await?;
    let client = &session.client;
    let lease = worker_session.lease.as_secs_f64();
    let completed =
        attempt.completed.values(&worker_session.run, &attempt.stop, &worker_session.worker);
    let renewed = async {
        let asked = Instant::now();
        let row = client
            .query_one(&renew, &[&worker_session.worker, &lease, &worker_session.commit])
            .await?;
        clock.observe(row.try_get(1)?, asked, Instant::now());
        let is_ours: bool = row.try_get(0)?;
        let others = !is_ours || row.try_get(4)?;
        let (has_expired, has_expired_in_other_runs) = (row.try_get(2)?, row.try_get(3)?);
        Ok(Renewed { is_ours, has_expired, has_expired_in_other_runs, others })
    };
    let endpoint: [&(dyn ToSql + Sync); 1] = [&worker_session.endpoint];
    let doubt_noted = async {
        match (&note_doubt, &attempt.lost) {
            (Some(note), Some(lost)) => {
                client.execute(note, &lost.values(&worker_session.run)).await
            }
            _ => Ok(0),
        }
    };
    let doubt_ended = async {
        match (&end_doubt, &attempt.certain) {
            (Some(end), Some(certain)) => {
                client
                    .execute(end, &certain.values(&worker_session.run, &worker_session.worker))
                    .await
            }
            _ => Ok(0),
        }
    };
    let at_the_endpoint: [&(dyn ToSql + Sync); 2] = [&worker_session.run, &worker_session.endpoint];
    let ((), renewed, run_row, _, _, state, elsewhere) = tokio::try_join!(
        biased;
        client.batch_execute(BEGIN),
        renewed,
        client.query_one(&complete, &completed),
        doubt_noted,
        doubt_ended,
        client.query_one(&budget, &endpoint),
        client.query_one(&others, &at_the_endpoint),
    )?;
    let (state, elsewhere) = (state.try_get(0)?, elsewhere.try_get(0)?);
    Ok(Prepared { renewed, run_row, state, elsewhere })
}

/// Releases the rows of expired workers of the run. Returns whether there were any.
pub(super) async fn release_expired(
    session: &mut Session,
    worker_session: &WorkerSession,
) -> Result<bool, DbError> {
    let expired = session
        .client
        .query(EXPIRE_WORKERS, &[&worker_session.run, &worker_session.worker])
        .await?;
    let expired: Vec<i64> = expired.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    if !expired.is_empty() {
        worker::release_rows(session, worker_session, &expired).await?;
    }
    Ok(!expired.is_empty())
}

/// Claims the fetched rows, and commits.
pub(super) async fn claim_and_commit(
    session: &mut Session,
    worker_session: &WorkerSession,
    tried: &CommitTry,
) -> Result<Row, DbError> {
    let CommitTry { worker, claimed_at, fetched, share, .. } = tried;
    let claim = session.statement(CLAIM).await?;
    let spend = session.statement(SAVE_BUDGET).await?;
    let pass_over = session.statement_if(!fetched.later.is_empty(), PASS_OVER).await?;
    let inherit = session.statement_if(!fetched.inherited.is_empty(), INHERIT).await?;
    let state = share.changed();
    let client = &session.client;
    let (retried, attempts): (Vec<i64>, Vec<i32>) = fetched.retried().unzip();
    let fresh: Vec<i64> = fetched.fresh.iter().map(|waiting| waiting.row.0.into()).collect();
    let (decided, messages): (Vec<i64>, Vec<&str>) =
        fetched.already_cancelled.iter().map(|(row, message)| (row, message.as_str())).unzip();
    let counted_attempts = async {
        match &state {
            Some(state) => client.execute(&spend, &[&worker_session.endpoint, state]).await,
            None => Ok(0),
        }
    };
    let claimed: [&(dyn ToSql + Sync); 11] = [
        &worker_session.run,
        worker,
        &worker_session.commit,
        claimed_at,
        &retried,
        &attempts,
        &fresh,
        &decided,
        &messages,
        &fetched.first_fresh,
        &fetched.places,
    ];
    let (passed, places): (Vec<i64>, Vec<i64>) =
        fetched.later.iter().map(|(waiting, place)| (i64::from(waiting.row.0), *place)).unzip();
    let passed_over = async {
        match &pass_over {
            Some(pass) => {
                client.execute(pass, &[&worker_session.run, worker, &passed, &places]).await
            }
            None => Ok(0),
        }
    };
    let heirs: Vec<i64> = fetched.inherited.iter().copied().collect();
    let inherited = async {
        match &inherit {
            Some(inherit) => client.execute(inherit, &[&worker_session.run, &heirs]).await,
            None => Ok(0),
        }
    };
    let (_, _, row, _, ()) = tokio::try_join!(
        biased;
        passed_over,
        inherited,
        client.query_one(&claim, &claimed),
        counted_attempts,
        client.batch_execute(COMMIT),
    )?;
    Ok(row)
}
