//! The commits of a run: one transaction each, in three questions to the database. What is
//! locked, in this order: our worker, rows that are ours, the run, the budget; workers that
//! are gone only if nobody has them locked.

mod budget;
mod columns;
mod fetch;
mod other_runs;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::super::{
    ClaimedRow, CommitOutcome, CommitRequest, LedgerError, PendingRow, UnreadableBudget,
};
use super::clock::Clock;
use super::connection::{Connection, Session};
use super::error::DbError;
use super::read;
use super::worker::{self, WorkerSession};
use crate::model::{AllocateSlots, Counts, Lease};
use budget::BudgetGrant;
pub(super) use budget::NOTHING_SPENT;
use columns::{Certain, Columns, Lost};
use fetch::{Asked, Picked};

/// When a process with nothing to do looks again whether another left it something.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_millis(500);

const BEGIN: &str = "BEGIN";
const COMMIT: &str = "COMMIT";
const RENEW: &str = include_str!("sql/renew_lease.sql");
const REGISTER_AGAIN: &str = include_str!("sql/register_again.sql");
const COMPLETE: &str = include_str!("sql/complete.sql");
const BUDGET: &str = include_str!("sql/budget.sql");
const OTHERS: &str = include_str!("sql/others.sql");
const NOTE_DOUBT: &str = include_str!("sql/note_doubt.sql");
const END_DOUBT: &str = include_str!("sql/end_doubt.sql");
const GONE: &str = include_str!("sql/expired_workers.sql");
const GONE_ELSEWHERE: &str = include_str!("sql/gone_elsewhere.sql");
const PASS_OVER: &str = include_str!("sql/pass_over.sql");
const INHERIT: &str = include_str!("sql/inherit.sql");
const CLAIM: &str = include_str!("sql/claim.sql");
const SPEND: &str = include_str!("sql/save_budget.sql");
const KEEP: &str = include_str!("sql/keep.sql");
const COMMITTED: &str = include_str!("sql/committed.sql");

/// Prepares what every commit asks, so that none has to wait for it.
pub(super) async fn prepare(session: &mut Session) -> Result<(), DbError> {
    let of_commits = [RENEW, COMPLETE, BUDGET, OTHERS, CLAIM, SPEND, worker::LAST_COMMIT];
    session.prepare_all(of_commits.into_iter().chain(fetch::STATEMENTS)).await
}

/// What a commit wants, in the database's time, and what became of the tries so far.
struct Wish<'t> {
    commit: &'t CommitRequest,
    completed: Columns,
    /// Orders of which answers were lost, and those that no longer are in doubt.
    lost: Option<Lost>,
    certain: Option<Certain>,
    /// Slots at which nothing was sent.
    unused: Vec<Timestamp>,
    /// Why the run stops for all, if it does.
    stop: Option<String>,
    /// Until when nobody may call, as this process was told.
    quiet_until: Option<Timestamp>,
    asked: Instant,
    /// The try whose commit was asked for, and not confirmed: there is never more than one
    /// of which it is not known whether it was done.
    unconfirmed: Option<Tried>,
}

/// What one try of a commit asked to be committed.
struct Tried {
    worker: i64,
    /// When it claims what it does, in the database's time.
    claimed_at: Timestamp,
    picked: Picked,
    share: BudgetGrant,
    stop: Option<String>,
    /// When it knew the budget.
    budgeted: Instant,
}

/// What a commit came to.
struct Done {
    tried: Tried,
    /// Those of the picked rows claimed before that really were ours, or nobody's.
    retried: HashSet<i64>,
    counts: Counts,
    exhausted: bool,
    finish: Duration,
}

