//! Formats numbers and durations for people.

use std::time::Duration;

use indicatif::HumanCount;

/// A number with separated thousands: 20,000.
pub fn human_count(number: u64) -> String {
    HumanCount(number).to_string()
}

/// A number and its noun: 1 call, 2,000 calls.
pub fn plural(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", human_count(number), if number == 1 { one } else { many })
}

/// A number of rows: 1 row, 2,000 rows.
pub fn rows(number: u64) -> String {
    plural(number, "row", "rows")
}

/// A duration in its two largest units: 6 min 40 s.
pub fn human_duration(time: Duration) -> String {
    let seconds = time.as_secs() + u64::from(time.subsec_millis() >= 500);
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, seconds) if seconds < 1 => "under a second".to_owned(),
        (0, 0, 0, seconds) => format!("{seconds} s"),
        (0, 0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (0, hours, minutes, _) => format!("{hours} h {minutes} min"),
        (days, hours, ..) => format!("{days} d {hours} h"),
    }
}

/// The calls per second, of this many calls in this time.
pub fn per_second(calls: u64, time: Duration) -> String {
    rate(calls as f64 / time.as_secs_f64().max(0.001))
}

/// A rate in calls per second: one decimal below 100.
pub fn rate(a_second: f64) -> String {
    match a_second {
        _ if a_second >= 100.0 => human_count(a_second.round() as u64),
        _ => format!("{a_second:.1}"),
    }
}

/// A digest in hexadecimal, in groups of four, so that a person can read it out.
pub fn grouped(digest: &str) -> String {
    let groups: Vec<_> = digest.as_bytes().chunks(4).map(String::from_utf8_lossy).collect();
    groups.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_their_thousands_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(human_count(number), text);
        }
    }

    #[test]
    fn a_duration_is_given_in_its_two_largest_units() {
        for (seconds, text) in [
            (0.4, "under a second"),
            (59.0, "59 s"),
            (400.0, "6 min 40 s"),
            (3_725.0, "1 h 2 min"),
            (100_000.0, "1 d 3 h"),
        ] {
            assert_eq!(human_duration(Duration::from_secs_f64(seconds)), text);
        }
    }
}
