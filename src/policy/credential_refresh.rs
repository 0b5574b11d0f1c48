//! Decides when credentials are refreshed: before they expire, while calls go on; or because they
//! were refused, while every call waits for one refresh.

use std::time::Duration;

use super::backoff::Backoff;

/// If refreshed credentials are refused within this time, another refresh would not help, and the
/// run stops.
const PROVEN_AFTER: Duration = Duration::from_secs(60);
/// The most consecutive refreshes that may fail while every call waits for one.
const MOST_FAILURES: u32 = 5;
/// The delays after refreshes that failed.
const RETRIES: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30), 0.0);
/// The longest time before their expiry at which credentials are refreshed.
const LONGEST_LEAD: Duration = Duration::from_secs(300);
/// The shortest time between two refreshes that are made only because of expiry.
const SHORTEST_USE: Duration = Duration::from_secs(1);

/// The result of a refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshOutcome {
    /// Calls carry new credentials, which have this lifetime if it is known.
    Refreshed(Option<Duration>),
    /// There are no new credentials.
    Failed,
}

/// Decides when credentials are refreshed. Times are since the start of the run.
#[derive(Debug, Clone, Default)]
pub struct RefreshSchedule {
    is_enabled: bool,
    /// When they were last refreshed in this run.
    refreshed_at: Option<Duration>,
    /// Whether they were refused, so that every call waits for new ones.
    refused: bool,
    fetching: bool,
    /// When to refresh next; `None` while a refresh is in progress.
    fetch_at: Option<Duration>,
    /// The number of consecutive refreshes that failed.
    failures: u32,
}

impl RefreshSchedule {
    /// A schedule for credentials that cannot be refreshed.
    pub fn disabled() -> RefreshSchedule {
        RefreshSchedule::default()
    }

    /// A schedule for credentials that were obtained for the start of the run and have this
    /// lifetime, if it is known.
    pub fn new(lifetime: Option<Duration>) -> RefreshSchedule {
        let fetch_at = lifetime.map(use_of);
        RefreshSchedule { is_enabled: true, fetch_at, ..RefreshSchedule::default() }
    }

    /// Takes in that the credentials of a call that started at `started` were refused. Returns
    /// whether the call may be repeated with new ones; if not, the run must stop.
    pub fn on_unauthorized(&mut self, started: Duration, now: Duration) -> bool {
        match self.refreshed_at {
            _ if !self.is_enabled => return false,
            // The call carried the credentials from before the refresh.
            Some(refreshed_at) if started < refreshed_at => return true,
            Some(refreshed_at) if started.saturating_sub(refreshed_at) < PROVEN_AFTER => {
                return false;
            }
            _ => {}
        }
        if !self.refused {
            self.refused = true;
            self.failures = 0;
            self.fetch_at = (!self.fetching).then_some(now);
        }
        true
    }

    /// Takes in the result of a refresh. Returns whether the run may go on.
    pub fn on_refreshed(&mut self, outcome: RefreshOutcome, now: Duration) -> bool {
        self.fetching = false;
        match outcome {
            RefreshOutcome::Refreshed(lifetime) => {
                self.refused = false;
                self.failures = 0;
                self.refreshed_at = Some(now);
                self.fetch_at = lifetime.map(|lifetime| now.saturating_add(use_of(lifetime)));
                true
            }
            RefreshOutcome::Failed => {
                let wait = RETRIES.delay(self.failures, 0);
                self.failures = self.failures.saturating_add(1);
                self.fetch_at = Some(now.saturating_add(wait));
                // Those in use have not been refused, so there is no reason to stop.
                !self.refused || self.failures < MOST_FAILURES
            }
        }
    }

    /// Whether no call may start until there are new credentials.
    pub fn blocks_sending(&self) -> bool {
        self.refused
    }

    /// Whether to refresh now. If so, a refresh counts as in progress from now on.
    pub fn take_due(&mut self, now: Duration) -> bool {
        let begins = self.fetch_at.is_some_and(|at| now >= at);
        if begins {
            self.fetch_at = None;
            self.fetching = true;
        }
        begins
    }

    /// When to check [`RefreshSchedule::take_due`] again; `None` if only an event can change it.
    pub fn wake_at(&self) -> Option<Duration> {
        self.fetch_at
    }
}

/// The delay before the first credentials of a run are requested again, after `failures`
/// failures in addition to the last one; `None` if no try is left.
pub fn first_retry_delay(failures: u32) -> Option<Duration> {
    (failures + 1 < MOST_FAILURES).then(|| RETRIES.delay(failures, 0))
}

/// How long credentials with this lifetime are used before they are refreshed.
fn use_of(lifetime: Duration) -> Duration {
    lifetime.saturating_sub((lifetime / 5).min(LONGEST_LEAD)).max(SHORTEST_USE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A schedule with one refresh at this second, of unknown lifetime.
    fn refreshed_at(at: u64) -> RefreshSchedule {
        let mut refresh = RefreshSchedule::new(None);
        assert!(refresh.on_unauthorized(seconds(0), seconds(at)) && refresh.take_due(seconds(at)));
        assert!(refresh.on_refreshed(RefreshOutcome::Refreshed(None), seconds(at)));
        refresh
    }

    #[test]
    fn credentials_that_cannot_be_refreshed_stop_the_run_when_refused() {
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
        let mut refresh = refreshed_at(10);
        assert!(refresh.on_unauthorized(seconds(9), seconds(11)));
        assert!(!refresh.blocks_sending() && !refresh.take_due(seconds(11)));
    }

    #[test]
    fn new_ones_that_are_refused_stop_the_run_unless_they_were_good_for_a_while() {
        assert!(!refreshed_at(10).on_unauthorized(seconds(10), seconds(11)));
        assert!(!refreshed_at(10).on_unauthorized(seconds(69), seconds(70)));
        let mut expired = refreshed_at(10);
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
        let waits = (0..).map_while(first_retry_delay).map(|wait| wait.as_secs());
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
