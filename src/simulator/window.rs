//! The most recent arrivals, in order of time.

use std::collections::VecDeque;

/// Nanoseconds in a second.
pub(super) const SECOND: u64 = 1_000_000_000;

/// How long arrivals are kept: twice as long as is asked about, because threads
/// can report an arrival shortly after a later one.
const KEPT: u64 = 2 * SECOND;

/// The arrivals of the last two seconds, whatever order they are reported in.
/// Memory is bounded by the busiest two seconds, not by how long it runs.
#[derive(Debug, Default)]
pub(super) struct Window {
    times: VecDeque<u64>,
}

impl Window {
    /// Inserts an arrival, in nanoseconds, and returns its position.
    pub(super) fn insert(&mut self, at: u64) -> usize {
        let newest = self.times.back().map_or(at, |newest| at.max(*newest));
        while self.times.front().is_some_and(|oldest| *oldest + KEPT < newest) {
            self.times.pop_front();
        }
        // From the end, since an arrival is late by microseconds, if at all.
        let place = self.times.iter().rposition(|time| *time <= at).map_or(0, |before| before + 1);
        self.times.insert(place, at);
        place
    }

    /// How many arrivals there are from this time on, itself included.
    pub(super) fn since(&self, from: u64) -> usize {
        self.times.len() - self.times.partition_point(|time| *time < from)
    }

    /// How many arrivals there are from the one time to the other, both included.
    pub(super) fn between(&self, from: u64, to: u64) -> usize {
        self.since(from) - self.since(to.saturating_add(1))
    }

    /// The arrivals from this place on.
    pub(super) fn starting_at(&self, place: usize) -> impl Iterator<Item = u64> {
        self.times.iter().skip(place).copied()
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.times.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_are_counted_with_both_ends_whatever_order_they_are_reported_in() {
        let mut window = Window::default();
        for at in [10, 30, 20, 30, 5] {
            window.insert(at);
        }
        assert_eq!(window.between(10, 30), 4);
        assert_eq!(window.between(11, 29), 1);
        assert_eq!(window.since(30), 2);
        assert_eq!(window.starting_at(2).collect::<Vec<_>>(), [20, 30, 30]);
    }

    #[test]
    fn a_million_arrivals_leave_no_more_than_two_seconds_of_them() {
        let mut window = Window::default();
        for n in 0..1_000_000 {
            window.insert(n * SECOND / 1_000);
            assert!(window.len() <= 2_001);
        }
    }
}
