//! What was done, in numbers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use super::labels::{Answer, Fault};
use super::orders::{OrderCounts, Outcome};
use super::peak::Peak;
use super::response::Speech;

/// What a simulator has done so far, in numbers. Every request is counted once, in
/// `answered` or in `faults`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Requests that arrived whole, or that were refused before they had.
    pub requests: u64,
    /// Requests that met no fault, by what was said to them. Every word is there.
    pub answered: BTreeMap<Answer, u64>,
    /// Requests that met faults, by its kind. Every word is there.
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
pub(super) struct Counts {
    answered: Vec<AtomicU64>,
    faults: Vec<AtomicU64>,
}

impl Counts {
    pub(super) fn new() -> Counts {
        Counts {
            answered: Answer::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
            faults: Fault::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Counts what is about to be said, and gives the word for it.
    pub(super) fn count(&self, speech: &Speech) -> &'static str {
        let answer = match speech {
            Speech::Decided(Outcome::Faulted(faults, _), _) => {
                self.faults[*faults as usize].fetch_add(1, Ordering::Relaxed);
                return faults.as_str();
            }
            Speech::Decided(Outcome::Answered(verdict), _) => Answer::from(*verdict),
            Speech::Refused(refusal) => refusal.answer,
            Speech::OverCapacity => Answer::OverCapacity,
        };
        self.answered[answer as usize].fetch_add(1, Ordering::Relaxed);
        answer.as_str()
    }

    pub(super) fn tally(&self, peak: &Peak, orders: OrderCounts) -> Tally {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Tally {
            requests: peak.total,
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
