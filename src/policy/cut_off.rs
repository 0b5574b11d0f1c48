//! The cut-off: the wall-clock time at and after which no attempt starts. Written as `03:30`,
//! `03:30:00`, `03:30[America/New_York]` or `2026-11-27T03:30[America/New_York]`.
//!
//! ```
//! use cardcancel::policy::cut_off::{CutOff, Due};
//! use jiff::Timestamp;
//!
//! let cut_off: CutOff = "03:30[America/New_York]".parse()?;
//! let evening: Timestamp = "2026-11-27T01:00:00Z".parse()?;
//! assert_eq!(cut_off.due(evening), Due::Ahead("2026-11-27T08:30:00Z".parse()?));
//! assert_eq!(cut_off.dated(evening).to_string(), "2026-11-27T03:30[America/New_York]");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan};

/// A time of day that was less than this ago has passed. If it was longer ago, its next
/// occurrence is meant.
pub const JUST_PASSED: SignedDuration = SignedDuration::from_hours(2);

/// A time of day with a precision of a second, on every day or on one date, in a time zone.
#[derive(Debug, Clone, PartialEq)]
pub struct CutOff {
    /// `None` means every day.
    date: Option<Date>,
    time: Time,
    /// `None` until it is given with [`CutOff::in_zone`].
    zone: Option<TimeZone>,
}

/// Whether a cut-off is in the future.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// It will be at this time.
    Ahead(Timestamp),
    /// It was at this time.
    Passed(Timestamp),
}

impl CutOff {
    /// Sets the time zone, unless the cut-off names one.
    #[must_use]
    pub fn in_zone(self, zone: TimeZone) -> CutOff {
        CutOff { zone: self.zone.or(Some(zone)), ..self }
    }

    /// Whether the cut-off has a time zone.
    pub fn has_zone(&self) -> bool {
        self.zone.is_some()
    }

    /// Whether it occurs once, on its date.
    pub fn has_date(&self) -> bool {
        self.date.is_some()
    }

    /// The cut-off's time zone; UTC if it has none.
    pub fn zone(&self) -> TimeZone {
        self.zone.clone().unwrap_or(TimeZone::UTC)
    }

    /// Whether the cut-off is in the future. With a date, it occurs once. A time of day stands
    /// for its next occurrence, unless it has just passed: then the run is started too late.
    pub fn due(&self, now: Timestamp) -> Due {
        let last = self.last_occurrence(now).filter(|_| self.date.is_none());
        let just_passed = last.filter(|last| now.duration_since(*last) < JUST_PASSED);
        let at = just_passed.unwrap_or_else(|| self.next_occurrence(now));
        if at > now { Due::Ahead(at) } else { Due::Passed(at) }
    }

    /// The next instant after `now` at which the zone's clocks show this time; with a date, the
    /// only such instant, which may have passed. If the clocks skip the time, it is the first
    /// instant after the gap; if they show it twice, the first of the two.
    pub fn next_occurrence(&self, now: Timestamp) -> Timestamp {
        if let Some(date) = self.date {
            return instant_on(&self.zone(), date.to_datetime(self.time)).unwrap_or(Timestamp::MAX);
        }
        next(&self.zone(), self.time, now)
    }

    /// The last instant, not after `now`, at which the zone's clocks showed this time.
    fn last_occurrence(&self, now: Timestamp) -> Option<Timestamp> {
        let zone = self.zone();
        let today = zone.to_datetime(now).date();
        let days = [Some(today), today.yesterday().ok()].into_iter().flatten();
        days.filter_map(|day| instant_on(&zone, day.to_datetime(self.time))).find(|at| *at <= now)
    }

    /// The next occurrence after `now`, written with its date so that it is unambiguous.
    #[must_use]
    pub fn dated(&self, now: Timestamp) -> CutOff {
        let at = self.zone().to_datetime(self.next_occurrence(now));
        CutOff { date: Some(at.date()), time: at.time(), zone: self.zone.clone() }
    }
}

/// The next instant after `now` at which the zone's clocks show this time.
pub(super) fn next(zone: &TimeZone, time: Time, now: Timestamp) -> Timestamp {
    let mut date = zone.to_datetime(now).date();
    loop {
        let Some(at) = instant_on(zone, date.to_datetime(time)) else {
            return Timestamp::MAX;
        };
        if at > now {
            return at;
        }
        match date.tomorrow() {
            Ok(tomorrow) => date = tomorrow,
            Err(_) => return Timestamp::MAX,
        }
    }
}

