//! The clock of a run, and how a suspended machine is detected. While a machine is suspended, the
//! clock stands still, but leases expire and other processes take over what was claimed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::model::Uptime;

/// By how much, in nanoseconds, the wall clock or the uptime must gain on the run's clock to
/// count as a pause. Clocks that are read one after the other, or slewed, differ by less.
const PAUSE: i128 = 500_000_000;

/// The time since the start of a run. Clones share its start and its pauses.
#[derive(Debug, Clone)]
pub(super) struct RunClock {
    start: Instant,
    pauses: Arc<Mutex<Pauses>>,
}

impl RunClock {
    /// Starts a clock now.
    pub fn start() -> RunClock {
        let pauses = Arc::new(Mutex::new(Pauses::default()));
        let clock = RunClock { start: Instant::now(), pauses };
        clock.pauses();
        clock
    }

    /// The time since the start, without the time in which the machine was suspended.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// The instant this long after the start; `None` if it cannot be represented.
    pub fn at(&self, since_start: Duration) -> Option<Instant> {
        self.start.checked_add(since_start)
    }

    /// The number of pauses of the machine detected since the start.
    pub fn pauses(&self) -> u32 {
        let nanoseconds = |duration: Duration| i128::try_from(duration.as_nanos());
        let here = nanoseconds(self.elapsed()).unwrap_or(i128::MAX);
        let wall = Timestamp::now().as_nanosecond();
        let up = nanoseconds(Uptime::since_boot()).unwrap_or(here);
        let mut pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        pauses.observe([wall - here, up - here])
    }
}

/// The pauses detected.
#[derive(Debug, Default)]
struct Pauses {
    /// How far the wall clock and the uptime were ahead of the run's clock when last read.
    ahead: Option<[i128; 2]>,
    noticed: u32,
}

impl Pauses {
    /// Takes in how far they are ahead now. Returns the number of pauses so far.
    fn observe(&mut self, ahead: [i128; 2]) -> u32 {
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
            assert_eq!(pauses.observe([0, 0]), 0);
            assert_eq!(pauses.observe(other), 1);
            assert_eq!(pauses.observe(other), 1);
        }
    }

    #[test]
    fn a_clock_that_is_set_back_or_corrected_slowly_is_no_pause() {
        let mut pauses = Pauses::default();
        pauses.observe([0, 0]);
        assert_eq!(pauses.observe([-3600 * SECOND, 0]), 0);
        let corrected = (0..100).map(|step| -3600 * SECOND + step * SECOND / 10);
        assert_eq!(corrected.map(|ahead| pauses.observe([ahead, 0])).max(), Some(0));
    }
}
