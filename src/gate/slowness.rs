//! Is the server slowing down because it is sent too much? Its calls then queue,
//! and answers take longer and longer. Single answers tell nothing, as the work
//! behind them varies: what is compared is the mean of many with the least such
//! mean so far. A server may also be slower for a reason of its own: then sending
//! less does not help, and the longer answers are its usual ones from then on.

use std::time::Duration;

/// Answers whose mean is taken. Where answers vary as widely as they do by mere
/// chance (exponentially), their mean then varies by an eighth of itself.
const ANSWERS: u32 = 64;

/// Answers after which there is a first idea of the usual.
const FIRST_ANSWERS: u32 = 16;

/// A mean is slow above so many times the usual, and the margin more.
const SLOW: f64 = 3.0;
const SLOW_MARGIN: f64 = 0.050;

/// It is usual again below so many times the usual, and the margin more.
const USUAL_AGAIN: f64 = 2.0;
const USUAL_MARGIN: f64 = 0.025;

/// One answer counts for no more than so many usual ones: it may be stuck.
const STUCK: f64 = 8.0;

/// If the mean has not fallen below this share of what it was, within the patience,
/// sending less does not help.
const HELPED: f64 = 0.8;
const PATIENCE: Duration = Duration::from_secs(2);
const PATIENT_MEANS: u32 = 6;

/// What the answers show of late.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Tempo {
    /// They take much longer than usual, and so many come a second.
    Slower {
        /// Answers a second.
        answered: f64,
    },
    /// They take as long as usual again.
    UsualAgain,
    /// They still take long though less was sent: that is the usual now.
    LongerNow,
}

/// How long answers take, in seconds.
#[derive(Debug, Default)]
pub struct Slowness {
    usual: Option<f64>,
    answers: u32,
    sum: f64,
    began: Duration,
    slow: Option<Slow>,
}

#[derive(Debug)]
struct Slow {
    mean: f64,
    since: Duration,
    means: u32,
}

impl Slowness {
    /// Learns how long an answer took that came now; tells what has changed.
    pub fn answered(&mut self, took: Duration, now: Duration) -> Option<Tempo> {
        if self.answers == 0 {
            self.began = now;
        }
        let took = took.as_secs_f64();
        self.sum += self.usual.map_or(took, |usual| took.min(usual * STUCK + SLOW_MARGIN));
        self.answers += 1;
        let mean = self.sum / f64::from(self.answers);
        if self.usual.is_none() && self.answers >= FIRST_ANSWERS {
            self.usual = Some(mean);
        }
        if self.answers < ANSWERS {
            return None;
        }
        let lasted = now.saturating_sub(self.began).max(Duration::from_millis(1));
        let answered = f64::from(self.answers) / lasted.as_secs_f64();
        (self.answers, self.sum) = (0, 0.0);
        self.judge(mean, answered, now)
    }

    /// Whether an answer that took so long is not a slow one.
    pub fn is_usual(&self, took: Duration) -> bool {
        self.usual.is_none_or(|usual| took.as_secs_f64() <= usual * SLOW + SLOW_MARGIN)
    }

    fn judge(&mut self, mean: f64, answered: f64, now: Duration) -> Option<Tempo> {
        let usual = self.usual.map_or(mean, |usual| usual.min(mean));
        self.usual = Some(usual);
        match &mut self.slow {
            None if mean > usual * SLOW + SLOW_MARGIN => {
                self.slow = Some(Slow { mean, since: now, means: 0 });
                Some(Tempo::Slower { answered })
            }
            None => None,
            Some(_) if mean < usual * USUAL_AGAIN + USUAL_MARGIN => {
                self.slow = None;
                Some(Tempo::UsualAgain)
            }
            Some(slow) if mean < slow.mean * HELPED => {
                *slow = Slow { mean, since: now, means: 0 };
                None
            }
            Some(slow) => {
                slow.means += 1;
                let patient = slow.means < PATIENT_MEANS || now < slow.since + PATIENCE;
                if patient {
                    return None;
                }
                (self.slow, self.usual) = (None, Some(mean));
                Some(Tempo::LongerNow)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told of answers that come every so many milliseconds and take so long.
    fn told(
        slowness: &mut Slowness,
        clock: &mut Duration,
        answers: u32,
        took: impl Fn(u32) -> f64,
    ) -> Vec<Tempo> {
        let answer = |n| {
            *clock += Duration::from_millis(1);
            slowness.answered(Duration::from_secs_f64(took(n)), *clock)
        };
        (0..answers).filter_map(answer).collect()
    }

    /// A number from 0 to 1 that looks like chance.
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
            let (mut slowness, mut clock) = (Slowness::default(), Duration::ZERO);
            assert_eq!(told(&mut slowness, &mut clock, 500_000, took), []);
        }
    }

    #[test]
    fn a_growing_queue_is_told_and_so_is_its_end() {
        let (mut slowness, mut clock) = (Slowness::default(), Duration::ZERO);
        told(&mut slowness, &mut clock, 1000, |_| 0.02);
        let slower = told(&mut slowness, &mut clock, 256, |n| 0.02 + 0.001 * f64::from(n));
        assert!(
            matches!(slower[..], [Tempo::Slower { answered }] if answered > 990.0),
            "{slower:?}"
        );
        assert_eq!(told(&mut slowness, &mut clock, 128, |_| 0.02), [Tempo::UsualAgain]);
    }

    #[test]
    fn a_server_that_is_slower_for_a_reason_of_its_own_is_believed() {
        let (mut slowness, mut clock) = (Slowness::default(), Duration::ZERO);
        told(&mut slowness, &mut clock, 1000, |_| 0.02);
        let then = told(&mut slowness, &mut clock, 100_000, |_| 0.2);
        assert!(matches!(then[..], [Tempo::Slower { .. }, Tempo::LongerNow]), "{then:?}");
    }
}
