//! Whether a file can be done before the cut-off.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::ledger::Run;
use crate::output::{human_count, human_duration, rows};
use crate::policy::cut_off::{CutOff, Due};
use crate::policy::rate::Rates;

/// When the last call may start, so that it is answered before the cut-off.
pub fn last_start(cut_off: Timestamp, timeout: Duration) -> Timestamp {
    cut_off.checked_sub(timeout).unwrap_or(Timestamp::MIN)
}

/// How long a cut-off that has passed holds for the runs opened before it. A
/// service that is restarted after a reboot, or because the run stopped, must not
/// take the next day's cut-off for the one that passed.
const SAME_CUT_OFF: SignedDuration = SignedDuration::from_hours(12);

/// Whether the cut-off is still to come for a start now; of a run that was opened before,
/// the one that follows its opening.
pub fn due(
    cut_off: &CutOff,
    timeout: Duration,
    opened_at: Option<Timestamp>,
    now: Timestamp,
) -> Due {
    let passed = opened_at.and_then(|opened_at| passed(cut_off, timeout, opened_at, now));
    passed.map_or_else(|| cut_off.due(now), Due::Passed)
}

/// The cut-off that has passed, if a run opened at `opened_at` may not send because of it any more.
fn passed(
    cut_off: &CutOff,
    timeout: Duration,
    opened_at: Timestamp,
    now: Timestamp,
) -> Option<Timestamp> {
    let earlier = now.checked_sub(SAME_CUT_OFF).unwrap_or(Timestamp::MIN);
    let occurrence = cut_off.next_occurrence(earlier);
    let last_start = last_start(occurrence, timeout);
    (opened_at < last_start && last_start <= now).then_some(occurrence)
}

/// Says that a cut-off has passed, when, and how the next one is meant.
pub fn has_passed(cut_off: &CutOff, at: Timestamp, now: Timestamp) -> String {
    let when = on_the_clock(at, cut_off.zone(), now);
    let passed = if at > now {
        format!("no call that starts now can be answered before the cut-off {when}")
    } else {
        format!("the cut-off {cut_off} has passed: it was {when}")
    };
    let next = cut_off.dated(at.max(now));
    if next == *cut_off {
        // It has a date, which is over.
        format!("{passed}; give another --cut-off")
    } else {
        format!("{passed}; to mean the next one, give its date: --cut-off '{next}'")
    }
}

/// The cut-off of the run's last start, if it passed so shortly ago that it still holds, unless the
/// one that is given has a date: with another time of day, or none, orders would be sent that the
/// embosser prints now.
pub fn passed_before(
    run: &Run,
    given: Option<&CutOff>,
    timeout: Duration,
    now: Timestamp,
) -> Option<Timestamp> {
    let last_start = run.cut_off.filter(|last_start| *last_start <= now)?;
    let is_over = now.duration_since(last_start) >= SAME_CUT_OFF;
    if is_over || given.is_some_and(CutOff::has_date) {
        return None;
    }
    last_start.checked_add(timeout).ok()
}

/// Says that the cut-off of the run's last start has passed, and how the next one is meant.
pub fn has_passed_before(at: Timestamp, given: Option<&CutOff>, now: Timestamp) -> String {
    let zone = given.map_or_else(TimeZone::system, CutOff::zone);
    let when = on_the_clock(at, zone.clone(), now);
    let next = match given {
        Some(cut_off) => cut_off.dated(at.max(now)).to_string(),
        None => "YYYY-MM-DDTHH:MM".to_owned(),
    };
    format!(
        "this run was to end at the cut-off {when}, which holds for {} hours; to mean the next one, give its date: --cut-off '{next}'",
        SAME_CUT_OFF.as_hours()
    )
}

/// A time for people: date, time and zone.
pub fn clock(at: Timestamp, zone: TimeZone) -> String {
    let at = at.to_zoned(zone);
    let clock = if at.second() == 0 { "%F %R" } else { "%F %T" };
    match at.time_zone().iana_name() {
        Some(name) => format!("{} {name}", at.strftime(clock)),
        None => format!("{} {}", at.strftime(clock), at.strftime("%:z")),
    }
}

/// The same, and how far away it is.
pub fn on_the_clock(at: Timestamp, zone: TimeZone, now: Timestamp) -> String {
    let away = Duration::try_from(at.duration_since(now).abs()).unwrap_or_default();
    if at > now {
        format!("{}, in {}", clock(at, zone), human_duration(away))
    } else {
        format!("{}, {} ago", clock(at, zone), human_duration(away))
    }
}

/// The sentence that the calls do not fit before the last start, if they do not, and which
/// rate they need.
pub fn too_late(
    calls: u64,
    rates: &Rates,
    last_start: Timestamp,
    now: Timestamp,
) -> Option<String> {
    let left = Duration::try_from(last_start.duration_since(now)).unwrap_or_default();
    let takes = rates.time_for(calls);
    if calls == 0 || (takes <= left && !left.is_zero()) {
        return None;
    }
    let Some(needed) = Rates::needed(calls, left) else {
        let late = Duration::try_from(now.duration_since(last_start)).unwrap_or_default();
        return Some(format!(
            "the last call that can be answered by then had to start {} ago",
            human_duration(late)
        ));
    };
    Some(format!(
        "the calls take {} at {rates}, and the last one that can be answered before the cut-off starts in {}: that needs {needed}",
        human_duration(takes),
        human_duration(left)
    ))
}

