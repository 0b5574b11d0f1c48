//! How long an outage is waited for: `15m`, `90s`, `2h`.

use std::str::FromStr;
use std::time::Duration;

/// How long the server may be away before the run stops; more than nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxOutage(pub Duration);

/// Why a text is not such a length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadMaxOutage {
    /// Not a length of time.
    #[error("\"{0}\" is not a length of time: write a number and its unit, as 90s, 15m or 2h")]
    Malformed(String),
    /// Zero or less.
    #[error("\"{0}\" leaves no time for the server to come back: write more than nothing, as 15m")]
    Nothing(String),
}

impl FromStr for MaxOutage {
    type Err = BadMaxOutage;

    fn from_str(text: &str) -> Result<Self, BadMaxOutage> {
        let time: jiff::SignedDuration =
            text.parse().map_err(|_| BadMaxOutage::Malformed(text.to_owned()))?;
        match Duration::try_from(time) {
            Ok(time) if !time.is_zero() => Ok(MaxOutage(time)),
            _ => Err(BadMaxOutage::Nothing(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    #[test]
    fn it_is_a_number_and_its_unit() {
        let longest = |text: &str| text.parse::<MaxOutage>().unwrap().0;
        assert_eq!(longest("90s"), Duration::from_secs(90));
        assert_eq!(longest("15m"), Duration::from_secs(900));
        assert_eq!(longest("1h 30m"), Duration::from_secs(5400));
    }

    #[test]
    fn anything_else_is_refused() {
        let error = |text: &str| text.parse::<MaxOutage>().unwrap_err().to_string();
        assert_snapshot!(error("15"), @r#""15" is not a length of time: write a number and its unit, as 90s, 15m or 2h"#);
        assert_snapshot!(error("0s"), @r#""0s" leaves no time for the server to come back: write more than nothing, as 15m"#);
        assert_snapshot!(error("-5m"), @r#""-5m" leaves no time for the server to come back: write more than nothing, as 15m"#);
    }
}
