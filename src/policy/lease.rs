//! How long what this process claimed stays its own, where several work on a run.
//! A process that was frozen or cut off must send nothing that others have taken up.

use std::time::Duration;

use crate::model::Lease;

/// A lease is renewed when this part of it is over.
const RENEWED_AFTER: u32 = 3;

/// The lease under which this process holds rows, if there are leases at all.
#[derive(Debug, Default)]
pub struct LeaseTracker {
    /// It, and when after the start of the run it was asked for.
    granted: Option<(Lease, Duration)>,
}

impl LeaseTracker {
    /// Takes in the lease of a commit that was asked for at this time after the start.
    /// Returns whether the one before has run out: what was held is others' now.
    pub fn on_granted(&mut self, lease: Option<Lease>, asked: Duration) -> bool {
        let before = self.fencing_number();
        self.granted = lease.map(|lease| (lease, asked));
        before != 0 && before != self.fencing_number()
    }

    /// The number of the lease; 0 where there is none.
    pub fn fencing_number(&self) -> i64 {
        self.granted.map_or(0, |(lease, _)| lease.fencing_number)
    }

    /// When after the start it ends: what was not sent by then is not sent.
    pub fn expires_at(&self) -> Option<Duration> {
        self.granted.map(|(lease, asked)| asked.saturating_add(lease.duration))
    }

    /// When after the start a commit is due for its sake.
    pub fn renew_at(&self) -> Option<Duration> {
        self.granted.map(|(lease, asked)| asked.saturating_add(lease.duration / RENEWED_AFTER))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn lease(number: i64) -> Option<Lease> {
        Some(Lease { fencing_number: number, duration: seconds(30) })
    }

    #[test]
    fn a_lease_lasts_from_when_its_commit_was_asked_for() {
        let mut tracker = LeaseTracker::default();
        tracker.on_granted(lease(7), seconds(100));
        assert_eq!(tracker.expires_at(), Some(seconds(130)));
        assert_eq!(tracker.renew_at(), Some(seconds(110)));
    }

    #[test]
    fn only_another_number_says_that_the_lease_before_ran_out() {
        let mut tracker = LeaseTracker::default();
        assert!(!tracker.on_granted(lease(7), seconds(0)));
        assert!(!tracker.on_granted(lease(7), seconds(10)));
        assert!(tracker.on_granted(lease(8), seconds(60)));
    }

    #[test]
    fn where_there_are_no_leases_nothing_ends() {
        let mut tracker = LeaseTracker::default();
        assert!(!tracker.on_granted(None, seconds(1)));
        assert_eq!(
            (tracker.fencing_number(), tracker.expires_at(), tracker.renew_at()),
            (0, None, None)
        );
    }
}
