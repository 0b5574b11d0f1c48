//! The ledger's thread: takes one turn after another.

use std::thread::JoinHandle;

use anyhow::{Context, anyhow};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;

use crate::gate::pace::Pace;
use crate::ledger::{Ledger, LedgerError, Turn, Turned, Uptime};

/// Takes turns of the ledger for the shell.
pub(super) struct Clerk {
    turns: std::sync::mpsc::Sender<Turn>,
    turned: mpsc::UnboundedReceiver<Result<Turned, LedgerError>>,
    thread: JoinHandle<Box<dyn Ledger>>,
}

impl Clerk {
    pub fn hire(mut ledger: Box<dyn Ledger>, mut pace: Pace) -> anyhow::Result<Clerk> {
        let (turns, asked) = std::sync::mpsc::channel::<Turn>();
        let (tell, turned) = mpsc::unbounded_channel();
        let work = move || {
            for turn in asked {
                // Read as late as the wall clock is: the two must tell of one moment.
                let turn = Turn { uptime: Uptime::now(), at: Timestamp::now(), ..turn };
                let done = ledger.turn(turn, &mut |budget, wish| {
                    let allotment = pace.allot(budget, wish);
                    tell_of_a_set_clock(allotment.clock_set);
                    allotment
                });
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

    pub fn turn(&self, turn: Turn) {
        // A thread that is gone is noticed where its answer is awaited.
        let _ = self.turns.send(turn);
    }

    pub async fn turned(&mut self) -> anyhow::Result<Turned> {
        Ok(self.turned.recv().await.context("the ledger's thread died")??)
    }

    /// Gives the ledger back.
    pub fn dismiss(self) -> anyhow::Result<Box<dyn Ledger>> {
        drop(self.turns);
        self.thread.join().map_err(|_| anyhow!("the ledger's thread died"))
    }
}

fn tell_of_a_set_clock(set: SignedDuration) {
    if set.is_zero() {
        return;
    }
    let way = if set.is_negative() { "back" } else { "forward" };
    let by = SignedDuration::from_secs(set.abs().as_secs());
    tracing::warn!(
        "the clock was set {way} by {by:#}: the rate is kept as if it had not been, and calls may \
         wait for up to the length of its longest window"
    );
}
