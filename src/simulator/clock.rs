//! The clock of the arrivals.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Wall-clock time that never runs backwards.
#[derive(Debug, Clone, Copy)]
pub(super) struct SimClock {
    started: Instant,
    started_at_ns: u64,
}

impl SimClock {
    pub(super) fn start() -> SimClock {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        SimClock { started: Instant::now(), started_at_ns: nanoseconds(since_1970) }
    }

    /// Nanoseconds since 1970.
    pub(super) fn now(self) -> u64 {
        self.started_at_ns.saturating_add(nanoseconds(self.started.elapsed()))
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
