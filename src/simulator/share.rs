//! A share of requests or of orders.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Deserialize, Deserializer, Visitor};

/// A share from 0% to 100%, exact to a thousand-millionth.
///
/// Written `"2%"`, `"0.02"` or, where numbers can be written, `0.02`. A number
/// without `%` is a fraction: `1` is all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Share(u32);

/// Why a share could not be read, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a share: write a percentage from 0% to 100%, such as 2%, or a fraction, such as 0.02"
)]
pub struct ShareError(String);

impl Share {
    /// None of them: the default.
    pub const NONE: Share = Share(0);
    /// All of them.
    pub const ALL: Share = Share(Share::WHOLE);
    /// How many parts make a whole.
    pub(super) const WHOLE: u32 = 1_000_000_000;

    /// `n` in a thousand; more than 1,000 means all of them.
    pub const fn per_mille(n: u16) -> Share {
        if n > 1_000 { Share::ALL } else { Share(n as u32 * (Share::WHOLE / 1_000)) }
    }

    /// The share in parts of [`Share::WHOLE`].
    pub(super) fn parts(self) -> u32 {
        self.0
    }

    fn from_fraction(fraction: f64) -> Option<Share> {
        // NaN is in no range, so it falls out here too.
        (0.0..=1.0)
            .contains(&fraction)
            .then(|| Share((fraction * f64::from(Share::WHOLE)).round() as u32))
    }
}

impl FromStr for Share {
    type Err = ShareError;

    fn from_str(text: &str) -> Result<Share, ShareError> {
        let (number, divisor) = match text.trim().strip_suffix('%') {
            Some(percent) => (percent.trim_end(), 100.0),
            None => (text.trim(), 1.0),
        };
        number
            .parse::<f64>()
            .ok()
            .and_then(|number| Share::from_fraction(number / divisor))
            .ok_or_else(|| ShareError(text.to_owned()))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one_percent = Share::WHOLE / 100;
        let (whole, rest) = (self.0 / one_percent, self.0 % one_percent);
        if rest == 0 {
            return write!(f, "{whole}%");
        }
        write!(f, "{whole}.{}%", format!("{rest:07}").trim_end_matches('0'))
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Share, D::Error> {
        deserializer.deserialize_any(ShareVisitor)
    }
}

struct ShareVisitor;

impl Visitor<'_> for ShareVisitor {
    type Value = Share;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a share such as \"2%\" or 0.02")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Share, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Share, E> {
        Share::from_fraction(number).ok_or_else(|| E::custom(ShareError(number.to_string())))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Share, E> {
        self.visit_f64(number as f64)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Share, E> {
        self.visit_f64(number as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_read_as_a_percentage_or_a_fraction() {
        for (text, parts) in [
            ("2%", 20_000_000),
            (" 0.5 % ", 5_000_000),
            ("0.02", 20_000_000),
            ("0", 0),
            ("100%", Share::WHOLE),
            ("1", Share::WHOLE),
        ] {
            assert_eq!(text.parse(), Ok(Share(parts)), "{text}");
        }
    }

    #[test]
    fn what_is_not_from_none_to_all_is_refused_with_an_example() {
        for text in ["2", "101%", "-1%", "NaN", "", "%", "two", "1e9%"] {
            let error = text.parse::<Share>().unwrap_err().to_string();
            assert!(
                error.contains(&format!("`{text}`")) && error.contains("such as 2%"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_share_is_shown_as_it_can_be_read_again() {
        for text in ["0%", "2%", "0.5%", "33.3333333%", "100%", "0.0000001%"] {
            assert_eq!(text.parse::<Share>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_file_may_hold_a_share_as_text_or_as_a_number() {
        for json in ["\"2%\"", "0.02", "\"0.02\""] {
            assert_eq!(
                serde_json::from_str::<Share>(json).unwrap(),
                Share::per_mille(20),
                "{json}"
            );
        }
        assert_eq!(serde_json::from_str::<Share>("1").unwrap(), Share::ALL);
        for json in ["2", "-1", "-0.5", "true", "\"lots\""] {
            assert!(serde_json::from_str::<Share>(json).is_err(), "{json}");
        }
    }
}
