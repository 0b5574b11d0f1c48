//! The driver performs the scheduler's actions and reports events to it: it submits commits to
//! the ledger thread, dispatches calls to the executor, refreshes credentials, and sleeps in
//! between.

use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tracing::Span;

use super::caller::Caller;
use super::clock::RunClock;
use super::events::{Actions, Event, Now};
use super::executor::Executor;
use super::ledger_thread::LedgerThread;
use super::run_stats::RunStats;
use super::scheduler::Scheduler;
use super::snapshot::Snapshot;
use crate::ledger::{FinishOptions, Ledger, LedgerError, Run};
use crate::model::ReasonCode;
use crate::policy::pacer::Pacer;
use crate::policy::stop_rules::StopReason;

/// How often the snapshot is published.
const SHOWN_EVERY: Duration = Duration::from_millis(50);

/// A finished run.
pub struct RunOutcome {
    /// The ledger.
    pub ledger: Box<dyn Ledger>,
    /// The run as it is recorded now.
    pub run: Run,
    /// The stop rule that ended the run, if one did.
    pub stop_reason: Option<StopReason>,
    /// Statistics of this start.
    pub stats: RunStats,
    /// The number of calls that this process made.
    pub calls: u64,
    /// Why this process stopped; `None` if every row ended.
    pub stop: Option<ReasonCode>,
}

/// Opens up to `connections` connections, then drives the scheduler until it finishes. What people
/// and the system ask of it arrives through `requests`: after a reason to stop, no call starts.
///
/// # Errors
/// If the ledger fails. Then no call starts, calls in flight are awaited, and those that could
/// not be completed are in doubt at the next start.
pub async fn run<C: Caller>(
    mut scheduler: Scheduler,
    ledger: Box<dyn Ledger>,
    pace: Pacer,
    caller: C,
    connections: usize,
    mut requests: mpsc::UnboundedReceiver<Event>,
    shown: watch::Sender<Snapshot>,
) -> anyhow::Result<RunOutcome> {
    let mut ledger_thread = LedgerThread::spawn(ledger, pace)?;
    let clock = RunClock::start();
    let mut executor = Executor::spawn(&caller, &clock, connections).await?;
    let mut paused = clock.pauses();
    let mut refreshes = FuturesUnordered::new();
    let mut alarm = pin!(tokio::time::sleep_until(Instant::now().into()));
    let mut events = Vec::new();
    let mut shown_at = Duration::ZERO;
    loop {
        let now = Now { since_start: clock.elapsed(), wall: Timestamp::now() };
        let pauses = clock.pauses();
        if std::mem::replace(&mut paused, pauses) != pauses {
            tracing::warn!(
                "the machine was suspended, or its clock was set: claimed rows are released first"
            );
            events.push(Event::Paused);
        }
        let Actions { dispatch, cancel_unstarted, commit, refresh_credentials, wake_at, finished } =
            scheduler.handle(events, now);
        if cancel_unstarted {
            executor.cancel_unstarted();
        }
        executor.dispatch(dispatch, now.since_start, pauses);
        if let Some(commit) = commit {
            ledger_thread.submit(commit, scheduler.pace());
        }
        if refresh_credentials {
            refreshes.push(caller.refresh_credentials());
        }
        if finished || now.since_start >= shown_at {
            shown.send_replace(scheduler.snapshot(now));
            shown_at = now.since_start.saturating_add(SHOWN_EVERY);
        }
        if finished {
            break;
        }
        // A time that the clock cannot represent is never reached.
        let wake_at = wake_at.and_then(|wake_at| clock.at(wake_at));
        if let Some(wake_at) = wake_at.map(tokio::time::Instant::from)
            && alarm.deadline() != wake_at
        {
            alarm.as_mut().reset(wake_at);
        }
        let received = tokio::select! {
            biased;
            () = alarm.as_mut(), if wake_at.is_some() => Ok(vec![]),
            outcome = ledger_thread.committed() => outcome.map(|outcome| vec![Event::Committed(outcome)]),
            Some(fetched) = refreshes.next() => Ok(vec![Event::CredentialsRefreshed(fetched)]),
            Some(request) = requests.recv() => Ok(vec![request]),
            ended = executor.next_events() => ended,
        };
        events = match received {
            Ok(events) => events,
            Err(failed) => {
                // A call that is cut off may still be carried out, so each one is awaited.
                executor.shutdown().await;
                return Err(failed);
            }
        };
    }
    executor.shutdown().await;
    let mut ledger = ledger_thread.join()?;
    let (stop_reason, stats) = (scheduler.stop_reason().cloned(), scheduler.stats());
    let (stop, calls) = (scheduler.stop_code(), scheduler.calls());
    let events = scheduler.take_events();
    // An unreachable ledger is retried for a while, and signals must be handled meanwhile.
    let span = Span::current();
    let finished = tokio::task::spawn_blocking(move || {
        let finish = FinishOptions { at: Timestamp::now(), stop, events };
        let run = span.in_scope(|| ledger.finish(finish))?;
        Ok::<_, LedgerError>((ledger, run))
    });
    let (ledger, run) = finished.await.context("the ledger's thread died")??;
    Ok(RunOutcome { ledger, run, stop_reason, stats, calls, stop })
}
