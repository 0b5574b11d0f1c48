//! Worker threads that perform HTTP calls off the driver's thread, so that no decision waits for
//! a call. On each thread, the calls in flight are futures of one task.

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

/// More threads than this are not faster, because one thread records what they call.
const MOST_THREADS: usize = 4;
/// How long a thread may take to open connections before its first call. Connections that are not
/// open by then are opened by the calls.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);
/// The most events received from a thread at once, and the shortest time between two receptions:
/// each reception costs a wake-up of the driver.
const MOST_EVENTS: usize = 1024;
const RECEIVED_EVERY: Duration = Duration::from_millis(1);

/// A dispatched call.
struct Dispatched {
    dispatch: Dispatch,
    /// When it was dispatched, since the start of the run.
    dispatched_at: Duration,
    /// Its number among all dispatched calls, from 1.
    number: u64,
    /// How many pauses of the machine had been detected by then.
    pauses: u32,
}

const DIED: &str = "a thread that makes calls died: start the same command again; its calls in flight are in doubt";

/// The pool of worker threads.
pub(super) struct Executor {
    callers: Vec<WorkerThread>,
    received_at: Instant,
    /// The number of dispatched calls.
    dispatched: u64,
    /// The number of the last call that is cancelled: it and all earlier ones must not start.
    cancelled: Arc<AtomicU64>,
}

/// The driver's side of a worker thread.
struct WorkerThread {
    calls: UnboundedSender<Vec<Dispatched>>,
    events: UnboundedReceiver<Event>,
    /// Calls dispatched to it that have not ended or expired.
    outstanding: usize,
}

impl Executor {
    /// Starts the threads, each with a clone of `caller`, and waits until they have opened
    /// `connections` connections in all, or for at most 1 s.
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
            start(CallWorker { caller, clock, cancelled }, share, connecting.clone())
        };
        let callers = (0..threads).map(spawn).collect::<Result<_, _>>()?;
        drop(connecting);
        let _all_dropped = connected.recv().await;
        Ok(Executor { callers, received_at: Instant::now(), dispatched: 0, cancelled })
    }

    /// Assigns each call to the thread with the fewest outstanding calls, and among equals to the
    /// first: few calls then use few connections, which stay open.
    pub fn dispatch(&mut self, dispatches: Vec<Dispatch>, dispatched_at: Duration, pauses: u32) {
        let mut shares = [const { Vec::new() }; MOST_THREADS];
        for dispatch in dispatches {
            let callers = self.callers.iter_mut().zip(&mut shares);
            if let Some((caller, share)) = callers.min_by_key(|(caller, _)| caller.outstanding) {
                caller.outstanding += 1;
                self.dispatched += 1;
                let number = self.dispatched;
                share.push(Dispatched { dispatch, dispatched_at, number, pauses });
            }
        }
        for (caller, share) in self.callers.iter().zip(shares) {
            if !share.is_empty() {
                // A thread that died is noticed in `next_events`.
                let _ = caller.calls.send(share);
            }
        }
    }

    /// Cancels dispatched calls that have not started. They are reported as expired.
    pub fn cancel_unstarted(&self) {
        self.cancelled.store(self.dispatched, Ordering::Relaxed);
    }

    /// Waits until calls have ended or expired, and returns these events. Fails if a thread died.
    pub async fn next_events(&mut self) -> anyhow::Result<Vec<Event>> {
        let receive_at = self.received_at.checked_add(RECEIVED_EVERY).unwrap_or(self.received_at);
        sleep_until(receive_at.into()).await;
        let mut events = Vec::new();
        let received = poll_fn(|context| {
            for caller in &mut self.callers {
                match caller.events.poll_recv_many(context, &mut events, MOST_EVENTS) {
                    Poll::Ready(0) => {
                        return Poll::Ready(Err(anyhow!(DIED)));
                    }
                    Poll::Ready(ended) => caller.outstanding -= ended,
                    Poll::Pending => {}
                }
            }
            if events.is_empty() { Poll::Pending } else { Poll::Ready(Ok(())) }
        });
        unconstrained(received).await?;
        self.received_at = Instant::now();
        Ok(events)
    }

    /// Cancels calls that have not started, and waits until every other one has ended.
    pub async fn shutdown(self) {
        self.cancel_unstarted();
        for WorkerThread { calls, mut events, .. } in self.callers {
            drop(calls);
            while events.recv().await.is_some() {}
        }
    }
}

