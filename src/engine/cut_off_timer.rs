//! The cut-off by two clocks: the wall's, and the time that has passed since the run was first
//! asked about it. A wall clock that is set back does not put the cut-off off.

use std::time::Duration;

use jiff::Timestamp;

use super::events::Now;

/// When the last attempt may start.
#[derive(Debug)]
pub struct CutOffTimer {
    last_start: Option<Timestamp>,
    /// The same after the start of the run, once it is known.
    since_start: Option<Duration>,
}

impl CutOffTimer {
    /// `None`: there is no cut-off.
    pub fn new(last_start: Option<Timestamp>) -> CutOffTimer {
        CutOffTimer { last_start, since_start: None }
    }

    /// Whether the cut-off came, by the wall clock or by the time that has passed.
    pub fn has_passed(&mut self, now: Now) -> bool {
        let Some(last) = self.last_start else { return false };
        let since_start = *self.since_start.get_or_insert_with(|| until(last, now));
        now.wall >= last || now.since_start >= since_start
    }

    /// When after the start of the run it is to be asked again, if there is a cut-off.
    pub fn wake_at(&self, now: Now) -> Option<Duration> {
        let by_wall = until(self.last_start?, now);
        Some(self.since_start.map_or(by_wall, |at| at.min(by_wall)))
    }
}

/// When a time comes, after the start, if the wall clock goes on as it is.
fn until(time: Timestamp, now: Now) -> Duration {
    let left = Duration::try_from(time.duration_since(now.wall)).unwrap_or_default();
    now.since_start.saturating_add(left)
}
