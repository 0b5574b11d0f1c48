//! What happened on the way, in plain counts: what a summary tells beside the results.

use std::time::Duration;

use crate::model::Verdict;

/// What happened since the start; all zero if nothing did but calls and their answers.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RunStats {
    /// How often the server was away.
    pub outages: u32,
    /// For how long it was away in all, from when that was noticed.
    pub away: Duration,
    /// For how long in all nothing was sent because the server asked for that.
    pub asked_to_wait: Duration,
    /// How often the credentials were renewed.
    pub renewals: u32,
    /// Calls whose answer was lost.
    pub lost: u64,
    /// Calls for rows that had been called before.
    pub repeated: u64,
    /// For how long in all the server's own limit held the calls below the rate.
    pub held: Duration,
    /// The fewest calls a second that they were held to.
    pub held_to: Option<f64>,
}

/// What holds during an interval of time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Interval {
    pub from: Duration,
    pub to: Duration,
    /// Whether the server is away.
    pub is_away: bool,
    /// Until when the server wants nothing to be sent.
    pub quiet_until: Duration,
    /// The calls a second that are held to, if that is below the rate.
    pub held_to: Option<f64>,
}

impl RunStats {
    /// A call ended.
    pub(super) fn called(&mut self, attempt: u32, verdict: Verdict) {
        self.repeated += u64::from(attempt > 1);
        self.lost += u64::from(verdict.leaves_doubt());
    }

    /// An interval of time went by.
    pub(super) fn passed(&mut self, interval: Interval) {
        let Interval { from, to, is_away, quiet_until, held_to } = interval;
        let lasted = to.saturating_sub(from);
        add(&mut self.asked_to_wait, quiet_until.min(to).saturating_sub(from));
        if is_away {
            add(&mut self.away, lasted);
        }
        if let Some(limit) = held_to {
            add(&mut self.held, lasted);
            self.held_to = Some(self.held_to.map_or(limit, |least| least.min(limit)));
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
        Interval { from, to, is_away: false, quiet_until: Duration::ZERO, held_to: None }
    }

    #[test]
    fn of_a_night_without_incident_there_is_nothing_to_tell() {
        let mut stats = RunStats::default();
        stats.called(1, Verdict::Cancelled);
        stats.called(1, Verdict::Rejected);
        stats.passed(interval(0, 3600));
        assert_eq!(stats, RunStats::default());
    }

    #[test]
    fn calls_that_were_repeated_and_answers_that_were_lost_are_counted() {
        let mut stats = RunStats::default();
        stats.called(1, Verdict::Doubt);
        stats.called(2, Verdict::NotDone);
        stats.called(3, Verdict::Doubt);
        assert_eq!((stats.lost, stats.repeated), (2, 2));
    }

    #[test]
    fn of_a_wait_that_was_asked_for_only_what_was_waited_counts() {
        let mut stats = RunStats::default();
        let quiet_until = Duration::from_secs(13);
        stats.passed(Interval { quiet_until, ..interval(10, 12) });
        stats.passed(Interval { quiet_until, ..interval(12, 20) });
        stats.passed(Interval { quiet_until, ..interval(20, 30) });
        assert_eq!(stats.asked_to_wait, Duration::from_secs(3));
    }

    #[test]
    fn outages_and_limits_of_the_server_are_told_with_how_long_they_lasted() {
        let mut stats = RunStats::default();
        stats.passed(Interval { is_away: true, ..interval(0, 4) });
        stats.passed(Interval { held_to: Some(212.5), ..interval(4, 9) });
        stats.passed(Interval { held_to: Some(300.0), ..interval(9, 10) });
        stats.passed(interval(10, 20));
        assert_eq!((stats.away, stats.held), (Duration::from_secs(4), Duration::from_secs(6)));
        assert_eq!(stats.held_to, Some(212.5));
    }
}
