//! The pacer grants the slots at which calls may start, so that no closed second contains more
//! calls than the contract allows and at least 99 % of the rate can be used.
//!
//! It computes evenly spaced slots with governor's GCRA (`gcra`). A quota of `n` a second with
//! any burst lets more than `n` calls through in some second, and one without a burst loses the
//! delay of every late timer. Therefore governor is not asked whether a call may start now, but a
//! little ahead of time when the next ones may. A call that starts late, but within the grace of
//! its slot, does not delay the ones after it.
//!
//! The state is the [`Budget`], which the ledger stores:
//!
//! ```
//! use std::time::Duration;
//!
//! use cardcancel::model::{Budget, SlotRequest};
//! use cardcancel::policy::pacer::Pacer;
//! use jiff::Timestamp;
//!
//! let mut pacer = Pacer::new(&"10/s".parse()?);
//! let mut budget = Budget::default();
//! let request = SlotRequest {
//!     unused: Vec::new(),
//!     now: Timestamp::from_second(1_800_000_000)?,
//!     uptime: None,
//!     expected_latency: Duration::ZERO,
//!     horizon: Duration::from_secs(1),
//!     min_spacing: Duration::ZERO,
//!     is_shared: false,
//!     wanted: 5,
//! };
//! let slots: Vec<Timestamp> =
//!     pacer.allocate(&mut budget, request).slots.into_iter().flatten().collect();
//! assert_eq!(slots.len(), 5);
//! for pair in slots.windows(2) {
//!     assert!(pair[1].duration_since(pair[0]).as_millis() >= 100);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::gcra::Gcra;
use super::rate::{Period, Rate, Rates};
use super::set_clock;
use super::sliding_window::SlidingWindowCounter;
use crate::model::{Budget, SlotGrant, SlotRequest};

/// How late after its slot a call may start, while no other process uses the same budget:
/// [`SlidingSecond`](super::sliding_second::SlidingSecond) ensures that it does not crowd other
/// calls. A later call needs a new slot.
pub const SLOT_GRACE: Duration = Duration::from_millis(50);

/// The same where the budget is shared: no process sees the late calls of another, so the slack
/// must cover them.
pub const SHARED_SLOT_GRACE: Duration = Duration::from_millis(6);

/// The fraction by which an interval is longer than `1 / rate`, so that calls that start or
/// arrive late do not delay those in every second after them.
const SLACK: f64 = 0.0065;

/// The same where the budget is shared: this slack is all that covers late calls.
const SHARED_SLACK: f64 = 0.0095;

/// A process that has just started has the budget to itself if it was last used longer ago than
/// this.
const RECENT: Duration = Duration::from_secs(2);

/// How far ahead of the clock a valid budget can be, beyond one interval. If it is further ahead,
/// the clock was set back.
const FURTHEST: Duration = Duration::from_secs(30);

/// A run that was held to a pace longer ago than this is removed from the budget. It is longer than
/// the distance of two calls at the slowest pace.
const PACE_REMEMBERED: Duration = Duration::from_secs(2 * 3600);

/// Grants the slots of one endpoint.
#[derive(Debug)]
pub struct Pacer {
    /// The fastest rate in calls a second; `None` if unlimited.
    per_second: Option<f64>,
    /// The slower rates of the contract: the window in seconds and the most calls in it.
    windows: Vec<(u64, u32)>,
    /// The budget's `next` after this process last used it.
    last_next: Option<u64>,
    /// The run whose slots are granted.
    run: String,
    /// The pace to which that run is held, beside the contract.
    pace: Option<Rate>,
}

impl Pacer {
    /// A pacer that keeps all of these rates. The fastest rate sets the interval; the others
    /// limit the calls within their minute or hour. Without a rate, it grants any number of
    /// slots.
    pub fn new(rates: &Rates) -> Pacer {
        let mut binding = rates.binding().into_iter();
        let per_second = binding.next().map(|fastest| fastest.per_second());
        let windows = binding.map(|rate| (rate.period.duration().as_secs(), rate.calls)).collect();
        Pacer { per_second, windows, last_next: None, run: String::new(), pace: None }
    }

    /// Grants slots to this run, which can be held to a pace of its own.
    #[must_use]
    pub fn for_run(self, id: &str) -> Pacer {
        Pacer { run: id.to_owned(), ..self }
    }

