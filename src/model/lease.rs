//! The lease under which a process holds rows of a run that several work on.

use std::time::Duration;

/// How long this process may hold rows without another commit, where several
/// work on a run. Rows that it holds longer go to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Another number than before says that the lease before ran out.
    pub fencing_number: i64,
    /// How long it lasts from when the commit was asked for.
    pub duration: Duration,
}
