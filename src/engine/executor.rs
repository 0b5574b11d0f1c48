//! Worker threads that perform HTTP calls off the driver's thread, which therefore waits for
//! none of them. On each thread, the calls in flight are futures of one task.

use std::cell::Cell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::poll_fn;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::runtime;
use tokio::sync::mpsc::{Sender, UnboundedReceiver, UnboundedSender, channel, unbounded_channel};
use tokio::task::unconstrained;
use tokio::time::{sleep_until, timeout};
use tracing::Span;

use super::caller::Caller;
use super::clock::RunClock;
use super::events::{CallTimings, Dispatch, Event};
use crate::ledger::AttemptEnd;
use crate::policy::adaptive::concurrency::ConcurrencyProbe;

/// More threads than this are no faster: what they call is recorded by one.
const MOST_THREADS: usize = 4;
/// How long a thread may take to open connections before its first call. What is not
/// open by then is opened by the calls.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);
/// How many ended calls of a thread are heard of at once, and how often at most: to
/// hear of each by itself would cost a wake for each.
const HEARD_AT_ONCE: usize = 1024;
const HEARD_EVERY: Duration = Duration::from_millis(1);

/// A call to be made, as the core gave it out.
struct Dispatched {
    dispatch: Dispatch,
    /// When that was, after the start of the run.
    dispatched_at: Duration,
    /// Its place among all that were given out.
    number: u64,
    /// How often the machine had stood still by then.
    pauses: u32,
}

const DIED: &str =
    "a thread that makes calls died: start the same command again; what it was calling is in doubt";

/// All that make calls.
pub(super) struct Executor {
    callers: Vec<WorkerThread>,
    heard_at: Instant,
    /// How many calls were given out.
    given: u64,
    /// How many of them, from the first on, are not to start any more.
    cancelled: Arc<AtomicU64>,
}

/// One of them.
struct WorkerThread {
    given: UnboundedSender<Vec<Dispatched>>,
    ended: UnboundedReceiver<Event>,
    /// Calls that it was given and that have not ended; some may wait to be started.
    outstanding: usize,
}

impl Executor {
    /// Starts threads that make calls the way this one would, and waits while they open
    /// so many connections.
    pub async fn spawn<C: Caller>(
        caller: &C,
        clock: &RunClock,
        connections: usize,
    ) -> anyhow::Result<Executor> {
        let threads = available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS);
        let cancelled = Arc::new(AtomicU64::new(0));
        let (connecting, mut connected) = channel(1);
        let spawn = |nth| {
            let (caller, clock, cancelled) =
                (caller.clone_for_thread(), clock.clone(), cancelled.clone());
            let share = connections / threads + usize::from(nth < connections % threads);
            start(Worker { caller, clock, cancelled }, share, connecting.clone())
        };
        let callers = (0..threads).map(spawn).collect::<Result<_, _>>()?;
        drop(connecting);
        let _all_dropped = connected.recv().await;
        Ok(Executor { callers, heard_at: Instant::now(), given: 0, cancelled })
    }

    /// Has each call made by whoever has the fewest under way; the first of them, so that
    /// few calls find few connections, and those open.
    pub fn dispatch(&mut self, dispatches: Vec<Dispatch>, dispatched_at: Duration, pauses: u32) {
        let mut shares = [const { Vec::new() }; MOST_THREADS];
        for dispatch in dispatches {
            let callers = self.callers.iter_mut().zip(&mut shares);
            if let Some((caller, share)) = callers.min_by_key(|(caller, _)| caller.outstanding) {
                caller.outstanding += 1;
                self.given += 1;
                share.push(Dispatched { dispatch, dispatched_at, number: self.given, pauses });
            }
        }
        for (caller, share) in self.callers.iter().zip(shares) {
            if !share.is_empty() {
                // A thread that is gone is noticed where its answer is awaited.
                let _ = caller.given.send(share);
            }
        }
    }

    /// What was given out and has not started comes back as missed.
    pub fn cancel_unstarted(&self) {
        self.cancelled.store(self.given, Ordering::Relaxed);
    }

    /// Waits until calls have ended, and tells what became of them.
    pub async fn next_events(&mut self) -> anyhow::Result<Vec<Event>> {
        let hear_at = self.heard_at.checked_add(HEARD_EVERY).unwrap_or(self.heard_at);
        sleep_until(hear_at.into()).await;
        let mut events = Vec::new();
        let heard = poll_fn(|context| {
            for caller in &mut self.callers {
                match caller.ended.poll_recv_many(context, &mut events, HEARD_AT_ONCE) {
                    Poll::Ready(0) => {
                        return Poll::Ready(Err(anyhow!(DIED)));
                    }
                    Poll::Ready(ended) => caller.outstanding -= ended,
                    Poll::Pending => {}
                }
            }
            if events.is_empty() { Poll::Pending } else { Poll::Ready(Ok(())) }
        });
        unconstrained(heard).await?;
        self.heard_at = Instant::now();
        Ok(events)
    }

    /// Starts nothing more, and waits until every call has ended.
    pub async fn shutdown(self) {
        self.cancel_unstarted();
        for WorkerThread { given, mut ended, .. } in self.callers {
            drop(given);
            while ended.recv().await.is_some() {}
        }
    }
}

