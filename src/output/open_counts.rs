//! How many rows are left open, and what to do about them.

use super::{human_count, rows};
use crate::model::{Counts, Status};

/// The rows that are left open, by what can be done about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenCounts {
    /// Surely not cancelled: `failed` or `not_sent`.
    pub not_cancelled: u64,
    /// `in_doubt`.
    pub in_doubt: u64,
    /// `rejected` with doubt.
    pub rejected_with_doubt: u64,
}

impl OpenCounts {
    /// The open ones of these, without those that other runs or evidence have settled.
    pub fn of(counts: &Counts, settled: &Counts) -> OpenCounts {
        let left = |of: fn(&Counts) -> u64| of(counts).saturating_sub(of(settled));
        OpenCounts {
            not_cancelled: left(|counts| counts.get(Status::Failed) + counts.get(Status::NotSent)),
            in_doubt: left(|counts| counts.get(Status::InDoubt)),
            rejected_with_doubt: left(Counts::rejected_with_doubt),
        }
    }

    /// The step that sends them again with this command; `None` if all of them would be rejected once
    /// more.
    pub fn rerun_step(&self, rerun: &str) -> Option<String> {
        let is_useful = self.not_cancelled + self.in_doubt > 0;
        is_useful.then(|| format!("Next: send the open rows again with: {rerun}"))
    }

    /// The step for those that may or may not be cancelled, if there are any.
    pub fn doubt_step(&self) -> Option<String> {
        const WHY: &str = "rejected after a lost answer; that call may have cancelled the order";
        const FIND_OUT: &str = "look in CoreCARD, then resolve";
        let number = self.in_doubt + self.rejected_with_doubt;
        let what = match (self.in_doubt, self.rejected_with_doubt) {
            (0, 0) => return None,
            (_, 0) => format!("may or may not be cancelled: {FIND_OUT}; or rerun"),
            (0, _) => format!("{WHY}: {FIND_OUT}"),
            (_, some) => format!(
                "may or may not be cancelled, {} of them {WHY}: {FIND_OUT}; or rerun",
                human_count(some)
            ),
        };
        Some(format!("In doubt: {} {what}", rows(number)))
    }
}
