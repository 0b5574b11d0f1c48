//! Whether a run is stopping, and why.

use crate::model::ReasonCode;
use crate::policy::stop_rules::StopReason;

/// The first reason to stop decides: it is the one that is recorded and shown.
#[derive(Debug, Default)]
pub struct StopState {
    code: Option<ReasonCode>,
    reason: Option<StopReason>,
}

impl StopState {
    /// Stops the run, unless it is stopping already.
    pub fn stop(&mut self, code: ReasonCode) {
        self.code.get_or_insert(code);
    }

    /// Stops the run for a reason that is more than its code.
    pub fn stop_because(&mut self, reason: StopReason) {
        self.stop(reason.code);
        self.reason.get_or_insert(reason);
    }

    /// Whether nothing more is begun.
    pub fn is_stopping(&self) -> bool {
        self.code.is_some()
    }

    /// Why the run is stopping, if it is.
    pub fn code(&self) -> Option<ReasonCode> {
        self.code
    }

    /// The stop rule, outage or answer that stops the run, if one of them does.
    pub fn reason(&self) -> Option<&StopReason> {
        self.reason.as_ref().filter(|reason| Some(reason.code) == self.code)
    }
}
