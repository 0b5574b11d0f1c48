//! The commits of a run: one transaction each, in three round trips to the database. Locks are
//! taken in this order: our worker, rows that are ours, the run, the budget. Expired workers are
//! locked only if no other session has them locked.

mod attempt;
mod budget;
mod columns;
mod fetch;
mod other_runs;
mod statements;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tokio_postgres::Row;

use super::clock::DatabaseClock;
use super::connection::DatabaseConnection;
use super::error::DbError;
use super::read;
use super::register;
use super::session::Session;
use super::worker::{self, WorkerSession};
use crate::ledger::commit::UnreadableBudget;
use crate::ledger::{ClaimedRow, CommitOutcome, CommitRequest, LedgerError, PendingRow};
use crate::model::{AllocateSlots, Counts, Lease};
use attempt::{CommitAttempt, CommitTry};
use budget::BudgetGrant;
pub(super) use budget::NOTHING_SPENT;
use fetch::FetchRequest;
pub(super) use statements::prepare_statements;
use statements::{
    COMMIT, COMMITTED, EXPIRE_WORKERS_IN_OTHER_RUNS, EXTEND_LEASE, Prepared, Renewed,
};

/// When a process with nothing to do checks again whether another one released rows to it.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_millis(500);

/// The result of a commit.
struct Committed {
    tried: CommitTry,
    /// The fetched rows claimed before that really were ours or orphaned.
    retried: HashSet<i64>,
    counts: Counts,
    exhausted: bool,
    finish: Duration,
}

/// Completes and claims in one commit, with as many attempts as it takes.
pub(super) fn commit(
    connection: &mut DatabaseConnection,
    worker_session: &mut WorkerSession,
    clock: &mut DatabaseClock,
    commit: CommitRequest,
    allocate: &mut AllocateSlots<'_>,
) -> Result<CommitOutcome, LedgerError> {
    let asked = Instant::now();
    let ahead = clock.offset(asked, Timestamp::now());
    let mut attempt = CommitAttempt::new(&commit, asked, ahead);
    worker_session.commit += 1;
    let done = connection.with_retry(async |session| {
        try_commit(session, worker_session, clock, &mut attempt, allocate).await
    })?;
    worker_session.finish.record(done.finish, worker_session.began.elapsed());
    let worker = done.tried.worker;
    let again = if worker == worker_session.worker { commit.retries } else { Vec::new() };
    worker_session.worker = worker;
    worker_session.confirmed = worker_session.commit;
    worker_session.first_fresh = done.tried.fetched.first_fresh;
    // If a clock was set, or this machine was suspended, only this commit has shown how far apart
    // the clocks are now.
    let ahead = clock.offset(Instant::now(), Timestamp::now());
    Ok(outcome(worker_session, done, again, ahead))
}

/// One attempt at the whole commit.
async fn try_commit(
    session: &mut Session,
    worker_session: &WorkerSession,
    clock: &mut DatabaseClock,
    attempt: &mut CommitAttempt<'_>,
    allocate: &mut AllocateSlots<'_>,
) -> Result<Committed, DbError> {
    if let Some(done) = committed(session, worker_session, attempt).await? {
        return Ok(done);
    }
    let Prepared { renewed, run_row, state, elsewhere } =
        statements::prepare(session, worker_session, clock, attempt).await?;
    let Renewed { is_ours, has_expired, has_expired_in_other_runs, others } = renewed;
    let claimed = attempt.completed.of_worker(worker_session.worker);
    if is_ours && usize::try_from(run_row.try_get::<_, i64>(5)?) != Ok(claimed) {
        session.client.batch_execute("ROLLBACK").await?;
        let what = "it has no claim on a row that was sent";
        return Err(worker::rewound(session, worker_session, attempt.completed.rows(), what).await);
    }
    let worker = if is_ours {
        worker_session.worker
    } else {
        let WorkerSession { worker, lease, commit, .. } = worker_session;
        register::register_again(&session.client, *worker, *lease, *commit).await?
    };
    let has_released =
        is_ours && has_expired && statements::release_expired(session, worker_session).await?;
    let events = &attempt.commit.events;
    worker::insert_events(session, (worker_session.run, worker), events, attempt.ahead).await?;
    if is_ours && has_expired_in_other_runs {
        session
            .client
            .execute(EXPIRE_WORKERS_IN_OTHER_RUNS, &[&worker_session.run, &worker_session.endpoint])
            .await?;
    }
    let asked = FetchRequest {
        again: if is_ours { &attempt.commit.retries } else { &[] },
        fresh: attempt.commit.max_new,
        first_fresh: run_row.try_get(0)?,
        end: run_row.try_get::<_, i64>(1)? + 1,
        by_place: run_row.try_get(4)?,
        has_orphaned: has_released || run_row.try_get(3)?,
        elsewhere,
    };
    let now = clock.at(Instant::now()).unwrap_or(attempt.commit.at);
    let budgeted = Instant::now();
    let request = attempt.request(now, worker_session.finish.max(), others, asked.most());
    let mut share = BudgetGrant::allocate(&state, request, attempt.retry_after_until, allocate)
        .map_err(|cause| {
            let cause =
                UnreadableBudget { endpoint: worker_session.endpoint.clone(), cause }.into();
            LedgerError::Database { path: session.path.clone(), cause }
        })?;
    let fetched = fetch::fetch(session, worker_session, asked, share.slots.len()).await?;
    share.give_back(fetched.len(), now, allocate);
    let stop = run_row.try_get(2)?;
    let tried = CommitTry { worker, claimed_at: now, fetched, share, stop, budgeted };
    let tried = attempt.unacknowledged.insert(tried);
    let row = statements::claim_and_commit(session, worker_session, tried).await?;
    done(attempt.unacknowledged.take(), &row)
}

