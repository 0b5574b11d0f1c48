//! The time that this process works on a run: how it begins, and how it ends.

use std::time::{Duration, Instant};

use super::super::codes;
use super::super::{Run, Start, TurnTime, starter};
use super::clock::Clock;
use super::failed::Failed;
use super::link::Session;
use super::{read, turn};
use crate::order::OwnCode;
use crate::outcome::{self, Meaning, Next};

/// How often the clock is read for a first estimate; the soonest answer counts.
const READINGS: u32 = 5;

/// Work on a run that was begun.
pub(super) struct Stay {
    pub run: i64,
    pub endpoint: String,
    /// Send orders even if another run cancelled them.
    pub again: bool,
    /// How a row ends whose call was cut short; none if it is sent again.
    pub interrupted: Option<i16>,
    pub lease: Duration,
    /// The number under which this process works, and holds rows.
    pub worker: i64,
    /// The number of its last turn.
    pub turn: i64,
    /// How long turns take from their budget to their end.
    pub finish: TurnTime,
    /// When it began.
    pub began: Instant,
}

/// Looks at the database's clock.
pub(super) async fn read_clock(session: &mut Session, clock: &mut Clock) -> Result<(), Failed> {
    let statement = session.statement("SELECT clock_timestamp()").await?;
    for _ in 0..READINGS {
        let asked = Instant::now();
        let told = session.client.query_one(&statement, &[]).await?;
        clock.showed(told.try_get(0)?, asked, Instant::now());
    }
    Ok(())
}

/// Begins to work on the run.
pub(super) async fn begin(
    session: &mut Session,
    run: &Run,
    start: &Start,
    lease: Duration,
) -> Result<Stay, Failed> {
    turn::prepare(session).await?;
    let endpoint = run.opened.endpoint.clone();
    let transaction = session.client.transaction().await?;
    let worker = transaction
        .query_one(
            include_str!("sql/register.sql"),
            &[
                &run.number,
                &lease.as_secs_f64(),
                &starter::name(),
                &concat!("cardcancel ", env!("CARGO_PKG_VERSION")),
                &start.rates,
                &start.cut_off,
                &(!start.joins).then_some(start.again),
            ],
        )
        .await?;
    transaction
        .execute("INSERT INTO budget VALUES ($1, '') ON CONFLICT DO NOTHING", &[&endpoint])
        .await?;
    if !start.joins {
        let go = "UPDATE run SET stop = NULL WHERE number = $1 AND stop IS NOT NULL";
        transaction.execute(go, &[&run.number]).await?;
    }
    transaction.commit().await?;
    let interrupted = match outcome::next(Meaning::Doubt, true, true, start.on_doubt) {
        Next::End(status) => Some(codes::of_status(status) as i16),
        Next::Again | Next::Unsent => None,
    };
    Ok(Stay {
        run: run.number,
        endpoint,
        again: worker.try_get(1)?,
        interrupted,
        lease,
        worker: worker.try_get(0)?,
        turn: 0,
        finish: TurnTime::default(),
        began: Instant::now(),
    })
}

/// Ends it: what this process still held is anybody's.
pub(super) async fn end(
    session: &mut Session,
    stay: &Stay,
    stop: Option<OwnCode>,
) -> Result<Run, Failed> {
    let for_all = stop.filter(|stop| stop.stops_all()).map(|stop| stop.to_string());
    let stop = stop.map(|stop| stop.to_string());
    session.client.batch_execute("BEGIN").await?;
    give_up(session, stay, &[stay.worker]).await?;
    if for_all.is_some() {
        let tell = "UPDATE run SET stop = coalesce(stop, $2) WHERE number = $1";
        session.client.execute(tell, &[&stay.run, &for_all]).await?;
    }
    session.client.execute(include_str!("sql/rest.sql"), &[&stay.worker, &stop]).await?;
    let run = read::run_by_worker(session, stay.worker).await?;
    session.client.batch_execute("COMMIT").await?;
    Ok(run)
}

/// What these workers held of the run is anybody's.
pub(super) async fn give_up(
    session: &mut Session,
    stay: &Stay,
    workers: &[i64],
) -> Result<(), Failed> {
    let statement = session.statement(include_str!("sql/give_up.sql")).await?;
    let code = OwnCode::Interrupted.to_string();
    let message = "the program died before the answer was recorded";
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
        [&stay.run, &workers, &stay.interrupted, &code, &message];
    session.client.execute(&statement, &values).await?;
    Ok(())
}
