//! Performs the scheduler's actions and reports events to it: submits commits to the ledger
//! thread, dispatches calls to the executor, refreshes credentials, and sleeps in between.

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

use super::clock::Clock;
use super::elsewhere::WaitsElsewhere;
use super::executor::Executor;
use super::ledger_thread::LedgerThread;
use super::{Actions, Event, Now, RunStats, Scheduler};
use crate::ledger::{ClaimedRow, Ledger, LedgerError, Run};
use crate::model::{Counts, Outcome, ReasonCode};
use crate::policy::credential_refresh::RefreshOutcome;
use crate::policy::pacer::Pacer;
use crate::policy::retry_after::WaitRequest;
use crate::policy::stop_rules::StopReason;

/// How often watchers are told how far the run is.
const SHOWN_EVERY: Duration = Duration::from_millis(50);

/// One call for one claimed row; it comes back with what it came to, if it was begun.
pub trait Caller: Send + 'static {
    /// Another that makes the same calls, over connections of its own.
    fn another(&self) -> Self;

    /// Opens so many connections for the calls to come, as far as that can be done.
    fn connect(&self, connections: usize) -> impl Future<Output = ()> {
        let _ = connections;
        std::future::ready(())
    }

    /// Sends the row and waits for its outcome. What takes time before the first byte leaves
    /// is done first; then `may_start` is asked, and if it may not, nothing is sent.
    fn call(
        &self,
        claimed: &ClaimedRow,
        may_start: &dyn Fn() -> bool,
    ) -> impl Future<Output = Option<Outcome>>;

    /// Fetches new credentials, which every call made from then on carries.
    fn renew(&self) -> impl Future<Output = RefreshOutcome> {
        std::future::ready(RefreshOutcome::Failed)
    }
}

/// How far a run is, for those who watch.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// How the rows stand.
    pub counts: Counts,
    /// Calls in flight.
    pub in_flight: u32,
    /// Rows that wait for another attempt.
    pub waiting: usize,
    /// What of them waits for calls that other runs have in flight.
    pub elsewhere: Option<WaitsElsewhere>,
    /// How long nobody may send, because the server said so.
    pub quiet_for: Duration,
    /// For how long the server has been away, if it is.
    pub outage: Option<Duration>,
    /// What the last call into the outage came to.
    pub outage_cause: Option<String>,
    /// What the server asked everyone to wait for, unless it has worked since.
    pub asked_to_wait: Option<WaitRequest>,
    /// Why the run is stopping, if it is.
    pub stop: Option<ReasonCode>,
    /// Calls that ended since the start.
    pub calls: u64,
}

/// A run that has come to rest.
pub struct RunOutcome {
    /// The ledger, handed back.
    pub ledger: Box<dyn Ledger>,
    /// The run as it now stands.
    pub run: Run,
    /// Which stop rule ended it, if that stopped it.
    pub stop_reason: Option<StopReason>,
    /// What happened on the way.
    pub stats: RunStats,
    /// Calls that this process made for it.
    pub calls: u64,
    /// Why this process stopped, if it did.
    pub stop: Option<ReasonCode>,
}

/// Opens so many connections, then drives the scheduler until it finishes. Every reason that
/// comes through `stops` makes it start nothing more.
///
/// # Errors
/// When the ledger fails. Nothing more is sent then, calls in flight are waited
/// for, and what could not be completed is in doubt at the next start.
pub async fn run<C: Caller>(
    mut scheduler: Scheduler,
    ledger: Box<dyn Ledger>,
    pace: Pacer,
    caller: C,
    connections: usize,
    mut stops: mpsc::UnboundedReceiver<ReasonCode>,
    shown: watch::Sender<Snapshot>,
) -> anyhow::Result<RunOutcome> {
    let mut ledger_thread = LedgerThread::spawn(ledger, pace)?;
    let clock = Clock::start();
    let mut executor = Executor::spawn(&caller, &clock, connections).await?;
    let mut paused = clock.pauses();
    let mut renewals = FuturesUnordered::new();
    let mut alarm = pin!(tokio::time::sleep_until(Instant::now().into()));
    let mut events = Vec::new();
    let mut shown_at = Duration::ZERO;
    loop {
        let now = Now { since_start: clock.elapsed(), wall: Timestamp::now() };
        let pauses = clock.pauses();
        if std::mem::replace(&mut paused, pauses) != pauses {
            tracing::warn!("the machine stood still, or its clock was set: rows go back first");
            events.push(Event::Paused);
        }
        let Actions { send, cancel_unstarted, commit, renew, wake_at, finished } =
            scheduler.on(events, now);
        if cancel_unstarted {
            executor.cancel_unstarted();
        }
        executor.dispatch(send, now.since_start, pauses);
        if let Some(commit) = commit {
            ledger_thread.commit(commit);
        }
        if renew {
            renewals.push(caller.renew());
        }
        if finished || now.since_start >= shown_at {
            shown.send_replace(snapshot(&scheduler, now));
            shown_at = now.since_start.saturating_add(SHOWN_EVERY);
        }
        if finished {
            break;
        }
        // What is too far away to be reckoned with never comes.
        let wake_at = wake_at.and_then(|wake_at| clock.at(wake_at));
        if let Some(wake_at) = wake_at.map(tokio::time::Instant::from)
            && alarm.deadline() != wake_at
        {
            alarm.as_mut().reset(wake_at);
        }
        let heard = tokio::select! {
            biased;
            () = alarm.as_mut(), if wake_at.is_some() => Ok(vec![]),
            outcome = ledger_thread.committed() => outcome.map(|outcome| vec![Event::Committed(outcome)]),
            Some(fetched) = renewals.next() => Ok(vec![Event::CredentialsRefreshed(fetched)]),
            Some(why) = stops.recv() => Ok(vec![Event::Stop(why)]),
            ended = executor.next_events() => ended,
        };
        events = match heard {
            Ok(events) => events,
            Err(failed) => {
                // A call that is cut off may have been carried out: each is heard to its end.
                executor.shutdown().await;
                return Err(failed);
            }
        };
    }
    executor.shutdown().await;
    let mut ledger = ledger_thread.shutdown()?;
    let (stop_reason, stats) = (scheduler.stop_reason().cloned(), scheduler.stats());
    let (stop, calls) = (scheduler.stop(), scheduler.calls());
    // A ledger that is away is waited for, and signals must be heard meanwhile.
    let rested = tokio::task::spawn_blocking(move || {
        let run = ledger.finish(Timestamp::now(), stop)?;
        Ok::<_, LedgerError>((ledger, run))
    });
    let (ledger, run) = rested.await.context("the ledger's thread died")??;
    Ok(RunOutcome { ledger, run, stop_reason, stats, calls, stop })
}

fn snapshot(scheduler: &Scheduler, now: Now) -> Snapshot {
    Snapshot {
        counts: scheduler.counts(),
        in_flight: scheduler.in_flight(),
        waiting: scheduler.waiting(),
        elsewhere: scheduler.waits_elsewhere(now.since_start),
        quiet_for: scheduler.quiet_until().saturating_sub(now.since_start),
        outage: scheduler.outage_since().map(|since| now.since_start.saturating_sub(since)),
        outage_cause: scheduler.outage_cause().map(str::to_owned),
        asked_to_wait: scheduler.asked_to_wait(),
        stop: scheduler.stop(),
        calls: scheduler.calls(),
    }
}
