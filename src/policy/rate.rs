//! The rates that the contract allows: `50/s`, `1000/m`, `20000/h`.
//!
//! ```
//! use std::time::Duration;
//!
//! use cardcancel::policy::rate::Rates;
//!
//! let rates: Rates = "50/s,20000/h".parse()?;
//! assert_eq!(rates.max_per_second(), Some(50));
//! assert_eq!(rates.time_for(20_000), Duration::from_secs(400));
//! assert!("50".parse::<Rates>().is_err());
//! # Ok::<(), cardcancel::policy::rate::ParseRateError>(())
//! ```

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The notation for the absence of any rate.
const UNLIMITED: &str = "unlimited";

/// The window in which a rate counts calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Period {
    /// `/s`
    Second,
    /// `/m`
    Minute,
    /// `/h`
    Hour,
}

impl Period {
    /// The length of the window.
    pub fn duration(self) -> Duration {
        Duration::from_secs(match self {
            Period::Second => 1,
            Period::Minute => 60,
            Period::Hour => 3600,
        })
    }

    fn letter(self) -> &'static str {
        match self {
            Period::Second => "s",
            Period::Minute => "m",
            Period::Hour => "h",
        }
    }
}

/// A number of calls that no window of this length may exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    /// The most calls, at least 1.
    pub calls: u32,
    /// The window in which they are counted.
    pub period: Period,
}

impl Rate {
    /// The rate in calls a second.
    pub fn per_second(&self) -> f64 {
        f64::from(self.calls) / self.period.duration().as_secs_f64()
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.calls, self.period.letter())
    }
}

/// The text is not a rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseRateError {
    /// A number without a unit.
    #[error("the rate {0} has no unit: write {0}/s, {0}/m or {0}/h")]
    NoUnit(u32),
    /// `0/s`.
    #[error("a rate must be at least one call; {0} would never send anything")]
    Zero(String),
    /// Anything else.
    #[error("\"{0}\" is not a rate: write calls and a unit, as 50/s, 1000/m or 20000/h")]
    Malformed(String),
    /// `unlimited` beside a rate.
    #[error("\"unlimited\" cannot be combined with other rates: leave out one or the other")]
    NotAlone,
}

impl FromStr for Rate {
    type Err = ParseRateError;

    fn from_str(text: &str) -> Result<Self, ParseRateError> {
        let malformed = || ParseRateError::Malformed(text.to_owned());
        let (calls, unit) = match text.split_once('/') {
            Some((calls, unit)) => (calls, Some(unit)),
            None => (text, None),
        };
        // The parser of u32 would accept a plus sign.
        if !calls.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(malformed());
        }
        let calls = calls.parse().map_err(|_| malformed())?;
        let period = match unit {
            None => return Err(ParseRateError::NoUnit(calls)),
            Some("s") => Period::Second,
            Some("m") => Period::Minute,
            Some("h") => Period::Hour,
            Some(_) => return Err(malformed()),
        };
        match calls {
            0 => Err(ParseRateError::Zero(text.to_owned())),
            calls => Ok(Rate { calls, period }),
        }
    }
}

/// The rates that must all hold at once. An empty list means unlimited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rates(Vec<Rate>);

impl Rates {
    /// No rate: calls may start at any time.
    pub fn unlimited() -> Rates {
        Rates(Vec::new())
    }

    /// Whether there is no rate.
    pub fn is_unlimited(&self) -> bool {
        self.0.is_empty()
    }

    /// The rates; empty if unlimited.
    pub fn as_slice(&self) -> &[Rate] {
        &self.0
    }

    /// The rates that bind, shortest window first and therefore fastest first. A rate is left out
    /// if one over a shorter window implies it.
    pub fn binding(&self) -> Vec<Rate> {
        let mut rates = self.0.clone();
        rates.sort_by(|a, b| a.period.cmp(&b.period).then(a.calls.cmp(&b.calls)));
        let mut binding: Vec<Rate> = Vec::new();
        for rate in rates {
            if binding.iter().all(|shorter| rate.per_second() < shorter.per_second()) {
                binding.push(rate);
            }
        }
        binding
    }

    /// The most calls in any one second; `None` if no rate is given per second.
    pub fn max_per_second(&self) -> Option<u32> {
        self.0.iter().filter(|rate| rate.period == Period::Second).map(|rate| rate.calls).min()
    }

    /// The shortest time in which this many calls can start: the fastest rate spaces them, and
    /// every full window of a slower rate except the last must pass. Zero if unlimited.
    pub fn time_for(&self, calls: u64) -> Duration {
        let binding = self.binding();
        let Some(fastest) = binding.first().map(Rate::per_second) else {
            return Duration::ZERO;
        };
        let time_at = |rate: &Rate| {
            let windows = calls.saturating_sub(1) / u64::from(rate.calls);
            let rest = calls - windows * u64::from(rate.calls);
            windows as f64 * rate.period.duration().as_secs_f64() + rest as f64 / fastest
        };
        Duration::from_secs_f64(binding.iter().map(time_at).fold(0.0, f64::max))
    }

    /// The slowest rate that allows this many calls within this time; `None` if the rate would
    /// exceed `u32::MAX` calls a second.
    pub fn needed(calls: u64, time: Duration) -> Option<Rate> {
        let rate = |period: Period| {
            let calls = calls as f64 * period.duration().as_secs_f64() / time.as_secs_f64();
            // A time of zero makes this infinite.
            (calls <= f64::from(u32::MAX))
                .then(|| Rate { calls: (calls.ceil() as u32).max(1), period })
        };
        // A slow rate is rounded up less if it is counted over a longer window.
        let slow = [Period::Minute, Period::Hour].into_iter().filter_map(rate);
        let second = rate(Period::Second)?;
        Some(slow.fold(second, |rate, slower| if rate.calls > 1 { rate } else { slower }))
    }

