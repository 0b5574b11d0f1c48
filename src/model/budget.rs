//! The rate budget: what the contract's rates still allow at one endpoint, and what a commit
//! asks and gets of it. It is stored in the ledger, so that it outlives the process and every
//! process on the ledger shares it.
//!
//! `Retry-After` is kept beside it: it holds for every process that calls the same server, and
//! for one that is started again.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Uptime;

/// Who passes on what it was told itself may be off by this much: that changes nothing.
const THE_SAME: Duration = Duration::from_millis(100);

/// A time that was asked for later than this from now was asked for before the clock was set
/// back.
const AHEAD: Duration = Duration::from_secs(60);

/// The rate budget of one endpoint: what of the contract is spent already.
/// It outlives the process, and every process on the ledger shares it.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Budget {
    /// The time from which the next call may start, in nanoseconds since 1970 UTC.
    pub next: u64,
    /// For each longer window of the contract, by its length in seconds, the calls
    /// of its recent past: the start of a slice of time, in nanoseconds since 1970
    /// UTC, and its calls.
    pub recent: BTreeMap<u64, Vec<(u64, u32)>>,
    /// By the start of a machine, the clocks when it was last used there, so that a clock that
    /// is set is noticed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub clocks: BTreeMap<String, ClockReading>,
    /// Until when nobody may call, if the server asked for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet: Option<Quiet>,
}

/// The clock by which the budget is kept beside a machine's uptime, both read at one moment.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ClockReading {
    /// The uptime, in nanoseconds.
    pub uptime: u64,
    /// The clock of the budget, in nanoseconds since 1970 UTC.
    pub wall: u64,
}

/// A time in which nobody may call, because the server asked for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Quiet {
    /// When it was asked for, in nanoseconds since 1970 UTC.
    pub from: u64,
    /// When it is over.
    pub until: u64,
}

impl Budget {
    /// The server asked that nobody calls until then.
    pub fn keep_quiet(&mut self, until: Timestamp, now: Timestamp) {
        let until = nanoseconds(until);
        let is_longer = self
            .quiet_at(now)
            .is_none_or(|quiet| quiet.until.saturating_add(THE_SAME.as_nanos() as u64) < until);
        if is_longer && until > nanoseconds(now) {
            self.quiet = Some(Quiet { from: nanoseconds(now), until });
        }
    }

    /// Until when nobody may call, if that is not over.
    pub fn quiet_until(&self, now: Timestamp) -> Option<Timestamp> {
        let until = self.quiet_at(now)?.until;
        Timestamp::from_nanosecond(until.into()).ok()
    }

    fn quiet_at(&self, now: Timestamp) -> Option<Quiet> {
        let now = nanoseconds(now);
        let furthest = now.saturating_add(AHEAD.as_nanos() as u64);
        self.quiet.filter(|quiet| quiet.until > now && quiet.from < furthest)
    }

    /// Takes calls out of it, none while nobody may call. What is not used is given back.
    pub fn allocate(
        &mut self,
        request: SlotRequest,
        allocate: &mut AllocateSlots<'_>,
    ) -> SlotGrant {
        let Some(until) = self.quiet_until(request.now) else { return allocate(self, request) };
        let nothing = allocate(self, SlotRequest { wanted: 0, ..request });
        SlotGrant { slots: Vec::new(), next_slot_at: Some(until), ..nothing }
    }
}

fn nanoseconds(time: Timestamp) -> u64 {
    time.as_nanosecond().try_into().unwrap_or(0)
}

/// What a commit was granted of the budget.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlotGrant {
    /// The slots at which calls may start, in increasing order; none where
    /// there is no pace to keep.
    pub slots: Vec<Option<Timestamp>>,
    /// When more can be had, if the budget and not the wish was the limit.
    pub next_slot_at: Option<Timestamp>,
    /// Whether another process takes of the same budget, or may have of late.
    pub shared: bool,
    /// How far the clock was set since the budget was last used: back, if that is negative.
    pub clock_set: SignedDuration,
}

/// Takes up to `wanted` calls out of the budget, looking no further ahead than
/// `horizon` from `now`. Called inside the commit's transaction.
pub type AllocateSlots<'a> = dyn FnMut(&mut Budget, SlotRequest) -> SlotGrant + Send + 'a;

/// What a commit asks of the budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotRequest {
    /// Slots granted before at which no call started.
    pub unused: Vec<Timestamp>,
    /// The ledger's time.
    pub now: Timestamp,
    /// The uptime of this machine at that moment, if it is known.
    pub uptime: Option<Uptime>,
    /// How long the commit is likely to take: no slot lies before its end.
    pub lead: Duration,
    /// How far ahead of the commit's end slots may lie.
    pub horizon: Duration,
    /// How far apart the slots are at least, whatever the contract allows.
    pub spacing: Duration,
    /// Whether others are known to take of the same budget.
    pub others: bool,
    /// The most calls wanted.
    pub wanted: u32,
}

impl SlotRequest {
    /// Asks for nothing, and gives back slots for which there was no row.
    pub(crate) fn returning(
        unused: Vec<Timestamp>,
        now: Timestamp,
        spacing: Duration,
    ) -> SlotRequest {
        let (lead, horizon) = (Duration::ZERO, Duration::ZERO);
        let uptime = None;
        SlotRequest { unused, now, uptime, lead, horizon, spacing, others: false, wanted: 0 }
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
        assert_eq!(budget.quiet_until(second(0)), None);
        budget.keep_quiet(second(5), second(0));
        budget.keep_quiet(second(3), second(1));
        assert_eq!(budget.quiet_until(second(1)), Some(second(5)));
        budget.keep_quiet(second(9), second(2));
        assert_eq!(budget.quiet_until(second(8)), Some(second(9)));
        assert_eq!(budget.quiet_until(second(9)), None);
    }

    #[test]
    fn who_passes_it_on_a_little_off_does_not_make_it_longer() {
        let mut budget = Budget::default();
        budget.keep_quiet(second(5), second(0));
        let before = budget.clone();
        budget.keep_quiet(second(5) + Duration::from_millis(50), second(1));
        assert_eq!(budget, before);
    }

    #[test]
    fn one_that_was_asked_for_before_the_clock_was_set_back_is_over() {
        let mut budget = Budget::default();
        budget.keep_quiet(second(3605), second(3600));
        assert_eq!(budget.quiet_until(second(0)), None);
        budget.keep_quiet(second(2), second(0));
        assert_eq!(budget.quiet_until(second(0)), Some(second(2)));
    }
}