/// Completes and claims in one commit, however often that has to be tried.
pub(super) fn commit(
    link: &mut Connection,
    worker_session: &mut WorkerSession,
    clock: &mut Clock,
    commit: CommitRequest,
    allocate: &mut AllocateSlots<'_>,
) -> Result<CommitOutcome, LedgerError> {
    let asked = Instant::now();
    let ahead = clock.ahead(asked, Timestamp::now());
    let mut wish = Wish {
        completed: Columns::of(&commit.completed, ahead),
        lost: Lost::of(&commit.completed),
        certain: Certain::of(&commit.completed),
        unused: columns::unused(&commit.completed, ahead),
        stop: commit.stop.filter(|stop| stop.stops_all()).map(|stop| stop.to_string()),
        quiet_until: commit.quiet_until.map(|until| until.saturating_add(ahead).unwrap_or(until)),
        commit: &commit,
        asked,
        unconfirmed: None,
    };
    worker_session.commit += 1;
    let done = link
        .work(async |session| attempt(session, worker_session, clock, &mut wish, allocate).await)?;
    worker_session.finish.took(done.finish, worker_session.began.elapsed());
    let worker = done.tried.worker;
    let again = if worker == worker_session.worker { commit.again } else { Vec::new() };
    worker_session.worker = worker;
    worker_session.confirmed = worker_session.commit;
    worker_session.first_fresh = done.tried.picked.first_fresh;
    Ok(outcome(worker_session, done, again, ahead))
}

/// The whole commit, once.
async fn attempt(
    session: &mut Session,
    worker_session: &WorkerSession,
    clock: &mut Clock,
    wish: &mut Wish<'_>,
    allocate: &mut AllocateSlots<'_>,
) -> Result<Done, DbError> {
    if let Some(done) = committed(session, worker_session, wish).await? {
        return Ok(done);
    }
    let First { renewed, told, state, elsewhere } =
        first(session, worker_session, clock, wish).await?;
    let Renewed { is_ours, others_are_gone, gone_elsewhere, others } = renewed;
    let claimed = wish.completed.of_worker(worker_session.worker);
    if is_ours && usize::try_from(told.try_get::<_, i64>(5)?) != Ok(claimed) {
        session.client.batch_execute("ROLLBACK").await?;
        let what = "it has no claim on a row that was sent";
        return Err(worker::rewound(session, worker_session, wish.completed.rows(), what).await);
    }
    let worker = match is_ours {
        true => worker_session.worker,
        false => register_again(session, worker_session).await?,
    };
    let taken_up = is_ours && others_are_gone && take_up(session, worker_session).await?;
    if is_ours && gone_elsewhere {
        session
            .client
            .execute(GONE_ELSEWHERE, &[&worker_session.run, &worker_session.endpoint])
            .await?;
    }
    let asked = Asked {
        again: if is_ours { &wish.commit.again } else { &[] },
        fresh: wish.commit.fresh,
        first_fresh: told.try_get(0)?,
        end: told.try_get::<_, i64>(1)? + 1,
        by_place: told.try_get(4)?,
        nobodys: taken_up || told.try_get(3)?,
        elsewhere,
    };
    let now = clock.at(Instant::now()).unwrap_or(wish.commit.at);
    let budgeted = Instant::now();
    let request = wish.request(now, worker_session.finish.longest(), others, asked.most());
    let mut share =
        BudgetGrant::of(&state, request, wish.quiet_until, allocate).map_err(|cause| {
            let cause =
                UnreadableBudget { endpoint: worker_session.endpoint.clone(), cause }.into();
            LedgerError::Database { path: session.path.clone(), cause }
        })?;
    let picked = fetch::pick(session, worker_session, asked, share.slots.len()).await?;
    share.give_back(picked.len(), now, allocate);
    let stop = told.try_get(2)?;
    let tried = Tried { worker, claimed_at: now, picked, share, stop, budgeted };
    let tried = wish.unconfirmed.insert(tried);
    let row = claim_and_commit(session, worker_session, tried).await?;
    done(wish.unconfirmed.take(), &row)
}

/// What a try came to, as the database tells it.
fn done(tried: Option<Tried>, row: &Row) -> Result<Done, DbError> {
    let tried = tried.ok_or(DbError::Silent)?;
    let retried: Option<Vec<i64>> = row.try_get(0)?;
    Ok(Done {
        retried: retried.unwrap_or_default().into_iter().collect(),
        exhausted: !row.try_get::<_, bool>(1)?,
        counts: read::counts_from(row, 2)?,
        finish: tried.budgeted.elapsed(),
        tried,
    })
}

