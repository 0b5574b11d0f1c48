//! How long one call may take: `30s`, `500ms`, `1m 30s`.

use std::str::FromStr;
use std::time::Duration;

/// How long one call may take, from connecting to the last byte of its answer;
/// more than nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeout(pub Duration);

/// Why a text is not a timeout.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTimeout {
    /// Not a length of time.
    #[error("\"{0}\" is not a length of time: write a number and its unit, as 30s, 500ms or 1m")]
    Malformed(String),
    /// Zero or less.
    #[error("\"{0}\" leaves no time for an answer: write more than nothing, as 30s")]
    Nothing(String),
}

impl FromStr for Timeout {
    type Err = BadTimeout;

    fn from_str(text: &str) -> Result<Self, BadTimeout> {
        let time: jiff::SignedDuration =
            text.parse().map_err(|_| BadTimeout::Malformed(text.to_owned()))?;
        match Duration::try_from(time) {
            Ok(time) if !time.is_zero() => Ok(Timeout(time)),
            _ => Err(BadTimeout::Nothing(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    #[test]
    fn it_is_a_number_and_its_unit() {
        let timeout = |text: &str| text.parse::<Timeout>().unwrap().0;
        assert_eq!(timeout("30s"), Duration::from_secs(30));
        assert_eq!(timeout("500ms"), Duration::from_millis(500));
        assert_eq!(timeout("1m 30s"), Duration::from_secs(90));
    }

    #[test]
    fn anything_else_is_refused() {
        let error = |text: &str| text.parse::<Timeout>().unwrap_err().to_string();
        assert_snapshot!(error("30"), @r#""30" is not a length of time: write a number and its unit, as 30s, 500ms or 1m"#);
        assert_snapshot!(error("0s"), @r#""0s" leaves no time for an answer: write more than nothing, as 30s"#);
        assert_snapshot!(error("-5s"), @r#""-5s" leaves no time for an answer: write more than nothing, as 30s"#);
    }
}
