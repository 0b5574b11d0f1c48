//! How many requests are let in.

use super::window::{SECOND, Window};

/// Admits at most `limit` requests within any one second, both ends included.
#[derive(Debug)]
pub(super) struct Capacity {
    limit: usize,
    admitted: Window,
}

impl Capacity {
    pub(super) fn new(limit: u32) -> Capacity {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Capacity { limit, admitted: Window::default() }
    }

    /// Whether a request that arrived at this time, in nanoseconds, is let in. Those
    /// that are not do not count against those that come after.
    pub(super) fn admit(&mut self, at: u64) -> bool {
        // Open at the end: what arrived later and was reported sooner counts too.
        let fits = self.admitted.since(at.saturating_sub(SECOND)) < self.limit;
        if fits {
            self.admitted.insert(at);
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The most of these sorted times that any closed second holds.
    fn most_in_a_second(times: &[u64]) -> usize {
        (0..times.len())
            .map(|i| times[i..].iter().take_while(|time| **time - times[i] <= SECOND).count())
            .max()
            .unwrap_or(0)
    }

    #[test]
    fn no_second_holds_more_than_the_limit_and_each_is_filled() {
        let mut capacity = Capacity::new(10);
        let step = SECOND / 997;
        let mut times: Vec<u64> = (0..5_000).map(|n| 1 + n * step).collect();
        // Neighbours reported in the wrong order, as two threads would.
        for pair in times.chunks_exact_mut(7) {
            pair.swap(2, 3);
        }
        let mut admitted: Vec<u64> = times.into_iter().filter(|at| capacity.admit(*at)).collect();
        admitted.sort_unstable();
        assert_eq!(most_in_a_second(&admitted), 10);
        assert!(admitted.len() >= 50, "five seconds of ten: {}", admitted.len());
    }

    #[test]
    fn both_ends_of_a_second_belong_to_it() {
        let mut capacity = Capacity::new(1);
        assert!(capacity.admit(0));
        assert!(!capacity.admit(SECOND));
        assert!(capacity.admit(SECOND + 1));
    }

    #[test]
    fn a_capacity_of_none_lets_nothing_in() {
        assert!(!Capacity::new(0).admit(0));
    }
}