/// Makes sure on a new connection that what was confirmed is still there, and after a try
/// that was not confirmed, whether it was committed after all: what it came to then.
/// Whatever it had locked is free by then, so it cannot be committed later.
async fn committed(
    session: &mut Session,
    worker_session: &WorkerSession,
    wish: &mut Wish<'_>,
) -> Result<Option<Done>, DbError> {
    if session.is_known && wish.unconfirmed.is_none() {
        return Ok(None);
    }
    prepare(session).await?;
    let last = worker::know_again(session, worker_session, wish.completed.rows()).await?;
    let Some(tried) = wish.unconfirmed.as_mut().filter(|_| last.commit == worker_session.commit)
    else {
        wish.unconfirmed = None;
        session.client.batch_execute("ROLLBACK").await?;
        return Ok(None);
    };
    tried.worker = last.worker;
    let lease = worker_session.lease.as_secs_f64();
    session.client.execute(KEEP, &[&tried.worker, &lease]).await?;
    let row = session
        .client
        .query_one(COMMITTED, &[&worker_session.run, &tried.worker, &worker_session.commit])
        .await?;
    // Who waits for a standby that has what this writes waits for the try too.
    session.client.batch_execute(COMMIT).await?;
    let mut done = done(wish.unconfirmed.take(), &row)?;
    let retried = &done.retried;
    done.tried.picked.fresh.retain(|fresh| retried.contains(&fresh.row.0.into()));
    Ok(Some(done))
}

/// What is told first.
struct First {
    renewed: Renewed,
    /// The run.
    told: Row,
    /// The budget.
    state: String,
    /// Whether there are other runs at the endpoint.
    elsewhere: bool,
}

/// How this worker and the others stand.
struct Renewed {
    /// Whether what it had is still its own.
    is_ours: bool,
    /// Whether others on the run are gone.
    others_are_gone: bool,
    /// Whether some on other runs at the endpoint are.
    gone_elsewhere: bool,
    /// Whether others share its budget.
    others: bool,
}

