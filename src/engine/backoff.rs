//! How long a row waits before its next attempt.

use std::time::Duration;

use crate::model::RowNumber;
use crate::policy::scatter::scatter;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

/// The wait after this many attempts: doubling from half a second to half a
/// minute, cut by up to half so that rows that failed together do not return
/// together. The cut is drawn from the row itself: the core knows no chance.
pub(super) fn backoff(row: RowNumber, attempts: u32) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    let full = FIRST.saturating_mul(1 << doublings).min(LONGEST);
    let cut =
        f64::from(scatter(u64::from(row.0) << 32 | u64::from(attempts))) / f64::from(u32::MAX);
    full.mul_f64(1.0 - cut / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_half_a_minute_and_are_cut_by_at_most_half() {
        for row in (1..2000).map(RowNumber) {
            for (attempts, full) in [(1, 500), (2, 1000), (3, 2000), (7, 30_000), (99, 30_000)] {
                let wait = backoff(row, attempts).as_millis();
                assert!((full / 2..=full).contains(&wait), "{wait} after {attempts}");
            }
        }
    }

    #[test]
    fn rows_that_failed_together_return_scattered() {
        let waits: std::collections::BTreeSet<_> =
            (1..100).map(|row| backoff(RowNumber(row), 1).as_millis()).collect();
        assert!(waits.len() > 60, "{} different waits for 99 rows", waits.len());
    }
}
