//! Whether a run is stopping, and why.

use crate::model::ReasonCode;
use crate::policy::stop_rules::StopReason;

/// The reason to stop. The first one wins: it is recorded and displayed.
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

    /// Stops the run for a reason that has an explanation.
    pub fn stop_because(&mut self, reason: StopReason) {
        self.stop(reason.code);
        self.reason.get_or_insert(reason);
    }

    /// Whether the run is stopping, so that nothing new starts.
    pub fn is_stopping(&self) -> bool {
        self.code.is_some()
    }

    /// Why the run is stopping; `None` if it is not.
    pub fn code(&self) -> Option<ReasonCode> {
        self.code
    }

    /// The stop rule, outage or answer that stops the run; `None` if none of them does.
    pub fn reason(&self) -> Option<&StopReason> {
        self.reason.as_ref().filter(|reason| Some(reason.code) == self.code)
    }
}
