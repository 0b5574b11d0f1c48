//! This process as a worker of a run: what it holds, whether the ledger still knows it, and how it
//! ends.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::copies::Copies;
use super::error::DbError;
use super::read;
use super::register;
use super::session::Session;
use super::text::storable;
use crate::ledger::interrupted;
use crate::ledger::{CommitLatency, FinishOptions, LedgerError, NewEvent, Run, StartOptions};

pub(super) const LAST_COMMIT: &str = include_str!("sql/last_commit.sql");

/// The work on a run in progress.
pub(super) struct WorkerSession {
    pub run: i64,
    pub endpoint: String,
    /// How the work was started.
    pub start: StartOptions,
    /// Whether to send orders even if another run cancelled them.
    pub again: bool,
    /// The status with which a row ends whose call was interrupted; `None` if it is sent again.
    pub interrupted: Option<i16>,
    pub lease: Duration,
    /// The number under which this process is registered and holds rows: the fencing number.
    pub worker: i64,
    /// The numbers of its last commit and of the last confirmed one.
    pub commit: i64,
    pub confirmed: i64,
    /// The position of the first new row after that.
    pub first_fresh: i64,
    /// The server's copies and timeline when the work began.
    pub copies: Copies,
    pub timeline: Option<String>,
    /// How long commits take from reading the budget to their end.
    pub finish: CommitLatency,
    /// When the work began.
    pub began: Instant,
}

/// The last commit of a worker, as recorded.
pub(super) struct Last {
    pub commit: i64,
    /// The number under which the worker continues.
    pub worker: i64,
}

/// Begins a transaction, and verifies that the ledger still has what it confirmed to this
/// process. It locks the worker, so no attempt of a commit of its own is in progress any more.
/// `completed_rows` are the rows that this process was about to record.
pub(super) async fn know_again(
    session: &mut Session,
    worker_session: &WorkerSession,
    completed_rows: &[i64],
) -> Result<Last, DbError> {
    let statement = session.statement(LAST_COMMIT).await?;
    let worker: [&(dyn tokio_postgres::types::ToSql + Sync); 1] = [&worker_session.worker];
    let ((), last) = tokio::try_join!(
        biased;
        session.client.batch_execute("BEGIN"),
        session.client.query_opt(&statement, &worker),
    )?;
    let last = match last {
        Some(last) => Some(Last { commit: last.try_get(0)?, worker: last.try_get(1)? }),
        None => None,
    };
    let what = match &last {
        None => "it does not know this process",
        Some(last) if last.commit < worker_session.confirmed => {
            "the last commit of this process is missing"
        }
        // Where commits wait for a standby, another timeline has all of them.
        _ if session.timeline != worker_session.timeline && !worker_session.copies.are_awaited => {
            "it continues from an earlier point of its history: another server took over"
        }
        _ => "",
    };
    if let (Some(last), "") = (last, what) {
        if worker_session.copies.are_awaited && !session.copies.are_awaited {
            tracing::warn!(
                "commits of the ledger {} no longer wait for a standby: a failover would forget them",
                session.path
            );
        }
        session.is_known = true;
        return Ok(last);
    }
    session.client.batch_execute("ROLLBACK").await?;
    Err(rewound(session, worker_session, completed_rows, what).await)
}

/// Marks the rows that may have been sent since the state to which the ledger was reset as in
/// doubt, as far as this process knows them. Returns the error to report.
pub(super) async fn rewound(
    session: &mut Session,
    worker_session: &WorkerSession,
    completed_rows: &[i64],
    what: &str,
) -> DbError {
    match doubt_after_rewind(session, worker_session, completed_rows).await {
        Ok(()) => LedgerError::Rewound { path: session.path.clone(), what: what.to_owned() }.into(),
        Err(cause) => cause,
    }
}

