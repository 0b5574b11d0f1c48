//! When credentials are renewed: before they expire, without holding anything
//! up; or because they were refused, while everything waits for one fetch.

use std::time::Duration;

use super::backoff::Backoff;

/// New credentials that are refused within this time of their refresh are not
/// worth another: the run stops.
const PROVEN_AFTER: Duration = Duration::from_secs(60);
/// How often in a row a fetch may fail while everything waits for it.
const MOST_FAILURES: u32 = 5;
/// The waits after fetches that failed.
const RETRIES: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30), 0.0);
/// How long before their end credentials are renewed at the earliest.
const LONGEST_LEAD: Duration = Duration::from_secs(300);
/// Credentials are not renewed more often than this by themselves.
const SHORTEST_USE: Duration = Duration::from_secs(1);

/// What became of a fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshOutcome {
    /// Calls carry new credentials, which last so long, if that is known.
    Refreshed(Option<Duration>),
    /// There are none.
    Failed,
}

/// Decides when credentials are renewed. Times are since the start of the run.
#[derive(Debug, Clone, Default)]
pub struct RefreshSchedule {
    is_possible: bool,
    /// When they were renewed last in this run.
    renewed_at: Option<Duration>,
    /// They were refused, and everything waits for new ones.
    refused: bool,
    fetching: bool,
    /// When to fetch next; never while a fetch is under way.
    fetch_at: Option<Duration>,
    /// Fetches that failed in a row.
    failures: u32,
}

impl RefreshSchedule {
    /// For credentials that cannot be renewed.
    pub fn disabled() -> RefreshSchedule {
        RefreshSchedule::default()
    }

    /// For credentials that were fetched for the start of the run and last so
    /// long, if that is known.
    pub fn new(lifetime: Option<Duration>) -> RefreshSchedule {
        let fetch_at = lifetime.map(use_of);
        RefreshSchedule { is_possible: true, fetch_at, ..RefreshSchedule::default() }
    }

    /// Takes in that a call which started then had its credentials refused. Says
    /// whether it may be made again with others; if not, the run is to stop.
    pub fn on_unauthorized(&mut self, started: Duration, now: Duration) -> bool {
        match self.renewed_at {
            _ if !self.is_possible => return false,
            // It carried those before.
            Some(renewed_at) if started < renewed_at => return true,
            Some(renewed_at) if started.saturating_sub(renewed_at) < PROVEN_AFTER => return false,
            _ => {}
        }
        if !self.refused {
            self.refused = true;
            self.failures = 0;
            self.fetch_at = (!self.fetching).then_some(now);
        }
        true
    }

    /// Takes in what became of a fetch. Says whether the run may go on.
    pub fn on_refreshed(&mut self, fetched: RefreshOutcome, now: Duration) -> bool {
        self.fetching = false;
        match fetched {
            RefreshOutcome::Refreshed(lifetime) => {
                self.refused = false;
                self.failures = 0;
                self.renewed_at = Some(now);
                self.fetch_at = lifetime.map(|lifetime| now.saturating_add(use_of(lifetime)));
                true
            }
            RefreshOutcome::Failed => {
                let wait = RETRIES.delay(self.failures, 0);
                self.failures = self.failures.saturating_add(1);
                self.fetch_at = Some(now.saturating_add(wait));
                // Until those in use are refused, there is nothing to stop for.
                !self.refused || self.failures < MOST_FAILURES
            }
        }
    }

    /// Whether nothing may be sent until there are new ones.
    pub fn blocks_sending(&self) -> bool {
        self.refused
    }

    /// Whether to fetch now; if so, a fetch is under way from now on.
    pub fn take_due(&mut self, now: Duration) -> bool {
        let begins = self.fetch_at.is_some_and(|at| now >= at);
        if begins {
            self.fetch_at = None;
            self.fetching = true;
        }
        begins
    }

    /// When to ask again whether to fetch.
    pub fn wake_at(&self) -> Option<Duration> {
        self.fetch_at
    }
}

/// How long to wait before credentials without which nothing can begin are asked for once
/// more, after so many failures before this one; none if it was the last.
pub fn wait_for_the_first(failures: u32) -> Option<Duration> {
    (failures + 1 < MOST_FAILURES).then(|| RETRIES.delay(failures, 0))
}