/// Starts a worker thread, which drops `connecting` when its connections are open.
fn start<C: Caller>(
    worker: CallWorker<C>,
    connections: usize,
    connecting: Sender<Infallible>,
) -> anyhow::Result<WorkerThread> {
    let cannot = "cannot start a thread for the calls";
    let runtime = runtime::Builder::new_current_thread().enable_all().build().context(cannot)?;
    let (calls, received) = unbounded_channel();
    let (report, events) = unbounded_channel();
    let span = Span::current();
    // Tokio's cooperative budget makes a task yield after some reads. All calls are one task
    // here, so each of them would be polled in vain until the task has yielded.
    let work = move || {
        span.in_scope(|| {
            let connect = worker.caller.connect(connections);
            // A connection that fails is reported by the call that needs it.
            let _ = runtime.block_on(async { timeout(CONNECT_WITHIN, connect).await });
            drop(connecting);
            runtime.block_on(unconstrained(worker.run(received, report)));
        });
    };
    std::thread::Builder::new().name("calls".to_owned()).spawn(work).context(cannot)?;
    Ok(WorkerThread { calls, events, outstanding: 0 })
}

/// The worker thread's side.
struct CallWorker<C> {
    caller: C,
    clock: RunClock,
    cancelled: Arc<AtomicU64>,
}

impl<C: Caller> CallWorker<C> {
    /// Makes calls until the channel is closed and all of them have ended.
    async fn run(
        self,
        mut received: UnboundedReceiver<Vec<Dispatched>>,
        report: UnboundedSender<Event>,
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
                Some(dispatched) = received.recv() => waiting.extend(dispatched),
                Some(ended) = calls.next() => {
                    if let Event::Ended { times, .. } = &ended {
                        in_flight.on_ended(times.ended);
                    }
                    // If the receiver is gone, the driver has failed; calls go on nevertheless.
                    let _ = report.send(ended);
                }
                else => break,
            }
        }
    }

    async fn call(&self, dispatched: Dispatched) -> Event {
        let called_at = (self.clock.elapsed(), Timestamp::now());
        let started = Cell::new(None);
        // Checked again once there is a connection, which may have taken long.
        let may_start = || {
            let may_start = !self.is_expired(&dispatched);
            if may_start {
                started.set(Some((self.clock.elapsed(), Timestamp::now())));
            }
            may_start
        };
        let called = if self.is_expired(&dispatched) {
            None
        } else {
            self.caller.call(&dispatched.dispatch.claimed, &may_start).await
        };
        let Dispatched { dispatch: Dispatch { claimed, .. }, dispatched_at, .. } = dispatched;
        let Some(outcome) = called else { return Event::Expired { claimed, dispatched_at } };
        let (started, sent_at) = started.get().unwrap_or(called_at);
        let ending = AttemptEnd { sent_at, ended_at: Timestamp::now(), outcome };
        let times = CallTimings { dispatched_at, started, ended: self.clock.elapsed() };
        Event::Ended { claimed, ending, times }
    }

    /// Whether a call must not start: it is too late, which would crowd the calls after it in
    /// the rate's window, or it was cancelled, or the machine was suspended since.
    fn is_expired(&self, call: &Dispatched) -> bool {
        let is_late = call.dispatch.expires_at.is_some_and(|before| self.clock.elapsed() > before);
        let is_cancelled = call.number <= self.cancelled.load(Ordering::Relaxed);
        is_late || is_cancelled || call.pauses != self.clock.pauses()
    }
}
