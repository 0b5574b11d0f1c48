//! Statistics of a start, which the summary reports beside the results.

use std::time::Duration;

use crate::model::Verdict;

/// Statistics of a start. All are zero if every call was answered and nothing was slowed down.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RunStats {
    /// The number of outages of the server.
    pub outages: u32,
    /// The total duration of the outages, each from its detection on.
    pub outage_time: Duration,
    /// The total time in which nothing was sent because of `Retry-After`.
    pub retry_after_time: Duration,
    /// The number of credential refreshes.
    pub credential_refreshes: u32,
    /// The number of calls whose answer was lost.
    pub lost: u64,
    /// The number of calls for rows that had been called before.
    pub repeated: u64,
    /// The total time in which an adaptive limit kept the calls below the configured rate.
    pub throttled_time: Duration,
    /// The lowest such limit, in calls a second.
    pub throttled_to: Option<f64>,
}

/// What was true during an interval of time. Times are since the start of the run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Interval {
    pub from: Duration,
    pub to: Duration,
    /// Whether the server was away.
    pub is_away: bool,
    /// The end of the pause requested by the server.
    pub retry_after_until: Duration,
    /// The limit in calls a second, if it was below the configured rate.
    pub throttled_to: Option<f64>,
}

impl RunStats {
    /// Counts a call that ended.
    pub(super) fn add_call(&mut self, attempt: u32, verdict: Verdict) {
        self.repeated += u64::from(attempt > 1);
        self.lost += u64::from(verdict.leaves_doubt());
    }

    /// Adds an interval of time.
    pub(super) fn add_interval(&mut self, interval: Interval) {
        let Interval { from, to, is_away, retry_after_until, throttled_to } = interval;
        let lasted = to.saturating_sub(from);
        add(&mut self.retry_after_time, retry_after_until.min(to).saturating_sub(from));
        if is_away {
            add(&mut self.outage_time, lasted);
        }
        if let Some(limit) = throttled_to {
            add(&mut self.throttled_time, lasted);
            self.throttled_to = Some(self.throttled_to.map_or(limit, |least| least.min(limit)));
        }
    }
}

fn add(time: &mut Duration, more: Duration) {
    *time = time.saturating_add(more);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An interval from one second to another in which nothing was limited.
    fn interval(from: u64, to: u64) -> Interval {
        let (from, to) = (Duration::from_secs(from), Duration::from_secs(to));
        Interval { from, to, is_away: false, retry_after_until: Duration::ZERO, throttled_to: None }
    }

    #[test]
    fn calls_that_are_answered_at_once_change_nothing() {
        let mut stats = RunStats::default();
        stats.add_call(1, Verdict::Cancelled);
        stats.add_call(1, Verdict::Rejected);
        stats.add_interval(interval(0, 3600));
        assert_eq!(stats, RunStats::default());
    }

    #[test]
    fn calls_that_were_repeated_and_answers_that_were_lost_are_counted() {
        let mut stats = RunStats::default();
        stats.add_call(1, Verdict::Doubt);
        stats.add_call(2, Verdict::NotDone);
        stats.add_call(3, Verdict::Doubt);
        assert_eq!((stats.lost, stats.repeated), (2, 2));
    }

    #[test]
    fn only_the_waited_part_of_a_requested_wait_counts() {
        let mut stats = RunStats::default();
        let retry_after_until = Duration::from_secs(13);
        stats.add_interval(Interval { retry_after_until, ..interval(10, 12) });
        stats.add_interval(Interval { retry_after_until, ..interval(12, 20) });
        stats.add_interval(Interval { retry_after_until, ..interval(20, 30) });
        assert_eq!(stats.retry_after_time, Duration::from_secs(3));
    }

    #[test]
    fn outages_and_limits_of_the_server_are_counted_with_how_long_they_lasted() {
        let mut stats = RunStats::default();
        stats.add_interval(Interval { is_away: true, ..interval(0, 4) });
        stats.add_interval(Interval { throttled_to: Some(212.5), ..interval(4, 9) });
        stats.add_interval(Interval { throttled_to: Some(300.0), ..interval(9, 10) });
        stats.add_interval(interval(10, 20));
        assert_eq!(
            (stats.outage_time, stats.throttled_time),
            (Duration::from_secs(4), Duration::from_secs(6))
        );
        assert_eq!(stats.throttled_to, Some(212.5));
    }
}
