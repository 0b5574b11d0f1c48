//! Adaptive limits: the server's limits as observed during the run, because the contract is known
//! only in part. They only lower what the contract and `--concurrency` allow, and a server that
//! shows no limit is not slowed down.
//!
//! | limit | reacts to | model |
//! |---|---|---|
//! | `ThrottleLimit` | HTTP 429 | AIMD: down to what was accepted, slowly up again |
//! | `LatencyLimit` | rising latency | latency gradient against a moving-average baseline |
//! | `SlowStart` | missing answers | TCP slow start |
//! | [`concurrency`] | no gain from more calls in flight | hill climbing |

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

/// The lowest limit, in calls a second, however little the server accepts.
const SLOWEST: f64 = 0.2;

/// What the end of one call shows about the server's limits.
#[derive(Debug, Clone, Copy)]
pub struct Observation {
    /// What it indicates about the server.
    pub signal: ServerSignal,
    /// When the call started, since the start of the run.
    pub started: Duration,
    /// How long it took.
    pub took: Duration,
    /// The pause that the server requested.
    pub retry_after: Option<Duration>,
    /// The calls in flight until it ended, itself included.
    pub in_flight: u32,
}

/// The limits observed so far.
#[derive(Debug)]
pub struct AdaptiveLimits {
    throttle: ThrottleLimit,
    latency: LatencyLimit,
    slow_start: SlowStart,
}

impl AdaptiveLimits {
    /// Limits before the first call. At most `concurrency` calls are in flight, of which at most
    /// `max_per_second` start in any one second; `None` means unlimited.
    pub fn new(concurrency: u32, max_per_second: Option<u32>) -> AdaptiveLimits {
        AdaptiveLimits {
            throttle: ThrottleLimit::default(),
            latency: LatencyLimit::default(),
            slow_start: SlowStart::new(concurrency, max_per_second),
        }
    }

    /// Whether one more call may be in flight besides these.
    pub fn can_dispatch(&self, in_flight: u32) -> bool {
        in_flight < self.slow_start.limit()
    }

    /// The most calls a second; `None` if unlimited.
    pub fn limit(&self) -> Option<f64> {
        let limits = [self.throttle.limit(), self.latency.limit()];
        limits.into_iter().flatten().reduce(f64::min).map(|limit| limit.max(SLOWEST))
    }

    /// The shortest time between the starts of two calls; zero if unlimited.
    pub fn min_spacing(&self) -> Duration {
        self.limit().map_or(Duration::ZERO, |limit| Duration::from_secs_f64(1.0 / limit))
    }

    /// Observes a call that ended now.
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

    /// Advances to `now`.
    pub fn tick(&mut self, now: Duration) {
        self.throttle.tick(now);
        self.latency.tick(now);
    }

    /// Records that the server works again after an outage.
    pub fn restart(&mut self, now: Duration) {
        self.throttle.restart(now);
        self.slow_start.restart();
    }
}
