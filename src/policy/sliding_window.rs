//! Counts calls over a long sliding window, for a rate such as 20,000 an hour beside 50 a second.
//! The whole rate may be used at once, but no window ever contains more.

/// The number of slices in which a window is counted. A slice expires when all of it has left the
/// window, so at most 1/240 of the rate is not used.
const SLICES: u64 = 240;

/// How late a call may reach the server after its slot, in nanoseconds.
const LATE: u64 = 1_000_000_000;

/// The algorithm for a window of one length; the slices are passed in. Each slice is its start in
/// nanoseconds since 1970 UTC and its number of calls.
#[derive(Debug, Clone, Copy)]
pub(super) struct SlidingWindowCounter {
    seconds: u64,
}

impl SlidingWindowCounter {
    /// A counter for a window of this many seconds.
    pub(super) fn new(seconds: u64) -> SlidingWindowCounter {
        SlidingWindowCounter { seconds }
    }

    /// The earliest time, not before `from`, at which one more call fits under a limit of `most`.
    pub(super) fn free_from(self, most: u32, recent: &[(u64, u32)], from: u64) -> u64 {
        let mut used: u64 = recent.iter().map(|(_, calls)| u64::from(*calls)).sum();
        let mut free_from = from;
        for (start, calls) in recent {
            if used < u64::from(most) {
                break;
            }
            used -= u64::from(*calls);
            free_from = free_from.max(self.forgotten_at(*start));
        }
        free_from
    }

    /// Removes the slices that have left the window. A slice beyond `furthest` was counted before
    /// the clock was set back; it is moved to `now`, because its real time is not known.
    pub(super) fn forget(self, recent: &mut Vec<(u64, u32)>, now: u64, furthest: u64) {
        recent.retain(|(start, calls)| *calls > 0 && self.forgotten_at(*start) > now);
        let latest = self.slice_of(now);
        for (start, _) in recent.iter_mut().filter(|(start, _)| *start > furthest) {
            *start = latest;
        }
        recent.sort_unstable_by_key(|(start, _)| *start);
    }

    /// Counts a call at this time.
    pub(super) fn count(self, recent: &mut Vec<(u64, u32)>, at: u64) {
        let start = self.slice_of(at);
        match recent.last_mut() {
            Some((last, calls)) if *last == start => *calls += 1,
            _ => recent.push((start, 1)),
        }
    }

    /// Removes a call that was counted at this time and not made.
    pub(super) fn uncount(self, recent: &mut [(u64, u32)], at: u64) {
        let start = self.slice_of(at);
        if let Some((_, calls)) = recent.iter_mut().find(|(slice, _)| *slice == start) {
            *calls = calls.saturating_sub(1);
        }
    }

    fn slice_of(self, at: u64) -> u64 {
        at - at % self.slice()
    }

    fn slice(self) -> u64 {
        (self.seconds.max(1) * 1_000_000_000 / SLICES).max(1)
    }

    /// When the last call of a slice has left the window, however late it started.
    fn forgotten_at(self, start: u64) -> u64 {
        start.saturating_add((SLICES + 1) * self.slice() + LATE)
    }
}
