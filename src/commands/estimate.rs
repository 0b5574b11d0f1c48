//! Whether a file can be done before the cut-off.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::gate::cut_off::CutOff;
use crate::gate::rate::Rates;
use crate::output::lasting;

/// When the last call may start, so that it is answered before the cut-off.
pub fn last_start(cut_off: &CutOff, timeout: Duration, now: Timestamp) -> Timestamp {
    let cut_off = cut_off.next_occurrence(now, &TimeZone::system());
    cut_off.checked_sub(timeout).unwrap_or(Timestamp::MIN)
}

/// If the calls do not fit before the last start, the sentence that says so.
pub fn too_late(
    calls: u64,
    rates: &Rates,
    last_start: Timestamp,
    now: Timestamp,
) -> Option<String> {
    let left = Duration::try_from(last_start.duration_since(now)).unwrap_or_default();
    let needed = rates.time_for(calls);
    (needed > left).then(|| {
        format!(
            "the calls take {} at this rate, and the last one that can be answered before the cut-off starts in {}",
            lasting(needed),
            lasting(left)
        )
    })
}