/// Renews the lease, completes, and reads the budget.
async fn first(
    session: &mut Session,
    worker_session: &WorkerSession,
    clock: &mut Clock,
    wish: &Wish<'_>,
) -> Result<First, DbError> {
    let renew = session.statement(RENEW).await?;
    let complete = session.statement(COMPLETE).await?;
    let budget = session.statement(BUDGET).await?;
    let others = session.statement(OTHERS).await?;
    let note_doubt = session.statement_if(wish.lost.is_some(), NOTE_DOUBT).await?;
    let end_doubt = session.statement_if(wish.certain.is_some(), END_DOUBT).await?;
    let client = &session.client;
    let lease = worker_session.lease.as_secs_f64();
    let completed = wish.completed.values(&worker_session.run, &wish.stop, &worker_session.worker);
    let renewed = async {
        let asked = Instant::now();
        let row = client
            .query_one(&renew, &[&worker_session.worker, &lease, &worker_session.commit])
            .await?;
        clock.showed(row.try_get(1)?, asked, Instant::now());
        let is_ours: bool = row.try_get(0)?;
        let others = !is_ours || row.try_get(4)?;
        let (others_are_gone, gone_elsewhere) = (row.try_get(2)?, row.try_get(3)?);
        Ok(Renewed { is_ours, others_are_gone, gone_elsewhere, others })
    };
    let endpoint: [&(dyn ToSql + Sync); 1] = [&worker_session.endpoint];
    let doubt_noted = async {
        match (&note_doubt, &wish.lost) {
            (Some(note), Some(lost)) => {
                client.execute(note, &lost.values(&worker_session.run)).await
            }
            _ => Ok(0),
        }
    };
    let doubt_ended = async {
        match (&end_doubt, &wish.certain) {
            (Some(end), Some(certain)) => {
                client
                    .execute(end, &certain.values(&worker_session.run, &worker_session.worker))
                    .await
            }
            _ => Ok(0),
        }
    };
    let at_the_endpoint: [&(dyn ToSql + Sync); 2] = [&worker_session.run, &worker_session.endpoint];
    let ((), renewed, told, _, _, state, elsewhere) = tokio::try_join!(
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
    Ok(First { renewed, told, state, elsewhere })
}

/// Others took up what we had: we go on under another number.
async fn register_again(
    session: &mut Session,
    worker_session: &WorkerSession,
) -> Result<i64, DbError> {
    let lease = worker_session.lease.as_secs_f64();
    let row = session
        .client
        .query_one(REGISTER_AGAIN, &[&worker_session.worker, &lease, &worker_session.commit])
        .await?;
    Ok(row.try_get(0)?)
}

/// Takes from others on the run whose lease ran out what they had. Returns whether any did.
async fn take_up(session: &mut Session, worker_session: &WorkerSession) -> Result<bool, DbError> {
    let gone = session.client.query(GONE, &[&worker_session.run, &worker_session.worker]).await?;
    let gone: Vec<i64> = gone.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    if !gone.is_empty() {
        worker::give_up(session, worker_session, &gone).await?;
    }
    Ok(!gone.is_empty())
}

/// Claims what was picked, and makes the commit durable.
async fn claim_and_commit(
    session: &mut Session,
    worker_session: &WorkerSession,
    tried: &Tried,
) -> Result<Row, DbError> {
    let Tried { worker, claimed_at, picked, share, .. } = tried;
    let claim = session.statement(CLAIM).await?;
    let spend = session.statement(SPEND).await?;
    let pass_over = session.statement_if(!picked.later.is_empty(), PASS_OVER).await?;
    let inherit = session.statement_if(!picked.inherited.is_empty(), INHERIT).await?;
    let state = share.changed();
    let client = &session.client;
    let (retried, attempts): (Vec<i64>, Vec<i32>) = picked.retried().unzip();
    let fresh: Vec<i64> = picked.fresh.iter().map(|waiting| waiting.row.0.into()).collect();
    let (decided, messages): (Vec<i64>, Vec<&str>) =
        picked.decided.iter().map(|(row, message)| (row, message.as_str())).unzip();
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
        &picked.first_fresh,
        &picked.places,
    ];
    let (passed, places): (Vec<i64>, Vec<i64>) =
        picked.later.iter().map(|(waiting, place)| (i64::from(waiting.row.0), *place)).unzip();
    let passed_over = async {
        match &pass_over {
            Some(pass) => {
                client.execute(pass, &[&worker_session.run, worker, &passed, &places]).await
            }
            None => Ok(0),
        }
    };
    let heirs: Vec<i64> = picked.inherited.iter().copied().collect();
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

/// What the engine is told, in this host's time.
fn outcome(
    worker_session: &WorkerSession,
    done: Done,
    again: Vec<PendingRow>,
    ahead: SignedDuration,
) -> CommitOutcome {
    let Done { tried, retried, counts, exhausted, .. } = done;
    let Tried { worker, claimed_at, mut picked, share, stop, .. } = tried;
    let here = |slot: Timestamp| slot.saturating_sub(ahead).unwrap_or(slot);
    let found_something = picked.len() + picked.decided.len() + picked.later.len() > 0;
    let mut outcome = CommitOutcome {
        counts,
        exhausted,
        next_slot_at: share.next_slot_at.map(here),
        quiet_until: share.quiet_until.map(here),
        shared: share.shared,
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
        waiting.doubt |= picked.inherited.contains(&row);
        if picked.again_later.contains(&row) {
            outcome.in_flight_elsewhere.push(waiting);
        } else if retried.contains(&row) {
            claiming.push(waiting);
        } else if picked.deferred.contains(&row) {
            outcome.deferred.push(waiting);
        }
    }
    claiming.extend(picked.left.drain(..).filter(|left| retried.contains(&left.row.0.into())));
    claiming.append(&mut picked.fresh);
    outcome.in_flight_elsewhere.extend(picked.later.into_iter().map(|(waiting, _)| waiting));
    let slots = share.slots.into_iter().map(|slot| slot.map(here));
    outcome.claimed = claiming
        .into_iter()
        .zip(slots)
        .map(|(waiting, slot)| ClaimedRow::new(waiting, claimed_at, slot, worker))
        .collect();
    outcome
}
