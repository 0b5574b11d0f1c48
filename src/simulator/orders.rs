//! The orders that were asked for.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::labels::{Fault, InitialState, Verdict};
use super::scenario::Scenario;

/// What a request asks to cancel: one physical card order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Order {
    /// `AdminNumber`: never negative.
    pub admin_number: i64,
    /// `CardSequenceNumber`: never negative.
    pub sequence_number: i32,
}

/// What became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OrderState {
    /// How it stood before the scenario.
    pub fate: InitialState,
    /// How many requests asked for it, those turned away included.
    pub asked: u32,
    /// How many of those were turned away for lack of capacity. They do not count
    /// for the seed: when they come depends on the time of day, and a scenario must not.
    pub turned_away: u32,
    /// Whether one of those requests cancelled it.
    pub cancelled: bool,
}

/// What was decided about one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decision {
    /// Which of the requests for its order this is, from 1 on.
    pub(super) nth: u32,
    /// The same without those turned away: what the scenario is drawn from.
    pub(super) n: u32,
    pub(super) outcome: Outcome,
}

/// What one request comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The order is processed, and the client told so.
    Answered(Verdict),
    /// The order is processed or not, and the client not told so.
    Faulted(Fault, Option<Verdict>),
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
    asked: u32,
    turned_away: u32,
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

    /// Decides a request for this order, and does to the order what was decided.
    pub(super) fn ask(&self, order: Order, scenario: &Scenario) -> Decision {
        let mut shard = self.shard(order);
        let entry = shard.entries.entry(order).or_default();
        entry.asked = entry.asked.saturating_add(1);
        let (nth, n) = (entry.asked, entry.asked - entry.turned_away);
        let outcome = match scenario.faults(order, n) {
            None => Outcome::Answered(shard.process(order, scenario)),
            Some(faults) => {
                let verdict = faults.acts().then(|| shard.process(order, scenario));
                Outcome::Faulted(faults, verdict)
            }
        };
        Decision { nth, n, outcome }
    }

    /// Takes note of a request for this order that was not let in, and says which
    /// of the requests for it that was.
    pub(super) fn turn_away(&self, order: Order) -> u32 {
        let mut shard = self.shard(order);
        let entry = shard.entries.entry(order).or_default();
        entry.asked = entry.asked.saturating_add(1);
        entry.turned_away = entry.turned_away.saturating_add(1);
        entry.asked
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
                    fate: scenario.fate(*order),
                    asked: entry.asked,
                    turned_away: entry.turned_away,
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
    fn process(&mut self, order: Order, scenario: &Scenario) -> Verdict {
        let entry = self.entries.entry(order).or_default();
        match scenario.fate(order) {
            InitialState::Printed => Verdict::Printed,
            InitialState::Unknown => Verdict::Unknown,
            InitialState::CancelledBefore => Verdict::AlreadyCancelled,
            InitialState::Cancellable if entry.cancellations > 0 => Verdict::AlreadyCancelled,
            InitialState::Cancellable => {
                entry.cancellations += 1;
                // Counted from what happened, not from what should have.
                let again = entry.cancellations > 1;
                self.cancelled += u64::from(!again);
                self.cancelled_again += u64::from(again);
                Verdict::Cancelled
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
    use super::super::settings::Settings;
    use super::super::share::Share;
    use super::*;

    const ORDER: Order = Order { admin_number: 129_409, sequence_number: 1 };

    fn outcomes(settings: Settings, times: usize) -> Vec<Outcome> {
        let (orders, scenario) = (Orders::new(), Scenario::new(&settings));
        (0..times).map(|_| orders.ask(ORDER, &scenario).outcome).collect()
    }

    #[test]
    fn an_order_can_be_cancelled_once() {
        let expected = [Verdict::Cancelled, Verdict::AlreadyCancelled, Verdict::AlreadyCancelled];
        assert_eq!(outcomes(Settings::default(), 3), expected.map(Outcome::Answered));
    }

    #[test]
    fn printed_unknown_and_formerly_cancelled_orders_cannot_be_cancelled() {
        let printed = Settings { printed: Share::ALL, ..Settings::default() };
        assert_eq!(outcomes(printed, 2), [Outcome::Answered(Verdict::Printed); 2]);
        let unknown = Settings { unknown: Share::ALL, ..Settings::default() };
        assert_eq!(outcomes(unknown, 2), [Outcome::Answered(Verdict::Unknown); 2]);
        let before = Settings { cancelled_before: Share::ALL, ..Settings::default() };
        assert_eq!(outcomes(before, 2), [Outcome::Answered(Verdict::AlreadyCancelled); 2]);
    }

    #[test]
    fn mischief_processes_the_order_or_does_not_as_it_says() {
        let acts = Settings { drop_after: Share::ALL, ..Settings::default() };
        let expected = [Verdict::Cancelled, Verdict::AlreadyCancelled]
            .map(|verdict| Outcome::Faulted(Fault::DropAfter, Some(verdict)));
        assert_eq!(outcomes(acts, 2), expected);
        let does_not = Settings { drop_before: Share::ALL, ..Settings::default() };
        assert_eq!(outcomes(does_not, 2), [Outcome::Faulted(Fault::DropBefore, None); 2]);
    }

    #[test]
    fn requests_turned_away_do_not_change_what_the_seed_decides() {
        let settings = Settings { throttle: Share::per_mille(500), ..Settings::default() };
        let scenario = Scenario::new(&settings);
        let (calm, crowded) = (Orders::new(), Orders::new());
        for _ in 0..100 {
            crowded.turn_away(ORDER);
            let (calm, crowded) = (calm.ask(ORDER, &scenario), crowded.ask(ORDER, &scenario));
            assert_eq!((calm.n, calm.outcome), (crowded.n, crowded.outcome));
        }
        let state = crowded.states(&scenario)[&ORDER];
        assert_eq!((state.asked, state.turned_away, state.cancelled), (200, 100, true));
    }

    #[test]
    fn counts_add_up_over_the_shards() {
        let (orders, scenario) = (Orders::new(), Scenario::new(&Settings::default()));
        for admin_number in 0..1_000 {
            orders.ask(Order { admin_number, ..ORDER }, &scenario);
            orders.ask(Order { admin_number, ..ORDER }, &scenario);
        }
        let expected = OrderCounts { asked: 1_000, cancelled: 1_000, cancelled_again: 0 };
        assert_eq!(orders.counts(), expected);
        assert_eq!(orders.states(&scenario).len(), 1_000);
    }
}
