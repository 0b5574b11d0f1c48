//! What happened on the way, in plain counts: what a summary tells beside the results.

use std::time::Duration;

use crate::model::Verdict;

/// What happened since the start; all zero if nothing did but calls and their answers.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RunStats {
    /// How often the server was away.
    pub outages: u32,
    /// For how long it was away in all, from when that was noticed.
    pub outage_time: Duration,
    /// For how long in all nothing was sent because the server asked for that.
    pub retry_after_time: Duration,
    /// How often the credentials were renewed.
    pub credential_refreshes: u32,
    /// Calls whose answer was lost.
    pub lost: u64,
    /// Calls for rows that had been called before.
    pub repeated: u64,
    /// For how long in all the server's own limit held the calls below the rate.
    pub throttled_time: Duration,
    /// The fewest calls a second that they were held to.
    pub throttled_to: Option<f64>,
}

/// What holds during an interval of time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Interval {
    pub from: Duration,
    pub to: Duration,
    /// Whether the server is away.
    pub is_away: bool,
    /// Until when the server wants nothing to be sent.
    pub retry_after_until: Duration,
    /// The calls a second that are held to, if that is below the rate.
    pub throttled_to: Option<f64>,
}

impl RunStats {
    /// A call ended.
    pub(super) fn add_call(&mut self, attempt: u32, verdict: Verdict) {
        self.repeated += u64::from(attempt > 1);
        self.lost += u64::from(verdict.leaves_doubt());
    }

    /// An interval of time went by.
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

    /// From one second to another, in which nothing holds.
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
    fn of_a_wait_that_was_asked_for_only_what_was_waited_counts() {
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
