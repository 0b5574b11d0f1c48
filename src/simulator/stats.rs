//! Statistics of the requests.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use super::fault::Fault;
use super::labels::Answer;
use super::orders::{OrderCounts, SimOutcome};
use super::peak::Peak;
use super::response::Response;

/// Statistics of a simulator. Every request is counted once, in
/// `answered` or in `faults`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Requests that arrived whole, or that were refused before they had; logins are not among
    /// them.
    pub requests: u64,
    /// Logins, refused ones and refreshes among them.
    pub logins: u64,
    /// Requests that met no fault, by their answer. Every answer has an entry.
    pub answered: BTreeMap<Answer, u64>,
    /// Requests that met faults, by its kind. Every fault has an entry.
    pub faults: BTreeMap<Fault, u64>,
    /// Different orders that were asked for.
    pub orders_asked: u64,
    /// Orders that were cancelled by a request.
    pub orders_cancelled: u64,
    /// Cancellations of an order that was cancelled: always 0, or the simulator is wrong.
    pub orders_cancelled_again: u64,
    /// The most requests within any one second, both ends included.
    pub peak_any_second: u64,
    /// The most requests within one second of the clock.
    pub peak_clock_second: u64,
    /// When the first request arrived, in nanoseconds since 1970.
    pub first_arrival_ns: Option<u64>,
    /// When the last request arrived, in nanoseconds since 1970.
    pub last_arrival_ns: Option<u64>,
    /// Why the record file is not whole, if it is not; known once stopped.
    pub record_error: Option<String>,
}

/// Counts while requests are served, without a lock.
#[derive(Debug)]
pub(super) struct AtomicStats {
    logins: AtomicU64,
    answered: Vec<AtomicU64>,
    faults: Vec<AtomicU64>,
}

impl AtomicStats {
    pub(super) fn new() -> AtomicStats {
        AtomicStats {
            logins: AtomicU64::new(0),
            answered: Answer::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
            faults: Fault::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Counts a login.
    pub(super) fn count_login(&self) {
        self.logins.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts the response to a call, and returns its label.
    pub(super) fn count(&self, response: &Response) -> &'static str {
        let answer = match response {
            Response::Decided(SimOutcome::Faulted(fault, _), _) => {
                self.faults[*fault as usize].fetch_add(1, Ordering::Relaxed);
                return fault.as_str();
            }
            Response::Decided(SimOutcome::Answered(result), _) => Answer::from(*result),
            Response::Refused(refusal) => refusal.answer,
            // Logins are counted by themselves.
            Response::OverCapacity | Response::Login(..) => Answer::OverCapacity,
        };
        self.answered[answer as usize].fetch_add(1, Ordering::Relaxed);
        answer.as_str()
    }

    pub(super) fn snapshot(&self, peak: &Peak, orders: OrderCounts) -> Stats {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Stats {
            requests: peak.total,
            logins: load(&self.logins),
            answered: Answer::ALL.iter().copied().zip(self.answered.iter().map(load)).collect(),
            faults: Fault::ALL.iter().copied().zip(self.faults.iter().map(load)).collect(),
            orders_asked: orders.asked,
            orders_cancelled: orders.cancelled,
            orders_cancelled_again: orders.cancelled_again,
            peak_any_second: peak.any_second,
            peak_clock_second: peak.clock_second,
            first_arrival_ns: peak.first,
            last_arrival_ns: peak.last,
            record_error: None,
        }
    }
}
