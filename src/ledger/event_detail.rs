//! The details of events that are read again: what is written, and how it is read.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;
use std::time::Duration;

use crate::model::ReasonCode;

/// The detail of [`AskedToWait`](super::EventKind::AskedToWait): how long, as in `5000 ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitDetail(pub Duration);

impl fmt::Display for WaitDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0.as_millis())
    }
}

impl FromStr for WaitDetail {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<WaitDetail, ParseIntError> {
        let milliseconds = text.strip_suffix(" ms").unwrap_or(text).parse()?;
        Ok(WaitDetail(Duration::from_millis(milliseconds)))
    }
}

/// The detail of [`StopRule`](super::EventKind::StopRule): the rule's code, and what set it off, as
/// in `MAX_FAILURES: 5 of 4`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StopRuleDetail {
    /// The code.
    pub code: ReasonCode,
    /// What set it off, in words.
    pub why: String,
}

impl fmt::Display for StopRuleDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.why)
    }
}

impl FromStr for StopRuleDetail {
    type Err = <ReasonCode as FromStr>::Err;

    fn from_str(text: &str) -> Result<StopRuleDetail, Self::Err> {
        let (code, why) = text.split_once(": ").unwrap_or((text, ""));
        Ok(StopRuleDetail { code: code.parse()?, why: why.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detail_is_read_as_it_was_written() {
        let wait = WaitDetail(Duration::from_millis(5000));
        assert_eq!(wait.to_string(), "5000 ms");
        assert_eq!("5000 ms".parse(), Ok(wait));
        assert!("a while".parse::<WaitDetail>().is_err());
        let rule = StopRuleDetail { code: ReasonCode::MaxFailures, why: "5: too many".to_owned() };
        assert_eq!(rule.to_string(), "MAX_FAILURES: 5: too many");
        assert_eq!(rule.to_string().parse::<StopRuleDetail>().unwrap(), rule);
        assert!("A_LATER_RULE: x".parse::<StopRuleDetail>().is_err());
    }
}
