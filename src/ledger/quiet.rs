//! `Retry-After`, kept beside the rate budget: it holds for every process that calls the
//! same server, and for one that is started again.

use std::time::Duration;

use jiff::Timestamp;

use super::{AllocateSlots, Budget, Quiet, SlotGrant, SlotRequest};

/// Who passes on what it was told itself may be off by this much: that changes nothing.
const THE_SAME: Duration = Duration::from_millis(100);

/// A time that was asked for later than this from now was asked for before the clock was set
/// back.
const AHEAD: Duration = Duration::from_secs(60);

impl Budget {
    /// The server asked that nobody calls until then.
    pub(super) fn keep_quiet(&mut self, until: Timestamp, now: Timestamp) {
        let until = nanoseconds(until);
        let is_longer = self
            .quiet_at(now)
            .is_none_or(|quiet| quiet.until.saturating_add(THE_SAME.as_nanos() as u64) < until);
        if is_longer && until > nanoseconds(now) {
            self.quiet = Some(Quiet { from: nanoseconds(now), until });
        }
    }

    /// Until when nobody may call, if that is not over.
    pub(super) fn quiet_until(&self, now: Timestamp) -> Option<Timestamp> {
        let until = self.quiet_at(now)?.until;
        Timestamp::from_nanosecond(until.into()).ok()
    }

    fn quiet_at(&self, now: Timestamp) -> Option<Quiet> {
        let now = nanoseconds(now);
        let furthest = now.saturating_add(AHEAD.as_nanos() as u64);
        self.quiet.filter(|quiet| quiet.until > now && quiet.from < furthest)
    }

    /// Takes calls out of it, none while nobody may call. What is not used is given back.
    pub(super) fn allocate(
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