/// The instant at which the zone's clocks show the time; `None` if it is out of range.
fn instant_on(zone: &TimeZone, shown: DateTime) -> Option<Timestamp> {
    match zone.to_ambiguous_timestamp(shown).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(shown).ok(),
        AmbiguousOffset::Fold { before, .. } => before.to_timestamp(shown).ok(),
        AmbiguousOffset::Gap { after, .. } => {
            // With the offset from after the gap, this time is before the gap.
            let before_the_gap = after.to_timestamp(shown).ok()?.checked_sub(1.second()).ok()?;
            zone.following(before_the_gap).next().map(|transition| transition.timestamp())
        }
    }
}

impl fmt::Display for CutOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(date) = self.date {
            write!(f, "{date}T")?;
        }
        write!(f, "{}{}", ShownTime(self.time), Named(self.zone.as_ref()))
    }
}

/// Displays a time of day, without seconds if they are zero.
pub(super) struct ShownTime(pub Time);

impl fmt::Display for ShownTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0.hour(), self.0.minute())?;
        match self.0.second() {
            0 => Ok(()),
            second => write!(f, ":{second:02}"),
        }
    }
}

/// Displays a time zone as a suffix, if it has a name.
pub(super) struct Named<'a>(pub Option<&'a TimeZone>);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.and_then(TimeZone::iana_name) {
            Some(name) => write!(f, "[{name}]"),
            None => Ok(()),
        }
    }
}

/// The text is not a cut-off.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseCutOffError {
    /// It is not a time of day.
    #[error(
        "\"{0}\" is not a time of day: write HH:MM or HH:MM:SS, and a zone if it is not the system's, such as 03:30[America/New_York]; with a date, 2026-11-27T03:30[America/New_York]"
    )]
    Malformed(String),
    /// The time zone is not known.
    #[error(transparent)]
    Zone(#[from] UnknownZoneError),
}

/// There is no time zone of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not the name of a time zone: write it as America/New_York or UTC")]
pub struct UnknownZoneError(pub String);

impl FromStr for CutOff {
    type Err = ParseCutOffError;

    fn from_str(text: &str) -> Result<Self, ParseCutOffError> {
        let malformed = || ParseCutOffError::Malformed(text.to_owned());
        let (clock, zone) = split_zone(text).ok_or_else(malformed)?;
        let (date, clock) = match clock.split_once('T') {
            Some((date, clock)) => (Some(date.parse().map_err(|_| malformed())?), clock),
            None => (None, clock),
        };
        let time = time_of_day(clock).ok_or_else(malformed)?;
        Ok(CutOff { date, time, zone: zone.map(named).transpose()? })
    }
}

/// Splits a text into the part before a zone in brackets and the zone's name, if there is one.
/// `None` if the bracket is not closed.
pub(super) fn split_zone(text: &str) -> Option<(&str, Option<&str>)> {
    match text.split_once('[') {
        Some((clock, rest)) => Some((clock, Some(rest.strip_suffix(']')?))),
        None => Some((text, None)),
    }
}

/// The time zone of this name.
pub(super) fn named(name: &str) -> Result<TimeZone, UnknownZoneError> {
    TimeZone::get(name).map_err(|_| UnknownZoneError(name.to_owned()))
}

