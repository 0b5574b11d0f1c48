//! Whether a run is worked on, or how it ended.

use super::target::is_rehearsal;
use crate::ledger::{Ledger, Run};

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunProgress {
    /// Every row has ended.
    Ended,
    /// A process is working on it.
    Running,
    /// It stopped before its last row, and recorded why.
    Stopped,
    /// Its process died.
    Died,
}

impl RunProgress {
    /// How it is now.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub fn of(run: &Run, ledger: &mut dyn Ledger) -> anyhow::Result<RunProgress> {
        Ok(match run {
            _ if run.has_ended() => RunProgress::Ended,
            _ if ledger.is_locked(&run.opened.key)? => RunProgress::Running,
            _ if run.finished_at.is_some() => RunProgress::Stopped,
            _ => RunProgress::Died,
        })
    }

    /// What to do about the run, as a sentence; empty if there is nothing.
    pub fn next_step(self, run: &Run) -> &'static str {
        match self {
            RunProgress::Died | RunProgress::Stopped if is_rehearsal(run) => {
                "A rehearsal is not resumed: the same command starts a new one"
            }
            RunProgress::Died | RunProgress::Stopped => "Start the same command again to resume",
            RunProgress::Ended | RunProgress::Running => "",
        }
    }

    /// One word for it.
    pub fn word(self) -> &'static str {
        match self {
            RunProgress::Ended => "ended",
            RunProgress::Running => "running",
            RunProgress::Stopped => "stopped",
            RunProgress::Died => "died",
        }
    }
}
