//! Tracks how long commits take, because slots are requested for when the commit ends.

use std::time::Duration;

/// The number of commits and the time over which a slow commit loses its influence: disks stall
/// in bouts.
const COMMITS_REMEMBERED: u32 = 256;
const REMEMBERED_FOR: Duration = Duration::from_secs(10);

/// A single commit that took longer than this, and than the one before, does not count in full:
/// slots that far ahead would be reserved in vain.
const MISHAP: Duration = Duration::from_millis(100);

/// The longest duration of recent commits.
#[derive(Debug, Default)]
pub struct CommitLatency {
    longest: Duration,
    last: Duration,
    /// When the last one ended.
    at: Duration,
}

impl CommitLatency {
    /// Records the duration of a commit that ended now. `now` is measured from any fixed time.
    pub fn record(&mut self, took: Duration, now: Duration) {
        let usual = took.min(self.last.max(MISHAP));
        let passed = now.saturating_sub(self.at).min(REMEMBERED_FOR);
        let share = passed.as_secs_f64() / REMEMBERED_FOR.as_secs_f64();
        let faded = self.longest.mul_f64(share).max(self.longest / COMMITS_REMEMBERED);
        self.longest = usual.max(self.longest.saturating_sub(faded));
        (self.last, self.at) = (took, now);
    }

    /// The duration of the last commit.
    pub fn last(&self) -> Duration {
        self.last
    }

    /// The longest duration of recent commits.
    pub fn max(&self) -> Duration {
        self.longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// Commits with these durations in ms, one every 50 ms or as fast as possible.
    fn commits(time: &mut CommitLatency, clock: &mut Duration, took: &[u64]) {
        for took in took.iter().copied().map(ms) {
            *clock += took.max(ms(50));
            time.record(took, *clock);
        }
    }

    #[test]
    fn the_slowest_of_late_counts_and_is_forgotten_in_time() {
        let (mut time, mut clock) = (CommitLatency::default(), ms(0));
        commits(&mut time, &mut clock, &[2, 40, 2]);
        assert!(time.max() > ms(35), "{time:?}");
        commits(&mut time, &mut clock, &[2; 1000]);
        assert!(time.max() < ms(5), "{time:?}");
    }

    #[test]
    fn one_commit_that_hangs_is_not_how_long_commits_take() {
        let (mut time, mut clock) = (CommitLatency::default(), ms(0));
        commits(&mut time, &mut clock, &[2, 7000, 2]);
        assert!(time.max() <= MISHAP, "{time:?}");
    }

    #[test]
    fn commits_that_are_slow_again_and_again_are() {
        let (mut time, mut clock) = (CommitLatency::default(), ms(0));
        commits(&mut time, &mut clock, &[2, 900, 800]);
        assert!(time.max() >= ms(800), "{time:?}");
    }

    #[test]
    fn slow_commits_are_forgotten_however_seldom_commits_are_taken() {
        let (mut time, mut clock) = (CommitLatency::default(), ms(0));
        commits(&mut time, &mut clock, &[2000; 4]);
        for _ in 0..60 {
            clock += ms(1000);
            time.record(ms(2), clock);
        }
        assert!(time.max() < ms(10), "{time:?}");
    }
}
