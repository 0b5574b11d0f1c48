//! Holds a call back that would make a second exceed the contract, or the pace of the run.

use std::time::Duration;

use crate::policy::rate::{Period, Rate};
use crate::policy::sliding_second::SlidingSecond;

/// The calls of the last second, held against the contract and against the pace. Times are since
/// the start of the run.
#[derive(Debug)]
pub struct RateGuard {
    contract: SlidingSecond,
    /// The calls since the pace was last changed.
    pace: SlidingSecond,
}

impl RateGuard {
    /// A guard that allows this many calls in any closed second; `None` allows any number.
    pub fn new(max_per_second: Option<u32>) -> RateGuard {
        RateGuard { contract: SlidingSecond::new(max_per_second), pace: SlidingSecond::new(None) }
    }

    /// Holds the calls from now on to this pace too; `None` leaves the contract.
    pub fn hold_to(&mut self, pace: Option<Rate>) {
        let a_second = pace.filter(|pace| pace.period == Period::Second);
        self.pace = SlidingSecond::new(a_second.map(|pace| pace.calls));
    }

    /// When the next call may start; `None` if it may start now.
    pub fn blocked_until(&mut self, now: Duration) -> Option<Duration> {
        self.contract.blocked_until(now).max(self.pace.blocked_until(now))
    }

    /// Corrects the time of a call; see [`SlidingSecond::on_answered`].
    pub fn on_answered(&mut self, dispatched_at: Duration, started: Duration, answered: Duration) {
        self.contract.on_answered(dispatched_at, started, answered);
        self.pace.on_answered(dispatched_at, started, answered);
    }

    /// Removes a call that was dispatched at this time and did not start.
    pub fn on_expired(&mut self, dispatched_at: Duration) {
        self.contract.on_expired(dispatched_at);
        self.pace.on_expired(dispatched_at);
    }

    /// Records a call that starts now.
    pub fn on_started(&mut self, now: Duration) {
        self.contract.on_started(now);
        self.pace.on_started(now);
    }
}
