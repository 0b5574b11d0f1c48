//! The settings by which a scheduler decides.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::OnDoubt;
use crate::policy::stop_rules::StopRuleSettings;

/// How a run is to be driven.
#[derive(Debug, Clone)]
pub struct RunPolicy {
    /// Calls in flight at most, claimed ones included; at least 1.
    pub concurrency: u32,
    /// Attempts a row may use, at least 1.
    pub attempts: u32,
    /// What is done about a lost answer.
    pub on_doubt: OnDoubt,
    /// From this time on no attempt may start.
    pub last_start: Option<Timestamp>,
    /// The rules that stop a run that is going wrong.
    pub stop_rules: StopRuleSettings,
    /// How long an outage of the server is waited for.
    pub max_outage: Duration,
    /// The most calls that may start in any one second, if that is limited.
    pub max_per_second: Option<u32>,
}
