//! governor's rate limiter (GCRA), used to compute the slots of future calls.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::ops::Add;
use std::rc::Rc;
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{NotKeyed, StateStore};
use governor::{Quota, RateLimiter};

/// governor's limiter with a clock that is set by hand and a state that comes from the ledger.
/// Times are in nanoseconds since 1970 UTC.
pub(super) struct Gcra {
    limiter: RateLimiter<NotKeyed, StoredState, ManualClock, NoOpMiddleware<Instant>>,
    next: StoredState,
    clock: ManualClock,
}

impl Gcra {
    /// A limiter with one call per `interval`, whose next call conforms from `next` on.
    pub(super) fn new(interval: Duration, next: u64, now: u64) -> Gcra {
        let quota = Quota::with_period(interval)
            .unwrap_or(Quota::per_second(NonZeroU32::MAX))
            .allow_burst(NonZeroU32::MIN);
        let clock = ManualClock(Rc::new(Cell::new(0)));
        let stored = StoredState(Rc::new(Cell::new(next)));
        // The limiter measures time from its creation, so it is created at zero.
        let limiter = RateLimiter::new(quota, stored.clone(), clock.clone());
        clock.0.set(now);
        Gcra { limiter, next: stored, clock }
    }

    /// The time from which the next call conforms.
    pub(super) fn next(&self) -> u64 {
        self.next.0.get()
    }

    /// The earliest slot that can be granted.
    pub(super) fn earliest(&self) -> u64 {
        self.next().max(self.clock.0.get())
    }

    /// Grants the first conforming slot that is not before `from`.
    pub(super) fn take(&self, from: u64) -> u64 {
        self.clock.0.set(from.max(self.clock.0.get()));
        while let Err(not_until) = self.limiter.check() {
            self.clock.0.set(not_until.earliest_possible().0);
        }
        self.clock.0.get()
    }
}

/// The limiter's state: the time from which the next call conforms.
#[derive(Clone)]
struct StoredState(Rc<Cell<u64>>);

impl StateStore for StoredState {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _: &NotKeyed, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let (granted, next) = decide(Some(Nanos::new(self.0.get())))?;
        self.0.set(next.as_u64());
        Ok(granted)
    }
}

#[derive(Clone)]
struct ManualClock(Rc<Cell<u64>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Instant(u64);

impl Clock for ManualClock {
    type Instant = Instant;

    fn now(&self) -> Instant {
        Instant(self.0.get())
    }
}

impl Add<Nanos> for Instant {
    type Output = Instant;

    fn add(self, later: Nanos) -> Instant {
        Instant(self.0.saturating_add(later.as_u64()))
    }
}

impl Reference for Instant {
    fn duration_since(&self, earlier: Instant) -> Nanos {
        Nanos::new(self.0.saturating_sub(earlier.0))
    }

    fn saturating_sub(&self, duration: Nanos) -> Instant {
        Instant(self.0.checked_sub(duration.as_u64()).unwrap_or(self.0))
    }
}
