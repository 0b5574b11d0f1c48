//! Text, numbers and times as a page shows them.

use jiff::Timestamp;

use crate::hash::Digest;
use crate::model::{card_numbers, invisible};
use crate::output::human_count;

/// Text that came from elsewhere, as it can be shown: as by [`visible`], and without card numbers.
pub(super) fn safe(text: &str, longest: usize) -> String {
    visible(&card_numbers::redact(text), longest)
}

/// Text in which characters that cannot be seen, or that act on what stands beside them, are escaped.
/// What would take more than `longest` bytes in the page is cut off, with `…` in its place. The
/// template escapes what means something in HTML.
pub(super) fn visible(text: &str, longest: usize) -> String {
    let mut safe = String::new();
    let mut bytes = 0;
    for char in text.chars() {
        let begin = safe.len();
        match char {
            ' ' | '"' | '\'' | '\\' => safe.push(char),
            _ if invisible::is_invisible(char) => safe.extend(char.escape_unicode()),
            _ => safe.extend(char.escape_debug()),
        }
        bytes += match char {
            '<' | '>' | '&' | '"' | '\'' => ENTITY_BYTES,
            _ => safe.len() - begin,
        };
        if bytes > longest {
            safe.truncate(begin);
            safe.push('…');
            break;
        }
    }
    safe
}

/// How many bytes a character takes that the template escapes.
const ENTITY_BYTES: usize = 5;

/// A digest as it is recorded. It is shown as it is: its digits are no card number.
pub(super) fn digest(text: &str) -> String {
    text.parse::<Digest>().map_or_else(|_| safe(text, 80), |digest| digest.to_string())
}

/// The first and the last of these items, so many each, and how many are between them.
pub(super) fn ends<T>(mut items: Vec<T>, each: usize) -> (Vec<T>, usize, Vec<T>) {
    if items.len() <= 2 * each {
        return (items, 0, Vec::new());
    }
    let last = items.split_off(items.len() - each);
    let left_out = items.len() - each;
    items.truncate(each);
    (items, left_out, last)
}

/// A time in UTC, to the second.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A number of seconds since 1970 as a time in UTC, in this format.
pub(super) fn time_of(seconds: i64, format: &str) -> String {
    Timestamp::from_second(seconds)
        .map_or_else(|_| String::new(), |at| at.strftime(format).to_string())
}

/// A share of a whole in percent. What is not all is never shown as 100, nor what is some as 0.
pub(super) fn share(part: u64, whole: u64) -> String {
    let percent = 100.0 * part as f64 / whole.max(1) as f64;
    match part {
        0 => "0 %".to_owned(),
        part if part == whole => "100 %".to_owned(),
        _ => format!("{:.1} %", percent.clamp(0.1, 99.9)),
    }
}

/// A time that a call took, in microseconds, to two or three digits.
pub(super) fn latency(micros: u64) -> String {
    let (value, unit) = match micros {
        0..1_000 => return format!("{micros} µs"),
        1_000..1_000_000 => (micros as f64 / 1e3, "ms"),
        _ => (micros as f64 / 1e6, "s"),
    };
    if value < 10.0 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

/// A rate in calls a second.
pub(super) fn rate(a_second: f64) -> String {
    match a_second {
        _ if a_second >= 100.0 => human_count(a_second.round() as u64),
        _ if a_second >= 1.0 || a_second == 0.0 => format!("{a_second:.1}"),
        _ => format!("{a_second:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_elsewhere_cannot_act_and_is_cut() {
        assert_eq!(safe("It's \"ok\" \\ <b>Übung</b>", 200), "It's \"ok\" \\ <b>Übung</b>");
        assert_eq!(
            safe("a\u{1b}[31m\n\u{202e}b\u{200b}\u{3164}", 200),
            "a\\u{1b}[31m\\n\\u{202e}b\\u{200b}\\u{3164}"
        );
        assert_eq!(safe("abcdef", 4), "abcd…");
        assert_eq!(safe("<<<<", 12), "<<…", "each takes five bytes in HTML");
        assert_eq!(safe("ÜÜÜ", 4), "ÜÜ…");
        assert!(!safe("card 4111 1111 1111 1111 refused", 200).contains("1111"));
    }

    #[test]
    fn a_share_of_not_all_is_never_all() {
        assert_eq!(share(999_999, 1_000_000), "99.9 %");
        assert_eq!(share(1, 1_000_000), "0.1 %");
        assert_eq!(share(0, 0), "0 %");
        assert_eq!(share(5, 5), "100 %");
    }

    #[test]
    fn latencies_have_the_unit_that_fits() {
        let shown = [7, 1_234, 45_678, 999_400, 1_500_000, 31_000_000].map(latency);
        assert_eq!(shown, ["7 µs", "1.2 ms", "46 ms", "999 ms", "1.5 s", "31 s"]);
    }
}
