//! How long an answer takes.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use serde::de::{self, Deserialize, Deserializer, Visitor};

/// The longest latency that can be set.
const LONGEST: Duration = Duration::from_secs(3_600);

/// How long an answer takes: a fixed delay, or a range from which each request
/// draws its own. Zero by default, at most an hour; real delays are rounded up
/// to the timer's millisecond.
///
/// Written `"20ms"`, `"1.5s"` or `"20ms..60ms"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Latency {
    shortest: Duration,
    longest: Duration,
}

/// Why a latency could not be read, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LatencyError {
    /// It is neither a delay nor two of them with `..` between.
    #[error(
        "`{0}` is not a latency: write a delay, such as 20ms or 1.5s, or a range, such as 20ms..60ms"
    )]
    NotALatency(String),
    /// The range runs backwards.
    #[error("the latency `{0}` ends before it begins: write the shorter delay first")]
    Backwards(String),
    /// It is longer than anyone waits.
    #[error("the latency `{0}` is too long: one hour is the longest")]
    TooLong(String),
}

impl Latency {
    /// The same delay for every answer; anything over an hour is an hour.
    pub fn fixed(delay: Duration) -> Latency {
        Latency::between(delay, delay)
    }

    /// A delay from this range for every answer, both ends included, in either order.
    pub fn between(one: Duration, other: Duration) -> Latency {
        Latency { shortest: one.min(other).min(LONGEST), longest: one.max(other).min(LONGEST) }
    }

    /// The shortest delay an answer can take.
    pub fn shortest(self) -> Duration {
        self.shortest
    }

    /// The longest delay an answer can take.
    pub fn longest(self) -> Duration {
        self.longest
    }
}

impl FromStr for Latency {
    type Err = LatencyError;

    fn from_str(text: &str) -> Result<Latency, LatencyError> {
        let (first, last) = text.split_once("..").unwrap_or((text, text));
        let (Some(shortest), Some(longest)) = (delay(first), delay(last)) else {
            return Err(LatencyError::NotALatency(text.to_owned()));
        };
        if longest < shortest {
            return Err(LatencyError::Backwards(text.to_owned()));
        }
        if longest > LONGEST {
            return Err(LatencyError::TooLong(text.to_owned()));
        }
        Ok(Latency { shortest, longest })
    }
}

fn delay(text: &str) -> Option<Duration> {
    text.trim().parse::<SignedDuration>().ok().and_then(|delay| delay.try_into().ok())
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let friendly = |delay: Duration| SignedDuration::try_from(delay).unwrap_or_default();
        write!(f, "{:#}", friendly(self.shortest))?;
        if self.shortest != self.longest {
            write!(f, "..{:#}", friendly(self.longest))?;
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Latency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Latency, D::Error> {
        deserializer.deserialize_str(LatencyVisitor)
    }
}

struct LatencyVisitor;

impl Visitor<'_> for LatencyVisitor {
    type Value = Latency;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a latency such as \"20ms\" or \"20ms..60ms\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Latency, E> {
        text.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn a_latency_is_read_as_a_delay_or_a_range() {
        for (text, shortest, longest) in [
            ("20ms", 20, 20),
            ("20ms..60ms", 20, 60),
            (" 20ms .. 1.5s ", 20, 1_500),
            ("0s", 0, 0),
            ("1h", 3_600_000, 3_600_000),
        ] {
            assert_eq!(text.parse(), Ok(Latency::between(ms(shortest), ms(longest))), "{text}");
        }
    }

    #[test]
    fn what_is_no_latency_is_refused_with_a_reason() {
        for (text, reason) in [
            ("20", "write a delay"),
            ("", "write a delay"),
            ("fast", "write a delay"),
            ("-20ms", "write a delay"),
            ("20ms..", "write a delay"),
            ("60ms..20ms", "shorter delay first"),
            ("2h", "one hour"),
        ] {
            let error = text.parse::<Latency>().unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn a_latency_is_shown_as_it_can_be_read_again() {
        for text in ["0s", "20ms", "20ms..60ms", "1s 500ms", "250µs..1ms"] {
            let latency: Latency = text.parse().unwrap();
            assert_eq!(latency.to_string(), text);
            assert_eq!(latency.to_string().parse(), Ok(latency));
        }
    }

    #[test]
    fn a_file_holds_a_latency_as_text() {
        assert_eq!(serde_json::from_str::<Latency>("\"20ms\"").unwrap(), Latency::fixed(ms(20)));
        let error = serde_json::from_str::<Latency>("20").unwrap_err().to_string();
        assert!(error.contains("a latency such as"), "{error}");
    }
}
