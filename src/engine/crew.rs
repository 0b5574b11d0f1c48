//! The threads that make the calls, so that whoever decides when a call starts waits for
//! none of them. On each, the calls in flight are futures of one task.

use std::future::poll_fn;
use std::num::NonZero;
use std::task::Poll;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::runtime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::unconstrained;
use tokio::time::sleep_until;
use tracing::Span;

use super::shell::Caller;
use super::{Event, Times};
use crate::ledger::{Ending, Staked};

/// More threads than this are no faster: what they call is recorded by one.
const MOST_THREADS: usize = 4;
/// How many ended calls of a thread are heard of at once, and how often at most: to
/// hear of each by itself would cost a wake for each.
const HEARD_AT_ONCE: usize = 1024;
const HEARD_EVERY: Duration = Duration::from_millis(1);

/// A call to be made.
struct Given {
    staked: Staked,
    /// When the core gave it out, after the start of the run.
    noted: Duration,
    /// It starts before this, or not at all.
    before: Option<Instant>,
}

const DIED: &str =
    "a thread that makes calls died: start the same command again; what it was calling is in doubt";

/// All that make calls.
pub(super) struct Crew {
    clock: Instant,
    callers: Vec<Thread>,
    heard_at: Instant,
}

/// One of them.
struct Thread {
    given: UnboundedSender<Given>,
    ended: UnboundedReceiver<Event>,
    in_flight: usize,
}

impl Crew {
    /// Starts threads that make calls the way this one would.
    pub fn hire<C: Caller>(caller: &C, clock: Instant) -> anyhow::Result<Crew> {
        let cores = available_parallelism().map_or(1, NonZero::get);
        let callers = (0..cores.min(MOST_THREADS)).map(|_| start(caller.another(), clock));
        Ok(Crew { clock, heard_at: clock, callers: callers.collect::<Result<_, _>>()? })
    }

    /// Has the call made by whoever has the fewest in flight; the first of them, so that
    /// few calls find few connections, and those open.
    pub fn call(&mut self, staked: Staked, noted: Duration, before: Option<Duration>) {
        let least = self.callers.iter_mut().min_by_key(|caller| caller.in_flight);
        if let Some(caller) = least {
            caller.in_flight += 1;
            let before = before.map(|before| self.clock + before);
            // A thread that is gone is noticed where its answer is awaited.
            let _ = caller.given.send(Given { staked, noted, before });
        }
    }

    /// Waits until calls have ended, and tells what became of them.
    pub async fn ended(&mut self) -> anyhow::Result<Vec<Event>> {
        sleep_until((self.heard_at + HEARD_EVERY).into()).await;
        let mut events = Vec::new();
        let heard = poll_fn(|context| {
            for caller in &mut self.callers {
                match caller.ended.poll_recv_many(context, &mut events, HEARD_AT_ONCE) {
                    Poll::Ready(0) => {
                        return Poll::Ready(Err(anyhow!(DIED)));
                    }
                    Poll::Ready(ended) => caller.in_flight -= ended,
                    Poll::Pending => {}
                }
            }
            if events.is_empty() { Poll::Pending } else { Poll::Ready(Ok(())) }
        });
        unconstrained(heard).await?;
        self.heard_at = Instant::now();
        Ok(events)
    }

    /// Waits until every call has ended.
    pub async fn dismiss(self) {
        for Thread { given, mut ended, .. } in self.callers {
            drop(given);
            while ended.recv().await.is_some() {}
        }
    }
}

fn start<C: Caller>(caller: C, clock: Instant) -> anyhow::Result<Thread> {
    let cannot = "cannot start a thread for the calls";
    let runtime = runtime::Builder::new_current_thread().enable_all().build().context(cannot)?;
    let (give, given) = unbounded_channel();
    let (tell, ended) = unbounded_channel();
    let span = Span::current();
    // Tokio has a task rest after some reads; here all calls are one task's, and each
    // would be asked in vain until it has rested.
    let work = move || {
        span.in_scope(|| runtime.block_on(unconstrained(work(caller, clock, given, tell))));
    };
    std::thread::Builder::new().name("calls".to_owned()).spawn(work).context(cannot)?;
    Ok(Thread { given: give, ended, in_flight: 0 })
}

/// Makes calls until no more are given and all have ended.
async fn work<C: Caller>(
    caller: C,
    clock: Instant,
    mut given: UnboundedReceiver<Given>,
    tell: UnboundedSender<Event>,
) {
    let mut calls = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            Some(given) = given.recv() => calls.push(call(&caller, clock, given)),
            // Whoever does not listen any more has failed, and no call may be cut off for that.
            Some(ended) = calls.next() => { let _ = tell.send(ended); }
            else => break,
        }
    }
}

/// Others may have come first: a call that would start too late is not started, or
/// it would crowd the calls after it.
async fn call<C: Caller>(caller: &C, clock: Instant, given: Given) -> Event {
    let Given { staked, noted, before } = given;
    if before.is_some_and(|before| Instant::now() > before) {
        return Event::Missed(staked);
    }
    let (started, sent_at) = (clock.elapsed(), Timestamp::now());
    let outcome = caller.call(&staked).await;
    let ending = Ending { sent_at, ended_at: Timestamp::now(), outcome };
    let times = Times { noted, started, ended: clock.elapsed() };
    Event::Ended { staked, ending, times }
}
