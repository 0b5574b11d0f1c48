//! Estimates the database's clock. It is the only clock that all workers of a run share: the
//! clocks of their machines may be wrong, or be set during a run.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// The error by which an estimate ages, in seconds a second, because clocks drift.
const DRIFT: f64 = 50e-6;

/// A change of the offset smaller than this is ignored, so that a time that is converted to the
/// local clock and back is the same.
const STEADY: SignedDuration = SignedDuration::from_micros(100);

/// The estimate of the database's clock.
#[derive(Debug, Default)]
pub(super) struct DatabaseClock {
    seen: Option<Sample>,
    ahead: SignedDuration,
}

/// One reading of the clock, with its maximal error.
#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Instant,
    time: Timestamp,
    error: Duration,
}

impl Sample {
    /// The clock's time at `at`, with the maximal error.
    fn at(&self, at: Instant) -> (Timestamp, Duration) {
        let later = at.saturating_duration_since(self.at);
        let time = self.time.saturating_add(later).unwrap_or(self.time);
        let earlier = self.at.saturating_duration_since(at);
        let time = time.saturating_sub(earlier).unwrap_or(time);
        (time, self.error.saturating_add(later.mul_f64(DRIFT)))
    }
}

impl DatabaseClock {
    /// Takes in a reading that was requested at one instant and received at another.
    pub fn observe(&mut self, time: Timestamp, asked: Instant, answered: Instant) {
        let error = answered.saturating_duration_since(asked) / 2;
        let seen = Sample { at: asked.checked_add(error).unwrap_or(asked), time, error };
        let is_better = self.seen.is_none_or(|before| {
            let (expected, doubt) = before.at(seen.at);
            let off = expected.duration_since(time).unsigned_abs();
            // The readings contradict each other: a clock was set, or this is another database.
            error < doubt || off > error.saturating_add(doubt)
        });
        if is_better {
            self.seen = Some(seen);
        }
    }

    /// The clock's time at `at`; `None` if it was never read.
    pub fn at(&self, at: Instant) -> Option<Timestamp> {
        self.seen.map(|seen| seen.at(at).0)
    }

    /// How far the clock is ahead of one that shows `wall` at `at`.
    pub fn offset(&mut self, at: Instant, wall: Timestamp) -> SignedDuration {
        if let Some(time) = self.at(at) {
            let ahead = time.duration_since(wall);
            if ahead.saturating_sub(self.ahead).abs() > STEADY {
                self.ahead = ahead;
            }
        }
        self.ahead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn noon() -> Timestamp {
        "2026-01-01T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn the_answer_that_came_soonest_counts() {
        let (mut clock, start) = (DatabaseClock::default(), Instant::now());
        clock.observe(noon(), start, start + ms(2));
        clock.observe(noon() + ms(100), start + ms(100), start + ms(190));
        assert_eq!(clock.at(start + ms(1001)), Some(noon() + ms(1000)));
    }

    #[test]
    fn a_newer_answer_counts_once_the_old_one_has_aged() {
        let (mut clock, start) = (DatabaseClock::default(), Instant::now());
        clock.observe(noon(), start, start + ms(2));
        clock.observe(noon() + HOUR + ms(3), start + HOUR, start + HOUR + ms(8));
        assert_eq!(clock.at(start + HOUR + ms(4)), Some(noon() + HOUR + ms(3)));
    }

    #[test]
    fn a_clock_that_was_set_is_noticed_by_any_answer() {
        let (mut clock, start) = (DatabaseClock::default(), Instant::now());
        clock.observe(noon(), start, start + ms(2));
        clock.observe(noon() + HOUR, start + ms(100), start + ms(200));
        assert_eq!(clock.at(start + ms(150)), Some(noon() + HOUR));
    }

    #[test]
    fn how_far_it_is_ahead_stays_the_same_while_little_changes_and_follows_what_is_much() {
        let (mut clock, start) = (DatabaseClock::default(), Instant::now());
        clock.observe(noon(), start, start);
        let wall = noon() - ms(60_000);
        let ahead = SignedDuration::from_secs(60);
        assert_eq!(clock.offset(start, wall), ahead);
        let jitter = Duration::from_micros(90);
        assert_eq!(clock.offset(start + jitter, wall), ahead);
        // This host's clock is put right.
        assert_eq!(clock.offset(start + ms(10), noon() + ms(10)), SignedDuration::ZERO);
    }
}
