//! The handler where every request arrives: lets it in, decides it, takes note of it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::capacity::Capacity;
use super::orders::{Decision, Order, OrderState, Orders, Outcome};
use super::peak::Peak;
use super::recorder::{Line, Lines, Pending};
use super::refusal::Refusal;
use super::response::Speech;
use super::scenario::Scenario;
use super::settings::Settings;
use super::stats::{Counts, Tally};

/// All that the connections share.
#[derive(Debug)]
pub(super) struct Handler {
    pub(super) clock: Clock,
    scenario: Scenario,
    orders: Orders,
    arrivals: Mutex<Arrivals>,
    counts: Counts,
    record: Option<Lines>,
}

/// What is to be said to a request, and when.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) delay: Duration,
    pub(super) speech: Speech,
    /// To be dropped when the request has ended; none if there is no record.
    pub(super) pending: Option<Pending>,
}

#[derive(Debug)]
struct Arrivals {
    peak: Peak,
    capacity: Option<Capacity>,
}

/// Wall-clock time that never runs backwards.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    started: Instant,
    started_at_ns: u64,
}

impl Clock {
    fn start() -> Clock {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clock { started: Instant::now(), started_at_ns: nanoseconds(since_1970) }
    }

    /// Nanoseconds since 1970.
    pub(super) fn now(self) -> u64 {
        self.started_at_ns.saturating_add(nanoseconds(self.started.elapsed()))
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Handler {
    pub(super) fn new(settings: &Settings, record: Option<Lines>) -> Handler {
        let capacity = settings.capacity.map(Capacity::new);
        Handler {
            clock: Clock::start(),
            scenario: Scenario::new(settings),
            orders: Orders::new(),
            arrivals: Mutex::new(Arrivals { peak: Peak::default(), capacity }),
            counts: Counts::new(),
            record,
        }
    }

    /// Decides a request that arrived at this time, and does what is decided.
    pub(super) fn receive(&self, at: u64, asked: Result<Order, Refusal>) -> Reply {
        let admitted = self.arrive(at);
        let order = asked.as_ref().ok().copied();
        let mut delay = Duration::ZERO;
        let mut done = None;
        let (nth, speech) = match asked {
            _ if !admitted => {
                (order.map(|order| self.orders.turn_away(order)), Speech::OverCapacity)
            }
            Err(refusal) => (None, Speech::Refused(refusal)),
            Ok(order) => {
                let Decision { nth, n, outcome } = self.orders.ask(order, &self.scenario);
                delay = self.scenario.latency(order, n);
                done = match outcome {
                    Outcome::Answered(verdict) => Some(verdict),
                    Outcome::Faulted(_, verdict) => verdict,
                };
                (Some(nth), Speech::Decided(outcome, self.scenario.error_status(order, n)))
            }
        };
        let answer = self.counts.count(&speech);
        let line =
            Line { received_at_ns: at, ended_at_ns: at, order: order.zip(nth), did: done, answer };
        let pending =
            self.record.as_ref().map(|lines| Pending::new(lines.clone(), self.clock, line));
        Reply { delay, speech, pending }
    }

    pub(super) fn tally(&self) -> Tally {
        let orders = self.orders.counts();
        let arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        self.counts.tally(&arrivals.peak, orders)
    }

    pub(super) fn orders(&self) -> BTreeMap<Order, OrderState> {
        self.orders.states(&self.scenario)
    }

    /// Takes note of an arrival, and says whether it is let in.
    fn arrive(&self, at: u64) -> bool {
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        arrivals.peak.arrive(at);
        arrivals.capacity.as_mut().is_none_or(|capacity| capacity.admit(at))
    }
}
