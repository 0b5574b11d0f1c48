//! How a limit rises again: slowly at first, because it may be exceeded at once, and then faster
//! and faster, because the server's capacity may have grown much.

use std::time::Duration;

/// The speed's own growth a second, and the highest speed.
const GROWS: f64 = 0.35;
const STEEPEST: f64 = 0.5;

/// The longest time that one step makes up for. If no call was wanted for longer, the limit was
/// not tested during it.
const LONGEST_STEP: Duration = Duration::from_secs(1);

/// A rise in progress. Times are since the start of the run.
#[derive(Debug, Default)]
pub(super) struct RampUp {
    /// The time up to which it has been applied.
    at: Duration,
    /// The fraction of the limit by which it rises a second.
    speed: f64,
}

impl RampUp {
    /// A rise that begins at this time with this speed.
    pub fn starting_at(at: Duration, speed: f64) -> RampUp {
        RampUp { at, speed }
    }

    /// The factor by which the limit rises for the time since the last call of this function;
    /// `None` before the rise begins.
    pub fn factor_since_last(&mut self, now: Duration) -> Option<f64> {
        let passed = now.checked_sub(self.at)?.min(LONGEST_STEP).as_secs_f64();
        self.at = now;
        self.speed = (self.speed * (1.0 + GROWS * passed)).min(STEEPEST);
        Some(1.0 + self.speed * passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(climb: &mut RampUp, seconds: u64) -> Option<f64> {
        climb.factor_since_last(Duration::from_secs(seconds))
    }

    #[test]
    fn a_ramp_begins_when_it_is_set_and_grows_steeper_up_to_a_bound() {
        let mut climb = RampUp::starting_at(Duration::from_secs(10), 0.01);
        assert_eq!(after(&mut climb, 9), None);
        assert_eq!(after(&mut climb, 10), Some(1.0));
        let factors: Vec<f64> = (11..40).filter_map(|second| after(&mut climb, second)).collect();
        assert!(factors[0] < 1.02 && factors.is_sorted(), "{factors:?}");
        assert_eq!(factors.last(), Some(&1.5));
    }

    #[test]
    fn after_a_long_pause_it_makes_no_leap() {
        let mut climb = RampUp::starting_at(Duration::ZERO, 0.01);
        assert_eq!(after(&mut climb, 1), Some(1.0 + 0.01 * 1.35));
        let factor = after(&mut climb, 86_400).unwrap();
        assert!(factor < 1.02, "{factor}");
    }
}