    /// Holds the run to this pace from now on; `None` leaves it the rates of the contract. Other
    /// runs that use the same budget keep theirs.
    pub fn set_pace(&mut self, pace: Option<Rate>) {
        self.pace = pace;
    }

    /// Grants up to `wanted` slots from the budget, and returns the unused ones to it.
    pub fn allocate(&mut self, budget: &mut Budget, request: SlotRequest) -> SlotGrant {
        let SlotRequest {
            mut unused,
            now,
            uptime,
            expected_latency,
            horizon,
            min_spacing,
            is_shared,
            wanted,
        } = request;
        if self.per_second.is_none() && min_spacing.is_zero() && self.pace.is_none() {
            let slots = vec![None; wanted as usize];
            return SlotGrant { slots, shared: is_shared, ..SlotGrant::default() };
        }
        let now = nanoseconds(now);
        let set = set_clock::follow(budget, now, uptime.as_ref());
        if set != 0 {
            self.last_next = self.last_next.map(|next| set_clock::moved(next, set));
            // The unused slots were granted by the clock as it was before.
            unused.clear();
        }
        let shared = is_shared || self.is_shared(budget, now);
        let slack = if shared { SHARED_SLACK } else { SLACK };
        let share = self.per_second.map_or(0.0, |per_second| (1.0 + slack) / per_second);
        let interval = Duration::from_secs_f64(share).max(min_spacing);
        if self.last_next.is_none() {
            // The last calls of a process that died may have started late.
            budget.next = budget.next.saturating_add(nanos(SLOT_GRACE));
        }
        let pace = self.pace.map(|pace| nanos(spacing(pace, slack)));
        self.release_paced(budget, &unused, pace);
        release_slots(budget, unused, interval);
        let furthest = now.saturating_add(nanos(interval)).saturating_add(nanos(FURTHEST));
        self.roll_windows(budget, now, furthest);
        let first = now.saturating_add(nanos(expected_latency));
        let gcra = Gcra::new(interval, budget.next.min(furthest), first);
        let clock_set = SignedDuration::from_nanos_i128(set);
        let mut grant = SlotGrant { shared, clock_set, ..SlotGrant::default() };
        let mut paced = PacedSlots::new(budget.paced.get(&self.run).copied(), pace, furthest);
        while grant.slots.len() < wanted as usize {
            let earliest = self.earliest_slot(budget, gcra.earliest().max(paced.earliest()));
            if earliest > first.saturating_add(nanos(horizon)) {
                grant.next_slot_at = Some(timestamp(earliest));
                break;
            }
            let slot = gcra.take(earliest);
            paced.last = Some(slot);
            // Every window is counted, even if it is not one of ours: another process may limit it.
            for (seconds, recent) in &mut budget.recent {
                SlidingWindowCounter::new(*seconds).count(recent, slot);
            }
            grant.slots.push(Some(timestamp(slot)));
        }
        budget.next = gcra.next();
        self.last_next = Some(budget.next);
        budget.paced.retain(|_, last| last.saturating_add(nanos(PACE_REMEMBERED)) > now);
        if let (Some(_), Some(last)) = (pace, paced.last) {
            budget.paced.insert(self.run.clone(), last);
        }
        grant
    }

    /// Lets the run have the earliest of its unused slots again, as far as it had no later one.
    fn release_paced(&self, budget: &mut Budget, unused: &[Timestamp], pace: Option<u64>) {
        let (Some(spacing), Some(last)) = (pace, budget.paced.get_mut(&self.run)) else { return };
        let mut unused: Vec<u64> = unused.iter().copied().map(nanoseconds).collect();
        unused.sort_unstable();
        for slot in unused.into_iter().rev() {
            if *last == slot {
                *last = slot.saturating_sub(spacing);
            }
        }
    }

    /// Whether another process used the budget since this one did, or may have recently.
    fn is_shared(&self, budget: &Budget, now: u64) -> bool {
        match self.last_next {
            Some(next) => budget.next != next,
            None => budget.next.saturating_add(nanos(RECENT)) > now,
        }
    }

