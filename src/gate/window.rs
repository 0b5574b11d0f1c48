//! A rate over a long window, say 20,000 an hour beside 50 a second: the whole
//! of it may be used at once, but never more of it in any one window.

use super::rate::Rate;

/// Slices a window is counted in. A slice is forgotten when all of it has left
/// the window, so at most one part in this many of the rate goes unused.
const SLICES: u64 = 240;

/// How late a call may reach the server after its moment, in nanoseconds.
const LATE: u64 = 1_000_000_000;

/// One rate of the contract over its own minute or hour.
#[derive(Debug)]
pub(super) struct Window {
    calls: u32,
    slice: u64,
}

impl Window {
    pub(super) fn new(rate: Rate) -> Window {
        let nanoseconds: u64 = rate.per.duration().as_nanos().try_into().unwrap_or(u64::MAX);
        Window { calls: rate.calls, slice: nanoseconds / SLICES }
    }

    /// The earliest time from `from` on at which one more call fits.
    pub(super) fn free_from(&self, recent: &mut Vec<(u64, u32)>, from: u64) -> u64 {
        recent.retain(|(start, _)| self.forgotten_at(*start) > from);
        let mut used: u64 = recent.iter().map(|(_, calls)| u64::from(*calls)).sum();
        let mut free_from = from;
        for (start, calls) in recent.iter() {
            if used < u64::from(self.calls) {
                break;
            }
            used -= u64::from(*calls);
            free_from = self.forgotten_at(*start);
        }
        free_from
    }

    /// Counts a call at this time.
    pub(super) fn count(&self, recent: &mut Vec<(u64, u32)>, at: u64) {
        let start = at - at % self.slice;
        match recent.last_mut() {
            Some((last, calls)) if *last == start => *calls += 1,
            _ => recent.push((start, 1)),
        }
    }

    /// When the last call of a slice has left the window, however late it started.
    fn forgotten_at(&self, start: u64) -> u64 {
        start.saturating_add((SLICES + 1) * self.slice + LATE)
    }
}
