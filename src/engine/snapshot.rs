//! A snapshot of a run's progress, for the display and the metrics.

use std::time::Duration;

use super::elsewhere::RowsElsewhere;
use crate::model::{Counts, ReasonCode};
use crate::policy::rate::Rate;
use crate::policy::retry_after::WaitRequest;

/// A snapshot of a run's progress.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The number of rows in each status.
    pub counts: Counts,
    /// The number of calls in flight.
    pub in_flight: u32,
    /// The number of rows that wait for another attempt.
    pub waiting: usize,
    /// Those of them that wait for calls of other runs.
    pub elsewhere: Option<RowsElsewhere>,
    /// How much longer nothing is sent because of `Retry-After`.
    pub retry_after: Duration,
    /// How long the server has been away; `None` if it is not.
    pub outage: Option<Duration>,
    /// The outcome of the last call that failed in the outage.
    pub outage_cause: Option<String>,
    /// The pause that the server requested, unless it has worked since.
    pub wait_request: Option<WaitRequest>,
    /// Why the run is stopping; `None` if it is not.
    pub stop: Option<ReasonCode>,
    /// The rate to which the run is held by request; `None` if it has its own.
    pub pace: Option<Rate>,
    /// The number of calls that ended since the start.
    pub calls: u64,
}