/// The result of an attempt as the database returned it.
fn done(tried: Option<CommitTry>, row: &Row) -> Result<Committed, DbError> {
    let tried = tried.ok_or(DbError::Silent)?;
    let retried: Option<Vec<i64>> = row.try_get(0)?;
    Ok(Committed {
        retried: retried.unwrap_or_default().into_iter().collect(),
        exhausted: !row.try_get::<_, bool>(1)?,
        counts: read::counts_from(row, 2)?,
        finish: tried.budgeted.elapsed(),
        tried,
    })
}

/// On a new connection, verifies that what was confirmed is still there. After an unconfirmed
/// attempt, it also finds out whether that was committed, and returns its result then. All of its
/// locks are free by then, so it cannot be committed later.
async fn committed(
    session: &mut Session,
    worker_session: &WorkerSession,
    attempt: &mut CommitAttempt<'_>,
) -> Result<Option<Committed>, DbError> {
    if session.is_known && attempt.unacknowledged.is_none() {
        return Ok(None);
    }
    prepare_statements(session).await?;
    let last = worker::know_again(session, worker_session, attempt.completed.rows()).await?;
    let Some(tried) =
        attempt.unacknowledged.as_mut().filter(|_| last.commit == worker_session.commit)
    else {
        attempt.unacknowledged = None;
        session.client.batch_execute("ROLLBACK").await?;
        return Ok(None);
    };
    tried.worker = last.worker;
    let lease = worker_session.lease.as_secs_f64();
    session.client.execute(EXTEND_LEASE, &[&tried.worker, &lease]).await?;
    let row = session
        .client
        .query_one(COMMITTED, &[&worker_session.run, &tried.worker, &worker_session.commit])
        .await?;
    // This transaction writes, so waiting for a standby to have it also waits for the attempt.
    session.client.batch_execute(COMMIT).await?;
    let mut done = done(attempt.unacknowledged.take(), &row)?;
    let retried = &done.retried;
    done.tried.fetched.fresh.retain(|fresh| retried.contains(&fresh.row.0.into()));
    Ok(Some(done))
}

/// Converts the result to the local clock for the engine.
fn outcome(
    worker_session: &WorkerSession,
    done: Committed,
    again: Vec<PendingRow>,
    ahead: SignedDuration,
) -> CommitOutcome {
    let Committed { tried, retried, counts, exhausted, .. } = done;
    let CommitTry { worker, claimed_at, mut fetched, share, stop, .. } = tried;
    let here = |slot: Timestamp| slot.saturating_sub(ahead).unwrap_or(slot);
    let found_something = fetched.len() + fetched.already_cancelled.len() + fetched.later.len() > 0;
    let mut outcome = CommitOutcome {
        counts,
        exhausted,
        next_slot_at: share.next_slot_at.map(here),
        retry_after_until: share.retry_after_until.map(here),
        budget_shared: share.shared,
        lease: Some(Lease { fencing_number: worker, duration: worker_session.lease }),
        stop: stop.as_deref().and_then(|stop| stop.parse().ok()),
        ..CommitOutcome::default()
    };
    if !found_something && !exhausted && outcome.next_slot_at.is_none() {
        outcome.next_slot_at = Timestamp::now().saturating_add(LOOK_AGAIN).ok();
    }
    let mut claiming = Vec::new();
    for mut waiting in again {
        let row = i64::from(waiting.row.0);
        waiting.doubt |= fetched.inherited.contains(&row);
        if fetched.again_later.contains(&row) {
            outcome.in_flight_elsewhere.push(waiting);
        } else if retried.contains(&row) {
            claiming.push(waiting);
        } else if fetched.deferred.contains(&row) {
            outcome.deferred.push(waiting);
        }
    }
    claiming.extend(fetched.orphaned.drain(..).filter(|row| retried.contains(&row.row.0.into())));
    claiming.append(&mut fetched.fresh);
    outcome.in_flight_elsewhere.extend(fetched.later.into_iter().map(|(waiting, _)| waiting));
    let slots = share.slots.into_iter().map(|slot| slot.map(here));
    outcome.claimed = claiming
        .into_iter()
        .zip(slots)
        .map(|(waiting, slot)| ClaimedRow::new(waiting, claimed_at, slot, worker))
        .collect();
    outcome
}
