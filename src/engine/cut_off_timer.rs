//! The cut-off, measured on two clocks: the wall clock, and the run's own clock from the first
//! check on. Setting the wall clock back therefore does not postpone the cut-off.

use std::time::Duration;

use jiff::Timestamp;

use super::events::Now;

/// When the last attempt may start.
#[derive(Debug)]
pub struct CutOffTimer {
    last_start: Option<Timestamp>,
    /// The same as a time since the start of the run, once it was computed.
    since_start: Option<Duration>,
}

impl CutOffTimer {
    /// `None` means that there is no cut-off.
    pub fn new(last_start: Option<Timestamp>) -> CutOffTimer {
        CutOffTimer { last_start, since_start: None }
    }

    /// Whether the cut-off has passed on either clock.
    pub fn has_passed(&mut self, now: Now) -> bool {
        let Some(last) = self.last_start else { return false };
        let since_start = *self.since_start.get_or_insert_with(|| until(last, now));
        now.wall >= last || now.since_start >= since_start
    }

    /// When to check again, as a time since the start of the run; `None` if there is no cut-off.
    pub fn wake_at(&self, now: Now) -> Option<Duration> {
        let by_wall = until(self.last_start?, now);
        Some(self.since_start.map_or(by_wall, |at| at.min(by_wall)))
    }
}

/// When the wall clock will show this time, as a time since the start of the run.
fn until(time: Timestamp, now: Now) -> Duration {
    let left = Duration::try_from(time.duration_since(now.wall)).unwrap_or_default();
    now.since_start.saturating_add(left)
}