    /// Joins the values of a setting that was given several times: all of them must hold.
    ///
    /// # Errors
    /// If `unlimited` stands beside another value.
    pub fn parse_list(settings: Vec<Rates>) -> Result<Rates, ParseRateError> {
        if settings.len() > 1 && settings.iter().any(Rates::is_unlimited) {
            return Err(ParseRateError::NotAlone);
        }
        Ok(Rates(settings.into_iter().flat_map(|rates| rates.0).collect()))
    }
}

impl From<Rate> for Rates {
    fn from(rate: Rate) -> Self {
        Rates(vec![rate])
    }
}

impl FromStr for Rates {
    type Err = ParseRateError;

    /// Parses `unlimited`, or rates separated by commas.
    fn from_str(text: &str) -> Result<Self, ParseRateError> {
        let one = |text: &str| match text.trim() {
            UNLIMITED => Ok(Rates::unlimited()),
            rate => rate.parse::<Rate>().map(Rates::from),
        };
        Rates::parse_list(text.split(',').map(one).collect::<Result<_, _>>()?)
    }
}

impl fmt::Display for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_unlimited() {
            return f.write_str(UNLIMITED);
        }
        for (index, rate) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{rate}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;
    use proptest::prelude::*;

    fn error(text: &str) -> String {
        text.parse::<Rates>().unwrap_err().to_string()
    }

    #[test]
    fn the_rate_that_a_number_of_calls_needs_is_the_slowest_that_will_do() {
        let needed = |calls: u64, seconds: u64| {
            let needed = Rates::needed(calls, Duration::from_secs(seconds));
            needed.map(|rate| rate.to_string())
        };
        assert_eq!(needed(100_000, 9000).as_deref(), Some("12/s"));
        assert_eq!(needed(18_000, 1800).as_deref(), Some("10/s"));
        assert_eq!(needed(18_001, 1800).as_deref(), Some("11/s"));
        assert_eq!(needed(90, 1800).as_deref(), Some("3/m"));
        assert_eq!(needed(1, 1800).as_deref(), Some("2/h"));
        assert_eq!(needed(1, 0), None);
        for (calls, seconds) in [(100_000, 9000), (90, 1800), (1, 1800), (7, 3)] {
            let (time, rate) = (Duration::from_secs(seconds), needed(calls, seconds).unwrap());
            assert!(rate.parse::<Rates>().unwrap().time_for(calls) <= time, "{rate}");
        }
    }

    #[test]
    fn a_rate_is_calls_in_a_second_a_minute_or_an_hour() {
        let per_second = |text: &str| text.parse::<Rate>().unwrap().per_second();
        assert_eq!(per_second("50/s"), 50.0);
        assert_eq!(per_second("1200/m"), 20.0);
        assert_eq!(per_second("18000/h"), 5.0);
    }

    #[test]
    fn a_bare_number_is_refused_with_the_units_to_choose_from() {
        assert_snapshot!(error("50"), @"the rate 50 has no unit: write 50/s, 50/m or 50/h");
    }

    #[test]
    fn a_rate_of_nothing_is_refused() {
        assert_snapshot!(error("0/m"), @"a rate must be at least one call; 0/m would never send anything");
    }

    #[test]
    fn anything_else_is_refused() {
        assert_snapshot!(error("fast"), @r#""fast" is not a rate: write calls and a unit, as 50/s, 1000/m or 20000/h"#);
        for text in ["", "/s", "5/d", "-1/s", "+1/s", "1.5/s", "4294967296/s", "5/s/s", "5/s,"] {
            assert!(text.parse::<Rates>().is_err(), "{text}");
        }
    }

    #[test]
    fn several_rates_hold_at_once() {
        let rates: Rates = "50/s, 1200/m".parse().unwrap();
        assert_eq!(rates.as_slice().len(), 2);
    }

    #[test]
    fn the_fastest_rate_sets_the_pace_until_a_slower_one_is_used_up() {
        let seconds = |text: &str, calls| text.parse::<Rates>().unwrap().time_for(calls).as_secs();
        assert_eq!(seconds("50/s", 20_000), 400);
        assert_eq!(seconds("50/s,1200/m", 1200), 24);
        assert_eq!(seconds("50/s,1200/m", 1250), 61);
        assert_eq!(seconds("10/s,1000/m", 1000), 100);
        assert_eq!(seconds("1200/m", 1200), 60);
        assert_eq!(seconds("unlimited", 1_000_000), 0);
    }

    #[test]
    fn unlimited_is_no_pace_and_stands_alone() {
        let rates: Rates = "unlimited".parse().unwrap();
        assert!(rates.is_unlimited());
        assert_snapshot!(error("unlimited,50/s"), @r#""unlimited" cannot be combined with other rates: leave out one or the other"#);
    }

    fn any_rate() -> impl Strategy<Value = Rate> {
        let period = prop_oneof![Just(Period::Second), Just(Period::Minute), Just(Period::Hour)];
        (1..=u32::MAX, period).prop_map(|(calls, period)| Rate { calls, period })
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back_the_same(rates in proptest::collection::vec(any_rate(), 0..4)) {
            let rates = Rates(rates);
            prop_assert_eq!(rates.to_string().parse::<Rates>().unwrap(), rates);
        }
    }
}
