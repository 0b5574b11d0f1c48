//! The server's state as observed from the calls: whether it is away, how much it accepts, and
//! until when it has requested a pause.

use std::collections::BTreeSet;
use std::time::Duration;

use super::events::CallTimings;
use crate::ledger::ClaimedRow;
use crate::model::{Outcome, RowNumber, ServerSignal};
use crate::policy::adaptive::{AdaptiveLimits, Observation};
use crate::policy::circuit_breaker::{CallObservation, CircuitBreaker, Transition};
use crate::policy::retry_after::RetryAfter;
use crate::policy::stop_rules::StopReason;

/// The rules that depend on the server's answers. Every call that ends is reported to them. Times
/// are since the start of the run.
#[derive(Debug)]
pub struct ServerState {
    pub breaker: CircuitBreaker,
    pub limits: AdaptiveLimits,
    pub retry_after: RetryAfter,
    max_outage: Duration,
    /// The outcome of the last call that failed in the current outage.
    last_failure: Option<String>,
}

/// The consequences of a call for the rows and the run.
#[derive(Debug, Default)]
pub struct Observed {
    /// Whether the call failed because of an outage, so that it does not count as an attempt.
    pub is_refunded: bool,
    /// If an outage begins now: the rows whose last attempts are refunded.
    pub outage: Option<BTreeSet<RowNumber>>,
    /// Why the run must stop, if the server requests a longer wait than it is granted.
    pub stop: Option<StopReason>,
}

impl ServerState {
    /// The state before the first call. At most `concurrency` calls are in flight, of which at
    /// most `max_per_second` start in any second; an outage may last `max_outage`.
    pub fn new(concurrency: u32, max_per_second: Option<u32>, max_outage: Duration) -> ServerState {
        ServerState {
            breaker: CircuitBreaker::new(max_outage),
            limits: AdaptiveLimits::new(concurrency, max_per_second),
            retry_after: RetryAfter::new(max_outage),
            max_outage,
            last_failure: None,
        }
    }

    /// Whether the server is away, so that only probes are sent.
    pub fn is_away(&self) -> bool {
        self.breaker.open_since().is_some()
    }

    /// The outcome of the last call that failed in the outage; `None` if the server is not away.
    pub fn outage_cause(&self) -> Option<&str> {
        self.breaker.open_since().and(self.last_failure.as_deref())
    }

    /// Why the run must stop, if the outage has lasted longer than allowed.
    pub fn outage_too_long(&self, now: Duration) -> Option<StopReason> {
        let is_too_long = self.breaker.deadline().is_some_and(|at| now >= at);
        let last = self.last_failure.as_deref().unwrap_or("none ended");
        is_too_long.then(|| StopReason::from_outage(last))
    }

    /// Observes a call that ended now, when `in_flight` calls were in flight, this one included.
    /// `was_last` is whether its row has no attempt left.
    pub fn observe(
        &mut self,
        claimed: &ClaimedRow,
        outcome: &Outcome,
        times: CallTimings,
        (in_flight, was_last): (u32, bool),
        now: Duration,
    ) -> Observed {
        let (started, took) = (times.started, times.ended.saturating_sub(times.started));
        let signal = outcome.server_signal();
        let (row, again) = (claimed.row(), claimed.doubt() || claimed.counted_attempts() > 1);
        let call = CallObservation { signal, row, started, was_last, again };
        let mut observed = Observed::default();
        match self.breaker.observe(call, now) {
            Some(Transition::Opened(rows)) => observed.outage = Some(rows),
            Some(Transition::Closed) => self.limits.restart(now),
            None => {}
        }
        // The answers of a server that is away are no evidence of its limits.
        if !self.is_away() {
            let retry_after = outcome.retry_after.map(|wait| wait.min(self.max_outage));
            let shown = Observation { signal, started, took, retry_after, in_flight };
            self.limits.observe(shown, now);
        }
        observed.is_refunded = self.breaker.is_implicated(signal, started);
        if observed.is_refunded {
            self.last_failure = Some(outcome.describe());
        }
        if signal == ServerSignal::Works {
            self.retry_after.on_success(started);
        }
        if let Some(wait) = outcome.retry_after
            && !self.retry_after.on_requested(wait, started, now)
        {
            observed.stop = Some(StopReason::from_retry_after(wait, &outcome.describe()));
        }
        observed
    }
}
