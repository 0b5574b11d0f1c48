//! Corrects a budget when the wall clock was set. The machine's uptime cannot be set, so it shows
//! how much time has really passed since the last use, unless the machine was rebooted.

use crate::model::{Budget, ClockReading, Uptime};

/// A smaller deviation, in nanoseconds, does not mean that the clock was set: the two clocks are
/// read one after the other, and a clock that is slewed runs a little slower or faster.
const TOLERANCE: i128 = 1_000_000_000;

/// A machine that has not used the budget for this long, in nanoseconds, is removed from it.
const REMEMBERED: u64 = 24 * 3600 * 1_000_000_000;

/// Moves the budget's times by as much as the clock was set since this machine last used it, so
/// that they keep their true age. Returns by how much, in nanoseconds; negative if it was set
/// back.
pub(super) fn follow(budget: &mut Budget, now: u64, uptime: Option<&Uptime>) -> i128 {
    let Some(Uptime { boot, nanoseconds }) = uptime else { return 0 };
    let set = budget.clocks.get(boot).map_or(0, |read| {
        let passed = i128::from(*nanoseconds) - i128::from(read.uptime);
        i128::from(now) - i128::from(read.wall) - passed
    });
    let set = if set.abs() < TOLERANCE { 0 } else { set };
    if set != 0 {
        budget.next = moved(budget.next, set);
        budget.paced.values_mut().for_each(|last| *last = moved(*last, set));
        let slices = budget.recent.values_mut().flatten();
        slices.for_each(|(start, _)| *start = moved(*start, set));
        // The first machine that notices moves the readings of all machines that share the clock.
        budget.clocks.values_mut().for_each(|read| read.wall = moved(read.wall, set));
    }
    budget.clocks.retain(|_, read| read.wall.saturating_add(REMEMBERED) > now);
    budget.clocks.insert(boot.clone(), ClockReading { uptime: *nanoseconds, wall: now });
    set
}

/// The time moved by this many nanoseconds, saturating.
pub(super) fn moved(time: u64, by: i128) -> u64 {
    let moved = i128::from(time).saturating_add(by).clamp(0, u64::MAX.into());
    u64::try_from(moved).unwrap_or(u64::MAX)
}
