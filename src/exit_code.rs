//! The program's exit codes, for cron, systemd and scripts.

use crate::model::{Counts, Status};

/// The program's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum ExitCode {
    /// Every row is cancelled, or was already; duplicates follow their first row.
    Done = 0,
    /// Ended; some rows were rejected, failed or are invalid.
    Failures = 1,
    /// Nothing was sent: usage, configuration or the file as a whole was refused.
    Refused = 2,
    /// Ended; some rows are in doubt: `in_doubt`, or rejected with doubt.
    InDoubt = 3,
    /// Stopped early; some rows were not sent.
    Stopped = 4,
    /// The ledger or the disk failed.
    LedgerFailed = 5,
}

impl ExitCode {
    /// Every exit code with its meaning, as in the manual and in docs/results.md.
    pub const LIST: [(ExitCode, &'static str); 6] = [
        (
            ExitCode::Done,
            "every row is cancelled, or was already; duplicates follow their first row",
        ),
        (ExitCode::Failures, "ended; some rows were rejected, failed or are invalid"),
        (
            ExitCode::Refused,
            "nothing was sent: the command line, the configuration or the file as a whole was refused",
        ),
        (ExitCode::InDoubt, "ended; some rows are in doubt: in_doubt, or rejected with doubt"),
        (
            ExitCode::Stopped,
            "some rows were not sent: the run stopped early, or the input changed while it went on",
        ),
        (ExitCode::LedgerFailed, "the ledger or the disk failed"),
    ];

    /// The exit code of a run with these counts in its results. `have_ended` is whether all of
    /// its rows have ended. If several codes apply, the most urgent wins: 4, 3, 1.
    pub fn for_run(counts: &Counts, have_ended: bool) -> ExitCode {
        let any = |status| counts.get(status) > 0;
        if !have_ended || any(Status::NotSent) {
            ExitCode::Stopped
        } else if counts.in_doubt() > 0 {
            ExitCode::InDoubt
        } else if [Status::Rejected, Status::Failed, Status::Invalid].into_iter().any(any) {
            ExitCode::Failures
        } else {
            ExitCode::Done
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(exit: ExitCode) -> std::process::ExitCode {
        std::process::ExitCode::from(exit as u8)
    }
}