/// The sentence that there are more rows to send than allowed, if there are.
pub fn too_many(to_send: u64, most: Option<u64>) -> Option<String> {
    let most = most.filter(|most| to_send > *most)?;
    Some(format!("{} to send, and --max-rows allows {}", rows(to_send), human_count(most)))
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
    fn a_run_started_again_before_its_cut_off_keeps_to_it() {
        assert!(!is_over_at("2026-11-22T03:29:00Z"));
        assert!(is_over_at("2026-11-22T03:29:30Z"));
        assert!(is_over_at("2026-11-22T03:31:00Z"));
        assert!(is_over_at("2026-11-22T15:00:00Z"));
    }

    #[test]
    fn a_run_started_again_a_day_later_goes_on_up_to_the_next_cut_off() {
        assert!(!is_over_at("2026-11-23T01:00:00Z"));
    }

    #[test]
    fn a_run_opened_after_the_cut_off_has_the_next_days() {
        let cut_off: CutOff = "03:30[UTC]".parse().unwrap();
        let opened = time("2026-11-22T08:00:00Z");
        assert_eq!(passed(&cut_off, TIMEOUT, opened, time("2026-11-22T08:05:00Z")), None);
    }

    #[test]
    fn calls_that_do_not_fit_before_the_last_start_are_reported() {
        let rates: Rates = "10/s".parse().unwrap();
        let (now, last) = (time("2026-11-22T03:00:00Z"), time("2026-11-22T03:29:30Z"));
        assert_eq!(too_late(17_000, &rates, last, now), None);
        insta::assert_snapshot!(too_late(18_000, &rates, last, now).unwrap(), @"the calls take 30 min 0 s at 10/s, and the last one that can be answered before the cut-off starts in 29 min 30 s: that needs 11/s");
    }

    #[test]
    fn without_any_time_no_rate_is_enough() {
        let now = time("2026-11-22T03:29:30Z");
        insta::assert_snapshot!(too_late(1, &Rates::unlimited(), now, now).unwrap(), @"the last call that can be answered by then had to start under a second ago");
        assert_eq!(too_late(0, &Rates::unlimited(), now, now), None);
    }

    #[test]
    fn a_time_is_shown_with_its_date_its_zone_and_how_far_away_it_is() {
        let shown = |at: &str, zone: &str, now: &str| {
            on_the_clock(time(at), TimeZone::get(zone).unwrap(), time(now))
        };
        let now = "2026-11-27T03:18:00Z";
        assert_eq!(
            shown("2026-11-27T08:30:00Z", "America/New_York", now),
            "2026-11-27 03:30 America/New_York, in 5 h 12 min"
        );
        assert_eq!(shown("2026-11-27T03:17:59Z", "UTC", now), "2026-11-27 03:17:59 UTC, 1 s ago");
        let unnamed = TimeZone::fixed(jiff::tz::offset(1));
        assert_eq!(
            on_the_clock(time("2026-11-27T08:30:00Z"), unnamed, time(now)),
            "2026-11-27 09:30 +01:00, in 5 h 12 min"
        );
    }

    #[test]
    fn a_cut_off_that_has_passed_says_how_the_next_one_is_meant() {
        let now = time("2026-11-22T03:31:00Z");
        let daily = "03:30[UTC]".parse().unwrap();
        let at = time("2026-11-22T03:30:00Z");
        insta::assert_snapshot!(has_passed(&daily, at, now), @"the cut-off 03:30[UTC] has passed: it was 2026-11-22 03:30 UTC, 1 min 0 s ago; to mean the next one, give its date: --cut-off '2026-11-23T03:30[UTC]'");
        let dated = "2026-11-22T03:30[UTC]".parse().unwrap();
        insta::assert_snapshot!(has_passed(&dated, at, now), @"the cut-off 2026-11-22T03:30[UTC] has passed: it was 2026-11-22 03:30 UTC, 1 min 0 s ago; give another --cut-off");
        let shortly = time("2026-11-22T03:29:50Z");
        insta::assert_snapshot!(has_passed(&daily, at, shortly), @"no call that starts now can be answered before the cut-off 2026-11-22 03:30 UTC, in 10 s; to mean the next one, give its date: --cut-off '2026-11-23T03:30[UTC]'");
    }

    #[test]
    fn a_date_that_is_over_is_over_for_a_run_that_was_begun_however_long_ago() {
        let dated = "2026-11-22T03:30[UTC]".parse().unwrap();
        let opened = Some(time("2026-11-22T01:00:00Z"));
        let passed = Due::Passed(time("2026-11-22T03:30:00Z"));
        assert_eq!(due(&dated, TIMEOUT, opened, time("2026-11-24T01:00:00Z")), passed);
    }
}
