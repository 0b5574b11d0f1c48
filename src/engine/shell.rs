//! The wheel's shell: does what the core says and reports what happened. The
//! ledger has a thread of its own; calls in flight are futures of the shell's own
//! task that only return what they saw: none waits for another task to be run.

use std::future::Future;
use std::pin::pin;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::task::unconstrained;

use super::{Commands, Event, Now, Story, Wheel};
use crate::gate::brake::Tripped;
use crate::gate::pace::Pace;
use crate::gate::renewal::Fetched;
use crate::ledger::{Counts, Ending, Ledger, LedgerError, Run, Staked, Turn, Turned};
use crate::order::OwnCode;
use crate::outcome::Outcome;

/// How often watchers are told how far the run is.
const SHOWN_EVERY: Duration = Duration::from_millis(50);

/// One call for one staked row; it comes back with what it came to, always.
pub trait Caller {
    /// Sends the row and waits for its outcome.
    fn call(&self, staked: &Staked) -> impl Future<Output = Outcome>;

    /// Fetches new credentials, which every call made from then on carries.
    fn renew(&self) -> impl Future<Output = Fetched> {
        std::future::ready(Fetched::Failed)
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
    /// How long nobody may send, because the server said so.
    pub quiet_for: Duration,
    /// For how long the server has been away, if it is.
    pub outage: Option<Duration>,
    /// Why the run is stopping, if it is.
    pub stop: Option<OwnCode>,
    /// Calls that ended since the start.
    pub calls: u64,
}

/// A run that has come to rest.
pub struct Finished {
    /// The ledger, handed back.
    pub ledger: Box<dyn Ledger>,
    /// The run as it now stands.
    pub run: Run,
    /// What set the brake off, if that stopped it.
    pub tripped: Option<Tripped>,
    /// What happened on the way.
    pub story: Story,
    /// Calls that this process made for it.
    pub calls: u64,
    /// Why this process stopped, if it did.
    pub stop: Option<OwnCode>,
}

/// Drives the wheel until it finishes. Every reason that comes through `stops`
/// makes it start nothing more.
///
/// # Errors
/// When the ledger fails. Nothing more is sent then, calls in flight are waited
/// for, and what could not be settled is in doubt at the next start.
pub async fn drive<C: Caller>(
    mut wheel: Wheel,
    ledger: Box<dyn Ledger>,
    pace: Pace,
    caller: C,
    mut stops: mpsc::UnboundedReceiver<OwnCode>,
    shown: watch::Sender<Snapshot>,
) -> anyhow::Result<Finished> {
    let mut clerk = Clerk::hire(ledger, pace)?;
    let clock = Instant::now();
    let mut calls = FuturesUnordered::new();
    let mut renewals = FuturesUnordered::new();
    let mut alarm = pin!(tokio::time::sleep_until(clock.into()));
    let mut event = Event::Time;
    let mut shown_at = Duration::ZERO;
    loop {
        let now = Now { since_start: clock.elapsed(), wall: Timestamp::now() };
        let Commands { send, turn, renew, wake_at, finished } = wheel.on(event, now);
        for (before, staked) in send {
            let before = before.map(|before| clock + before);
            calls.push(call(&caller, clock, now.since_start, before, staked));
        }
        if let Some(turn) = turn {
            clerk.turn(turn);
        }
        if renew {
            renewals.push(caller.renew());
        }
        if finished || now.since_start >= shown_at {
            shown.send_replace(snapshot(&wheel, now));
            shown_at = now.since_start + SHOWN_EVERY;
        }
        if finished {
            break;
        }
        if let Some(wake_at) = wake_at.map(|wake_at| (clock + wake_at).into())
            && alarm.deadline() != wake_at
        {
            alarm.as_mut().reset(wake_at);
        }
        event = tokio::select! {
            biased;
            () = alarm.as_mut(), if wake_at.is_some() => Event::Time,
            turned = clerk.turned() => match turned {
                Ok(turned) => Event::Turned(turned),
                Err(failed) => {
                    // A call that is cut off may have been carried out: each is heard to its end.
                    while calls.next().await.is_some() {}
                    return Err(failed);
                }
            },
            // Tokio has a task rest after some reads; here all calls are one task's, and each
            // would be asked in vain until it has rested.
            Some(ended) = unconstrained(calls.next()) => ended,
            Some(fetched) = renewals.next() => Event::Fetched(fetched),
            Some(why) = stops.recv() => Event::Stop(why),
        };
    }
    let mut ledger = clerk.dismiss()?;
    let (tripped, story) = (wheel.tripped().cloned(), wheel.story());
    let (stop, calls) = (wheel.stop(), wheel.calls());
    // A ledger that is away is waited for, and signals must be heard meanwhile.
    let rested = tokio::task::spawn_blocking(move || {
        let run = ledger.rest(Timestamp::now(), stop)?;
        Ok::<_, LedgerError>((ledger, run))
    });
    let (ledger, run) = rested.await.context("the ledger's thread died")??;
    Ok(Finished { ledger, run, tripped, story, calls, stop })
}

/// Others may have come first: a call that would start too late is not started, or
/// it would crowd the calls after it.
async fn call<C: Caller>(
    caller: &C,
    clock: Instant,
    noted: Duration,
    before: Option<Instant>,
    staked: Staked,
) -> Event {
    if before.is_some_and(|before| Instant::now() > before) {
        return Event::Missed(staked);
    }
    let (started, sent_at) = (clock.elapsed(), Timestamp::now());
    let outcome = caller.call(&staked).await;
    let ending = Ending { sent_at, ended_at: Timestamp::now(), outcome };
    Event::Ended { staked, ending, noted, started }
}

fn snapshot(wheel: &Wheel, now: Now) -> Snapshot {
    Snapshot {
        counts: wheel.counts(),
        in_flight: wheel.in_flight(),
        waiting: wheel.waiting(),
        quiet_for: wheel.quiet_until().saturating_sub(now.since_start),
        outage: wheel.outage_since().map(|since| now.since_start.saturating_sub(since)),
        stop: wheel.stop(),
        calls: wheel.calls(),
    }
}

/// The ledger's thread: takes one turn after another.
struct Clerk {
    turns: std::sync::mpsc::Sender<Turn>,
    turned: mpsc::UnboundedReceiver<Result<Turned, LedgerError>>,
    thread: JoinHandle<Box<dyn Ledger>>,
}

impl Clerk {
    fn hire(mut ledger: Box<dyn Ledger>, mut pace: Pace) -> anyhow::Result<Clerk> {
        let (turns, asked) = std::sync::mpsc::channel::<Turn>();
        let (tell, turned) = mpsc::unbounded_channel();
        let work = move || {
            for turn in asked {
                let done = ledger.turn(turn, &mut |budget, wish| pace.allot(budget, wish));
                if tell.send(done).is_err() {
                    break;
                }
            }
            ledger
        };
        let thread = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(work)
            .context("cannot start the ledger's thread")?;
        Ok(Clerk { turns, turned, thread })
    }

    fn turn(&self, turn: Turn) {
        // A thread that is gone is noticed where its answer is awaited.
        let _ = self.turns.send(turn);
    }

    async fn turned(&mut self) -> anyhow::Result<Turned> {
        Ok(self.turned.recv().await.context("the ledger's thread died")??)
    }

    fn dismiss(self) -> anyhow::Result<Box<dyn Ledger>> {
        drop(self.turns);
        self.thread.join().map_err(|_| anyhow::anyhow!("the ledger's thread died"))
    }
}
