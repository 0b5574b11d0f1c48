//! The contract's second, as the server counts it. The pace plans calls evenly; this
//! lets one that starts late do so only where the calls around it leave room, and
//! makes room after calls that may have arrived late.

use std::collections::VecDeque;
use std::time::Duration;

use super::arrival_delay::ArrivalDelay;

/// Calls that start within a second of each other may arrive closer together by
/// the unevenness of the way: so much more than a second is kept clear. It is less
/// than the pace leaves unused, or a late call would delay one in every second after
/// it for good.
const WAY: Duration = Duration::from_millis(2);
const KEPT: Duration = Duration::from_millis(1000).saturating_add(WAY);

/// The calls of the last second, by the time after the start of the run at which
/// they started, or at the latest arrived.
#[derive(Debug)]
pub struct SlidingSecond {
    most: Option<usize>,
    started: VecDeque<Duration>,
    lateness: ArrivalDelay,
}

impl SlidingSecond {
    /// At most so many calls in any closed second; None: any number.
    pub fn new(most: Option<u32>) -> SlidingSecond {
        let most = most.map(|most| most as usize);
        SlidingSecond { most, started: VecDeque::new(), lateness: ArrivalDelay::default() }
    }

    /// When the next call may start, if that is not now.
    pub fn blocked_until(&mut self, now: Duration) -> Option<Duration> {
        let most = self.most?;
        while self.started.pop_front_if(|started| started.saturating_add(KEPT) < now).is_some() {}
        let leaves = self.started.front().filter(|_| self.started.len() >= most)?;
        Some(leaves.saturating_add(KEPT).saturating_add(Duration::from_nanos(1)))
    }

    /// Puts right when a call, dispatched at one time, counts: it has really started at
    /// another, as the process may have been held up in between, and it may have
    /// arrived later still by what its answer took beyond the fastest.
    pub fn on_answered(&mut self, dispatched_at: Duration, started: Duration, answered: Duration) {
        if self.most.is_none() {
            return;
        }
        let late = self.lateness.observe(answered.saturating_sub(started));
        self.recount(dispatched_at, started.saturating_add(late.saturating_sub(WAY)));
    }

    fn recount(&mut self, dispatched_at: Duration, really: Duration) {
        let place = self.started.partition_point(|started| *started < dispatched_at);
        if really > dispatched_at && self.started.get(place) == Some(&dispatched_at) {
            self.started.remove(place);
            let place = self.started.partition_point(|started| *started < really);
            self.started.insert(place, really);
        }
    }

    /// A call that was dispatched at this time did not start.
    pub fn on_expired(&mut self, dispatched_at: Duration) {
        let place = self.started.partition_point(|started| *started < dispatched_at);
        if self.started.get(place) == Some(&dispatched_at) {
            self.started.remove(place);
        }
    }

    /// Takes note of a call that starts now.
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
        assert!(free > ms(1000) + WAY && free < ms(1010), "{free:?}");
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
