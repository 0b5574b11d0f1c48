//! The thread that makes the commits, one after another: a commit blocks on the disk or the
//! database.

use std::thread::JoinHandle;

use anyhow::{Context, anyhow};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;

use crate::ledger::{CommitOutcome, CommitRequest, Ledger, LedgerError};
use crate::model::Uptime;
use crate::policy::pacer::Pacer;

/// Commits to the ledger for the driver.
pub(super) struct LedgerThread {
    commits: std::sync::mpsc::Sender<CommitRequest>,
    outcome: mpsc::UnboundedReceiver<Result<CommitOutcome, LedgerError>>,
    thread: JoinHandle<Box<dyn Ledger>>,
}

impl LedgerThread {
    pub fn spawn(mut ledger: Box<dyn Ledger>, mut pace: Pacer) -> anyhow::Result<LedgerThread> {
        let (commits, asked) = std::sync::mpsc::channel::<CommitRequest>();
        let (tell, outcome) = mpsc::unbounded_channel();
        let work = move || {
            for commit in asked {
                // Read as late as the wall clock is: the two must tell of one moment.
                let commit =
                    CommitRequest { uptime: Uptime::now(), at: Timestamp::now(), ..commit };
                let done = ledger.commit(commit, &mut |budget, wish| {
                    let grant = pace.allocate(budget, wish);
                    tell_of_a_set_clock(grant.clock_set);
                    grant
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
        Ok(LedgerThread { commits, outcome, thread })
    }

    pub fn submit(&self, commit: CommitRequest) {
        // A thread that is gone is noticed where its answer is awaited.
        let _ = self.commits.send(commit);
    }

    pub async fn committed(&mut self) -> anyhow::Result<CommitOutcome> {
        Ok(self.outcome.recv().await.context("the ledger's thread died")??)
    }

    /// Gives the ledger back.
    pub fn join(self) -> anyhow::Result<Box<dyn Ledger>> {
        drop(self.commits);
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