    /// Adds our windows to the budget if they are missing, and removes expired slices from all.
    fn roll_windows(&self, budget: &mut Budget, now: u64, furthest: u64) {
        for (seconds, _) in &self.windows {
            budget.recent.entry(*seconds).or_default();
        }
        for (seconds, recent) in &mut budget.recent {
            SlidingWindowCounter::new(*seconds).forget(recent, now, furthest);
        }
    }

    /// The earliest time, not before `from`, at which every window has room.
    fn earliest_slot(&self, budget: &Budget, from: u64) -> u64 {
        let free_from = |(seconds, most): &(u64, u32)| {
            let recent = budget.recent.get(seconds).map(Vec::as_slice).unwrap_or_default();
            SlidingWindowCounter::new(*seconds).free_from(*most, recent, from)
        };
        self.windows.iter().map(free_from).max().unwrap_or(from).max(from)
    }
}

/// The distance of two calls at a pace. In a minute or an hour, a call may be a second late.
fn spacing(pace: Rate, slack: f64) -> Duration {
    let window = pace.period.duration();
    let kept_clear = match pace.period {
        Period::Second => window.mul_f64(slack),
        Period::Minute | Period::Hour => Duration::from_secs(1),
    };
    window.saturating_add(kept_clear) / pace.calls.max(1)
}

/// The slots of a run that may be held to a pace.
struct PacedSlots {
    /// The last one, in nanoseconds since 1970 UTC; `None` if the run had none yet.
    last: Option<u64>,
    /// The distance of two, in nanoseconds; `None` if it is held to no pace.
    spacing: Option<u64>,
}

impl PacedSlots {
    fn new(last: Option<u64>, spacing: Option<u64>, furthest: u64) -> PacedSlots {
        PacedSlots { last: last.map(|last| last.min(furthest)), spacing }
    }

    /// The earliest time at which the run may have its next slot by its pace.
    fn earliest(&self) -> u64 {
        match (self.last, self.spacing) {
            (Some(last), Some(spacing)) => last.saturating_add(spacing),
            _ => 0,
        }
    }
}

