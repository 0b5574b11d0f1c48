//! The orders that were asked for.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::fault::Fault;
use super::labels::{InitialState, ProcessResult};
use super::scenario::Scenario;
use crate::model::Order;

/// What became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OrderState {
    /// Its state before the scenario.
    pub initial_state: InitialState,
    /// How many requests named it, those over capacity included.
    pub requests: u32,
    /// How many of those were over capacity. They do not count
    /// for the seed: when they arrive depends on the time of day, and a scenario must not.
    pub over_capacity: u32,
    /// Whether one of those requests cancelled it.
    pub cancelled: bool,
}

/// What was decided about one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decision {
    /// Which of the requests for its order this is, from 1 on.
    pub(super) request_no: u32,
    /// The same without those over capacity: what the scenario is drawn from.
    pub(super) admitted_no: u32,
    pub(super) outcome: SimOutcome,
}

/// What one request comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SimOutcome {
    /// The order is processed, and the client gets the result.
    Answered(ProcessResult),
    /// The order is processed or not, and the client does not get the result.
    Faulted(Fault, Option<ProcessResult>),
}

/// How many shards: enough that two requests rarely wait for one another.
const SHARDS: usize = 64;

/// Every order that was asked for, sharded so that locks are short and many.
#[derive(Debug)]
pub(super) struct Orders {
    hasher: RandomState,
    shards: Vec<Mutex<Shard>>,
}

#[derive(Debug, Default)]
struct Shard {
    entries: HashMap<Order, Entry>,
    cancelled: u64,
    cancelled_again: u64,
}

#[derive(Debug, Default)]
struct Entry {
    requests: u32,
    over_capacity: u32,
    cancellations: u32,
}

/// How many orders there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct OrderCounts {
    pub(super) asked: u64,
    pub(super) cancelled: u64,
    pub(super) cancelled_again: u64,
}

impl Orders {
    pub(super) fn new() -> Orders {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Orders { hasher: RandomState::new(), shards }
    }

    /// Decides a request for this order, and applies the decision to it.
    pub(super) fn process(&self, order: Order, scenario: &Scenario) -> Decision {
        let mut shard = self.shard(order);
        let entry = shard.entries.entry(order).or_default();
        entry.requests = entry.requests.saturating_add(1);
        let (request_no, admitted_no) = (entry.requests, entry.requests - entry.over_capacity);
        let outcome = match scenario.fault(order, admitted_no) {
            None => SimOutcome::Answered(shard.process(order, scenario)),
            Some(fault) => {
                let result = fault.processes_order().then(|| shard.process(order, scenario));
                SimOutcome::Faulted(fault, result)
            }
        };
        Decision { request_no, admitted_no, outcome }
    }

    /// Counts a request for this order that was not admitted. Returns its number among
    /// the requests for the order, from 1.
    pub(super) fn reject_over_capacity(&self, order: Order) -> u32 {
        let mut shard = self.shard(order);
        let entry = shard.entries.entry(order).or_default();
        entry.requests = entry.requests.saturating_add(1);
        entry.over_capacity = entry.over_capacity.saturating_add(1);
        entry.requests
    }

    pub(super) fn counts(&self) -> OrderCounts {
        self.shards.iter().map(lock).fold(OrderCounts::default(), |sum, shard| OrderCounts {
            asked: sum.asked + shard.entries.len() as u64,
            cancelled: sum.cancelled + shard.cancelled,
            cancelled_again: sum.cancelled_again + shard.cancelled_again,
        })
    }

    /// What became of every order.
    pub(super) fn states(&self, scenario: &Scenario) -> BTreeMap<Order, OrderState> {
        let mut states = BTreeMap::new();
        for shard in self.shards.iter().map(lock) {
            states.extend(shard.entries.iter().map(|(order, entry)| {
                let state = OrderState {
                    initial_state: scenario.initial_state(*order),
                    requests: entry.requests,
                    over_capacity: entry.over_capacity,
                    cancelled: entry.cancellations > 0,
                };
                (*order, state)
            }));
        }
        states
    }

    fn shard(&self, order: Order) -> MutexGuard<'_, Shard> {
        let shard = self.hasher.hash_one(order) as usize % SHARDS;
        lock(&self.shards[shard])
    }
}

