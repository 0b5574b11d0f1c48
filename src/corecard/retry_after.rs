//! The header `Retry-After`, in all forms of RFC 9110, section 10.2.3.

use std::time::Duration;

use jiff::Timestamp;

use super::http_date::http_date;

/// A wait of more than a year is a mistake, and no other than one of a year.
const LONGEST_WAIT: Duration = Duration::from_secs(366 * 24 * 3600);

/// How long a Retry-After header asks to wait: seconds, or until a date.
pub(super) fn from_header(header: &str, now: Timestamp) -> Option<Duration> {
    let header = header.trim();
    let is_number = !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit());
    let wait = if is_number {
        header.parse().map_or(LONGEST_WAIT, Duration::from_secs)
    } else {
        Duration::try_from(http_date(header)?.duration_since(now)).unwrap_or_default()
    };
    Some(wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_understood_as_seconds_and_as_a_date() {
        let now: Timestamp = "2026-11-22T01:00:00Z".parse().unwrap();
        assert_eq!(from_header(" 7 ", now), Some(Duration::from_secs(7)));
        let date = "Sun, 22 Nov 2026 01:02:00 GMT";
        assert_eq!(from_header(date, now), Some(Duration::from_secs(120)));
        assert_eq!(from_header("Sat, 21 Nov 2026 01:02:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(from_header("soon", now), None);
        let day = Duration::from_secs(86_400);
        assert_eq!(from_header("86400", now), Some(day));
        assert_eq!(from_header("99999999999999999999999", now), Some(LONGEST_WAIT));
    }

    #[test]
    fn a_date_is_read_in_each_of_its_three_forms() {
        let now: Timestamp = "2026-11-22T01:00:00Z".parse().unwrap();
        for date in [
            "Sun, 22 Nov 2026 01:02:00 GMT",
            "Sunday, 22-Nov-26 01:02:00 GMT",
            "Sun Nov 22 01:02:00 2026",
        ] {
            assert_eq!(from_header(date, now), Some(Duration::from_secs(120)), "{date}");
        }
        let week = Duration::from_secs(8 * 86_400 + 120);
        assert_eq!(from_header("Mon Nov 30 01:02:00 2026", now), Some(week));
        assert_eq!(
            from_header("Tue Dec  1 01:00:00 2026", now),
            Some(Duration::from_secs(9 * 86_400))
        );
        let past = "Sunday, 06-Nov-94 08:49:37 GMT";
        assert_eq!(from_header(past, now), Some(Duration::ZERO));
    }
}
