//! The limit on failed rows: `25`, or `5%` of the rows that ended.

use std::fmt;
use std::str::FromStr;

/// A percentage is not applied to fewer rows than this.
const ENOUGH_FOR_A_SHARE: u64 = 100;

/// The most rows that may fail before the run stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxFailures {
    /// A number of rows; 0 stops at the first failure.
    Count(u64),
    /// A percentage, 1 to 100, of the rows that ended. It applies once 100 rows have ended.
    Percent(u8),
}

impl MaxFailures {
    /// Whether this many failures among the rows that ended exceed the limit.
    pub fn exceeded(&self, failures: u64, ended: u64) -> bool {
        match *self {
            MaxFailures::Count(most) => failures > most,
            MaxFailures::Percent(percent) => {
                ended >= ENOUGH_FOR_A_SHARE
                    && u128::from(failures) * 100 > u128::from(percent) * u128::from(ended)
            }
        }
    }
}

impl fmt::Display for MaxFailures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MaxFailures::Count(most) => write!(f, "{most}"),
            MaxFailures::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

/// The text is neither a number of rows nor a percentage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is neither a number of rows (25) nor a share of them from 1% to 100% (5%)")]
pub struct ParseMaxFailuresError(String);

impl FromStr for MaxFailures {
    type Err = ParseMaxFailuresError;

    fn from_str(text: &str) -> Result<Self, ParseMaxFailuresError> {
        let bad = || ParseMaxFailuresError(text.to_owned());
        let digits = text.strip_suffix('%').unwrap_or(text);
        // The parser of u64 would accept a plus sign.
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(bad());
        }
        let number: u64 = digits.parse().map_err(|_| bad())?;
        if digits.len() == text.len() {
            return Ok(MaxFailures::Count(number));
        }
        match u8::try_from(number) {
            Ok(percent @ 1..=100) => Ok(MaxFailures::Percent(percent)),
            _ => Err(bad()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;
    use proptest::prelude::*;

    #[test]
    fn a_number_is_exceeded_by_one_more() {
        let most: MaxFailures = "25".parse().unwrap();
        assert!(!most.exceeded(25, 25));
        assert!(most.exceeded(26, 1_000_000));
    }

    #[test]
    fn none_at_all_may_be_asked_for() {
        let most: MaxFailures = "0".parse().unwrap();
        assert!(!most.exceeded(0, 10));
        assert!(most.exceeded(1, 10));
    }

    #[test]
    fn a_share_is_exceeded_by_one_row_more_than_it() {
        let most: MaxFailures = "5%".parse().unwrap();
        assert!(!most.exceeded(50, 1000));
        assert!(most.exceeded(51, 1000));
        assert!(!most.exceeded(u64::MAX / 20, u64::MAX));
    }

    #[test]
    fn a_share_waits_until_enough_rows_ended() {
        let most: MaxFailures = "5%".parse().unwrap();
        assert!(!most.exceeded(99, 99));
        assert!(most.exceeded(100, 100));
    }

    #[test]
    fn anything_else_is_refused() {
        let error = "half".parse::<MaxFailures>().unwrap_err();
        assert_snapshot!(error, @r#""half" is neither a number of rows (25) nor a share of them from 1% to 100% (5%)"#);
        for text in ["", "%", "0%", "101%", "257%", "-1", "+1", "2.5%", "5 %", "5%%"] {
            assert!(text.parse::<MaxFailures>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back_the_same(count: u64, percent in 1u8..=100) {
            for most in [MaxFailures::Count(count), MaxFailures::Percent(percent)] {
                prop_assert_eq!(most.to_string().parse::<MaxFailures>().unwrap(), most);
            }
        }
    }
}
