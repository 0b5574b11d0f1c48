//! Tracks the lease under which this process holds rows of a run that several processes work on.
//! A process that was suspended or disconnected must not send rows that another one has taken
//! over.

use std::time::Duration;

use crate::model::Lease;

/// A lease is renewed after this fraction of its duration: a third.
const RENEWED_AFTER: u32 = 3;

/// The lease under which this process holds rows, if the ledger uses leases.
#[derive(Debug, Default)]
pub struct LeaseTracker {
    /// The lease, and when the commit that granted it was requested, since the start of the run.
    granted: Option<(Lease, Duration)>,
}

impl LeaseTracker {
    /// Takes in the lease granted by a commit that was requested at `asked`, since the start of
    /// the run. Returns whether the previous lease had expired, so that other processes hold its
    /// rows.
    pub fn on_granted(&mut self, lease: Option<Lease>, asked: Duration) -> bool {
        let before = self.fencing_number();
        self.granted = lease.map(|lease| (lease, asked));
        before != 0 && before != self.fencing_number()
    }

    /// The fencing number of the lease; 0 if there is none.
    pub fn fencing_number(&self) -> i64 {
        self.granted.map_or(0, |(lease, _)| lease.fencing_number)
    }

    /// When the lease expires, since the start of the run: no row may be sent after that.
    pub fn expires_at(&self) -> Option<Duration> {
        self.granted.map(|(lease, asked)| asked.saturating_add(lease.duration))
    }

    /// When a commit must be made to renew the lease, since the start of the run.
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
    fn only_another_number_means_that_the_lease_before_expired() {
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
