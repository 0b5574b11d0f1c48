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
    /// The run that sent it last, or in which evidence decided it last.
    pub last_sent: Option<LastSent>,
}

/// The run that sent an order last, or in which evidence decided it last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastSent {
    /// The number of the start that did.
    pub start: i64,
    /// The number of the run.
    pub number: i64,
    /// The identifier of the run.
    pub run: String,
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
    /// Whether nothing tells yet whether it is cancelled: a doubt has not ended, or a call for it has
    /// not been completed.
    pub fn may_be_in_doubt(&self) -> bool {
        self.is_in_doubt || self.in_flight.is_some()
    }

    /// Adds that a run sent the order, or that evidence decided it there.
    pub(super) fn add_sent(&mut self, sent: LastSent) {
        if self.last_sent.as_ref().is_none_or(|last| last.start < sent.start) {
            self.last_sent = Some(sent);
        }
    }

    /// The identifier of the run that sent the order last, or in which evidence decided it last, if
    /// that is a run after this one.
    pub fn sent_after(&self, run: &Run) -> Option<&str> {
        let last = self.last_sent.as_ref().filter(|last| last.number > run.number)?;
        Some(&last.run)
    }
}