/// A thread that drops what it is connecting with when its connections are open.
fn start<C: Caller>(
    work: Worker<C>,
    connections: usize,
    connecting: Sender<Infallible>,
) -> anyhow::Result<WorkerThread> {
    let cannot = "cannot start a thread for the calls";
    let runtime = runtime::Builder::new_current_thread().enable_all().build().context(cannot)?;
    let (give, given) = unbounded_channel();
    let (tell, ended) = unbounded_channel();
    let span = Span::current();
    // Tokio has a task rest after some reads; here all calls are one task's, and each
    // would be asked in vain until it has rested.
    let work = move || {
        span.in_scope(|| {
            let connect = work.caller.connect(connections);
            // Why one could not be opened, a call that needs one is told too.
            let _ = runtime.block_on(async { timeout(CONNECT_WITHIN, connect).await });
            drop(connecting);
            runtime.block_on(unconstrained(work.all(given, tell)));
        });
    };
    std::thread::Builder::new().name("calls".to_owned()).spawn(work).context(cannot)?;
    Ok(WorkerThread { given: give, ended, outstanding: 0 })
}

/// What a thread makes calls with.
struct Worker<C> {
    caller: C,
    clock: RunClock,
    cancelled: Arc<AtomicU64>,
}

impl<C: Caller> Worker<C> {
    /// Makes calls until no more are given and all have ended.
    async fn all(
        self,
        mut given: UnboundedReceiver<Vec<Dispatched>>,
        tell: UnboundedSender<Event>,
    ) {
        let mut waiting = VecDeque::new();
        let mut calls = FuturesUnordered::new();
        let mut in_flight = ConcurrencyProbe::default();
        loop {
            while let Some(next) = waiting.pop_front_if(|next: &mut Dispatched| {
                next.dispatch.bypass_queue
                    || self.is_expired(next)
                    || in_flight.can_dispatch(calls.len())
            }) {
                calls.push(self.call(next));
            }
            tokio::select! {
                biased;
                Some(given) = given.recv() => waiting.extend(given),
                Some(ended) = calls.next() => {
                    if let Event::Ended { times, .. } = &ended {
                        in_flight.on_ended(times.ended);
                    }
                    // Whoever does not listen any more has failed, and no call may be cut off for that.
                    let _ = tell.send(ended);
                }
                else => break,
            }
        }
    }

    async fn call(&self, given: Dispatched) -> Event {
        let asked = (self.clock.elapsed(), Timestamp::now());
        let started = Cell::new(None);
        // Asked again when it has a connection, which may have taken long.
        let may_start = || {
            let may_start = !self.is_expired(&given);
            if may_start {
                started.set(Some((self.clock.elapsed(), Timestamp::now())));
            }
            may_start
        };
        let called = match self.is_expired(&given) {
            true => None,
            false => self.caller.call(&given.dispatch.claimed, &may_start).await,
        };
        let Dispatched { dispatch: Dispatch { claimed, .. }, dispatched_at, .. } = given;
        let Some(outcome) = called else { return Event::Expired { claimed, dispatched_at } };
        let (started, sent_at) = started.get().unwrap_or(asked);
        let ending = AttemptEnd { sent_at, ended_at: Timestamp::now(), outcome };
        let times = CallTimings { dispatched_at, started, ended: self.clock.elapsed() };
        Event::Ended { claimed, ending, times }
    }

    /// Whether it may not start any more. Others may have come first: a call that would
    /// start too late is not started, or it would crowd the calls after it.
    fn is_expired(&self, given: &Dispatched) -> bool {
        let is_late = given.dispatch.expires_at.is_some_and(|before| self.clock.elapsed() > before);
        let is_cancelled = given.number <= self.cancelled.load(Ordering::Relaxed);
        is_late || is_cancelled || given.pauses != self.clock.pauses()
    }
}
