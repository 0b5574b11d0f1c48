//! The server's own limits, found while the run goes on where the contract is only
//! half known. They only ever lower what the contract and `--concurrency` allow, and
//! a server that shows no limit is not held back.

pub mod concurrency;
mod latency;
mod ramp;
mod slow_start;
mod throttle;

use std::time::Duration;

use crate::model::ServerSignal;
use latency::LatencyLimit;
use slow_start::SlowStart;
use throttle::ThrottleLimit;

/// However little the server seems to take, it is sent so many calls a second.
const SLOWEST: f64 = 0.2;

/// What one answer, or the lack of one, shows of the server's limits.
#[derive(Debug, Clone, Copy)]
pub struct Observation {
    /// What it tells of the server.
    pub signal: ServerSignal,
    /// When the call was started, after the start of the run.
    pub started: Duration,
    /// How long it took.
    pub took: Duration,
    /// How long the server asked everyone to wait.
    pub retry_after: Option<Duration>,
    /// Calls in flight until then, this one included.
    pub in_flight: u32,
}

/// The limits of the server as they are known now.
#[derive(Debug)]
pub struct AdaptiveLimits {
    throttle: ThrottleLimit,
    latency: LatencyLimit,
    slow_start: SlowStart,
}

impl AdaptiveLimits {
    /// Nothing is known yet; never more than this many calls in flight, of which so many
    /// start in any one second, if that is limited.
    pub fn new(concurrency: u32, max_per_second: Option<u32>) -> AdaptiveLimits {
        AdaptiveLimits {
            throttle: ThrottleLimit::default(),
            latency: LatencyLimit::default(),
            slow_start: SlowStart::new(concurrency, max_per_second),
        }
    }

    /// Whether one more call may be in flight beside so many.
    pub fn can_dispatch(&self, in_flight: u32) -> bool {
        in_flight < self.slow_start.limit()
    }

    /// How many calls a second may be started, if that is limited.
    pub fn limit(&self) -> Option<f64> {
        let limits = [self.throttle.limit(), self.latency.limit()];
        limits.into_iter().flatten().reduce(f64::min).map(|limit| limit.max(SLOWEST))
    }

    /// How far apart calls must start; nothing if that is not limited.
    pub fn min_spacing(&self) -> Duration {
        self.limit().map_or(Duration::ZERO, |limit| Duration::from_secs_f64(1.0 / limit))
    }

    /// Learns from a call that ended now.
    pub fn observe(&mut self, shown: Observation, now: Duration) {
        let Observation { signal, started, took, retry_after, in_flight } = shown;
        match signal {
            ServerSignal::Works => {
                self.throttle.on_accepted(started);
                if self.latency.is_baseline(took) {
                    self.slow_start.on_answered(in_flight);
                }
                self.latency.on_answered(took, now);
            }
            ServerSignal::Throttled => self.throttle.on_throttled(started, now, retry_after),
            ServerSignal::Unreachable
            | ServerSignal::Unavailable
            | ServerSignal::Broken
            | ServerSignal::Unclear => {}
        }
    }

    /// It is now this late.
    pub fn tick(&mut self, now: Duration) {
        self.throttle.tick(now);
        self.latency.tick(now);
    }

    /// The server is back after it was away.
    pub fn restart(&mut self, now: Duration) {
        self.throttle.restart(now);
        self.slow_start.restart();
    }
}
