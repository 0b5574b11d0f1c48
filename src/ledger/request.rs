//! What people ask of the processes that work on a run, through the ledger.

use jiff::Timestamp;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestKind {
    /// Stop the run.
    Stop,
    /// Lower its rate, or restore it.
    Pace,
}

impl RequestKind {
    /// The name as it is recorded.
    pub fn as_str(self) -> &'static str {
        match self {
            RequestKind::Stop => "stop",
            RequestKind::Pace => "pace",
        }
    }

    /// The kind with this name; `None` if this version does not know it.
    pub(super) fn from_name(name: &str) -> Option<RequestKind> {
        [RequestKind::Stop, RequestKind::Pace].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A request that is about to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRequest {
    /// When it is made.
    pub at: Timestamp,
    /// Who makes it: user, host and process in words.
    pub by: String,
    /// What is asked for.
    pub kind: RequestKind,
    /// The pace as text; `None` restores the rate that the run was opened with.
    pub rates: Option<String>,
    /// Why, in the words of who makes it.
    pub reason: Option<String>,
}

/// A recorded request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRecord {
    /// Its number, unique in the ledger and increasing.
    pub number: i64,
    /// What was recorded.
    pub request: NewRequest,
}
