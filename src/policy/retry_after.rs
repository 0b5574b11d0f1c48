//! The pause that the server requests with `Retry-After` (RFC 9110, section 10.2.3). An answer
//! may request a day, whether by mistake or not: a pause is never longer than an outage may be.

use std::time::Duration;

/// The current pause. Times are since the start of the run.
#[derive(Debug)]
pub struct RetryAfter {
    longest: Duration,
    until: Duration,
    asked: Option<WaitRequest>,
}

/// The pauses that the server requested since an answer last showed that it works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitRequest {
    /// When it requested the first of them.
    pub since: Duration,
    /// The longest pause that it requested.
    pub wait: Duration,
    /// How long it is granted, from `since` on.
    pub given: Duration,
    /// Whether it is granted less than it requested.
    pub is_capped: bool,
}

impl RetryAfter {
    /// No pause yet. None is ever longer than `longest`.
    pub fn new(longest: Duration) -> RetryAfter {
        RetryAfter { longest, until: Duration::ZERO, asked: None }
    }

    /// Takes in that the answer to a call that started at `started` requests a pause of `wait`.
    /// Returns whether it can be granted: it cannot if the longest pause had passed before that
    /// call started.
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

    /// Takes in that another process received a request for a pause, of which `left` remains.
    pub fn on_reported(&mut self, left: Duration, now: Duration) {
        self.until = self.until.max(now.saturating_add(left.min(self.longest)));
    }

    /// Takes in that the answer to a call that started at `started` shows that the server works.
    pub fn on_success(&mut self, started: Duration) {
        self.asked.take_if(|asked| started >= asked.since);
    }

    /// When the pause ends.
    pub fn until(&self) -> Duration {
        self.until
    }

    /// The pauses requested since the server last worked; `None` if there are none.
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
    fn a_wait_of_a_day_is_capped_and_a_server_that_repeats_it_is_away() {
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
    fn a_wait_requested_from_another_process_is_kept_too_and_no_longer_than_an_outage() {
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
    fn the_longest_possible_wait_does_not_overflow() {
        let mut retry_after = RetryAfter::new(Duration::MAX);
        assert!(retry_after.on_requested(Duration::MAX, s(1), s(2)));
        assert_eq!(retry_after.until(), Duration::MAX);
    }
}
