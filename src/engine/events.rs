//! The scheduler's input, [`Event`], and its output, [`Actions`].

use std::time::Duration;

use jiff::Timestamp;

use crate::ledger::{AttemptEnd, ClaimedRow, CommitOutcome, CommitRequest};
use crate::model::ReasonCode;
use crate::policy::credential_refresh::RefreshOutcome;
use crate::policy::rate::Rate;

/// The current time on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The time since the start of the run. It never goes back.
    pub since_start: Duration,
    /// The wall clock. It may be set.
    pub wall: Timestamp,
}

/// Something that happened since the last call of [`Scheduler::handle`](super::Scheduler::handle).
#[derive(Debug)]
pub enum Event {
    /// The commit in progress ended.
    Committed(CommitOutcome),
    /// A call ended.
    Ended {
        /// The row that was sent.
        claimed: ClaimedRow,
        /// How its attempt ended.
        ending: AttemptEnd,
        /// When it was dispatched, started and ended.
        times: CallTimings,
    },
    /// A call did not start in time and will not start.
    Expired {
        /// The row that was not sent.
        claimed: ClaimedRow,
        /// When it was dispatched, since the start of the run.
        dispatched_at: Duration,
    },
    /// The machine was suspended: another process may have taken over the claimed rows.
    Paused,
    /// The run must stop for this reason.
    Stop(ReasonCode),
    /// Somebody asked for the run to stop.
    StopRequested {
        /// Who and why, for the record.
        detail: String,
    },
    /// Somebody lowered the run's rate, or restored it.
    Paced {
        /// The pace; `None` is the run's own rate.
        pace: Option<Rate>,
        /// The old and the new rate, who and why, for the record.
        detail: String,
    },
    /// A refresh of the credentials ended.
    CredentialsRefreshed(RefreshOutcome),
}

/// The times of a call, since the start of the run.
#[derive(Debug, Clone, Copy)]
pub struct CallTimings {
    /// When the scheduler dispatched it.
    pub dispatched_at: Duration,
    /// When its request was started.
    pub started: Duration,
    /// When its answer arrived or was given up.
    pub ended: Duration,
}

/// The actions that the driver must perform.
#[derive(Debug, Default)]
pub struct Actions {
    /// Make these calls.
    pub dispatch: Vec<Dispatch>,
    /// Do not start calls that were dispatched earlier and have not started; report them as
    /// [`Event::Expired`].
    pub cancel_unstarted: bool,
    /// Make this commit. Always `None` while a commit is in progress.
    pub commit: Option<CommitRequest>,
    /// Refresh the credentials. Always false while a refresh is in progress.
    pub refresh_credentials: bool,
    /// Call the scheduler again at this time since the start, even if nothing happens; `None` if
    /// only an event can change anything.
    pub wake_at: Option<Duration>,
    /// The run is finished.
    pub finished: bool,
}

/// A call to be made.
#[derive(Debug)]
pub struct Dispatch {
    /// The row to send.
    pub claimed: ClaimedRow,
    /// The call must start before this time since the start of the run, or not at all.
    pub expires_at: Option<Duration>,
    /// Whether the call starts even if the executor holds others back because more calls in
    /// flight would only queue at the server.
    pub bypass_queue: bool,
}
