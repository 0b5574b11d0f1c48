//! How busy it got.

use super::window::{SECOND, Window};

/// Measures how busy it got: exact, in memory bounded by two seconds of arrivals.
#[derive(Debug, Default)]
pub(super) struct Peak {
    window: Window,
    /// Arrivals so far.
    pub(super) total: u64,
    /// The most arrivals in any one second, both ends included.
    pub(super) any_second: u64,
    /// The most arrivals in any one second of the clock.
    pub(super) clock_second: u64,
    /// The first arrival, in nanoseconds since 1970.
    pub(super) first: Option<u64>,
    /// The last arrival, in nanoseconds since 1970.
    pub(super) last: Option<u64>,
}

impl Peak {
    /// Takes note of an arrival, in nanoseconds since 1970.
    pub(super) fn arrive(&mut self, at: u64) {
        self.total += 1;
        self.first = Some(self.first.map_or(at, |first| first.min(at)));
        self.last = Some(self.last.map_or(at, |last| last.max(at)));
        let place = self.window.insert(at);
        // A late report adds to the seconds that end with the arrivals after it, too.
        for end in self.window.starting_at(place) {
            let arrivals = self.window.between(end.saturating_sub(SECOND), end);
            self.any_second = self.any_second.max(arrivals as u64);
        }
        let second = at - at % SECOND;
        let arrivals = self.window.between(second, second + (SECOND - 1));
        self.clock_second = self.clock_second.max(arrivals as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peak_of(times: impl IntoIterator<Item = u64>) -> Peak {
        let mut peak = Peak::default();
        times.into_iter().for_each(|at| peak.arrive(at));
        peak
    }

    #[test]
    fn both_ends_of_the_busiest_second_count() {
        let peak = peak_of([0, SECOND / 2, SECOND, 2 * SECOND + 1]);
        assert_eq!((peak.any_second, peak.clock_second, peak.total), (3, 2, 4));
    }

    #[test]
    fn a_burst_across_two_seconds_of_the_clock_is_seen_whole() {
        let half = SECOND / 2;
        let peak = peak_of((0..100).map(|n| half + n * SECOND / 100));
        assert_eq!((peak.any_second, peak.clock_second), (100, 50));
    }

    #[test]
    fn reports_in_the_wrong_order_give_the_same_peak() {
        let in_order: Vec<u64> = (0..1_000).map(|n| n * n * 3_001).collect();
        let mut muddled = in_order.clone();
        muddled.chunks_mut(5).for_each(<[u64]>::reverse);
        let (in_order, muddled) = (peak_of(in_order), peak_of(muddled));
        assert_eq!(in_order.any_second, muddled.any_second);
        assert_eq!(in_order.clock_second, muddled.clock_second);
        assert_eq!((in_order.first, in_order.last), (muddled.first, muddled.last));
    }

    #[test]
    fn nothing_arriving_is_no_peak() {
        let peak = Peak::default();
        assert_eq!((peak.any_second, peak.first, peak.last), (0, None, None));
    }
}