/// Returns unused slots to the budget as far as no later slot was granted since. A stall then
/// costs the time it took, rather than a whole interval.
fn release_slots(budget: &mut Budget, mut unused: Vec<Timestamp>, interval: Duration) {
    unused.sort();
    for slot in unused.into_iter().rev().map(nanoseconds) {
        for (seconds, recent) in &mut budget.recent {
            SlidingWindowCounter::new(*seconds).uncount(recent, slot);
        }
        if budget.next == slot.saturating_add(nanos(interval)) {
            budget.next = slot;
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    duration.as_nanos().try_into().unwrap_or(u64::MAX)
}

fn nanoseconds(time: Timestamp) -> u64 {
    time.as_nanosecond().try_into().unwrap_or(0)
}

fn timestamp(nanoseconds: u64) -> Timestamp {
    Timestamp::from_nanosecond(nanoseconds.into()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Uptime;
    use crate::policy::rate::{Period, Rate};

    const SECOND: u64 = 1_000_000_000;
    const START: u64 = 1_800_000_000 * SECOND;

    fn rate(calls: u32, period: Period) -> Rates {
        Rates::from(Rate { calls, period })
    }

    fn request(now: u64, wanted: u32) -> SlotRequest {
        let horizon = Duration::from_millis(20);
        SlotRequest {
            unused: Vec::new(),
            now: timestamp(now),
            uptime: None,
            expected_latency: Duration::ZERO,
            horizon,
            min_spacing: Duration::ZERO,
            is_shared: false,
            wanted,
        }
    }

    fn times(grant: SlotGrant) -> Vec<u64> {
        grant.slots.into_iter().flatten().map(nanoseconds).collect()
    }

    /// Every slot granted from `from` on for this long to a caller that requests as many as
    /// possible every `step`.
    fn hand_out(
        pace: &mut Pacer,
        budget: &mut Budget,
        from: u64,
        lasting: Duration,
        step: u64,
    ) -> Vec<u64> {
        let mut slots = Vec::new();
        let mut now = from;
        while now < from + nanos(lasting) {
            let grant = pace.allocate(budget, request(now, 100_000));
            slots.extend(times(grant));
            now += step;
        }
        slots
    }

    /// The most slots in any closed window, each call starting up to `late` after its own.
    fn busiest(slots: &[u64], window: Duration, late: Duration) -> usize {
        let reach = nanos(window) + nanos(late);
        let mut first = 0;
        let mut most = 0;
        for (last, slot) in slots.iter().enumerate() {
            while slot - slots[first] > reach {
                first += 1;
            }
            most = most.max(last + 1 - first);
        }
        most
    }

    #[test]
    fn calls_can_be_kept_further_apart_than_the_contract_asks_or_though_it_asks_nothing() {
        for rates in [rate(1000, Period::Second), Rates::unlimited()] {
            let mut pace = Pacer::new(&rates);
            let min_spacing = Duration::from_millis(5);
            let wish = SlotRequest { min_spacing, ..request(START, 4) };
            let slots = times(pace.allocate(&mut Budget::default(), wish));
            assert_eq!(slots.len(), 4);
            assert!(slots.windows(2).all(|pair| pair[1] - pair[0] == nanos(min_spacing)));
        }
    }

    #[test]
    fn no_closed_second_holds_more_than_the_rate_and_99_percent_of_it_is_used() {
        for calls in [1, 2, 10, 50, 500, 2_000, 20_000] {
            let mut pace = Pacer::new(&rate(calls, Period::Second));
            let mut budget = Budget::default();
            let lasting = Duration::from_secs(200);
            let slots = hand_out(&mut pace, &mut budget, START, lasting, SECOND / 200);
            let most = busiest(&slots, Duration::from_secs(1), SHARED_SLOT_GRACE);
            assert!(most <= calls as usize, "{most} at {calls}/s");
            let used = slots.len() as f64 / (200.0 * f64::from(calls));
            assert!(used >= 0.99, "{used} of {calls}/s used");
        }
    }

    #[test]
    fn a_slower_rate_beside_it_limits_its_own_window_and_may_be_used_at_once() {
        let mut pace = Pacer::new(&"50/s,1000/m".parse().unwrap());
        let mut budget = Budget::default();
        let lasting = Duration::from_secs(600);
        let slots = hand_out(&mut pace, &mut budget, START, lasting, SECOND / 50);
        assert!(busiest(&slots, Duration::from_secs(60), SHARED_SLOT_GRACE) <= 1000);
        assert!(busiest(&slots, Duration::from_secs(1), SHARED_SLOT_GRACE) <= 50);
        let first_second = slots.iter().filter(|m| **m < START + SECOND).count();
        assert!(first_second >= 49, "only {first_second} in the first second");
        assert!(slots.len() >= 9_700, "only {} of 10,000 used", slots.len());
    }

    #[test]
    fn a_restart_cannot_burst_past_the_rate() {
        let mut budget = Budget::default();
        let mut slots = Vec::new();
        for restart in 0..100 {
            let stored = serde_json::to_string(&budget).unwrap();
            budget = serde_json::from_str(&stored).unwrap();
            let now = START + restart * SECOND / 20;
            let mut again = Pacer::new(&rate(10, Period::Second));
            slots.extend(times(again.allocate(&mut budget, request(now, 64))));
        }
        assert!(busiest(&slots, Duration::from_secs(1), SHARED_SLOT_GRACE) <= 10);
    }

    #[test]
    fn the_late_last_calls_of_a_process_that_died_keep_their_second_clear() {
        let mut budget = Budget::default();
        let mut before = Pacer::new(&rate(100, Period::Second));
        let slots = times(before.allocate(&mut budget, request(START, 2)));
        let mut after = Pacer::new(&rate(100, Period::Second));
        let horizon = Duration::from_secs(1);
        let next = times(after.allocate(&mut budget, SlotRequest { horizon, ..request(START, 1) }));
        assert!(next[0] > slots[1] + nanos(SLOT_GRACE), "{next:?} after {slots:?}");
    }

    #[test]
    fn a_slot_that_was_missed_costs_no_more_than_the_time_it_was_missed_by() {
        let mut pace = Pacer::new(&rate(1, Period::Second));
        let mut budget = Budget::default();
        let missed = times(pace.allocate(&mut budget, request(START, 1)));
        let late = START + SECOND / 20;
        let unused = missed.into_iter().map(timestamp).collect();
        let again = SlotRequest { unused, ..request(late, 1) };
        assert_eq!(times(pace.allocate(&mut budget, again)), [late]);
    }

    #[test]
    fn a_slot_is_not_given_back_once_a_later_one_is_handed_out() {
        let mut pace = Pacer::new(&rate(1000, Period::Second));
        let mut budget = Budget::default();
        let slots = times(pace.allocate(&mut budget, request(START, 3)));
        let before = budget.next;
        let unused = vec![timestamp(slots[0])];
        let unused = SlotRequest { unused, ..request(START, 0) };
        pace.allocate(&mut budget, unused);
        assert_eq!(budget.next, before);
    }

    #[test]
    fn a_budget_that_someone_else_took_from_is_known_to_be_shared() {
        let (mut one, mut other) =
            (Pacer::new(&rate(10, Period::Second)), Pacer::new(&rate(10, Period::Second)));
        let mut budget = Budget::default();
        assert!(!one.allocate(&mut budget, request(START, 1)).shared);
        let later = START + SECOND / 2;
        assert!(other.allocate(&mut budget, request(later, 1)).shared);
        assert!(one.allocate(&mut budget, request(later + SECOND / 2, 1)).shared);
        assert!(!one.allocate(&mut budget, request(later + SECOND, 1)).shared);
    }

    fn allocate(rates: &str, budget: &mut Budget, now: u64, wanted: u32) -> Vec<u64> {
        let horizon = Duration::from_secs(3600);
        let wish = SlotRequest { horizon, ..request(now, wanted) };
        times(Pacer::new(&rates.parse().unwrap()).allocate(budget, wish))
    }

    #[test]
    fn an_hour_that_is_used_up_stays_so_though_a_process_without_that_limit_calls() {
        let mut budget = Budget::default();
        assert_eq!(allocate("50/s,1000/h", &mut budget, START, 1000).len(), 1000);
        let later = START + 30 * SECOND;
        assert_eq!(allocate("50/s", &mut budget, later, 10).len(), 10);
        assert_eq!(allocate("50/s,2000/m", &mut budget, later, 10).len(), 10);
        let next = allocate("50/s,1000/h", &mut budget, later + 10 * SECOND, 1);
        assert!(next.iter().all(|slot| *slot > START + 3600 * SECOND), "{next:?}");
    }

    #[test]
    fn slots_that_were_not_used_are_given_back_to_the_hour_too() {
        let mut budget = Budget::default();
        let slots = allocate("50/s,1000/h", &mut budget, START, 1000);
        let unused = slots.into_iter().map(timestamp).collect();
        let mut pace = Pacer::new(&"50/s,1000/h".parse().unwrap());
        pace.allocate(&mut budget, SlotRequest { unused, ..request(START, 0) });
        assert_eq!(allocate("50/s,1000/h", &mut budget, START, 1000).len(), 1000);
    }

    #[test]
    fn an_hour_counted_under_a_clock_that_was_ahead_counts_as_of_now() {
        let mut budget = Budget::default();
        let ahead = START + 365 * 86_400 * SECOND;
        allocate("50/s,1000/h", &mut budget, ahead, 1000);
        assert_eq!(allocate("50/s,1000/h", &mut budget, START, 1000).len(), 0);
        let slots = allocate("50/s,1000/h", &mut budget, START + 1800 * SECOND, 1000);
        assert!(slots.iter().all(|slot| *slot > START + 3600 * SECOND));
        assert_eq!(slots.len(), 1000);
    }

    /// The slots granted on a machine with this uptime in seconds.
    fn allocate_after(budget: &mut Budget, now: u64, up: u64, boot: &str) -> Vec<u64> {
        let horizon = Duration::from_secs(60);
        let uptime = Some(Uptime { boot: boot.to_owned(), nanoseconds: up * SECOND });
        let wish = SlotRequest { horizon, uptime, ..request(now, 120) };
        times(Pacer::new(&"50/s,120/m".parse().unwrap()).allocate(budget, wish))
    }

    #[test]
    fn a_clock_that_is_set_gives_no_minute_twice() {
        for set in [-3600, -90, -5, 5, 90, 3600_i64] {
            let mut budget = Budget::default();
            assert_eq!(allocate_after(&mut budget, START, 1000, "boot").len(), 120);
            let now = START.saturating_add_signed((set + 10) * SECOND as i64);
            let slots = allocate_after(&mut budget, now, 1010, "boot");
            let none_before = now + 49 * SECOND;
            assert!(slots.iter().all(|at| *at >= none_before), "set by {set} s: {slots:?}");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_costs_no_time_where_uptime_shows_by_how_much() {
        let mut budget = Budget::default();
        allocate_after(&mut budget, START, 1000, "boot");
        let now = START - 3600 * SECOND + 70 * SECOND;
        assert_eq!(allocate_after(&mut budget, now, 1070, "boot").len(), 120);
    }

    #[test]
    fn of_all_machines_that_use_one_clock_the_first_to_notice_follows_it() {
        for set in [-3600, 3600_i64] {
            let mut budget = Budget::default();
            allocate_after(&mut budget, START - 70 * SECOND, 1000, "one");
            assert_eq!(allocate_after(&mut budget, START, 5000, "other").len(), 120);
            let now = START.saturating_add_signed((set + 10) * SECOND as i64);
            for (up, boot) in [(1080, "one"), (5010, "other")] {
                let slots = allocate_after(&mut budget, now, up, boot);
                let earliest = slots.iter().min().map_or(49, |at| (at - now) / SECOND);
                assert!(earliest >= 49, "set by {set} s, seen by {boot}: {slots:?}");
            }
        }
    }

    #[test]
    fn uptime_shows_nothing_of_a_clock_once_the_machine_was_rebooted() {
        let mut budget = Budget::default();
        allocate_after(&mut budget, START, 1000, "boot");
        assert_eq!(allocate_after(&mut budget, START + 3600 * SECOND, 20, "other").len(), 120);
    }

    #[test]
    fn a_rate_that_a_faster_count_implies_takes_nothing_away() {
        let mut pace = Pacer::new(&"10/s,1000/m".parse().unwrap());
        let mut budget = Budget::default();
        let lasting = Duration::from_secs(120);
        let slots = hand_out(&mut pace, &mut budget, START, lasting, SECOND / 50);
        assert!(slots.len() >= 1_188, "{} of 1,200 used", slots.len());
    }

    #[test]
    fn no_slot_lies_before_the_end_of_the_commit_that_hands_it_out() {
        let mut pace = Pacer::new(&rate(1000, Period::Second));
        let expected_latency = Duration::from_millis(30);
        let wish = SlotRequest { expected_latency, ..request(START, 5) };
        let slots = times(pace.allocate(&mut Budget::default(), wish));
        assert!(slots.iter().all(|slot| *slot >= START + nanos(expected_latency)));
    }

    #[test]
    fn a_clock_set_back_does_not_stall_the_run() {
        let mut pace = Pacer::new(&rate(10, Period::Second));
        let mut budget = Budget::default();
        pace.allocate(&mut budget, request(START + 3600 * SECOND, 5));
        let next_slot_at = pace.allocate(&mut budget, request(START, 5)).next_slot_at.unwrap();
        assert!(nanoseconds(next_slot_at) <= START + 31 * SECOND);
    }

    #[test]
    fn without_a_rate_every_call_may_start_at_any_time() {
        let grant =
            Pacer::new(&Rates::unlimited()).allocate(&mut Budget::default(), request(START, 3));
        assert_eq!(grant.slots, [None; 3]);
        assert_eq!(grant.next_slot_at, None);
    }

    proptest! {
        #[test]
        fn however_it_is_asked_the_rate_holds(
            calls in 1_u32..300,
            asks in prop::collection::vec((0_u64..SECOND / 4, 0_u32..40), 1..200),
        ) {
            let mut pace = Pacer::new(&rate(calls, Period::Second));
            let mut budget = Budget::default();
            let mut now = START;
            let mut slots = Vec::new();
            for (pause, wanted) in asks {
                now += pause;
                let grant = pace.allocate(&mut budget, request(now, wanted));
                let granted = times(grant);
                prop_assert!(granted.iter().all(|slot| *slot >= now));
                slots.extend(granted);
            }
            prop_assert!(busiest(&slots, Duration::from_secs(1), SHARED_SLOT_GRACE) <= calls as usize);
        }
    }
}
