//! What the scheduler is told, and what it says to do.

use std::time::Duration;

use jiff::Timestamp;

use crate::ledger::{AttemptEnd, ClaimedRow, CommitOutcome, CommitRequest};
use crate::model::ReasonCode;
use crate::policy::credential_refresh::RefreshOutcome;

/// One moment, on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Since the run was started; never goes back.
    pub since_start: Duration,
    /// On the wall; may be set.
    pub wall: Timestamp,
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// The ledger has outcome.
    Committed(CommitOutcome),
    /// A call ended.
    Ended {
        /// What was sent.
        claimed: ClaimedRow,
        /// How it ended.
        ending: AttemptEnd,
        /// When that was.
        times: CallTimings,
    },
    /// A call did not start in time, and so did not start at all.
    Expired {
        /// What was to be sent.
        claimed: ClaimedRow,
        /// When the core gave it out.
        dispatched_at: Duration,
    },
    /// The machine stood still: others may have taken up what this process had claimed.
    Paused,
    /// The run is to stop for this reason.
    Stop(ReasonCode),
    /// New credentials were asked for: what became of that.
    CredentialsRefreshed(RefreshOutcome),
}

/// The moments of a call, after the start of the run.
#[derive(Debug, Clone, Copy)]
pub struct CallTimings {
    /// When the core gave it out to be sent.
    pub dispatched_at: Duration,
    /// When it really started.
    pub started: Duration,
    /// When its answer, or the lack of one, was known.
    pub ended: Duration,
}

/// What to do now.
#[derive(Debug, Default)]
pub struct Actions {
    /// Make these calls.
    pub dispatch: Vec<Dispatch>,
    /// What was to be sent before and has not started is not to be sent.
    pub cancel_unstarted: bool,
    /// Commit to the ledger. Never while a commit is under way.
    pub commit: Option<CommitRequest>,
    /// Fetch new credentials. Never while a fetch is under way.
    pub refresh_credentials: bool,
    /// Come back at this time after the start, whatever else happens.
    pub wake_at: Option<Duration>,
    /// There is nothing left to do, ever.
    pub finished: bool,
}

/// A call to be made.
#[derive(Debug)]
pub struct Dispatch {
    /// What is sent.
    pub claimed: ClaimedRow,
    /// It starts before this time after the start has come, or not at all.
    pub expires_at: Option<Duration>,
    /// Whether it starts at once, or may wait while more calls would only wait at the
    /// server's door.
    pub bypass_queue: bool,
}
