//! Limits the rate when latency shows that the server is overloaded: calls then queue, and
//! answers take longer and longer. Single answers are no evidence, because the work behind them
//! varies. Therefore the mean latency of many is compared with a baseline, an exponentially
//! weighted moving average. A server may also become slower for another reason: then sending less
//! does not help, and the longer latency becomes the baseline.

use std::time::Duration;

use super::ramp::RampUp;

/// The number of answers in a mean. If latencies vary exponentially, as they do by chance alone,
/// the standard deviation of their mean is an eighth of it.
const ANSWERS: u32 = 64;

/// The weights by which the baseline follows a mean below and above it. It falls faster than it
/// rises: after a pause short answers come first, and the latency of a queue must not become the
/// baseline soon.
const FALLS: f64 = 0.1;
const RISES: f64 = 0.002;

/// A mean is slow above this multiple of the baseline plus the margin in seconds.
const SLOW: f64 = 3.0;
const SLOW_MARGIN: f64 = 0.050;

/// Means must be slow for this long, because this machine may have stalled rather than the server.
const SLOW_FOR: Duration = Duration::from_secs(1);

/// The latency is normal again below this multiple of the baseline plus the margin in seconds.
const USUAL_AGAIN: f64 = 2.0;
const USUAL_MARGIN: f64 = 0.025;

/// One answer counts for at most this multiple of the baseline, because it may be stuck.
const STUCK: f64 = 8.0;

/// If the mean has not fallen below this fraction of what it was, after this time and this many
/// means, sending less does not help.
const HELPED: f64 = 0.8;
const PATIENCE: Duration = Duration::from_secs(2);
const PATIENT_MEANS: u32 = 6;

/// A server that slows down is sent this fraction of the rate it answered. With every mean that
/// does not fall, the limit is multiplied by it again.
const DRAINING: f64 = 0.85;

/// Once the queue is gone, the server is sent this fraction of that rate. After the hold, the
/// limit rises, at first by this fraction a second.
const DRAINED: f64 = 0.97;
const HOLD: Duration = Duration::from_secs(1);
const CLIMB: f64 = 0.03;

/// A limit above this many calls a second is dropped.
const NO_LIMIT: f64 = 1e6;

/// The time in seconds over which the answers a second are averaged, and the fraction by which
/// their recent maximum decays a second.
const AVERAGED_OVER: f64 = 2.0;
const FADES: f64 = 0.05;

/// The limit derived from latencies. Latencies are in seconds, limits in calls a second.
#[derive(Debug, Default)]
pub struct LatencyLimit {
    baseline: Option<f64>,
    answers: u32,
    sum: f64,
    began: Duration,
    /// For how many seconds answers have been observed.
    watched: f64,
    /// Answers a second: their average, and its recent maximum.
    average: f64,
    most: f64,
    /// Since when means have been slow without any limit yet.
    suspected: Option<Duration>,
    slow: Option<Slowdown>,
    limit: Option<f64>,
    ramp: RampUp,
}

#[derive(Debug)]
struct Slowdown {
    mean: f64,
    since: Duration,
    means: u32,
}

impl LatencyLimit {
    /// The most calls a second; `None` if unlimited.
    pub fn limit(&self) -> Option<f64> {
        self.limit
    }

    /// Advances to `now`: raises the limit if the latency is normal.
    pub fn tick(&mut self, now: Duration) {
        let Some(limit) = self.limit.filter(|_| self.slow.is_none()) else { return };
        let Some(factor) = self.ramp.factor_since_last(now) else { return };
        self.limit = Some(limit * factor).filter(|limit| *limit < NO_LIMIT);
    }

    /// Takes in the latency of an answer received now.
    pub fn on_answered(&mut self, took: Duration, now: Duration) {
        if self.answers == 0 {
            self.began = now;
        }
        let took = took.as_secs_f64();
        self.sum += self.baseline.map_or(took, |baseline| took.min(baseline * STUCK + SLOW_MARGIN));
        self.answers += 1;
        if self.answers < ANSWERS {
            return;
        }
        let mean = self.sum / f64::from(self.answers);
        let lasted = now.saturating_sub(self.began).max(Duration::from_millis(1)).as_secs_f64();
        self.watched += lasted;
        let weight = (lasted / self.watched.min(AVERAGED_OVER)).min(1.0);
        self.average += (f64::from(self.answers) / lasted - self.average) * weight;
        self.most = (self.most * (1.0 - FADES * lasted)).max(self.average);
        (self.answers, self.sum) = (0, 0.0);
        self.evaluate(mean, now);
    }