/// Parses `HH:MM` or `HH:MM:SS`.
pub(super) fn time_of_day(text: &str) -> Option<Time> {
    let two_digits = |part: &str| match part.as_bytes() {
        [tens @ b'0'..=b'9', units @ b'0'..=b'9'] => {
            i8::try_from((tens - b'0') * 10 + (units - b'0')).ok()
        }
        _ => None,
    };
    let parts: Vec<i8> = text.split(':').map(two_digits).collect::<Option<_>>()?;
    match parts[..] {
        [hour, minute] => Time::new(hour, minute, 0, 0).ok(),
        [hour, minute, second] => Time::new(hour, minute, second, 0).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;
    use proptest::prelude::*;

    /// The next occurrence after `now` (RFC 3339), in the zone, on a machine set to UTC.
    fn next(cut_off: &str, now: &str) -> String {
        let cut_off: CutOff = cut_off.parse().unwrap();
        cut_off.next_occurrence(now.parse().unwrap()).to_string()
    }

    /// Whether it is in the future or has passed, and when.
    fn due(cut_off: &str, now: &str) -> String {
        let cut_off: CutOff = cut_off.parse().unwrap();
        match cut_off.due(now.parse().unwrap()) {
            Due::Ahead(at) => format!("ahead {at}"),
            Due::Passed(at) => format!("passed {at}"),
        }
    }

    #[test]
    fn a_time_of_day_that_has_just_passed_is_not_tomorrows() {
        for (now, expected) in [
            ("2026-07-04T03:29:59Z", "ahead 2026-07-04T03:30:00Z"),
            ("2026-07-04T03:30:00Z", "passed 2026-07-04T03:30:00Z"),
            ("2026-07-04T05:29:59Z", "passed 2026-07-04T03:30:00Z"),
            ("2026-07-04T05:30:00Z", "ahead 2026-07-05T03:30:00Z"),
            ("2026-07-04T09:00:00Z", "ahead 2026-07-05T03:30:00Z"),
        ] {
            assert_eq!(due("03:30[UTC]", now), expected, "{now}");
        }
        let after_midnight = "2026-07-04T00:30:00Z";
        assert_eq!(due("23:30[UTC]", after_midnight), "passed 2026-07-03T23:30:00Z");
    }

    #[test]
    fn two_hours_are_two_hours_on_the_nights_on_which_clocks_change() {
        // New York: 1 November 2026, 02:00 becomes 01:00; 8 March, 02:00 becomes 03:00.
        let twice = "01:30[America/New_York]";
        assert_eq!(due(twice, "2026-11-01T06:30:00Z"), "passed 2026-11-01T05:30:00Z");
        assert_eq!(due(twice, "2026-11-01T07:30:00Z"), "ahead 2026-11-02T06:30:00Z");
        let skipped = "02:30[America/New_York]";
        assert_eq!(due(skipped, "2026-03-08T07:00:00Z"), "passed 2026-03-08T07:00:00Z");
        assert_eq!(due(skipped, "2026-03-08T09:00:00Z"), "ahead 2026-03-09T06:30:00Z");
    }

    #[test]
    fn a_date_comes_once() {
        let dated = "2026-11-27T03:30[America/New_York]";
        assert_eq!(due(dated, "2026-11-20T12:00:00Z"), "ahead 2026-11-27T08:30:00Z");
        assert_eq!(due(dated, "2026-11-27T08:30:00Z"), "passed 2026-11-27T08:30:00Z");
        assert_eq!(due(dated, "2027-01-01T00:00:00Z"), "passed 2026-11-27T08:30:00Z");
    }

    #[test]
    fn the_next_one_can_be_written_with_its_date() {
        let dated = |cut_off: &str, now: &str| {
            let now = now.parse().unwrap();
            let cut_off: CutOff = cut_off.parse().unwrap();
            let dated = cut_off.dated(now);
            assert_eq!(dated.due(now), Due::Ahead(cut_off.next_occurrence(now)));
            dated.to_string()
        };
        assert_eq!(dated("03:30[UTC]", "2026-07-04T04:00:00Z"), "2026-07-05T03:30[UTC]");
        // The day is that of the zone.
        let night = "2026-07-04T03:00:00Z";
        assert_eq!(
            dated("23:30:15[America/New_York]", night),
            "2026-07-03T23:30:15[America/New_York]"
        );
    }

    #[test]
    fn it_is_today_if_still_to_come_and_tomorrow_if_past() {
        assert_eq!(next("03:30", "2026-07-04T01:00:00Z"), "2026-07-04T03:30:00Z");
        assert_eq!(next("03:30", "2026-07-04T03:30:01Z"), "2026-07-05T03:30:00Z");
        assert_eq!(next("03:30:15", "2026-07-04T03:30:01Z"), "2026-07-04T03:30:15Z");
    }

    #[test]
    fn a_time_that_is_just_now_has_passed() {
        assert_eq!(next("03:30", "2026-07-04T03:30:00Z"), "2026-07-05T03:30:00Z");
    }

    #[test]
    fn without_a_zone_it_is_the_systems() {
        let cut_off: CutOff = "03:30".parse().unwrap();
        assert!(!cut_off.has_zone());
        let cut_off = cut_off.in_zone(TimeZone::get("Europe/Berlin").unwrap());
        let now = "2026-07-04T01:00:00Z".parse().unwrap();
        assert_eq!(cut_off.next_occurrence(now).to_string(), "2026-07-04T01:30:00Z");
    }

    #[test]
    fn in_a_named_zone_the_day_is_that_zones() {
        // 23:00 on the 3rd in New York.
        let night = "2026-07-04T03:00:00Z";
        assert_eq!(next("23:30[America/New_York]", night), "2026-07-04T03:30:00Z");
        assert_eq!(next("03:30[America/New_York]", night), "2026-07-04T07:30:00Z");
    }

    #[test]
    fn the_night_before_clocks_go_forward_is_an_hour_shorter() {
        // New York, 8 March 2026: 02:00 becomes 03:00.
        let evening = "2026-03-08T04:00:00Z";
        assert_eq!(next("03:30[America/New_York]", evening), "2026-03-08T07:30:00Z");
        assert_eq!(next("01:59:59[America/New_York]", evening), "2026-03-08T06:59:59Z");
        // Berlin, 29 March 2026: 02:00 becomes 03:00.
        assert_eq!(next("03:30[Europe/Berlin]", "2026-03-28T22:00:00Z"), "2026-03-29T01:30:00Z");
    }

    #[test]
    fn a_time_that_does_not_exist_that_night_is_the_first_instant_after_the_gap() {
        let evening = "2026-03-08T04:00:00Z";
        for skipped in ["02:00", "02:30", "02:59:59"] {
            let cut_off = format!("{skipped}[America/New_York]");
            assert_eq!(next(&cut_off, evening), "2026-03-08T07:00:00Z", "{cut_off}");
        }
        assert_eq!(next("02:30[Europe/Berlin]", "2026-03-28T22:00:00Z"), "2026-03-29T01:00:00Z");
        // At that instant it has passed: the next one is the day after.
        assert_eq!(next("02:30[Europe/Berlin]", "2026-03-29T01:00:00Z"), "2026-03-30T00:30:00Z");
    }

    #[test]
    fn a_time_that_occurs_twice_that_night_is_the_first_of_the_two() {
        // New York, 1 November 2026: 02:00 becomes 01:00.
        let twice = "01:30[America/New_York]";
        assert_eq!(next(twice, "2026-11-01T04:00:00Z"), "2026-11-01T05:30:00Z");
        assert_eq!(next(twice, "2026-11-01T05:45:00Z"), "2026-11-02T06:30:00Z");
        // Berlin, 25 October 2026: 03:00 becomes 02:00.
        let twice = "02:30[Europe/Berlin]";
        assert_eq!(next(twice, "2026-10-24T22:00:00Z"), "2026-10-25T00:30:00Z");
        assert_eq!(next(twice, "2026-10-25T00:45:00Z"), "2026-10-26T01:30:00Z");
    }

    #[test]
    fn the_night_clocks_go_back_is_an_hour_longer() {
        let evening = "2026-11-01T04:00:00Z";
        assert_eq!(next("03:30[America/New_York]", evening), "2026-11-01T08:30:00Z");
        assert_eq!(next("03:30[Europe/Berlin]", "2026-10-24T22:00:00Z"), "2026-10-25T02:30:00Z");
    }

    #[test]
    fn a_day_that_was_skipped_altogether_ends_where_the_next_begins() {
        assert_eq!(next("03:30[Pacific/Apia]", "2011-12-30T00:00:00Z"), "2011-12-30T10:00:00Z");
    }

    #[test]
    fn anything_else_is_refused() {
        let error = |text: &str| text.parse::<CutOff>().unwrap_err().to_string();
        assert_snapshot!(error("3:30"), @r#""3:30" is not a time of day: write HH:MM or HH:MM:SS, and a zone if it is not the system's, such as 03:30[America/New_York]; with a date, 2026-11-27T03:30[America/New_York]"#);
        assert_snapshot!(error("03:30[Newyork]"), @r#""Newyork" is not the name of a time zone: write it as America/New_York or UTC"#);
        for text in ["", "24:00", "03:60", "03:30:60", "03", "0330", "+3:30", "03:30:00:00"] {
            assert!(text.parse::<CutOff>().is_err(), "{text}");
        }
        for text in ["2026-11-31T03:30", "T03:30", "2026-11-27", "2026-11-27 03:30"] {
            assert!(text.parse::<CutOff>().is_err(), "{text}");
        }
        for text in ["03:30[UTC", "03:30UTC]", "03:30[]", "03:30[UTC]x", "03:30 [UTC]"] {
            assert!(text.parse::<CutOff>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back_the_same(hour in 0i8..24, minute in 0i8..60, second in 0i8..60, zone in 0..3usize, date in 0..2usize) {
            let zone = ["", "[America/New_York]", "[UTC]"][zone];
            let date = ["", "2026-11-27T"][date];
            let text = format!("{date}{hour:02}:{minute:02}:{second:02}{zone}");
            let cut_off: CutOff = text.parse().unwrap();
            prop_assert_eq!(cut_off.to_string().parse::<CutOff>().unwrap(), cut_off);
        }

        #[test]
        fn it_is_never_past_and_never_two_days_away(now in 0i64..4_000_000_000, hour in 0i8..24) {
            let now = Timestamp::from_second(now).unwrap();
            let cut_off: CutOff = format!("{hour:02}:30[America/New_York]").parse().unwrap();
            let next = cut_off.next_occurrence(now);
            prop_assert!(next > now);
            prop_assert!(next.duration_since(now).as_hours() <= 25);
        }
    }
}
