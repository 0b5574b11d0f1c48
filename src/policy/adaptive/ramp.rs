//! How a limit climbs again: slowly at first, since it may be passed at once, and
//! then faster and faster, since the server may have become much stronger.

use std::time::Duration;

/// How fast the speed grows by itself a second, and how far.
const GROWS: f64 = 0.35;
const STEEPEST: f64 = 0.5;

/// The longest time that one step of it makes up for: where nothing was asked for so long,
/// nothing was tried either.
const LONGEST_STEP: Duration = Duration::from_secs(1);

/// A climb under way. Times are since the start of the run.
#[derive(Debug, Default)]
pub(super) struct RampUp {
    /// How far it came.
    at: Duration,
    /// Part of the limit by which that climbs a second.
    speed: f64,
}

impl RampUp {
    /// A climb that begins then, at this speed.
    pub fn starting_at(at: Duration, speed: f64) -> RampUp {
        RampUp { at, speed }
    }

    /// By what the limit is multiplied for the time since it was last asked; none
    /// before the climb begins.
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
    fn a_climb_begins_when_it_is_said_and_grows_steeper_up_to_a_bound() {
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
