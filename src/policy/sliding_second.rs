//! Enforces the contract's rate in any one second, as the server counts it. The pacer spaces
//! calls evenly in advance; this sliding log lets a late call start only if the calls around it
//! leave room, and keeps room after calls that may have arrived late.

use std::collections::VecDeque;
use std::time::Duration;

use super::arrival_delay::ArrivalDelay;

/// Calls that start a second apart may arrive closer together by the jitter of the network, so
/// this much more than a second is kept clear. It must be less than the slack of the pacer, or
/// one late call would delay a call in every second after it.
const NETWORK_JITTER: Duration = Duration::from_millis(2);
const WINDOW: Duration = Duration::from_millis(1000).saturating_add(NETWORK_JITTER);

/// The calls of the last second. Each is recorded with the time since the start of the run at
/// which it started or, if later, may have arrived.
#[derive(Debug)]
pub struct SlidingSecond {
    most: Option<usize>,
    started: VecDeque<Duration>,
    arrival_delay: ArrivalDelay,
}

impl SlidingSecond {
    /// A log that allows at most this many calls in any closed second; `None` allows any number.
    pub fn new(most: Option<u32>) -> SlidingSecond {
        let most = most.map(|most| most as usize);
        SlidingSecond { most, started: VecDeque::new(), arrival_delay: ArrivalDelay::default() }
    }

    /// When the next call may start; `None` if it may start now.
    pub fn blocked_until(&mut self, now: Duration) -> Option<Duration> {
        let most = self.most?;
        while self.started.pop_front_if(|started| started.saturating_add(WINDOW) < now).is_some() {}
        let leaves = self.started.front().filter(|_| self.started.len() >= most)?;
        Some(leaves.saturating_add(WINDOW).saturating_add(Duration::from_nanos(1)))
    }

    /// Corrects the time of a call that was dispatched at one time, started at another because
    /// the process was delayed, and may have arrived later still, by as much as its answer took
    /// longer than the fastest one.
    pub fn on_answered(&mut self, dispatched_at: Duration, started: Duration, answered: Duration) {
        if self.most.is_none() {
            return;
        }
        let late = self.arrival_delay.observe(answered.saturating_sub(started));
        self.recount(dispatched_at, started.saturating_add(late.saturating_sub(NETWORK_JITTER)));
    }

    fn recount(&mut self, dispatched_at: Duration, really: Duration) {
        let place = self.started.partition_point(|started| *started < dispatched_at);
        if really > dispatched_at && self.started.get(place) == Some(&dispatched_at) {
            self.started.remove(place);
            let place = self.started.partition_point(|started| *started < really);
            self.started.insert(place, really);
        }
    }

    /// Removes a call that was dispatched at this time and did not start.
    pub fn on_expired(&mut self, dispatched_at: Duration) {
        let place = self.started.partition_point(|started| *started < dispatched_at);
        if self.started.get(place) == Some(&dispatched_at) {
            self.started.remove(place);
        }
    }

    /// Records a call that starts now.
    pub fn on_started(&mut self, now: Duration) {
        if self.most.is_some() {
            self.started.push_back(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_full_second_is_full_until_its_first_call_has_left_it() {
        let mut second = SlidingSecond::new(Some(2));
        for at in [0, 300] {
            assert_eq!(second.blocked_until(ms(at)), None);
            second.on_started(ms(at));
        }
        let free = second.blocked_until(ms(900)).unwrap();
        assert!(free > ms(1000) + NETWORK_JITTER && free < ms(1010), "{free:?}");
        assert_eq!(second.blocked_until(free), None);
    }

    #[test]
    fn a_call_that_was_held_up_counts_from_when_it_really_started() {
        let mut second = SlidingSecond::new(Some(2));
        second.on_started(ms(0));
        second.on_started(ms(0));
        second.on_answered(ms(0), ms(30), ms(50));
        second.on_answered(ms(0), ms(30), ms(50));
        assert!(second.blocked_until(ms(1030)).is_some());
        assert_eq!(second.blocked_until(ms(1033)), None);
    }

    #[test]
    fn a_call_that_arrived_late_counts_from_then() {
        let mut second = SlidingSecond::new(Some(1));
        for call in 0..10 {
            second.on_started(ms(1100 * call));
            second.on_answered(ms(1100 * call), ms(1100 * call), ms(1100 * call + 20));
            assert_eq!(second.blocked_until(ms(1100 * call + 1003)), None);
        }
        second.on_started(ms(11_000));
        second.on_answered(ms(11_000), ms(11_000), ms(11_050));
        assert!(second.blocked_until(ms(12_029)).is_some());
        assert_eq!(second.blocked_until(ms(12_031)), None);
    }

    #[test]
    fn a_call_that_did_not_start_leaves_its_room_to_others() {
        let mut second = SlidingSecond::new(Some(1));
        second.on_started(ms(10));
        assert!(second.blocked_until(ms(20)).is_some());
        second.on_expired(ms(10));
        assert_eq!(second.blocked_until(ms(20)), None);
    }

    #[test]
    fn without_a_limit_it_is_never_full() {
        let mut second = SlidingSecond::new(None);
        (0..1000).for_each(|_| second.on_started(ms(1)));
        assert_eq!(second.blocked_until(ms(1)), None);
    }
}
