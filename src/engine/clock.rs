//! The clock by which calls start, and whether it stood still: while a machine sleeps or is
//! paused, it does not go on, but leases run out and others take up what was claimed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::model::Uptime;

/// How far the wall clock or the uptime must get ahead for a pause, in nanoseconds: clocks
/// that are read one after the other, or corrected, differ by less.
const PAUSE: i128 = 500_000_000;

/// Time since the start of a run. Its clones tell the same.
#[derive(Debug, Clone)]
pub(super) struct RunClock {
    start: Instant,
    pauses: Arc<Mutex<Pauses>>,
}

impl RunClock {
    /// Starts now.
    pub fn start() -> RunClock {
        let pauses = Arc::new(Mutex::new(Pauses::default()));
        let clock = RunClock { start: Instant::now(), pauses };
        clock.pauses();
        clock
    }

    /// Since the start, without the time in which the machine slept.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// The time that comes so long after the start.
    pub fn at(&self, since_start: Duration) -> Option<Instant> {
        self.start.checked_add(since_start)
    }

    /// How often the machine has stood still since the start, as far as a clock shows it.
    pub fn pauses(&self) -> u32 {
        let nanoseconds = |duration: Duration| i128::try_from(duration.as_nanos());
        let here = nanoseconds(self.elapsed()).unwrap_or(i128::MAX);
        let wall = Timestamp::now().as_nanosecond();
        let up = nanoseconds(Uptime::since_boot()).unwrap_or(here);
        let mut pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        pauses.look([wall - here, up - here])
    }
}

/// The pauses that were noticed.
#[derive(Debug, Default)]
struct Pauses {
    /// How far each other clock was ahead of ours when it was last looked at.
    ahead: Option<[i128; 2]>,
    noticed: u32,
}

impl Pauses {
    /// The other clocks are so far ahead now.
    fn look(&mut self, ahead: [i128; 2]) -> u32 {
        if let Some(before) = self.ahead.replace(ahead) {
            let has_gone_on = |(now, before): (i128, i128)| now - before > PAUSE;
            let paused = ahead.into_iter().zip(before).any(has_gone_on);
            self.noticed = self.noticed.saturating_add(paused.into());
        }
        self.noticed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i128 = 1_000_000_000;

    #[test]
    fn a_pause_is_noticed_once_whichever_clock_goes_on() {
        for other in [[8 * SECOND, 0], [0, 8 * SECOND], [8 * SECOND, 8 * SECOND]] {
            let mut pauses = Pauses::default();
            assert_eq!(pauses.look([0, 0]), 0);
            assert_eq!(pauses.look(other), 1);
            assert_eq!(pauses.look(other), 1);
        }
    }

    #[test]
    fn a_clock_that_is_set_back_or_corrected_slowly_is_no_pause() {
        let mut pauses = Pauses::default();
        pauses.look([0, 0]);
        assert_eq!(pauses.look([-3600 * SECOND, 0]), 0);
        let corrected = (0..100).map(|step| -3600 * SECOND + step * SECOND / 10);
        assert_eq!(corrected.map(|ahead| pauses.look([ahead, 0])).max(), Some(0));
    }
}
