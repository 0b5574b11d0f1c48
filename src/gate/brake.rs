//! The brake: rules that stop a run that is going wrong.

use super::failures::MaxFailures;
use crate::ledger::Counts;
use crate::order::OwnCode;
use crate::outcome::{Meaning, Status};

/// How many requests in a row may be refused as malformed or misdirected. A file
/// of bad rows is not stopped by it soon; a wrong URL or a changed API is.
const REFUSALS_IN_A_ROW: u32 = 10;

/// Watches the outcomes of a run.
#[derive(Debug, Clone, Default)]
pub struct Brake {
    max_failures: Option<MaxFailures>,
    refusals: u32,
}

impl Brake {
    /// A brake that lets this many rows fail; None: any number.
    pub fn new(max_failures: Option<MaxFailures>) -> Brake {
        Brake { max_failures, refusals: 0 }
    }

    /// Takes in what an attempt meant and how the run's rows stand after it;
    /// says why the run must stop, if it must.
    pub fn watch(&mut self, meaning: Meaning, counts: &Counts) -> Option<OwnCode> {
        self.refusals = if meaning == Meaning::Refused { self.refusals + 1 } else { 0 };
        let failures = [Status::Rejected, Status::Failed, Status::InDoubt];
        let failures: u64 = failures.map(|status| counts.get(status)).iter().sum();
        let ended = failures + counts.get(Status::Cancelled) + counts.get(Status::AlreadyCancelled);
        match &self.max_failures {
            _ if self.refusals >= REFUSALS_IN_A_ROW => Some(OwnCode::Refusals),
            Some(max) if max.exceeded(failures, ended) => Some(OwnCode::MaxFailures),
            _ => None,
        }
    }
}
