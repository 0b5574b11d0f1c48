//! Exponential backoff with jitter, so that those that failed together do not retry together.

use std::time::Duration;

/// Computes the delay before another try. It is a pure function: the jitter is derived from a seed.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    jitter: f64,
}

impl Backoff {
    /// Delays that double from `first` up to `longest`. Each is reduced by up to the fraction
    /// `jitter` of itself, from 0.0 (never) to 1.0.
    pub const fn new(first: Duration, longest: Duration, jitter: f64) -> Backoff {
        Backoff { first, longest, jitter }
    }

    /// The delay before the next try after `failures` failures in addition to the last one. The
    /// same seed yields the same delay.
    pub fn delay(&self, failures: u32, seed: u64) -> Duration {
        let full = self.first.saturating_mul(1 << failures.min(16)).min(self.longest);
        full.mul_f64(1.0 - self.jitter * jitter(seed))
    }
}

/// A number from 0.0 to 1.0 derived from the seed, with widely different values for neighbouring
/// seeds (the finalizer of SplitMix64).
fn jitter(seed: u64) -> f64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let top = ((z ^ (z >> 31)) >> 32) as u32;
    f64::from(top) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30), 0.5);

    #[test]
    fn waits_double_up_to_the_longest_and_are_cut_by_at_most_the_jitter() {
        for seed in 1..2000 {
            for (failures, full) in [(0, 500), (1, 1000), (2, 2000), (6, 30_000), (98, 30_000)] {
                let wait = BACKOFF.delay(failures, seed).as_millis();
                assert!((full / 2..=full).contains(&wait), "{wait} after {failures}");
            }
        }
    }

    #[test]
    fn without_jitter_every_wait_is_whole() {
        let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30), 0.0);
        let waits: Vec<u64> = (0..6).map(|failures| backoff.delay(failures, 7).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30]);
    }

    #[test]
    fn who_failed_together_comes_back_scattered() {
        let waits: std::collections::BTreeSet<_> =
            (1..100).map(|seed| BACKOFF.delay(0, seed).as_millis()).collect();
        assert!(waits.len() > 60, "{} different waits of 99", waits.len());
    }
}
