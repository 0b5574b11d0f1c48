//! The lease under which a process holds rows of a run that several processes work on.

use std::time::Duration;

/// How long this process may hold rows without another commit, where several processes work on a
/// run. When it expires, its rows go to the other processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The fencing number. If it differs from the previous one, the previous lease has expired.
    pub fencing_number: i64,
    /// The lease's duration, counted from when the commit was requested.
    pub duration: Duration,
}
