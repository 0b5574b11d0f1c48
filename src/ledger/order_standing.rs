//! How an order stands before evidence about it is recorded.

use super::run::Run;

/// How an order stands at an endpoint, over all runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderStanding {
    /// Whether a run has it on record.
    pub is_on_record: bool,
    /// Whether it is known to be cancelled: by an answer with `Status` true, or by evidence.
    pub is_cancelled: bool,
    /// Whether an answer for it was lost, and nothing has ended that doubt.
    pub is_in_doubt: bool,
    /// The call for it that has not been completed, if there is one.
    pub in_flight: Option<InFlight>,
    /// The last run that has an attempt for it, or in which evidence decided it: its number and its
    /// identifier.
    pub last_sent: Option<(i64, String)>,
}

/// A call that has not been completed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InFlight {
    /// The identifier of its run.
    pub run: String,
    /// Whether a process works on that run; if not, it died.
    pub is_worked_on: bool,
}

impl OrderStanding {
    /// The identifier of a run after this one that sent the order, if there is one.
    pub fn sent_after(&self, run: &Run) -> Option<&str> {
        let (_, id) = self.last_sent.as_ref().filter(|(number, _)| *number > run.number)?;
        Some(id)
    }
}