/// How long credentials are used that last so long.
fn use_of(lifetime: Duration) -> Duration {
    lifetime.saturating_sub((lifetime / 5).min(LONGEST_LEAD)).max(SHORTEST_USE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Refreshed once, at this second, for no known time.
    fn renewed_at(at: u64) -> RefreshSchedule {
        let mut refresh = RefreshSchedule::new(None);
        assert!(refresh.on_unauthorized(seconds(0), seconds(at)) && refresh.take_due(seconds(at)));
        assert!(refresh.on_refreshed(RefreshOutcome::Refreshed(None), seconds(at)));
        refresh
    }

    #[test]
    fn what_cannot_be_renewed_stops_the_run_when_refused() {
        assert!(!RefreshSchedule::disabled().on_unauthorized(seconds(1), seconds(2)));
    }

    #[test]
    fn many_refusals_wait_for_one_fetch() {
        let mut refresh = RefreshSchedule::new(None);
        for _ in 0..3 {
            assert!(refresh.on_unauthorized(seconds(1), seconds(2)) && refresh.blocks_sending());
        }
        assert!(refresh.take_due(seconds(2)) && !refresh.take_due(seconds(2)));
        assert!(refresh.on_unauthorized(seconds(1), seconds(3)) && !refresh.take_due(seconds(3)));
        assert!(refresh.on_refreshed(RefreshOutcome::Refreshed(None), seconds(4)));
        assert!(!refresh.blocks_sending() && refresh.wake_at().is_none());
    }

    #[test]
    fn a_late_refusal_of_those_before_asks_for_nothing() {
        let mut refresh = renewed_at(10);
        assert!(refresh.on_unauthorized(seconds(9), seconds(11)));
        assert!(!refresh.blocks_sending() && !refresh.take_due(seconds(11)));
    }

    #[test]
    fn new_ones_that_are_refused_stop_the_run_unless_they_were_good_for_a_while() {
        assert!(!renewed_at(10).on_unauthorized(seconds(10), seconds(11)));
        assert!(!renewed_at(10).on_unauthorized(seconds(69), seconds(70)));
        let mut expired = renewed_at(10);
        assert!(expired.on_unauthorized(seconds(70), seconds(71)) && expired.take_due(seconds(71)));
    }

    #[test]
    fn those_that_expire_are_renewed_before_they_do_while_calls_go_on() {
        for (lifetime, used) in [(10, 8), (3600, 3300), (1, 1)] {
            let mut refresh = RefreshSchedule::new(Some(seconds(lifetime)));
            assert_eq!(refresh.wake_at(), Some(seconds(used)));
            assert!(!refresh.take_due(seconds(used) - Duration::from_millis(1)));
            assert!(refresh.take_due(seconds(used)) && !refresh.blocks_sending());
            assert!(
                refresh.on_refreshed(
                    RefreshOutcome::Refreshed(Some(seconds(lifetime))),
                    seconds(used)
                )
            );
            assert_eq!(refresh.wake_at(), Some(seconds(2 * used)));
        }
    }

    #[test]
    fn those_that_never_expire_are_no_sum_too_large() {
        let mut refresh = RefreshSchedule::new(Some(Duration::MAX));
        assert!(refresh.on_unauthorized(seconds(1), seconds(2)) && refresh.take_due(seconds(2)));
        assert!(refresh.on_refreshed(RefreshOutcome::Refreshed(Some(Duration::MAX)), seconds(3)));
        assert!(refresh.wake_at().is_some_and(|at| at > seconds(1 << 60)));
    }

    #[test]
    fn the_first_are_asked_for_as_often_as_later_ones() {
        let waits = (0..).map_while(wait_for_the_first).map(|wait| wait.as_secs());
        assert_eq!(waits.collect::<Vec<_>>(), [1, 2, 4, 8]);
    }

    #[test]
    fn a_refusal_waits_for_the_fetch_that_is_under_way() {
        let mut refresh = RefreshSchedule::new(Some(seconds(10)));
        assert!(refresh.take_due(seconds(8)));
        assert!(refresh.on_unauthorized(seconds(8), seconds(9)) && refresh.blocks_sending());
        assert!(!refresh.take_due(seconds(9)));
        assert!(
            refresh.on_refreshed(RefreshOutcome::Refreshed(None), seconds(9))
                && !refresh.blocks_sending()
        );
    }

    #[test]
    fn a_fetch_that_fails_is_made_again_after_growing_waits_then_the_run_stops() {
        let mut refresh = RefreshSchedule::new(None);
        assert!(refresh.on_unauthorized(seconds(0), seconds(0)));
        let mut now = seconds(0);
        let mut waits = Vec::new();
        loop {
            assert!(refresh.take_due(now) && refresh.blocks_sending());
            let goes_on = refresh.on_refreshed(RefreshOutcome::Failed, now);
            if !goes_on {
                break;
            }
            let next = refresh.wake_at().unwrap();
            waits.push((next - now).as_secs());
            now = next;
        }
        assert_eq!(waits, [1, 2, 4, 8]);
    }

    #[test]
    fn nothing_stops_because_those_that_are_still_good_could_not_be_renewed() {
        let mut refresh = RefreshSchedule::new(Some(seconds(10)));
        let mut now = seconds(8);
        for _ in 0..100 {
            assert!(refresh.take_due(now) && refresh.on_refreshed(RefreshOutcome::Failed, now));
            assert!(!refresh.blocks_sending());
            now = refresh.wake_at().unwrap();
        }
        assert!(refresh.on_unauthorized(now - seconds(1), now) && refresh.take_due(now));
        assert!(refresh.on_refreshed(RefreshOutcome::Failed, now), "it has several attempts again");
    }
}
