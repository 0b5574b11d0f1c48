//! Estimates how late a call may have reached the server, from the latency of its answer. Only an
//! unusual latency is evidence: where latencies vary, the cause is the server's work, and no
//! delay on the network is assumed.

use std::time::Duration;

/// The number of answers over which latencies are averaged.
const REMEMBERED: u32 = 1024;

/// A latency is usual up to this many mean deviations above the mean, as in TCP's retransmission
/// timer (RFC 6298).
const ORDINARY: u32 = 4;

/// A mean deviation up to which the server's work counts as constant: the part of a latency
/// beyond the mean is then attributed to the network.
const STEADY: Duration = Duration::from_millis(2);

/// The longest delay that is assumed: a network does not take longer to recover without other
/// answers showing it.
const LATEST: Duration = Duration::from_millis(50);

/// Statistics of latencies: the fastest recent one, and what is usual.
#[derive(Debug)]
pub struct ArrivalDelay {
    answers: u32,
    /// The fastest of the latest up to [`REMEMBERED`] answers, and of as many before them.
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
    /// Takes in the latency of an answer. Returns how much later its call may have arrived than
    /// one with the fastest latency.
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

    /// The delay estimated for the last of this many answers, whose latencies cycle through these.
    fn latest(
        lateness: &mut ArrivalDelay,
        answers: usize,
        took: impl Iterator<Item = u64>,
    ) -> Duration {
        took.take(answers).map(|took| lateness.observe(ms(took))).max().unwrap_or_default()
    }

    #[test]
    fn an_answer_that_takes_longer_than_all_others_indicates_a_late_call() {
        let mut lateness = ArrivalDelay::default();
        assert!(latest(&mut lateness, 1000, iter::repeat(20)).is_zero());
        assert_eq!(lateness.observe(ms(31)), ms(11));
    }

    #[test]
    fn answers_that_vary_indicate_nothing() {
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
