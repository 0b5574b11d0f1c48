//! The brake: rules that stop a run that is going wrong.

use super::failures::MaxFailures;
use crate::ledger::Counts;
use crate::order::OwnCode;
use crate::outcome::{Meaning, Status};

/// How many requests in a row may be refused as malformed or misdirected. A file
/// of bad rows is not stopped by it soon; a wrong URL or a changed API is.
const REFUSALS_IN_A_ROW: u32 = 10;

/// Watches the outcomes of a run from the moment it is started.
#[derive(Debug, Clone)]
pub struct Brake {
    max_failures: Option<MaxFailures>,
    failures_before: u64,
    ended_before: u64,
    refusals: u32,
}

impl Brake {
    /// A brake that lets this many rows fail, None any number, beside those that
    /// stand so already.
    pub fn new(max_failures: Option<MaxFailures>, before: &Counts) -> Brake {
        let (failures_before, ended_before) = (failures(before), called(before));
        Brake { max_failures, failures_before, ended_before, refusals: 0 }
    }

    /// Takes in what an attempt meant and how the run's rows stand after it;
    /// says why the run must stop, if it must.
    pub fn watch(&mut self, meaning: Meaning, counts: &Counts) -> Option<OwnCode> {
        self.refusals = if meaning == Meaning::Refused { self.refusals + 1 } else { 0 };
        let failures = failures(counts).saturating_sub(self.failures_before);
        let ended = called(counts).saturating_sub(self.ended_before);
        match &self.max_failures {
            _ if self.refusals >= REFUSALS_IN_A_ROW => Some(OwnCode::Refusals),
            Some(max) if max.exceeded(failures, ended) => Some(OwnCode::MaxFailures),
            _ => None,
        }
    }
}

fn failures(counts: &Counts) -> u64 {
    [Status::Rejected, Status::Failed, Status::InDoubt]
        .map(|status| counts.get(status))
        .iter()
        .sum()
}

/// Rows that a call decided.
fn called(counts: &Counts) -> u64 {
    failures(counts) + counts.get(Status::Cancelled) + counts.get(Status::AlreadyCancelled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(cancelled: u64, rejected: u64) -> Counts {
        [(Status::Cancelled, cancelled), (Status::Rejected, rejected)].into_iter().collect()
    }

    #[test]
    fn failures_that_stood_before_the_start_are_not_held_against_it() {
        let mut brake = Brake::new("5%".parse().ok(), &counts(150, 20));
        assert_eq!(brake.watch(Meaning::Rejected, &counts(150, 21)), None);
        assert_eq!(brake.watch(Meaning::Rejected, &counts(250, 24)), None);
        let stop = brake.watch(Meaning::Rejected, &counts(250, 26));
        assert_eq!(stop, Some(OwnCode::MaxFailures));
    }

    #[test]
    fn refusals_stop_a_run_only_in_a_row() {
        let mut brake = Brake::new(None, &Counts::default());
        let refuse = |brake: &mut Brake, times| {
            (0..times).filter_map(|_| brake.watch(Meaning::Refused, &Counts::default())).count()
        };
        assert_eq!(refuse(&mut brake, 9), 0);
        assert_eq!(brake.watch(Meaning::Cancelled, &counts(1, 0)), None);
        assert_eq!(refuse(&mut brake, 9), 0);
        assert_eq!(refuse(&mut brake, 1), 1);
    }
}
