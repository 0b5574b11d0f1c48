//! The rate budget of one endpoint: which slots the contract's rates have left, what a commit
//! requests and what it is granted. The budget is stored in the ledger, so that it outlives the
//! process and every process on the ledger shares it.
//!
//! A pause requested with `Retry-After` is stored beside it, because it applies to every process
//! that calls the same server, and to one that is restarted.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Uptime;

/// A pause that differs from the stored one by no more than this is the same pause, reported by a
/// process that received it from the ledger: storing it again would change nothing.
const THE_SAME: Duration = Duration::from_millis(100);

/// A pause that was requested later than this from now was requested before the clock was set back.
const AHEAD: Duration = Duration::from_secs(60);

/// The rate budget of one endpoint: how much of the contract's rates is used. It outlives the
/// process, and every process on the ledger shares it.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Budget {
    /// The time from which the next call may start, in nanoseconds since 1970 UTC.
    pub next: u64,
    /// For each longer window of the contract, keyed by its length in seconds, the recent calls:
    /// the start of a time slice in nanoseconds since 1970 UTC, and the number of calls in it.
    pub recent: BTreeMap<u64, Vec<(u64, u32)>>,
    /// For each boot of a machine, its clocks when the budget was last used there, so that a
    /// clock that was set is noticed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub clocks: BTreeMap<String, ClockReading>,
    /// For each run that was held to a pace of its own, its last slot under it, in nanoseconds
    /// since 1970 UTC.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub paced: BTreeMap<String, u64>,
    /// The pause that the server requested, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<RetryAfterHold>,
}

/// A simultaneous reading of the budget's clock and a machine's uptime.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ClockReading {
    /// The uptime, in nanoseconds.
    pub uptime: u64,
    /// The clock of the budget, in nanoseconds since 1970 UTC.
    pub wall: u64,
}

/// A time in which no process may call, because the server requested a pause (`Retry-After`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RetryAfterHold {
    /// When it was requested, in nanoseconds since 1970 UTC.
    pub from: u64,
    /// When it ends, in nanoseconds since 1970 UTC.
    pub until: u64,
}

impl Budget {
    /// Records that the server requested a pause until `until`. A pause that ends sooner than the
    /// stored one is ignored.
    pub fn hold_until(&mut self, until: Timestamp, now: Timestamp) {
        let until = nanoseconds(until);
        let is_longer = self
            .hold_at(now)
            .is_none_or(|hold| hold.until.saturating_add(THE_SAME.as_nanos() as u64) < until);
        if is_longer && until > nanoseconds(now) {
            self.retry_after = Some(RetryAfterHold { from: nanoseconds(now), until });
        }
    }

    /// The end of the requested pause, or `None` if there is none or it has passed.
    pub fn held_until(&self, now: Timestamp) -> Option<Timestamp> {
        let until = self.hold_at(now)?.until;
        Timestamp::from_nanosecond(until.into()).ok()
    }

    fn hold_at(&self, now: Timestamp) -> Option<RetryAfterHold> {
        let now = nanoseconds(now);
        let furthest = now.saturating_add(AHEAD.as_nanos() as u64);
        self.retry_after.filter(|hold| hold.until > now && hold.from < furthest)
    }

    /// Allocates slots with `allocate`; grants none during a requested pause. Slots that were not
    /// used are returned to the budget in either case.
    pub fn allocate(
        &mut self,
        request: SlotRequest,
        allocate: &mut AllocateSlots<'_>,
    ) -> SlotGrant {
        let Some(until) = self.held_until(request.now) else { return allocate(self, request) };
        let nothing = allocate(self, SlotRequest { wanted: 0, ..request });
        SlotGrant { slots: Vec::new(), next_slot_at: Some(until), ..nothing }
    }
}

fn nanoseconds(time: Timestamp) -> u64 {
    time.as_nanosecond().try_into().unwrap_or(0)
}

/// The slots that a commit was granted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlotGrant {
    /// The slots at which calls may start, in increasing order; `None` for each where there is no
    /// rate to keep.
    pub slots: Vec<Option<Timestamp>>,
    /// When the next slot is free, if the budget and not the request was the limit.
    pub next_slot_at: Option<Timestamp>,
    /// Whether another process uses the same budget, or may have used it recently.
    pub shared: bool,
    /// How far the clock was set since the budget was last used; negative if it was set back.
    pub clock_set: SignedDuration,
}

/// Allocates up to `wanted` slots from the budget, none later than `horizon` after the end of the
/// commit. Called inside the commit's transaction.
pub type AllocateSlots<'a> = dyn FnMut(&mut Budget, SlotRequest) -> SlotGrant + Send + 'a;

/// What a commit requests from the budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotRequest {
    /// Slots granted earlier at which no call started, to be returned.
    pub unused: Vec<Timestamp>,
    /// The ledger's time.
    pub now: Timestamp,
    /// The uptime of this machine at `now`, if it is known.
    pub uptime: Option<Uptime>,
    /// How long the commit is expected to take: no slot is granted before its end.
    pub expected_latency: Duration,
    /// How far ahead of the commit's end a slot may be.
    pub horizon: Duration,
    /// The least distance between two slots, whatever the contract allows.
    pub min_spacing: Duration,
    /// Whether other processes are known to use the same budget.
    pub is_shared: bool,
    /// The most slots to grant.
    pub wanted: u32,
}

impl SlotRequest {
    /// Requests no slot and returns those for which there was no row.
    pub(crate) fn returning(
        unused: Vec<Timestamp>,
        now: Timestamp,
        min_spacing: Duration,
    ) -> SlotRequest {
        SlotRequest {
            unused,
            now,
            uptime: None,
            expected_latency: Duration::ZERO,
            horizon: Duration::ZERO,
            min_spacing,
            is_shared: false,
            wanted: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn nobody_calls_until_the_longest_time_that_was_asked_for_is_over() {
        let mut budget = Budget::default();
        assert_eq!(budget.held_until(second(0)), None);
        budget.hold_until(second(5), second(0));
        budget.hold_until(second(3), second(1));
        assert_eq!(budget.held_until(second(1)), Some(second(5)));
        budget.hold_until(second(9), second(2));
        assert_eq!(budget.held_until(second(8)), Some(second(9)));
        assert_eq!(budget.held_until(second(9)), None);
    }

    #[test]
    fn a_pause_passed_on_with_a_small_error_does_not_become_longer() {
        let mut budget = Budget::default();
        budget.hold_until(second(5), second(0));
        let before = budget.clone();
        budget.hold_until(second(5) + Duration::from_millis(50), second(1));
        assert_eq!(budget, before);
    }

    #[test]
    fn one_that_was_asked_for_before_the_clock_was_set_back_is_over() {
        let mut budget = Budget::default();
        budget.hold_until(second(3605), second(3600));
        assert_eq!(budget.held_until(second(0)), None);
        budget.hold_until(second(2), second(0));
        assert_eq!(budget.held_until(second(0)), Some(second(2)));
    }
}
