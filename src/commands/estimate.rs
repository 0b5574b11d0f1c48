//! Whether a file can be done before the cut-off.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::gate::cut_off::CutOff;
use crate::gate::rate::Rates;
use crate::output::{count, lasting, rows};

/// When the last call may start, so that it is answered before the cut-off.
pub fn last_start(cut_off: &CutOff, timeout: Duration, now: Timestamp) -> Timestamp {
    let cut_off = cut_off.next_occurrence(now, &TimeZone::system());
    cut_off.checked_sub(timeout).unwrap_or(Timestamp::MIN)
}

/// How long a cut-off that has passed holds for the runs opened before it. A
/// service that is restarted after a reboot, or because the run stopped, must not
/// take the next night's cut-off for this one's.
pub const SAME_NIGHT: Duration = Duration::from_secs(12 * 3600);

/// The last start of a run opened at `opened_at`, if tonight's has passed.
pub fn passed(
    cut_off: &CutOff,
    timeout: Duration,
    opened_at: Timestamp,
    now: Timestamp,
) -> Option<Timestamp> {
    let evening = now.checked_sub(SAME_NIGHT).unwrap_or(Timestamp::MIN);
    let tonight = last_start(cut_off, timeout, evening);
    (opened_at < tonight && tonight <= now).then_some(tonight)
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

/// If there are more rows to send than may be, the words that say so.
pub fn too_many(to_send: u64, most: Option<u64>) -> Option<String> {
    let most = most.filter(|most| to_send > *most)?;
    Some(format!("{} to send, and --max-rows allows {}", rows(to_send), count(most)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(30);

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Whether a run opened at 01:00 with the cut-off 03:30 may still send at this time.
    fn is_over_at(now: &str) -> bool {
        let cut_off = "03:30[UTC]".parse().unwrap();
        passed(&cut_off, TIMEOUT, time("2026-11-22T01:00:00Z"), time(now)).is_some()
    }

    #[test]
    fn a_run_started_again_the_same_night_keeps_to_that_nights_cut_off() {
        assert!(!is_over_at("2026-11-22T03:29:00Z"));
        assert!(is_over_at("2026-11-22T03:29:30Z"));
        assert!(is_over_at("2026-11-22T03:31:00Z"));
        assert!(is_over_at("2026-11-22T15:00:00Z"));
    }

    #[test]
    fn a_run_started_again_the_next_night_goes_on_up_to_that_nights_cut_off() {
        assert!(!is_over_at("2026-11-23T01:00:00Z"));
    }

    #[test]
    fn a_run_opened_after_the_cut_off_has_the_next_days() {
        let cut_off = "03:30[UTC]".parse().unwrap();
        let opened = time("2026-11-22T08:00:00Z");
        assert_eq!(passed(&cut_off, TIMEOUT, opened, time("2026-11-22T08:05:00Z")), None);
    }

    #[test]
    fn calls_that_do_not_fit_before_the_last_start_are_told() {
        let rates = "10/s".parse().unwrap();
        let (now, last) = (time("2026-11-22T03:00:00Z"), time("2026-11-22T03:29:30Z"));
        assert_eq!(too_late(17_000, &rates, last, now), None);
        insta::assert_snapshot!(too_late(18_000, &rates, last, now).unwrap(), @"the calls take 30 min 0 s at this rate, and the last one that can be answered before the cut-off starts in 29 min 30 s");
    }
}