    /// Whether this latency is not slow.
    pub fn is_baseline(&self, took: Duration) -> bool {
        self.baseline.is_none_or(|baseline| took.as_secs_f64() <= baseline * SLOW + SLOW_MARGIN)
    }

    fn evaluate(&mut self, mean: f64, now: Duration) {
        let baseline = self.baseline.map_or(mean, |baseline| {
            let part = if mean < baseline { FALLS } else { RISES };
            baseline + (mean - baseline) * part
        });
        self.baseline = Some(baseline);
        match &mut self.slow {
            None if mean <= baseline * SLOW + SLOW_MARGIN => self.suspected = None,
            None if now < self.suspected.get_or_insert(now).saturating_add(SLOW_FOR) => {}
            None => {
                self.suspected = None;
                self.slow = Some(Slowdown { mean, since: now, means: 0 });
                self.limit = Some(self.most * DRAINING);
            }
            Some(_) if mean < baseline * USUAL_AGAIN + USUAL_MARGIN => {
                self.slow = None;
                self.limit = Some(self.most * DRAINED);
                self.ramp = RampUp::starting_at(now.saturating_add(HOLD), CLIMB);
            }
            Some(slow) if mean < slow.mean * HELPED => {
                *slow = Slowdown { mean, since: now, means: 0 };
            }
            Some(slow) => {
                slow.means += 1;
                self.limit = self.limit.map(|limit| limit * DRAINING);
                if slow.means >= PATIENT_MEANS && now >= slow.since.saturating_add(PATIENCE) {
                    (self.slow, self.baseline, self.limit) = (None, Some(mean), None);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lowest limit while answers come every millisecond with this latency.
    fn least_limit(
        slowness: &mut LatencyLimit,
        clock: &mut Duration,
        answers: u32,
        took: impl Fn(u32) -> f64,
    ) -> Option<f64> {
        let answer = |n| {
            *clock += Duration::from_millis(1);
            slowness.on_answered(Duration::from_secs_f64(took(n)), *clock);
            slowness.tick(*clock);
            slowness.limit()
        };
        (0..answers).filter_map(answer).reduce(f64::min)
    }

    /// A pseudorandom number from 0 to 1.
    fn chance(n: u32) -> f64 {
        f64::from(n.wrapping_mul(2_654_435_769) >> 8) / f64::from(1 << 24)
    }

    #[test]
    fn answers_that_vary_are_not_slow() {
        for took in [
            (|_| 0.02) as fn(u32) -> f64,
            |n| 0.02 + 0.18 * chance(n),
            |n| -0.1 * (1.0 - chance(n)).ln(),
            |n| if n % 20 == 0 { 30.0 } else { 0.2 },
        ] {
            let (mut slowness, mut clock) = (LatencyLimit::default(), Duration::ZERO);
            assert_eq!(least_limit(&mut slowness, &mut clock, 500_000, took), None);
        }
    }

    #[test]
    fn a_growing_queue_is_worked_off_and_then_the_rate_comes_back() {
        let (mut slowness, mut clock) = (LatencyLimit::default(), Duration::ZERO);
        least_limit(&mut slowness, &mut clock, 10_000, |_| 0.02);
        let queue = |n: u32| 0.02 + 0.001 * f64::from(n.min(256));
        let draining = least_limit(&mut slowness, &mut clock, 1300, queue).unwrap();
        assert!((700.0..900.0).contains(&draining), "{draining}");
        least_limit(&mut slowness, &mut clock, 128, |_| 0.02);
        let drained = slowness.limit().unwrap();
        assert!((950.0..1000.0).contains(&drained), "{drained}");
        least_limit(&mut slowness, &mut clock, 5000, |_| 0.02);
        assert!(slowness.limit().unwrap() > 1100.0);
    }

    #[test]
    fn a_server_that_is_slower_for_another_reason_sets_a_new_baseline() {
        let (mut slowness, mut clock) = (LatencyLimit::default(), Duration::ZERO);
        least_limit(&mut slowness, &mut clock, 1000, |_| 0.02);
        assert!(least_limit(&mut slowness, &mut clock, 2000, |_| 0.2).is_some());
        least_limit(&mut slowness, &mut clock, 3000, |_| 0.2);
        assert_eq!(slowness.limit(), None);
    }
}
