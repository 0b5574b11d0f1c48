//! The contract's second: how many calls have really started within it. The pace
//! plans calls evenly; this lets one that starts late do so only where the calls
//! that follow leave room for it.

use std::collections::VecDeque;
use std::time::Duration;

/// Calls that start within a second of each other may arrive closer together by
/// the unevenness of the way: so much more than a second is kept clear. It is a little
/// less than the pace leaves unused, or a late call would delay one in every second
/// after it for good.
const WAY: Duration = Duration::from_millis(7);
const KEPT: Duration = Duration::from_millis(1000).saturating_add(WAY);

/// The calls of the last second, by their time after the start of the run.
#[derive(Debug, Default)]
pub struct Second {
    most: Option<usize>,
    started: VecDeque<Duration>,
}

impl Second {
    /// At most so many calls in any closed second; None: any number.
    pub fn new(most: Option<u32>) -> Second {
        Second { most: most.map(|most| most as usize), started: VecDeque::new() }
    }

    /// When the next call may start, if that is not now.
    pub fn full_until(&mut self, now: Duration) -> Option<Duration> {
        let most = self.most?;
        while self.started.pop_front_if(|started| *started + KEPT < now).is_some() {}
        let leaves = self.started.front().filter(|_| self.started.len() >= most)?;
        Some(*leaves + KEPT + Duration::from_nanos(1))
    }

    /// Puts right when a call noted at one time has really started: the process may
    /// have been held up in between.
    pub fn really_started(&mut self, noted: Duration, really: Duration) {
        let place = self.started.partition_point(|started| *started < noted);
        if really > noted && self.started.get(place) == Some(&noted) {
            self.started.remove(place);
            let place = self.started.partition_point(|started| *started < really);
            self.started.insert(place, really);
        }
    }

    /// Takes note of a call that starts now.
    pub fn started(&mut self, now: Duration) {
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
        let mut second = Second::new(Some(2));
        for at in [0, 300] {
            assert_eq!(second.full_until(ms(at)), None);
            second.started(ms(at));
        }
        let free = second.full_until(ms(900)).unwrap();
        assert!(free > ms(1000) + WAY && free < ms(1010), "{free:?}");
        assert_eq!(second.full_until(free), None);
    }

    #[test]
    fn a_call_that_was_held_up_counts_from_when_it_really_started() {
        let mut second = Second::new(Some(2));
        second.started(ms(0));
        second.started(ms(0));
        second.really_started(ms(0), ms(30));
        second.really_started(ms(0), ms(30));
        assert!(second.full_until(ms(1020)).is_some());
        assert_eq!(second.full_until(ms(1039)), None);
    }

    #[test]
    fn without_a_limit_it_is_never_full() {
        let mut second = Second::new(None);
        (0..1000).for_each(|_| second.started(ms(1)));
        assert_eq!(second.full_until(ms(1)), None);
    }
}