impl Shard {
    fn process(&mut self, order: Order, scenario: &Scenario) -> ProcessResult {
        let entry = self.entries.entry(order).or_default();
        match scenario.initial_state(order) {
            InitialState::Printed => ProcessResult::Printed,
            InitialState::Unknown => ProcessResult::Unknown,
            InitialState::CancelledBefore => ProcessResult::AlreadyCancelled,
            InitialState::Cancellable if entry.cancellations > 0 => ProcessResult::AlreadyCancelled,
            InitialState::Cancellable => {
                entry.cancellations += 1;
                // Counted from what happened, not from what should have.
                let again = entry.cancellations > 1;
                self.cancelled += u64::from(!again);
                self.cancelled_again += u64::from(again);
                ProcessResult::Cancelled
            }
        }
    }
}

/// Locks, whatever became of the thread that had the lock before.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::settings::SimulatorSettings;
    use crate::simulator::share::Share;

    const ORDER: Order = Order { admin_number: 129_409, sequence_number: 1 };

    fn outcomes(settings: SimulatorSettings, times: usize) -> Vec<SimOutcome> {
        let (orders, scenario) = (Orders::new(), Scenario::new(&settings));
        (0..times).map(|_| orders.process(ORDER, &scenario).outcome).collect()
    }

    #[test]
    fn an_order_can_be_cancelled_once() {
        let expected = [
            ProcessResult::Cancelled,
            ProcessResult::AlreadyCancelled,
            ProcessResult::AlreadyCancelled,
        ];
        assert_eq!(outcomes(SimulatorSettings::default(), 3), expected.map(SimOutcome::Answered));
    }

    #[test]
    fn printed_unknown_and_formerly_cancelled_orders_cannot_be_cancelled() {
        let printed = SimulatorSettings { printed: Share::ALL, ..SimulatorSettings::default() };
        assert_eq!(outcomes(printed, 2), [SimOutcome::Answered(ProcessResult::Printed); 2]);
        let unknown = SimulatorSettings { unknown: Share::ALL, ..SimulatorSettings::default() };
        assert_eq!(outcomes(unknown, 2), [SimOutcome::Answered(ProcessResult::Unknown); 2]);
        let before =
            SimulatorSettings { cancelled_before: Share::ALL, ..SimulatorSettings::default() };
        assert_eq!(outcomes(before, 2), [SimOutcome::Answered(ProcessResult::AlreadyCancelled); 2]);
    }

    #[test]
    fn a_fault_processes_the_order_or_does_not_as_it_says() {
        let acts = SimulatorSettings { drop_after: Share::ALL, ..SimulatorSettings::default() };
        let expected = [ProcessResult::Cancelled, ProcessResult::AlreadyCancelled]
            .map(|result| SimOutcome::Faulted(Fault::DropAfter, Some(result)));
        assert_eq!(outcomes(acts, 2), expected);
        let does_not =
            SimulatorSettings { drop_before: Share::ALL, ..SimulatorSettings::default() };
        assert_eq!(outcomes(does_not, 2), [SimOutcome::Faulted(Fault::DropBefore, None); 2]);
    }

    #[test]
    fn requests_over_capacity_do_not_change_what_the_seed_decides() {
        let settings =
            SimulatorSettings { throttle: Share::per_mille(500), ..SimulatorSettings::default() };
        let scenario = Scenario::new(&settings);
        let (calm, crowded) = (Orders::new(), Orders::new());
        for _ in 0..100 {
            crowded.reject_over_capacity(ORDER);
            let (calm, crowded) =
                (calm.process(ORDER, &scenario), crowded.process(ORDER, &scenario));
            assert_eq!((calm.admitted_no, calm.outcome), (crowded.admitted_no, crowded.outcome));
        }
        let state = crowded.states(&scenario)[&ORDER];
        assert_eq!((state.requests, state.over_capacity, state.cancelled), (200, 100, true));
    }

    #[test]
    fn counts_add_up_over_the_shards() {
        let (orders, scenario) = (Orders::new(), Scenario::new(&SimulatorSettings::default()));
        for admin_number in 0..1_000 {
            orders.process(Order { admin_number, ..ORDER }, &scenario);
            orders.process(Order { admin_number, ..ORDER }, &scenario);
        }
        let expected = OrderCounts { asked: 1_000, cancelled: 1_000, cancelled_again: 0 };
        assert_eq!(orders.counts(), expected);
        assert_eq!(orders.states(&scenario).len(), 1_000);
    }
}
