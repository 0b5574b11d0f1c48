//! Numbers as people read them.

use std::time::Duration;

/// A count with its thousands apart: 20,000.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// So many of something: 1 call, 2,000 calls.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// So many rows: 1 row, 2,000 rows.
pub fn rows(number: u64) -> String {
    counted(number, "row", "rows")
}

/// An interval of time in its two largest units: 6 min 40 s.
pub fn lasting(time: Duration) -> String {
    let seconds = time.as_secs() + u64::from(time.subsec_millis() >= 500);
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, seconds) if seconds < 1 => "under a second".to_owned(),
        (0, 0, 0, seconds) => format!("{seconds} s"),
        (0, 0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (0, hours, minutes, _) => format!("{hours} h {minutes} min"),
        (days, hours, ..) => format!("{days} d {hours} h"),
    }
}

/// So many calls in so long: how many that are a second.
pub fn per_second(calls: u64, time: Duration) -> String {
    rate(calls as f64 / time.as_secs_f64().max(0.001))
}

/// A number of calls a second, as exactly as anyone wants to know.
pub fn rate(a_second: f64) -> String {
    match a_second {
        _ if a_second >= 100.0 => count(a_second.round() as u64),
        _ => format!("{a_second:.1}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_their_thousands_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn a_stretch_of_time_is_told_in_its_two_largest_units() {
        for (seconds, text) in [
            (0.4, "under a second"),
            (59.0, "59 s"),
            (400.0, "6 min 40 s"),
            (3_725.0, "1 h 2 min"),
            (100_000.0, "1 d 3 h"),
        ] {
            assert_eq!(lasting(Duration::from_secs_f64(seconds)), text);
        }
    }
}
