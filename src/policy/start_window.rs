//! The hours within which a run may be started: `22:00-03:00[America/New_York]`.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;

use super::cut_off::{Named, ShownTime, UnknownZoneError, named, next, split_zone, time_of_day};

/// From one time of day up to another, in a time zone. It spans midnight if the second is earlier.
#[derive(Debug, Clone, PartialEq)]
pub struct StartWindow {
    from: Time,
    to: Time,
    /// `None` until it is given with [`StartWindow::in_zone`].
    zone: Option<TimeZone>,
}

impl StartWindow {
    /// Sets the time zone, unless the window names one.
    #[must_use]
    pub fn in_zone(self, zone: TimeZone) -> StartWindow {
        StartWindow { zone: self.zone.or(Some(zone)), ..self }
    }

    /// Whether the window has a time zone.
    pub fn has_zone(&self) -> bool {
        self.zone.is_some()
    }

    /// The window's time zone; UTC if it has none.
    pub fn zone(&self) -> TimeZone {
        self.zone.clone().unwrap_or(TimeZone::UTC)
    }

    /// Whether a run may be started at this time.
    pub fn contains(&self, now: Timestamp) -> bool {
        let shown = self.zone().to_datetime(now).time();
        if self.from < self.to {
            self.from <= shown && shown < self.to
        } else {
            self.from <= shown || shown < self.to
        }
    }

    /// When the window opens next, after this time.
    pub fn opens(&self, now: Timestamp) -> Timestamp {
        next(&self.zone(), self.from, now)
    }
}

impl fmt::Display for StartWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}{}", ShownTime(self.from), ShownTime(self.to), Named(self.zone.as_ref()))
    }
}

/// The text is not a window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseStartWindowError {
    /// It does not consist of two times of day.
    #[error(
        "\"{0}\" is not two times of day: write HH:MM-HH:MM, and a zone if it is not the system's, such as 22:00-03:00[America/New_York]"
    )]
    Malformed(String),
    /// Both times are the same.
    #[error("\"{0}\" begins and ends at the same time: write two times, as 22:00-03:00")]
    Empty(String),
    /// The time zone is not known.
    #[error(transparent)]
    Zone(#[from] UnknownZoneError),
}

impl FromStr for StartWindow {
    type Err = ParseStartWindowError;

    fn from_str(text: &str) -> Result<Self, ParseStartWindowError> {
        let malformed = || ParseStartWindowError::Malformed(text.to_owned());
        let (clock, zone) = split_zone(text).ok_or_else(malformed)?;
        let (from, to) = clock.split_once('-').ok_or_else(malformed)?;
        let time = |text| time_of_day(text).ok_or_else(malformed);
        let window =
            StartWindow { from: time(from)?, to: time(to)?, zone: zone.map(named).transpose()? };
        if window.from == window.to {
            return Err(ParseStartWindowError::Empty(text.to_owned()));
        }
        Ok(window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    fn window(text: &str) -> StartWindow {
        text.parse().unwrap()
    }

    fn may_start(text: &str, now: &str) -> bool {
        window(text).contains(now.parse().unwrap())
    }

    #[test]
    fn it_includes_its_start_and_excludes_its_end() {
        for (now, is_open) in [
            ("2026-07-04T00:59:59Z", false),
            ("2026-07-04T01:00:00Z", true),
            ("2026-07-04T03:24:59Z", true),
            ("2026-07-04T03:25:00Z", false),
            ("2026-07-04T14:00:00Z", false),
        ] {
            assert_eq!(may_start("01:00-03:25[UTC]", now), is_open, "{now}");
        }
    }

    #[test]
    fn it_may_lie_over_midnight() {
        for (now, is_open) in [
            ("2026-07-04T21:59:59Z", false),
            ("2026-07-04T22:00:00Z", true),
            ("2026-07-05T02:59:59Z", true),
            ("2026-07-05T03:00:00Z", false),
        ] {
            assert_eq!(may_start("22:00-03:00[UTC]", now), is_open, "{now}");
        }
    }

    #[test]
    fn its_hours_are_those_of_its_zone() {
        // 21:59 and 22:00 in New York.
        assert!(!may_start("22:00-03:00[America/New_York]", "2026-07-05T01:59:00Z"));
        assert!(may_start("22:00-03:00[America/New_York]", "2026-07-05T02:00:00Z"));
        let berlin = window("22:00-03:00").in_zone(TimeZone::get("Europe/Berlin").unwrap());
        assert!(berlin.contains("2026-07-04T20:00:00Z".parse().unwrap()));
    }

    #[test]
    fn it_is_known_when_it_opens_next() {
        let opens = |now: &str| window("22:00-03:00[UTC]").opens(now.parse().unwrap()).to_string();
        assert_eq!(opens("2026-07-04T14:00:00Z"), "2026-07-04T22:00:00Z");
        assert_eq!(opens("2026-07-04T23:00:00Z"), "2026-07-05T22:00:00Z");
    }

    #[test]
    fn what_is_shown_reads_back_the_same() {
        for text in ["22:00-03:00", "01:00:30-03:25[America/New_York]"] {
            assert_eq!(window(text).to_string(), text);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let error = |text: &str| text.parse::<StartWindow>().unwrap_err().to_string();
        assert_snapshot!(error("22:00"), @r#""22:00" is not two times of day: write HH:MM-HH:MM, and a zone if it is not the system's, such as 22:00-03:00[America/New_York]"#);
        assert_snapshot!(error("22:00-22:00"), @r#""22:00-22:00" begins and ends at the same time: write two times, as 22:00-03:00"#);
        assert_snapshot!(error("22:00-03:00[Mars]"), @r#""Mars" is not the name of a time zone: write it as America/New_York or UTC"#);
        for text in ["", "-", "22-3", "22:00-", "22:00-24:00", "22:00 - 03:00", "22:00-03:00[UTC"] {
            assert!(text.parse::<StartWindow>().is_err(), "{text}");
        }
    }
}
