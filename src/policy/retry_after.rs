//! How long nothing is sent because the server asked for that (Retry-After). One answer may
//! ask for a day, by mistake or not: it is not given longer than an outage is.

use std::time::Duration;

/// The time for which nobody may send. Times are since the start of the run.
#[derive(Debug)]
pub struct RetryAfter {
    longest: Duration,
    until: Duration,
    asked: Option<WaitRequest>,
}

/// What the server asked for, and no answer has shown since that it works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitRequest {
    /// When it asked first.
    pub since: Duration,
    /// The longest wait that it asked for.
    pub wait: Duration,
    /// How long it is given from then on.
    pub given: Duration,
    /// Whether that is less than it asked for.
    pub is_capped: bool,
}

impl RetryAfter {
    /// None yet; never longer than this.
    pub fn new(longest: Duration) -> RetryAfter {
        RetryAfter { longest, until: Duration::ZERO, asked: None }
    }

    /// The answer to a call that was started then asks now for this wait. Says whether it
    /// can be given: not if the silence before that call was as long as it may be.
    pub fn on_requested(&mut self, wait: Duration, started: Duration, now: Duration) -> bool {
        let given = Duration::ZERO;
        let asked =
            self.asked.get_or_insert(WaitRequest { since: now, wait, given, is_capped: false });
        let ends = asked.since.saturating_add(self.longest);
        let until = now.saturating_add(wait);
        asked.wait = asked.wait.max(wait);
        asked.is_capped |= until > ends;
        self.until = self.until.max(until.min(ends));
        asked.given = self.until.saturating_sub(asked.since);
        started < ends
    }

    /// Another process was asked for a wait of which this much is left now.
    pub fn on_reported(&mut self, left: Duration, now: Duration) {
        self.until = self.until.max(now.saturating_add(left.min(self.longest)));
    }

    /// The answer to a call that was started then shows that the server works.
    pub fn on_success(&mut self, started: Duration) {
        self.asked.take_if(|asked| started >= asked.since);
    }

    /// Until when nobody may send.
    pub fn until(&self) -> Duration {
        self.until
    }

    /// What was asked for, unless the server has worked since.
    pub fn asked(&self) -> Option<WaitRequest> {
        self.asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_is_asked_for_is_given() {
        let mut retry_after = RetryAfter::new(s(900));
        assert!(
            retry_after.on_requested(s(7), s(9), s(10))
                && retry_after.on_requested(s(2), s(9), s(11))
        );
        assert_eq!(retry_after.until(), s(17));
        assert_eq!(
            retry_after.asked(),
            Some(WaitRequest { since: s(10), wait: s(7), given: s(7), is_capped: false })
        );
    }

    #[test]
    fn a_day_is_not_given_and_whoever_asks_for_it_again_is_away() {
        let mut retry_after = RetryAfter::new(s(900));
        assert!(retry_after.on_requested(s(86_400), s(9), s(10)));
        assert_eq!(retry_after.until(), s(910));
        assert!(retry_after.asked().unwrap().is_capped);
        assert!(retry_after.on_requested(s(86_400), s(9), s(12)), "it was sent before");
        assert!(!retry_after.on_requested(s(86_400), s(910), s(911)));
    }

    #[test]
    fn a_server_that_works_in_between_may_ask_again_and_again() {
        let mut retry_after = RetryAfter::new(s(10));
        for time in (0..1000).step_by(5) {
            assert!(retry_after.on_requested(s(1), s(time), s(time + 1)));
            retry_after.on_success(s(time + 2));
            assert_eq!(retry_after.asked(), None);
        }
    }

    #[test]
    fn what_another_process_was_asked_for_is_waited_for_too_and_no_longer_than_an_outage() {
        let mut retry_after = RetryAfter::new(s(10));
        retry_after.on_reported(s(5), s(1));
        assert_eq!((retry_after.until(), retry_after.asked()), (s(6), None));
        retry_after.on_reported(s(86_400), s(2));
        assert_eq!(retry_after.until(), s(12));
    }

    #[test]
    fn an_answer_to_a_call_from_before_ends_nothing() {
        let mut retry_after = RetryAfter::new(s(10));
        retry_after.on_requested(s(5), s(1), s(3));
        retry_after.on_success(s(2));
        assert!(retry_after.asked().is_some());
    }

    #[test]
    fn no_wait_is_too_long_to_be_reckoned_with() {
        let mut retry_after = RetryAfter::new(Duration::MAX);
        assert!(retry_after.on_requested(Duration::MAX, s(1), s(2)));
        assert_eq!(retry_after.until(), Duration::MAX);
    }
}
