//! The settings of a scheduler.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::OnDoubt;
use crate::policy::stop_rules::StopRuleSettings;

/// The settings of a scheduler.
#[derive(Debug, Clone)]
pub struct RunPolicy {
    /// The most calls in flight, including rows that are claimed; at least 1.
    pub concurrency: u32,
    /// The most attempts per row, at least 1.
    pub attempts: u32,
    /// What to do after an answer was lost.
    pub on_doubt: OnDoubt,
    /// No attempt may start at or after this time.
    pub last_start: Option<Timestamp>,
    /// The stop rules.
    pub stop_rules: StopRuleSettings,
    /// How long an outage of the server may last before the run stops.
    pub max_outage: Duration,
    /// The most calls that may start in any one second; `None` if unlimited.
    pub max_per_second: Option<u32>,
}
