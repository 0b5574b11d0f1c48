//! How far a run is, as the driver shows it to those who watch.

use std::time::Duration;

use super::elsewhere::RowsElsewhere;
use crate::model::{Counts, ReasonCode};
use crate::policy::retry_after::WaitRequest;

/// How far a run is, for those who watch.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// How the rows stand.
    pub counts: Counts,
    /// Calls in flight.
    pub in_flight: u32,
    /// Rows that wait for another attempt.
    pub waiting: usize,
    /// What of them waits for calls that other runs have in flight.
    pub elsewhere: Option<RowsElsewhere>,
    /// How long nobody may send, because the server said so.
    pub retry_after: Duration,
    /// For how long the server has been away, if it is.
    pub outage: Option<Duration>,
    /// What the last call into the outage came to.
    pub outage_cause: Option<String>,
    /// What the server asked everyone to wait for, unless it has worked since.
    pub wait_request: Option<WaitRequest>,
    /// Why the run is stopping, if it is.
    pub stop: Option<ReasonCode>,
    /// Calls that ended since the start.
    pub calls: u64,
}
