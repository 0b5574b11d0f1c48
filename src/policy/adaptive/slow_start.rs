//! Slow start: limits the calls in flight until answers come, as TCP does. A server that hangs or
//! is away must not be sent many more calls before the first of them shows it.

use std::time::Duration;

/// The limit on calls in flight until answers come.
const AT_FIRST: u32 = 64;

/// At the start of a run, the calls of this time may be in flight if they are more, because their
/// connections are open.
const FIRST: Duration = Duration::from_millis(10);

/// The limit on calls in flight. It grows by one with every answer while at least half of it is
/// used, which doubles it with every round of answers.
#[derive(Debug)]
pub struct SlowStart {
    most: u32,
    now: u32,
}

impl SlowStart {
    /// A limit that never exceeds `most`. `a_second` is the most calls that start in any one
    /// second; `None` means unlimited.
    pub fn new(most: u32, a_second: Option<u32>) -> SlowStart {
        let started = (FIRST * a_second.unwrap_or_default()).as_secs() as u32;
        SlowStart { most, now: AT_FIRST.max(started).min(most) }
    }

    /// The most calls in flight.
    pub fn limit(&self) -> u32 {
        self.now
    }

    /// Records an answer. `in_flight` is the number of calls in flight until then, itself included.
    pub fn on_answered(&mut self, in_flight: u32) {
        if in_flight.saturating_mul(2) >= self.now {
            self.now = (self.now + 1).min(self.most);
        }
    }

    /// Starts again: the server was away, and no connection is open.
    pub fn restart(&mut self) {
        self.now = AT_FIRST.min(self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_answers_is_soon_sent_all_that_is_allowed() {
        let mut crowd = SlowStart::new(256, None);
        for _round in 0..2 {
            let in_flight = crowd.limit();
            (0..in_flight).for_each(|_| crowd.on_answered(in_flight));
        }
        assert_eq!(crowd.limit(), 256);
    }

    #[test]
    fn a_server_that_hangs_is_not_sent_many_more_than_it_answered_at_once() {
        let mut crowd = SlowStart::new(10_000, Some(500));
        (0..100_000).for_each(|_| crowd.on_answered(20));
        assert_eq!(crowd.limit(), AT_FIRST);
    }

    #[test]
    fn at_a_fast_pace_the_calls_of_some_milliseconds_do_not_wait_for_answers() {
        assert_eq!(SlowStart::new(10_000, Some(20_000)).limit(), 200);
    }

    #[test]
    fn a_server_that_was_away_is_sent_few_at_any_pace() {
        let mut crowd = SlowStart::new(10_000, Some(20_000));
        crowd.restart();
        assert_eq!(crowd.limit(), AT_FIRST);
    }

    #[test]
    fn it_never_allows_more_than_it_was_given() {
        let mut crowd = SlowStart::new(3, Some(20_000));
        (0..100).for_each(|_| crowd.on_answered(3));
        crowd.restart();
        assert_eq!(crowd.limit(), 3);
    }
}
