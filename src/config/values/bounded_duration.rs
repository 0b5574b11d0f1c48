//! A duration with bounds: `500ms`, `30s`, `1h 30m`.

use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;

/// An hour in milliseconds, the unit of the bounds.
pub const HOUR: u64 = 3_600_000;

/// A duration from `MIN` to `MAX`, both in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoundedDuration<const MIN: u64, const MAX: u64>(Duration);

impl<const MIN: u64, const MAX: u64> BoundedDuration<MIN, MAX> {
    /// The length.
    pub fn get(self) -> Duration {
        self.0
    }
}

/// Why a text is not such a length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseDurationError {
    /// No length of time at all.
    #[error("\"{0}\" is not a duration: write a number and a unit, such as 500ms, 90s or 15m")]
    Malformed(String),
    /// Nothing, or less than it may be.
    #[error("\"{0}\" is too short: write {1:#} or more")]
    TooShort(String, SignedDuration),
    /// More than it may be.
    #[error("\"{0}\" is too long: write {1:#} or less")]
    TooLong(String, SignedDuration),
}

impl<const MIN: u64, const MAX: u64> FromStr for BoundedDuration<MIN, MAX> {
    type Err = ParseDurationError;

    fn from_str(text: &str) -> Result<Self, ParseDurationError> {
        let length: SignedDuration =
            text.parse().map_err(|_| ParseDurationError::Malformed(text.to_owned()))?;
        match Duration::try_from(length) {
            Ok(length) if length > Duration::from_millis(MAX) => {
                Err(ParseDurationError::TooLong(text.to_owned(), bound(MAX)))
            }
            Ok(length) if length >= Duration::from_millis(MIN) => Ok(BoundedDuration(length)),
            _ => Err(ParseDurationError::TooShort(text.to_owned(), bound(MIN))),
        }
    }
}

fn bound(milliseconds: u64) -> SignedDuration {
    SignedDuration::try_from(Duration::from_millis(milliseconds)).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    type Length = BoundedDuration<1, { 2 * HOUR }>;

    #[test]
    fn it_is_a_number_and_its_unit() {
        let length = |text: &str| text.parse::<Length>().unwrap().get();
        assert_eq!(length("500ms"), Duration::from_millis(500));
        assert_eq!(length("90s"), Duration::from_secs(90));
        assert_eq!(length("1h 30m"), Duration::from_secs(5400));
        assert_eq!(length("2h"), Duration::from_secs(7200));
    }

    #[test]
    fn anything_else_is_refused() {
        let error = |text: &str| text.parse::<Length>().unwrap_err().to_string();
        assert_snapshot!(error("30"), @r#""30" is not a duration: write a number and a unit, such as 500ms, 90s or 15m"#);
        assert_snapshot!(error("0s"), @r#""0s" is too short: write 1ms or more"#);
        assert_snapshot!(error("-5s"), @r#""-5s" is too short: write 1ms or more"#);
        assert_snapshot!(error("2h 1s"), @r#""2h 1s" is too long: write 2h or less"#);
    }
}
