//! The thread that commits to the ledger, one commit at a time: a commit blocks on the disk or
//! the database.

use std::thread::JoinHandle;

use anyhow::{Context, anyhow};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;
use tracing::Span;

use crate::ledger::{CommitOutcome, CommitRequest, Ledger, LedgerError};
use crate::model::Uptime;
use crate::policy::pacer::Pacer;
use crate::policy::rate::Rate;

/// The driver's side of the ledger thread.
pub(super) struct LedgerThread {
    commits: std::sync::mpsc::Sender<(CommitRequest, Option<Rate>)>,
    outcomes: mpsc::UnboundedReceiver<Result<CommitOutcome, LedgerError>>,
    thread: JoinHandle<Box<dyn Ledger>>,
}

impl LedgerThread {
    /// Starts the thread, which owns the ledger until [`LedgerThread::join`].
    pub fn spawn(mut ledger: Box<dyn Ledger>, mut pacer: Pacer) -> anyhow::Result<LedgerThread> {
        let (commits, requests) = std::sync::mpsc::channel::<(CommitRequest, Option<Rate>)>();
        let (report, outcomes) = mpsc::unbounded_channel();
        let work = move || {
            for (commit, pace) in requests {
                pacer.set_pace(pace);
                // Both clocks are read here, as late as possible and together.
                let commit =
                    CommitRequest { uptime: Uptime::now(), at: Timestamp::now(), ..commit };
                let outcome = ledger.commit(commit, &mut |budget, request| {
                    let grant = pacer.allocate(budget, request);
                    warn_if_clock_was_set(grant.clock_set);
                    grant
                });
                if report.send(outcome).is_err() {
                    break;
                }
            }
            ledger
        };
        let span = Span::current();
        let thread = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || span.in_scope(work))
            .context("cannot start the ledger's thread")?;
        Ok(LedgerThread { commits, outcomes, thread })
    }

    /// Submits a commit whose slots are granted at this pace.
    pub fn submit(&self, commit: CommitRequest, pace: Option<Rate>) {
        // A thread that died is noticed in `committed`.
        let _ = self.commits.send((commit, pace));
    }

    /// Waits for the outcome of the next commit.
    pub async fn committed(&mut self) -> anyhow::Result<CommitOutcome> {
        Ok(self.outcomes.recv().await.context("the ledger's thread died")??)
    }

    /// Waits for the thread to end and returns the ledger.
    pub fn join(self) -> anyhow::Result<Box<dyn Ledger>> {
        drop(self.commits);
        self.thread.join().map_err(|_| anyhow!("the ledger's thread died"))
    }
}

fn warn_if_clock_was_set(set: SignedDuration) {
    if set.is_zero() {
        return;
    }
    let way = if set.is_negative() { "back" } else { "forward" };
    let by = SignedDuration::from_secs(set.abs().as_secs());
    tracing::warn!(
        "the clock was set {way} by {by:#}: the rate is kept all the same, and calls can wait for up to its longest window"
    );
}