/// Records the doubts as a new start of this process, which has ended: in its earlier state, the
/// run may have been sealed.
async fn doubt_after_rewind(
    session: &mut Session,
    worker_session: &WorkerSession,
    completed_rows: &[i64],
) -> Result<(), DbError> {
    let WorkerSession { run, worker, first_fresh, start, .. } = worker_session;
    let transaction = session.client.transaction().await?;
    if !register::lock_run(&transaction, *run).await? {
        return Ok(());
    }
    let (last, ..) = register::register(&transaction, *run, start, Duration::ZERO).await?;
    let end = "UPDATE worker SET at_work = false WHERE number = $1";
    transaction.execute(end, &[&last]).await?;
    let doubt = include_str!("sql/doubt_after_rewind.sql");
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
        [run, worker, first_fresh, &completed_rows];
    transaction.execute(doubt, &values).await?;
    Ok(transaction.commit().await?)
}

/// Ends the work: releases the rows that this process still holds.
pub(super) async fn finish(
    session: &mut Session,
    worker_session: &WorkerSession,
    finish: &FinishOptions,
    ahead: SignedDuration,
) -> Result<Run, DbError> {
    let stop = finish.stop;
    let for_all = stop.filter(|stop| stop.stops_all()).map(|stop| stop.to_string());
    let stop = stop.map(|stop| stop.to_string());
    let Last { mut worker, .. } = know_again(session, worker_session, &[]).await?;
    let find = "SELECT at_work, finished_at IS NOT NULL FROM worker WHERE number = $1 FOR UPDATE";
    let found = session.client.query_one(find, &[&worker]).await?;
    let (is_at_work, has_finished): (bool, bool) = (found.try_get(0)?, found.try_get(1)?);
    // If it has, an earlier try was committed, and its acknowledgement was lost.
    if !has_finished {
        release_rows(session, worker_session, &[worker_session.worker, worker]).await?;
        // A seal may cover what was recorded under the old number.
        if !is_at_work {
            let WorkerSession { lease, commit, .. } = worker_session;
            worker = register::register_again(&session.client, worker, *lease, *commit).await?;
        }
        insert_events(session, (worker_session.run, worker), &finish.events, ahead).await?;
        if for_all.is_some() {
            let note_stop = "UPDATE run SET stop = coalesce(stop, $2) WHERE number = $1";
            session.client.execute(note_stop, &[&worker_session.run, &for_all]).await?;
        }
        let finish = include_str!("sql/finish_worker.sql");
        session.client.execute(finish, &[&worker, &stop]).await?;
    }
    let run = read::run_by_worker(session, worker).await?;
    session.client.batch_execute("COMMIT").await?;
    Ok(run)
}

/// Records events of a run that this worker observed, by the database's clock, which is `ahead`
/// of the one used for them.
pub(super) async fn insert_events(
    session: &mut Session,
    (run, worker): (i64, i64),
    events: &[NewEvent],
    ahead: SignedDuration,
) -> Result<(), DbError> {
    if events.is_empty() {
        return Ok(());
    }
    let at = |event: &NewEvent| event.at.saturating_add(ahead).unwrap_or(event.at);
    let at: Vec<Timestamp> = events.iter().map(at).collect();
    let kind: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    let detail: Vec<String> = events.iter().map(|event| storable(&event.detail)).collect();
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
        [&run, &worker, &at, &kind, &detail];
    session.client.execute(include_str!("sql/insert_events.sql"), &values).await?;
    Ok(())
}

/// Releases the rows that these workers hold, so that any worker can claim them.
pub(super) async fn release_rows(
    session: &mut Session,
    worker_session: &WorkerSession,
    workers: &[i64],
) -> Result<(), DbError> {
    let statement = session.statement(include_str!("sql/release_rows.sql")).await?;
    let code = interrupted::CODE.to_string();
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
        [&worker_session.run, &workers, &worker_session.interrupted, &code, &interrupted::MESSAGE];
    session.client.execute(&statement, &values).await?;
    Ok(())
}
