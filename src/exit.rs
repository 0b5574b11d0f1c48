//! The exit codes: what cron, systemd and scripts learn from a run.

use std::process::ExitCode;

use crate::ledger::Counts;
use crate::outcome::Status;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
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

impl Exit {
    /// Every exit code and what it means, as the manual and the README have it.
    pub const LIST: [(Exit, &'static str); 6] = [
        (Exit::Done, "every row is cancelled, or was already; duplicates follow their first row"),
        (Exit::Failures, "ended; some rows were rejected, failed or are invalid"),
        (
            Exit::Refused,
            "nothing was sent: the command line, the configuration or the file as a whole was refused",
        ),
        (Exit::InDoubt, "ended; some rows are in doubt: in_doubt, or rejected with doubt"),
        (
            Exit::Stopped,
            "some rows were not sent: the run stopped early, or the input changed while it went on",
        ),
        (Exit::LedgerFailed, "the ledger or the disk failed"),
    ];

    /// How the program ends when the rows stand so in the results, and all of them have
    /// ended or some have not.
    pub fn of(counts: &Counts, have_ended: bool) -> Exit {
        let any = |status| counts.get(status) > 0;
        if !have_ended || any(Status::NotSent) {
            Exit::Stopped
        } else if counts.in_doubt() > 0 {
            Exit::InDoubt
        } else if [Status::Rejected, Status::Failed, Status::Invalid].into_iter().any(any) {
            Exit::Failures
        } else {
            Exit::Done
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}
