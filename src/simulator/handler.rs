//! Handles every request: admits it, decides it, counts it and records it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::capacity::Capacity;
use super::clock::SimClock;
use super::login::Logins;
use super::orders::{Decision, OrderState, Orders, SimOutcome};
use super::peak::Peak;
use super::recorder::{PendingRecord, RecordBuffer, RecordLine};
use super::refusal::Refusal;
use super::response::Response;
use super::scenario::Scenario;
use super::settings::SimulatorSettings;
use super::stats::{AtomicStats, Stats};
use crate::model::Order;

/// What all connections share.
#[derive(Debug)]
pub(super) struct Handler {
    pub(super) clock: SimClock,
    scenario: Scenario,
    orders: Orders,
    logins: Logins,
    admission: Mutex<AdmissionControl>,
    stats: AtomicStats,
    record: Option<RecordBuffer>,
}

/// The response to a request, and the delay before it is sent.
#[derive(Debug)]
pub(super) struct TimedResponse {
    pub(super) delay: Duration,
    pub(super) response: Response,
    /// To be dropped when the request has ended; `None` if there is no record.
    pub(super) pending: Option<PendingRecord>,
}

#[derive(Debug)]
struct AdmissionControl {
    peak: Peak,
    capacity: Option<Capacity>,
}

impl Handler {
    pub(super) fn new(settings: &SimulatorSettings, record: Option<RecordBuffer>) -> Handler {
        let capacity = settings.capacity.map(Capacity::new);
        Handler {
            clock: SimClock::start(),
            scenario: Scenario::new(settings),
            orders: Orders::new(),
            logins: Logins::new(settings),
            admission: Mutex::new(AdmissionControl { peak: Peak::default(), capacity }),
            stats: AtomicStats::new(),
            record,
        }
    }

    /// Decides a request that arrived at this time, and applies the decision to its order.
    pub(super) fn handle(&self, at: u64, request: Result<Order, Refusal>) -> TimedResponse {
        let admitted = self.admit(at);
        let order = request.as_ref().ok().copied();
        let mut delay = Duration::ZERO;
        let mut done = None;
        let (request_no, response) = match request {
            _ if !admitted => {
                (order.map(|order| self.orders.reject_over_capacity(order)), Response::OverCapacity)
            }
            Err(refusal) => (None, Response::Refused(refusal)),
            Ok(order) => {
                let Decision { request_no, admitted_no, outcome } =
                    self.orders.process(order, &self.scenario);
                delay = self.scenario.latency(order, admitted_no);
                done = match outcome {
                    SimOutcome::Answered(result) => Some(result),
                    SimOutcome::Faulted(_, result) => result,
                };
                (
                    Some(request_no),
                    Response::Decided(outcome, self.scenario.error_status(order, admitted_no)),
                )
            }
        };
        let answer = self.stats.count(&response);
        let line = RecordLine {
            received_at_ns: at,
            ended_at_ns: at,
            order: order.zip(request_no),
            did: done,
            answer,
        };
        let pending =
            self.record.as_ref().map(|lines| PendingRecord::new(lines.clone(), self.clock, line));
        TimedResponse { delay, response, pending }
    }

    /// Answers a login that arrived at this time. It is no call: it takes none of the capacity,
    /// and is not in the record.
    pub(super) fn log_in(&self, at: u64, body: &[u8]) -> TimedResponse {
        self.stats.count_login();
        let response = self.logins.log_in(at, body);
        TimedResponse { delay: Duration::ZERO, response, pending: None }
    }

    /// Whether a call with this token, or with none, is accepted at this time.
    pub(super) fn accepts_token(&self, token: Option<u32>, at: u64) -> bool {
        self.logins.accepts(token, at)
    }

    pub(super) fn stats(&self) -> Stats {
        let orders = self.orders.counts();
        let admission = self.admission.lock().unwrap_or_else(PoisonError::into_inner);
        self.stats.snapshot(&admission.peak, orders)
    }

    pub(super) fn orders(&self) -> BTreeMap<Order, OrderState> {
        self.orders.states(&self.scenario)
    }

    /// Counts an arrival, and returns whether the capacity admits it.
    fn admit(&self, at: u64) -> bool {
        let mut admission = self.admission.lock().unwrap_or_else(PoisonError::into_inner);
        admission.peak.arrive(at);
        admission.capacity.as_mut().is_none_or(|capacity| capacity.admit(at))
    }
}
