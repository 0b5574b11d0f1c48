//! By how much a call may have reached the server late, read off how long its
//! answer took. Only what is out of the ordinary tells something: where answers
//! take now this long and now that, it is the server's work that varies, and
//! nothing is held against the way to it.

use std::time::Duration;

/// Over about how many answers the ordinary is known.
const REMEMBERED: u32 = 1024;

/// How many mean deviations above the mean are still ordinary, as in TCP's
/// retransmission timer (RFC 6298).
const ORDINARY: u32 = 4;

/// A mean deviation up to which the server's work does not vary: all that an answer
/// takes beyond the mean is then the way.
const STEADY: Duration = Duration::from_millis(2);

/// How late a call is held to be at most: no way takes longer to come alive again
/// without the answers showing it.
const LATEST: Duration = Duration::from_millis(50);

/// How long answers take: the fastest of late, and what is ordinary.
#[derive(Debug)]
pub struct ArrivalDelay {
    answers: u32,
    /// Among the latest up to [`REMEMBERED`] answers, and among as many before them.
    fastest: [Duration; 2],
    mean: Duration,
    deviation: Duration,
}

impl Default for ArrivalDelay {
    fn default() -> ArrivalDelay {
        ArrivalDelay {
            answers: 0,
            fastest: [Duration::MAX; 2],
            mean: Duration::ZERO,
            deviation: Duration::ZERO,
        }
    }
}

impl ArrivalDelay {
    /// Learns how long an answer took, and tells by how much its call may have
    /// arrived later than one that is answered as fast as can be.
    pub fn observe(&mut self, took: Duration) -> Duration {
        if self.answers.is_multiple_of(REMEMBERED) {
            self.fastest = [Duration::MAX, self.fastest[0]];
        }
        self.fastest[0] = self.fastest[0].min(took);
        let fastest = self.fastest[0].min(self.fastest[1]);
        self.answers = self.answers.wrapping_add(1).max(1);
        let ordinary = self
            .deviation
            .saturating_sub(STEADY)
            .saturating_mul(ORDINARY)
            .saturating_add(self.mean);
        let late = if took > ordinary { took.saturating_sub(fastest) } else { Duration::ZERO };
        self.deviation = self.averaged(self.deviation, took.abs_diff(self.mean));
        self.mean = self.averaged(self.mean, took);
        late.min(LATEST)
    }

    fn averaged(&self, mean: Duration, next: Duration) -> Duration {
        let answers = self.answers.min(REMEMBERED);
        (mean.saturating_sub(mean / answers)).saturating_add(next / answers)
    }
}

#[cfg(test)]
mod tests {
    use std::iter;

    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// The latest of so many answers that each took the next of these times.
    fn latest(
        lateness: &mut ArrivalDelay,
        answers: usize,
        took: impl Iterator<Item = u64>,
    ) -> Duration {
        took.take(answers).map(|took| lateness.observe(ms(took))).max().unwrap_or_default()
    }

    #[test]
    fn an_answer_that_takes_longer_than_all_others_tells_of_a_late_call() {
        let mut lateness = ArrivalDelay::default();
        assert!(latest(&mut lateness, 1000, iter::repeat(20)).is_zero());
        assert_eq!(lateness.observe(ms(31)), ms(11));
    }

    #[test]
    fn answers_that_vary_tell_nothing() {
        let mut lateness = ArrivalDelay::default();
        let mut varying = (0..).map(|n| 20 + 70 * n % 180);
        latest(&mut lateness, 100, &mut varying);
        assert!(latest(&mut lateness, 1000, varying).is_zero());
    }

    #[test]
    fn an_answer_that_takes_seconds_does_not_make_its_call_seconds_late() {
        let mut lateness = ArrivalDelay::default();
        latest(&mut lateness, 1000, iter::repeat(20));
        assert_eq!(lateness.observe(ms(5000)), LATEST);
    }

    #[test]
    fn a_way_that_became_longer_is_learnt() {
        let mut lateness = ArrivalDelay::default();
        latest(&mut lateness, 1000, iter::repeat(20));
        latest(&mut lateness, 3000, iter::repeat(40));
        assert!(lateness.observe(ms(40)).is_zero());
    }
}
