//! The pace to which a run can be held while it is in progress: a rate, or `restore`.

use std::fmt;
use std::str::FromStr;

use super::rate::{ParseRateError, Rate, Rates};

/// The word for the rate that the run was started with.
const RESTORE: &str = "restore";

/// A pace as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace(pub Option<Rate>);

impl Pace {
    /// What is allowed instead, if this is faster than these rates.
    pub fn faster_than(self, own: &Rates) -> Option<Rate> {
        let fastest = own.binding().into_iter().next()?;
        self.0.filter(|pace| pace.per_second() > fastest.per_second()).and(Some(fastest))
    }
}

impl FromStr for Pace {
    type Err = ParseRateError;

    /// Parses a rate, or `restore`.
    fn from_str(text: &str) -> Result<Pace, ParseRateError> {
        if text == RESTORE { Ok(Pace(None)) } else { text.parse().map(|rate| Pace(Some(rate))) }
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(rate) => rate.fmt(f),
            None => f.write_str(RESTORE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_a_rate_or_the_word_that_restores_the_runs_own() {
        assert_eq!("restore".parse(), Ok(Pace(None)));
        assert_eq!("20/m".parse::<Pace>().unwrap().to_string(), "20/m");
        assert!("off".parse::<Pace>().is_err() && "20".parse::<Pace>().is_err());
    }

    #[test]
    fn only_a_pace_above_the_fastest_rate_is_faster() {
        let own: Rates = "50/s,20000/h".parse().unwrap();
        let faster = |pace: &str| pace.parse::<Pace>().unwrap().faster_than(&own);
        assert_eq!(faster("51/s").map(|rate| rate.to_string()).as_deref(), Some("50/s"));
        assert_eq!([faster("50/s"), faster("3000/m"), faster("restore")], [None; 3]);
        assert!(faster("3001/m").is_some());
        assert_eq!("51/s".parse::<Pace>().unwrap().faster_than(&Rates::unlimited()), None);
    }
}
