//! Creates a run in which evidence ends doubts. Its rows are recorded in many short transactions, as
//! those of every run. The last transaction makes it visible and ends the doubts. If that does not
//! come about, the rows belong to no run.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::connection::DatabaseConnection;
use super::create_run::{self, AT_ONCE, RowColumns};
use super::error::DbError;
use super::session::Session;
use super::{commit, read, register, standings, worker};
use crate::ledger::resolution::ORDERS_AT_ONCE;
use crate::ledger::{
    NewEvent, NewRun, OrderStanding, Resolution, ResolutionError, Run, StartOptions,
};
use crate::model::{Counts, Order};

/// Creates the run, unless one with its key and a higher number than `seen` exists by now.
pub(super) fn create(
    connection: &mut DatabaseConnection,
    resolution: Resolution<'_>,
    seen: i64,
) -> Result<Run, ResolutionError> {
    let Resolution { new, rows, decided, can_be_decided, doubts, start, events, on_record: _ } =
        resolution;
    let number = connection.with_retry(async |session| create_run::insert(session, &new).await)?;
    let (mut rows_recorded, mut counts) = (0, Counts::default());
    loop {
        let part = rows.take(AT_ONCE).collect::<Result<Vec<_>, _>>()?;
        let part = RowColumns::new(part, &mut counts);
        if part.is_empty() {
            break;
        }
        rows_recorded += part.len() as i64;
        connection.with_retry(async |session| {
            create_run::record(session, number, &part).await.map(drop)
        })?;
    }
    let last = ResolutionCommit {
        new: &new,
        seen,
        number,
        rows: rows_recorded,
        counts,
        decided,
        can_be_decided,
        doubts,
        start: &start,
        events: &events,
    };
    match connection.with_retry(async |session| last.commit(session).await)? {
        ResolutionOutcome::Created(run) => Ok(*run),
        ResolutionOutcome::Changed(order) => Err(ResolutionError::Changed(order)),
    }
}

/// The result of the last transaction.
enum ResolutionOutcome {
    /// The run, by this process or another.
    Created(Box<Run>),
    /// An order no longer stands as it did.
    Changed(Order),
}

/// The last transaction.
struct ResolutionCommit<'c> {
    new: &'c NewRun,
    seen: i64,
    number: i64,
    rows: i64,
    counts: Counts,
    decided: &'c [Order],
    can_be_decided: &'c dyn Fn(Order, &OrderStanding) -> bool,
    doubts: &'c [Order],
    start: &'c StartOptions,
    events: &'c [NewEvent],
}

impl ResolutionCommit<'_> {
    /// An earlier try that was committed is found by the key.
    async fn commit(&self, session: &mut Session) -> Result<ResolutionOutcome, DbError> {
        let endpoint = &self.new.endpoint;
        session.client.batch_execute("BEGIN").await?;
        let lock = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
        session.client.execute(lock, &[&self.new.key]).await?;
        let find = "SELECT number FROM run WHERE key = $1 AND rows IS NOT NULL AND number > $2
                    ORDER BY number DESC LIMIT 1";
        if let Some(found) = session.client.query_opt(find, &[&self.new.key, &self.seen]).await? {
            session.client.batch_execute("ROLLBACK").await?;
            return self.created(session, found.try_get(0)?).await;
        }
        // While the budget is locked, no commit at the endpoint can claim or complete a row.
        session
            .client
            .execute(
                "INSERT INTO budget VALUES ($1, $2) ON CONFLICT DO NOTHING",
                &[endpoint, &commit::NOTHING_SPENT],
            )
            .await?;
        session.client.query_one(include_str!("sql/budget.sql"), &[endpoint]).await?;
        for orders in self.decided.chunks(ORDERS_AT_ONCE) {
            let standings = standings::of_orders(session, endpoint, orders).await?;
            let mut known = orders.iter().zip(&standings);
            let changed = known.find(|(order, its)| !(self.can_be_decided)(**order, its));
            if let Some((order, _)) = changed {
                session.client.batch_execute("ROLLBACK").await?;
                return Ok(ResolutionOutcome::Changed(*order));
            }
        }
        for orders in self.doubts.chunks(AT_ONCE) {
            create_run::doubt(session, self.number, orders).await?;
        }
        let resolve = session.statement(include_str!("sql/resolve_doubt.sql")).await?;
        for orders in self.decided.chunks(AT_ONCE) {
            let (admin, sequence) = standings::columns(orders);
            session.client.execute(&resolve, &[endpoint, &admin, &sequence]).await?;
        }
        create_run::set_counts(session, self.number, self.rows, false, &self.counts).await?;
        self.finish_start(session).await?;
        session.client.batch_execute("COMMIT").await?;
        self.created(session, self.number).await
    }

    /// Records the start, which has finished, and its events.
    async fn finish_start(&self, session: &mut Session) -> Result<(), DbError> {
        // None of its rows is left to be claimed.
        let decided = "UPDATE run SET first_fresh = rows + 1 WHERE number = $1";
        session.client.execute(decided, &[&self.number]).await?;
        let (start, ..) =
            register::register(&session.client, self.number, self.start, Duration::ZERO).await?;
        // After the start, by the same clock.
        let clock = session.client.query_one("SELECT clock_timestamp()", &[]).await?;
        let at: Timestamp = clock.try_get(0)?;
        let now = |event: &NewEvent| NewEvent { at, ..event.clone() };
        let events: Vec<NewEvent> = self.events.iter().map(now).collect();
        let run = (self.number, start);
        worker::insert_events(session, run, &events, SignedDuration::ZERO).await?;
        let finish = include_str!("sql/finish_worker.sql");
        session.client.execute(finish, &[&start, &None::<String>]).await?;
        Ok(())
    }

    async fn created(
        &self,
        session: &mut Session,
        number: i64,
    ) -> Result<ResolutionOutcome, DbError> {
        let run = read::run_by_number(session, number).await?;
        Ok(ResolutionOutcome::Created(Box::new(run.ok_or(DbError::Silent)?)))
    }
}
