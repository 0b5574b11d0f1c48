//! Finds how many calls a thread should have in flight where there is no rate to keep. A server
//! works on a limited number at once: further calls only queue there, and each further connection
//! costs both sides memory that has left the caches by the time it is used. So the number is
//! found by hill climbing: it is doubled, and stays doubled if that yields more answers.

use std::time::Duration;

/// The number at first.
const LEAST: usize = 32;

/// Answers are counted over at least this long, and until there are as many as calls may be in
/// flight.
const INTERVAL: Duration = Duration::from_millis(50);

/// A number is evaluated over this many intervals. The first one is ignored, because it still
/// reflects the number before.
const INTERVALS: usize = 3;

/// A doubling must yield at least this many times the answers.
const WORTH: f64 = 1.25;

/// If it does not, the next one is tried after this.
const PAUSE: Duration = Duration::from_secs(5);

/// The limit on calls in flight. Times are since the start of the run.
#[derive(Debug, Default)]
pub struct ConcurrencyProbe {
    doublings: u32,
    /// When the current interval began, the answers in it, and whether a call had to wait.
    began: Duration,
    answers: usize,
    held: bool,
    /// Answers a second in each interval with this number.
    rates: Vec<f64>,
    /// The most answers a second with half the number, while the doubled one is evaluated.
    half: Option<f64>,
    /// No doubling is tried before this.
    paused_until: Duration,
}

impl ConcurrencyProbe {
    /// Whether one more call may be in flight besides these.
    pub fn can_dispatch(&mut self, in_flight: usize) -> bool {
        let has_room = in_flight < self.limit();
        self.held |= !has_room;
        has_room
    }

    fn limit(&self) -> usize {
        LEAST << self.doublings
    }

    /// Records that a call ended now.
    pub fn on_ended(&mut self, now: Duration) {
        self.answers += 1;
        let lasted = now.saturating_sub(self.began);
        if lasted < INTERVAL || self.answers < self.limit() {
            return;
        }
        let rate = self.answers as f64 / lasted.as_secs_f64();
        (self.began, self.answers) = (now, 0);
        // If no call had to wait, more in flight would not have yielded more answers.
        if !std::mem::take(&mut self.held) || now < self.paused_until {
            self.rates.clear();
            return;
        }
        self.rates.push(rate);
        if self.rates.len() == INTERVALS {
            self.evaluate(now);
            self.rates.clear();
        }
    }

    fn evaluate(&mut self, now: Duration) {
        let settled = || self.rates.iter().skip(1).copied();
        match self.half.take() {
            Some(half) if settled().any(|rate| rate < half * WORTH) => {
                self.doublings -= 1;
                self.paused_until = now.saturating_add(PAUSE);
            }
            _ => {
                self.half = settled().reduce(f64::max);
                self.doublings += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many are in flight, if this many are wanted.
    fn now(in_flight: &mut ConcurrencyProbe, wanted: usize) -> usize {
        (0..wanted).find(|so_many| !in_flight.can_dispatch(*so_many)).unwrap_or(wanted)
    }

    /// How many of a thousand wanted calls are in flight after this many seconds, if `rate` maps
    /// calls in flight to answers a second.
    fn after(seconds: u64, in_flight: &mut ConcurrencyProbe, rate: impl Fn(usize) -> f64) -> usize {
        let mut clock = in_flight.began;
        let end = clock + Duration::from_secs(seconds);
        while clock < end {
            clock += Duration::from_secs_f64(1.0 / rate(now(in_flight, 1000)));
            in_flight.on_ended(clock);
        }
        now(in_flight, 1000)
    }

    #[test]
    fn a_server_that_works_on_any_number_at_once_is_soon_sent_all() {
        for milliseconds in [5.0, 20.0, 100.0] {
            let rate = |so_many| so_many as f64 * 1e3 / milliseconds;
            assert_eq!(after(3, &mut ConcurrencyProbe::default(), rate), 1000, "{milliseconds} ms");
        }
    }

    #[test]
    fn a_server_that_is_no_faster_for_more_is_sent_few() {
        let mut in_flight = ConcurrencyProbe::default();
        let each_second = (0..60).map(|_| after(1, &mut in_flight, |_| 10_000.0));
        assert!(each_second.filter(|so_many| *so_many == LEAST).count() > 55);
    }

    #[test]
    fn a_server_that_works_on_some_at_once_is_sent_those_and_few_more() {
        let rate = |so_many: usize| so_many.min(100) as f64 * 50.0;
        assert_eq!(after(3, &mut ConcurrencyProbe::default(), rate), 128);
    }

    #[test]
    fn what_was_of_no_use_is_tried_again_later() {
        let mut in_flight = ConcurrencyProbe::default();
        assert_eq!(after(3, &mut in_flight, |_| 10_000.0), LEAST);
        assert_eq!(after(10, &mut in_flight, |so_many| so_many as f64 * 50.0), 1000);
    }
}
